"""A quarantined row that a named person lets pass enters once, is counted once, and only on the nights after."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include import steps
from include.contracts import require_contract
from include.kernel.errors import BadInput, TerminalError
from include.kernel.periods import SHANGHAI
from include.kernel.references import SnapshotKey
from include.steps.stores import Stores, lock_of, open_stores
from include.steps.waive import held_rows, revoke, waive, waivers
from include.store import decisions
from include.store import lake as places
from include.store.waivers import give
from tests.validation.test_judge import WRONG_DIGIT, filing

VAT = require_contract("TAX_VAT")
AREA = "320411"
FIRST, SECOND = date(2026, 11, 23), date(2026, 11, 24)
GOOD: list[dict[str, Any]] = [filing(i) for i in range(100)]
MISPRINT = filing(200, SHXYDM=WRONG_DIGIT)


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    """A home of its own, in which it is noon of the first day."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    monkeypatch.setattr(decisions, "clock", lambda: datetime(2026, 11, 23, 12, tzinfo=SHANGHAI))
    return open_stores()


def night(stores: Stores, day: date, rows: list[dict[str, Any]]) -> tuple[int, int, int, int]:
    """Land and judge these filings: rows in, duplicates, accepted, quarantined."""
    key = SnapshotKey("TAX_VAT", AREA, day)
    placed = [row | {"_page": 1, "_ordinal": at} for at, row in enumerate(rows)]
    landed = pa.Table.from_pylist(placed, VAT.landing_schema())
    manifest = stores.lake.commit(places.landing(key), {"data": landed}, {"fields": [], "pages": ["1"]})
    with stores.lease(lock_of(key), "test") as lease:
        stores.ledger.record_landed(
            key, lease=lease, contract_version=VAT.version, declared=None, received=len(rows),
            landing_sha=manifest.sha256,
        )  # fmt: skip
    said = steps.validate("TAX_VAT", AREA, day, holder="test")
    return said["rows_in"], said["duplicates"], said["accepted"], said["quarantined"]


def let_pass(evidence: str = "营业执照原件核对") -> int:
    (held,) = held_rows("TAX_VAT", AREA, FIRST)
    given, since = waive("TAX_VAT", AREA, FIRST, held.row[:16], evidence=evidence, by="陈工")
    assert (given.checks, since) == (["uscc.check_digit"], SECOND)
    return given.id


def test_a_row_that_is_let_pass_enters_once_from_the_next_night_on(stores: Stores) -> None:
    assert night(stores, FIRST, [*GOOD, MISPRINT]) == (101, 0, 100, 1)
    let_pass()
    assert night(stores, FIRST, [*GOOD, MISPRINT]) == (101, 0, 100, 1), "a re-run of that night does not see it"
    assert night(stores, SECOND, [MISPRINT, *GOOD, MISPRINT]) == (102, 1, 101, 0)
    accepted = stores.lake.read(places.accepted(SnapshotKey("TAX_VAT", AREA, SECOND)))
    assert accepted["filing_id"].to_pylist().count("f00200") == 1


def test_with_one_character_changed_it_is_another_row(stores: Stores) -> None:
    night(stores, FIRST, [*GOOD, MISPRINT])
    let_pass()
    assert night(stores, SECOND, [*GOOD, MISPRINT | {"XSE": "1200.01"}]) == (101, 0, 100, 1)


def test_how_many_were_let_pass_stands_in_the_ledger_and_in_the_report(stores: Stores) -> None:
    night(stores, FIRST, [*GOOD, MISPRINT])
    let_pass()
    night(stores, SECOND, [*GOOD, MISPRINT])
    held = stores.ledger.snapshot(SnapshotKey("TAX_VAT", AREA, SECOND))
    assert held is not None
    (check,) = [check for check in held.checks if check["id"] == "row.waived"]
    assert (check["checked"], check["failed"], check["detail"]) == (101, 1, "let pass by a person")
    page = (stores.lake.root / places.report(SnapshotKey("TAX_VAT", AREA, SECOND))).read_text(encoding="utf-8")
    assert "经人放行" in page
    assert "陈工" not in page


def test_a_waiver_that_is_taken_back_leaves_the_row_in_quarantine(stores: Stores) -> None:
    night(stores, FIRST, [*GOOD, MISPRINT])
    number = let_pass()
    taken, _ = revoke(number, evidence="看错了", by="李")
    assert night(stores, SECOND, [*GOOD, MISPRINT]) == (101, 0, 100, 1)
    assert [(one.id, one.revokes, one.decided_by) for one in waivers()] == [
        (number, None, "陈工"),
        (taken.id, number, "李"),
    ]
    with pytest.raises(BadInput, match="waiver 1 is revoked already"):
        revoke(number, evidence="再次", by="李")
    with pytest.raises(BadInput, match="there is no waiver 9"):
        revoke(9, evidence="再次", by="李")


def test_of_rows_that_share_a_key_the_one_that_a_person_chooses_passes(stores: Stores) -> None:
    """As when a registry gives one code two names: without a choice none of them is taken."""
    two = [filing(200, NSRMC="常州甲有限公司"), filing(200, NSRMC="常州乙有限公司")]
    assert night(stores, FIRST, [*GOOD, *two]) == (102, 0, 100, 2)
    held = held_rows("TAX_VAT", AREA, FIRST)
    assert [one.reasons for one in held] == [["key.unique"], ["key.unique"]]
    chosen, since = waive("TAX_VAT", AREA, FIRST, held[1].row, evidence="营业执照核对", by="陈工")
    assert (chosen.checks, since) == (["key.unique"], SECOND)
    assert night(stores, SECOND, [*two, *GOOD]) == (102, 0, 101, 1)
    accepted = stores.lake.read(places.accepted(SnapshotKey("TAX_VAT", AREA, SECOND))).to_pylist()
    assert [row["taxpayer_name"] for row in accepted if row["filing_id"] == "f00200"] == ["常州乙有限公司"]
    waive("TAX_VAT", AREA, FIRST, held[0].row, evidence="也是对的", by="李")
    assert night(stores, date(2026, 11, 25), [*GOOD, *two]) == (102, 0, 100, 2)  # of two that were chosen, neither


@pytest.mark.parametrize(
    ("taken_back", "waits", "reasons"),
    [(1, (102, 0, 100, 2), ["key.unique"]), (0, (102, 0, 101, 1), ["uscc.check_digit"])],
    ids=["the second", "the first"],
)
def test_a_row_that_meets_another_of_its_key_once_it_is_let_pass_can_be_chosen_too(
    stores: Stores, taken_back: int, waits: tuple[int, int, int, int], reasons: list[str]
) -> None:
    """The second waiver must not undo the first, or the row would wait for its misprint again; nor stand for it."""
    day, third = date(2026, 11, 25), date(2026, 11, 26)
    other = filing(200, NSRMC="常州乙有限公司")
    assert night(stores, FIRST, [*GOOD, other, MISPRINT]) == (102, 0, 101, 1)
    first = let_pass()
    assert night(stores, SECOND, [*GOOD, other, MISPRINT]) == (102, 0, 100, 2)
    (held,) = [one for one in held_rows("TAX_VAT", AREA, SECOND) if one.row == waivers()[0].row]
    assert held.reasons == ["key.unique"]
    second, _ = waive("TAX_VAT", AREA, SECOND, held.row, evidence="两张营业执照核对", by="李")
    assert night(stores, day, [*GOOD, other, MISPRINT]) == (102, 0, 101, 1)
    (left,) = held_rows("TAX_VAT", AREA, day)
    assert (left.row != held.row, left.reasons) == (True, ["key.unique"])
    revoke((first, second.id)[taken_back], evidence="看错了", by="李")
    assert night(stores, third, [*GOOD, other, MISPRINT]) == waits, "the other waiver still holds"
    assert {one.row: one.reasons for one in held_rows("TAX_VAT", AREA, third)}[held.row] == reasons


def test_a_second_reason_that_was_not_waived_keeps_it_out(stores: Stores) -> None:
    """The row is the same; the contract has learnt to look at more since."""
    night(stores, FIRST, [*GOOD, MISPRINT])
    (held,) = held_rows("TAX_VAT", AREA, FIRST)
    give(stores.engine, "TAX_VAT", held.row, ["sales_yuan.between"], evidence="只核实了金额", by="陈工")
    assert night(stores, SECOND, [*GOOD, MISPRINT]) == (101, 0, 100, 1)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"XSE": "一千二百"}, "sales_yuan.cast"),
        ({"RKSJ": "2026-11-23 08:00:00"}, "received_at.arrived"),
        ({"NSRMC": "常州甲\x00有限公司"}, "row.characters"),
    ],
)
def test_nobody_can_let_pass_what_cannot_be_read_or_told_apart(
    stores: Stores, changed: dict[str, str], reason: str
) -> None:
    night(stores, FIRST, [*GOOD, MISPRINT | {"SHXYDM": None} | changed])
    held = held_rows("TAX_VAT", AREA, FIRST)
    assert reason in held[-1].reasons
    with pytest.raises(BadInput, match=f"nobody can waive {reason}.*kept: the row in quarantine"):
        waive("TAX_VAT", AREA, FIRST, held[-1].row, evidence="核实", by="陈工")
    assert waivers() == []


@pytest.mark.parametrize(
    ("row", "evidence", "by", "said"),
    [
        ("9f2c", "核实", "陈工", "4 letters do not name a row"),
        ("0" * 16, "核实", "陈工", "0 rows in quarantine have this name"),
        ("", "", "陈工", "no evidence"),
        ("", "核实", " ", "no decided_by"),
    ],
)
def test_a_waiver_names_one_row_a_person_and_the_evidence(
    stores: Stores, row: str, evidence: str, by: str, said: str
) -> None:
    night(stores, FIRST, [*GOOD, MISPRINT])
    wanted = row or held_rows("TAX_VAT", AREA, FIRST)[0].row
    with pytest.raises(BadInput, match=said):
        waive("TAX_VAT", AREA, FIRST, wanted, evidence=evidence, by=by)
    assert waivers() == []


def test_a_snapshot_that_nobody_has_judged_has_no_rows_to_list(stores: Stores) -> None:
    with pytest.raises(BadInput, match=r"TAX_VAT/320411.*nothing has been judged"):
        held_rows("TAX_VAT", AREA, FIRST)


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
def test_what_waits_is_what_the_ledgers_verdict_speaks_of(stores: Stores, verdict: str) -> None:
    """A newer attempt was killed once the lake had its quarantine, and before the ledger was told."""
    if verdict == "accepted":
        night(stores, FIRST, [*GOOD, MISPRINT])
    else:
        with pytest.raises(TerminalError, match="rejected"):
            night(stores, FIRST, [MISPRINT])
    key = SnapshotKey("TAX_VAT", AREA, FIRST)
    judged, known = stores.lake.require(places.quarantine(key)), held_rows("TAX_VAT", AREA, FIRST)
    rows = stores.lake.read(judged.place).slice(0, 0)
    stores.lake.commit(judged.place, {"data": rows}, judged.facts | {"landing": "of the killed one"})
    assert len(known) == 1
    assert held_rows("TAX_VAT", AREA, FIRST) == known
