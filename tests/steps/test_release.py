"""A blocked delivery keeps the last good one in use until a named person releases it with a reason."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include import steps
from include.contracts import require_contract
from include.kernel.connections import Connection, missing
from include.kernel.errors import BadInput, InnopointsError, TerminalError
from include.kernel.references import SnapshotKey
from include.steps.before import before
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from tests.validation.test_judge import filing

VAT = require_contract("TAX_VAT")
NIGHTS = [date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)]
AREA = "320411"


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    return open_stores()


def key(night: date) -> SnapshotKey:
    return SnapshotKey("TAX_VAT", AREA, night)


def land(stores: Stores, night: date, yuan: str, rows: int = 50, pages: list[str] | None = None) -> None:
    """What the tax bureau delivered that night: one sum in every filing."""
    given: list[dict[str, Any]] = [filing(i, XSE=yuan) | {"_page": 1, "_ordinal": i} for i in range(rows)]
    manifest = stores.lake.commit(
        places.landing(key(night)),
        {"data": pa.Table.from_pylist(given, VAT.landing_schema())},
        {"fields": [], "pages": pages or ["1"]},
    )
    with stores.lease(f"snapshot/{key(night)}", "test") as lease:
        stores.ledger.record_landed(
            key(night), lease=lease, contract_version=VAT.version, declared=rows, received=rows,
            landing_sha=manifest.sha256,
        )  # fmt: skip


def judge(night: date) -> dict[str, Any]:
    return steps.validate("TAX_VAT", AREA, night, holder="test")


def release(night: date, person: str = "陈工", reason: str = "税务局自本日起以万元报送") -> dict[str, Any]:
    return steps.release("TAX_VAT", AREA, night, person=person, reason=reason, holder="test/release")


def in_use(stores: Stores, night: date) -> date:
    held = stores.ledger.last_accepted("TAX_VAT", AREA, night)
    assert held is not None
    return held.as_of


def blocked_night(stores: Stores) -> None:
    """One good night, and one on which everything stands in 万元."""
    land(stores, NIGHTS[0], "1200000.00")
    judge(NIGHTS[0])
    land(stores, NIGHTS[1], "120.00")
    with pytest.raises(
        TerminalError, match=r"snapshot.unit \(sales_yuan: 50 of 50 amounts times 10\^-4.*as of 2026-11-23"
    ):
        judge(NIGHTS[1])


def test_a_blocked_snapshot_keeps_the_last_good_one_until_it_is_released(stores: Stores) -> None:
    blocked_night(stores)
    assert in_use(stores, NIGHTS[1]) == NIGHTS[0]
    assert [(row.as_of, row.verdict) for row in steps.blocked()] == [(NIGHTS[1], "rejected")]
    done = release(NIGHTS[1])
    assert (done["verdict"], done["accepted"], in_use(stores, NIGHTS[1])) == ("accepted", 50, NIGHTS[1])
    assert steps.blocked() == []


def test_who_and_why_stand_in_the_ledger_and_in_no_report(stores: Stores) -> None:
    blocked_night(stores)
    release(NIGHTS[1])
    held = stores.ledger.snapshot(key(NIGHTS[1]))
    assert held is not None
    kept = stores.ledger.release_of(key(NIGHTS[1]), held.landing_sha)
    assert kept is not None
    assert (kept.person, kept.reason, kept.released_through) == ("陈工", "税务局自本日起以万元报送", "test/release")
    assert kept.blocked_by.startswith("snapshot.unit (sales_yuan: 50 of 50 amounts times 10^-4")
    assert (held.reason or "").startswith("released; it was blocked by snapshot.unit")
    page = (stores.lake.root / places.report(key(NIGHTS[1]))).read_text(encoding="utf-8")
    assert "已接收" in page
    assert "陈工" not in page


def test_the_released_snapshot_is_what_the_next_night_is_held_against(stores: Stores) -> None:
    blocked_night(stores)
    release(NIGHTS[1])
    land(stores, NIGHTS[2], "120.00")
    assert judge(NIGHTS[2])["verdict"] == "accepted"


def test_a_release_does_not_hold_for_what_lands_anew(stores: Stores) -> None:
    blocked_night(stores)
    release(NIGHTS[1])
    land(stores, NIGHTS[1], "120.00", pages=["again"])
    with pytest.raises(TerminalError, match=r"snapshot rejected: snapshot\.unit"):
        judge(NIGHTS[1])
    assert in_use(stores, NIGHTS[1]) == NIGHTS[0]


def test_a_release_that_was_interrupted_is_carried_on(stores: Stores) -> None:
    blocked_night(stores)
    held = stores.ledger.snapshot(key(NIGHTS[1]))
    assert held is not None
    with stores.lease(f"snapshot/{key(NIGHTS[1])}", "gone") as lease:
        stores.ledger.record_release(
            key(NIGHTS[1]), lease=lease, landing_sha=held.landing_sha, person="陈工", reason="已核实"
        )
    assert in_use(stores, NIGHTS[1]) == NIGHTS[0]
    assert release(NIGHTS[1], reason="再次核实")["verdict"] == "accepted"


@pytest.mark.parametrize(("person", "reason"), [("", "已核实"), ("  ", "已核实"), ("陈工", "是"), ("陈工", "x" * 501)])
def test_nobody_and_no_reason_release_nothing(stores: Stores, person: str, reason: str) -> None:
    blocked_night(stores)
    with pytest.raises(BadInput, match=r"characters .* do: write"):
        release(NIGHTS[1], person, reason)
    assert in_use(stores, NIGHTS[1]) == NIGHTS[0]


def test_only_what_is_blocked_can_be_released_and_an_empty_delivery_never(stores: Stores) -> None:
    with pytest.raises(BadInput, match="nothing has landed, not blocked"):
        release(NIGHTS[0])
    land(stores, NIGHTS[0], "1200000.00")
    with pytest.raises(BadInput, match="it is not judged yet, not blocked"):
        release(NIGHTS[0])
    judge(NIGHTS[0])
    with pytest.raises(BadInput, match="it is accepted, not blocked"):
        release(NIGHTS[0])
    land(stores, NIGHTS[1], "0", rows=0)
    with pytest.raises(TerminalError, match=r"snapshot\.min_rows"):
        judge(NIGHTS[1])
    with pytest.raises(BadInput, match="an empty delivery is not released"):
        release(NIGHTS[1])
    assert in_use(stores, NIGHTS[1]) == NIGHTS[0]


def not_told(stores: Stores, night: date, room: str, rows: pa.Table) -> None:
    """A newer attempt was killed once the lake had its rows, and before the ledger was told."""
    place = getattr(places, room)(key(night))
    stores.lake.commit(place, {"data": rows}, stores.lake.require(place).facts | {"landing": "of the killed one"})


def test_what_an_attempt_left_that_was_killed_before_the_ledger_was_told_stops_no_release(stores: Stores) -> None:
    blocked_night(stores)
    given = [filing(i) | {"_page": 1, "_ordinal": i} for i in range(3)]
    not_told(stores, NIGHTS[1], "landing", pa.Table.from_pylist(given, VAT.landing_schema()))
    assert (release(NIGHTS[1])["accepted"], in_use(stores, NIGHTS[1])) == (50, NIGHTS[1])


def test_a_night_is_held_against_what_the_ledger_has_accepted(stores: Stores) -> None:
    land(stores, NIGHTS[0], "1200000.00")
    judge(NIGHTS[0])
    accepted = stores.lake.read(places.accepted(key(NIGHTS[0])))
    not_told(stores, NIGHTS[0], "accepted", accepted.slice(0, 3))
    not_told(stores, NIGHTS[0], "landing", stores.lake.read(places.landing(key(NIGHTS[0]))).slice(0, 3))
    last = before(stores, VAT, key(NIGHTS[1])).last
    assert last is not None
    assert last.rows.equals(accepted)


def test_a_landing_that_the_lake_has_lost_lands_anew(stores: Stores) -> None:
    """The department is asked, so that its Connection is missing here: it was not, and nothing led out of it."""
    land(stores, NIGHTS[0], "1200000.00")
    stores.lake.erase(places.landing(key(NIGHTS[0])))
    with pytest.raises(TerminalError, match=r"no version .* of it is committed .* do: run the step that writes it"):
        judge(NIGHTS[0])
    with pytest.raises(InnopointsError, match="innopoints_tax_database"):
        steps.land("TAX_VAT", AREA, NIGHTS[0], holder="test", lookup=missing_connection)


def missing_connection(conn_id: str) -> Connection:
    raise missing(conn_id)
