"""What people decided about names and codes that equality leaves open: who, when, on what evidence.

Rows are only ever added. To take one back is a row too, so the decisions as of any date can be read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Engine, ForeignKey, Table
from sqlalchemy.types import Integer, Text

from include.kernel.errors import BadInput, one_line
from include.store.warehouse import Moment, Warehouse, clock, metadata, reading, writing

run_name_decision = Table(
    "run_name_decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("uscc", Text),
    Column("revokes", ForeignKey("run_name_decision.id")),
    Column("evidence", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
    CheckConstraint("evidence <> '' AND decided_by <> ''", name="says_who_and_why"),
    CheckConstraint("revokes IS NULL OR uscc IS NULL", name="a_revocation_links_nobody"),
)


@dataclass(frozen=True)
class NameDecision:
    """Records of `dataset` that say `code` and `name` (in their one spelling, '' for none) mean `uscc`, None: nobody
    registered. With `revokes`, that decision no longer holds.
    """

    id: int
    dataset: str
    code: str
    name: str
    uscc: str | None
    revokes: int | None
    evidence: str
    decided_by: str
    decided_at: datetime


class _Revocable(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def revokes(self) -> int | None: ...


Entry = TypeVar("Entry", bound=_Revocable)


def decisions(warehouse: Warehouse, before: datetime | None = None) -> list[NameDecision]:
    """All that were taken, or those taken before a moment, in their order."""
    return [NameDecision(**row) for row in added(warehouse, run_name_decision, before)]


def in_force(taken: list[NameDecision]) -> dict[str, dict[tuple[str, str], NameDecision]]:
    """dataset → (code, name) → the last decision that nobody revoked."""
    stands = standing(taken)
    held: dict[str, dict[tuple[str, str], NameDecision]] = defaultdict(dict)
    for one in taken:
        if one.id in stands:
            held[one.dataset][one.code, one.name] = one
    return dict(held)


def decide(
    engine: Engine, dataset: str, subject: tuple[str, str], uscc: str | None, *, evidence: str, by: str
) -> NameDecision:
    """Add a decision; a later one about the same subject takes its place."""
    code, name = subject
    row = {"dataset": dataset, "code": code, "name": name, "uscc": uscc, "evidence": evidence, "decided_by": by}
    return _add(engine, row)


def revoke(engine: Engine, number: int, *, evidence: str, by: str) -> NameDecision:
    """Take a decision back: what held before it holds again."""
    one = revocable(decisions(engine), number, "decision", "all decisions", "look at `review decisions`")
    row = {"dataset": one.dataset, "code": one.code, "name": one.name, "revokes": number}
    return _add(engine, row | {"evidence": evidence, "decided_by": by})


def added(warehouse: Warehouse, table: Table, before: datetime | None) -> list[dict[str, Any]]:
    """The rows of such a table in their order, all or those added before a moment."""
    query = sa.select(table).order_by(table.c.id)
    if before is not None:
        query = query.where(table.c.decided_at < before)
    with reading(warehouse) as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def standing(taken: Sequence[Entry]) -> set[int]:
    """The numbers of the entries that can be taken back: they take back no other, and nobody has taken them back."""
    revoked = {one.revokes for one in taken}
    return {one.id for one in taken if one.revokes is None and one.id not in revoked}


def revocable(taken: Sequence[Entry], number: int, what: str, kept: str, todo: str) -> Entry:
    """The entry with this number, if it can be taken back: it takes back no other, and stands."""
    one = next((one for one in taken if one.id == number), None)
    if one is None or one.revokes is not None:
        raise BadInput(f"there is no {what} {number}", kept=kept, todo=todo)
    if any(other.revokes == number for other in taken):
        raise BadInput(f"{what} {number} is revoked already", kept=kept)
    return one


def add(warehouse: Warehouse, table: Table, row: Mapping[str, object], kept: str) -> dict[str, Any]:
    """Add what a person decided to its table (`id`, `evidence`, `decided_by`, `decided_at` and more), and give it. Each
    stands in one line of a list, so that nobody's words look like another entry.
    """
    said = {name: one_line(str(row[name])) for name in ("evidence", "decided_by")}
    for name, words in said.items():
        if not words:
            raise BadInput(f"no {name}", kept=kept, todo="say who decides, and on what evidence")
    entry: dict[str, Any] = {**row, **said, "decided_at": clock()}
    with writing(warehouse) as connection:
        number = connection.execute(sa.insert(table).values(entry)).inserted_primary_key
    assert number is not None
    return {"id": number[0], **entry}


def _add(engine: Engine, row: Mapping[str, object]) -> NameDecision:
    said = {"uscc": None, "revokes": None, **row}
    return NameDecision(**add(engine, run_name_decision, said, kept="all decisions"))
