"""Waivers: which quarantined rows a person lets pass although checks hold them back, who, when, on what evidence.

Rows are only ever added. To take one back is a row too, so the waivers as of any date can be read again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Engine, ForeignKey, Table
from sqlalchemy.types import Integer, Text

from include.store.decisions import add, added, revocable, standing
from include.store.warehouse import Moment, Warehouse, metadata

run_waiver = Table(
    "run_waiver",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("row", Text, nullable=False),
    Column("checks", JSON, nullable=False),
    Column("revokes", ForeignKey("run_waiver.id")),
    Column("evidence", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
    CheckConstraint("evidence <> '' AND decided_by <> ''", name="says_who_and_why"),
)
_KEPT = "all waivers; the row stays in quarantine"


@dataclass(frozen=True)
class Waiver:
    """The row of `dataset` whose content has the SHA-256 `row` passes, whatever these `checks` say. With `revokes`,
    that waiver no longer holds.
    """

    id: int
    dataset: str
    row: str
    checks: list[str]
    revokes: int | None
    evidence: str
    decided_by: str
    decided_at: datetime


def waivers(warehouse: Warehouse, before: datetime | None = None) -> list[Waiver]:
    """All that were given, or those given before a moment, in their order."""
    return [Waiver(**row) for row in added(warehouse, run_waiver, before)]


def in_force(given: list[Waiver]) -> dict[str, dict[str, Waiver]]:
    """dataset → row → the last waiver for it that nobody revoked, with the checks of all that stand: let pass with a
    misprint, a row may meet another of its key and be chosen by a second waiver.
    """
    stands = standing(given)
    held: dict[str, dict[str, Waiver]] = defaultdict(dict)
    for one in given:
        if one.id in stands:
            earlier = held[one.dataset].get(one.row)
            checks = dict.fromkeys([*(earlier.checks if earlier else ()), *one.checks])
            held[one.dataset][one.row] = replace(one, checks=list(checks))
    return dict(held)


def give(engine: Engine, dataset: str, row: str, checks: list[str], *, evidence: str, by: str) -> Waiver:
    """Let a row pass these checks; what earlier waivers let it pass they still do."""
    said = {"dataset": dataset, "row": row, "checks": checks, "evidence": evidence, "decided_by": by}
    return _add(engine, said)


def revoke(engine: Engine, number: int, *, evidence: str, by: str) -> Waiver:
    """Take a waiver back: the row waits in quarantine again, or what held before holds again."""
    one = revocable(waivers(engine), number, "waiver", _KEPT, "look at `quarantine waivers`")
    said = {"dataset": one.dataset, "row": one.row, "checks": [], "revokes": number}
    return _add(engine, said | {"evidence": evidence, "decided_by": by})


def _add(engine: Engine, said: dict[str, Any]) -> Waiver:
    return Waiver(**add(engine, run_waiver, {"revokes": None} | said, kept=_KEPT))
