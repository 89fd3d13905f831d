"""The rows that validation holds back: whom they concern, the cell at fault as the department wrote it, and why. Among
several names in a cell (owners of a patent) those that may be persons' are not shown.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Row

from include.conformed.names import may_be_person, split
from include.contracts import Contract, require_contract
from include.kernel.identity import fold
from include.kernel.references import SnapshotKey
from include.portal.desk import Sorry
from include.portal.published import Reader, Reading
from include.steps.held_back import held_back as held_back_rows
from include.store.lake import Lake, quarantine
from include.store.ledger import Ledger, SnapshotRow
from include.validation.waiver import row_id

HIDDEN = "＊＊＊"


class HeldBack(NamedTuple):
    """One row and one reason; a row with two reasons stands twice. `row` begins the name by which `quarantine waive`
    knows it; `page` and `ordinal` say where it came.
    """

    row: str
    page: int
    ordinal: int
    entity: str
    reason: str
    column: str
    found: str


def source_of(reading: Reading, reader: Reader, dataset: str, scope: str) -> Row:
    """The quality row of a snapshot that the current generation stands on. A dataset of the whole city names
    enterprises of every district: only who may see them all is shown its rows.
    """
    for row in reading.sources(reader):
        if (row.dataset, row.scope) == (dataset, scope) and reader.may_see(scope):
            return row
    raise Sorry(404, "unknown_source")


def held_back(
    lake: Lake, ledger: Ledger, source: Row | SnapshotRow, reason: str = "", text: str = ""
) -> list[HeldBack]:
    """What of that snapshot is in quarantine, in the order in which it came: all, or for one reason, or what holds a
    text in the name, the code or the cell.
    """
    asked = fold(text)
    return [
        one
        for one in _all_held_back(lake, ledger, source)
        if reason in ("", one.reason) and (asked in fold(one.entity) or asked in fold(one.found))
    ]


def reasons(lake: Lake, ledger: Ledger, source: Row | SnapshotRow) -> list[str]:
    """The checks that hold something back of that snapshot."""
    return sorted({one.reason for one in _all_held_back(lake, ledger, source)})


def rows_of(lake: Lake, ledger: Ledger, source: Row | SnapshotRow, uscc: str, name: str) -> list[HeldBack]:
    """The rows in quarantine of that snapshot that give the code or the name of an enterprise."""
    rows, asked = _all_held_back(lake, ledger, source), (fold(uscc), fold(name))
    found = [one for text in asked for one in rows if text in fold(one.entity) or text in fold(one.found)]
    return list({one.row: one for one in found}.values())


def one_row(lake: Lake, ledger: Ledger, source: Row | SnapshotRow, row: str) -> list[HeldBack]:
    """One row by its name, with each of its reasons."""
    found = [one for one in _all_held_back(lake, ledger, source) if one.row == row]
    if not found:
        raise Sorry(404, "unknown_row")
    return found


def _all_held_back(lake: Lake, ledger: Ledger, source: Row | SnapshotRow) -> list[HeldBack]:
    key, contract = SnapshotKey(source.dataset, source.scope, source.as_of), require_contract(source.dataset)
    judged = ledger.snapshot(key)
    # A generation may be of a snapshot that the ledger does not know.
    rows = (lake.read(quarantine(key)) if judged is None else held_back_rows(lake, judged)).to_pylist()
    found = [
        HeldBack(
            row_id(contract, row)[:16],
            row["_page"],
            row["_ordinal"],
            _shown(row["entity"]) if contract.entity.names else row["entity"],
            reason,
            *_cell(contract, row, reason),
        )
        for row in rows
        for reason in row["reasons"]
    ]
    return sorted(found, key=lambda one: (one.page, one.ordinal))


def _cell(contract: Contract, row: dict[str, str | None], reason: str) -> tuple[str, str]:
    """The column that a reason (`column.check`) speaks of, and what stands there; neither, if it speaks of the row."""
    name = reason.partition(".")[0]
    if (column := contract.columns.get(name)) is None:
        return "", ""
    found = row[column.native] or ""
    names = name in (contract.entity.names, contract.entity.filed_by)
    return f"{column.zh} {column.native}", _shown(found) if names else found


def _shown(names: str) -> str:
    return ";".join(HIDDEN if may_be_person(name) else name for name in split(names))
