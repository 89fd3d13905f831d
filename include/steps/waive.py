"""The rows that wait in quarantine, and how a named person lets one of them pass.

A waiver given on a day holds from the refresh as of the next day on, as decisions about names do: a re-run as of an
earlier date does not see it. It speaks of what the row says, so the row passes on every night on which it comes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from include.contracts import require_contract
from include.kernel.errors import BadInput
from include.kernel.periods import seen_from
from include.kernel.references import SnapshotKey
from include.steps.held_back import held_back
from include.steps.stores import open_stores
from include.store import waivers as store
from include.store.waivers import Waiver
from include.validation.waiver import not_waivable, row_id

LEAST_LETTERS = 8
_KEPT = "the row in quarantine"


@dataclass(frozen=True)
class HeldRow:
    """A row in quarantine: its name, where it came, and the checks that hold it back."""

    row: str
    page: int
    ordinal: int
    reasons: list[str]


def held_rows(dataset: str, scope: str, as_of: date) -> list[HeldRow]:
    """What waits of a judged snapshot, in the order in which it came."""
    contract, key = require_contract(dataset), SnapshotKey(dataset, scope, as_of)
    stores = open_stores()
    held = stores.ledger.snapshot(key)
    if held is None or held.verdict is None:
        raise BadInput(
            "nothing has been judged", where=str(key), kept="everything", todo="give dataset, scope and date"
        )
    rows = held_back(stores.lake, held).to_pylist()
    return [HeldRow(row_id(contract, row), row["_page"], row["_ordinal"], row["reasons"]) for row in rows]


def waive(dataset: str, scope: str, as_of: date, row: str, *, evidence: str, by: str) -> tuple[Waiver, date]:
    """Let the row pass that has this name, or whose name begins so; and the first business date that sees it."""
    key = SnapshotKey(dataset, scope, as_of)
    if len(row) < LEAST_LETTERS:
        raise BadInput(f"{len(row)} letters do not name a row", kept=_KEPT, todo=f"give at least {LEAST_LETTERS}")
    found = {one.row: one for one in held_rows(dataset, scope, as_of) if one.row.startswith(row.lower())}
    if len(found) != 1:
        raise BadInput(
            f"{len(found)} rows in quarantine have this name",
            where=str(key),
            kept=_KEPT,
            todo="copy it from `quarantine list`",
        )
    (one,) = found.values()
    if never := not_waivable(one.reasons):
        raise BadInput(
            f"nobody can waive {', '.join(never)}",
            where=str(key),
            kept=_KEPT,
            todo="let the department send the record again, or correct the contract",
        )
    given = store.give(open_stores().engine, dataset, one.row, one.reasons, evidence=evidence, by=by)
    return given, seen_from(given.decided_at)


def revoke(number: int, *, evidence: str, by: str) -> tuple[Waiver, date]:
    """Take a waiver back, and the first business date that sees it."""
    given = store.revoke(open_stores().engine, number, evidence=evidence, by=by)
    return given, seen_from(given.decided_at)


def waivers() -> list[Waiver]:
    """Everything that was given or taken back, in its order."""
    return store.waivers(open_stores().engine)
