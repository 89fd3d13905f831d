"""What the field register no longer allows goes, with a proof; what anything published stands on stays."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from include.contracts.field_register import retention_days
from include.kernel.errors import BadInput, TerminalError
from include.kernel.references import ResultKey, SnapshotKey
from include.steps import retention
from include.steps.explain import explain
from include.steps.retention import retain
from include.steps.stores import Stores, lock_of, open_stores
from include.store import lake as lake_module
from include.store import lake as places
from include.store import warehouse as warehouse_module
from include.store.ledger import Held, run_lease, run_result, run_snapshot
from include.store.warehouse import generation, writing

TODAY = date(2026, 11, 29)
OLD = TODAY - timedelta(days=retention_days(TODAY) + 1)
EDGE = TODAY - timedelta(days=retention_days(TODAY))
SCHEME = "changzhou_v1"


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    return open_stores()


def snapshot(stores: Stores, dataset: str, scope: str, day: date) -> list[str]:
    """An accepted snapshot of one row; gives its member of a snapshot set."""
    key, rows = SnapshotKey(dataset, scope, day), pa.table({"uscc": [f"{dataset}{day}"]})
    landed = stores.lake.commit(places.landing(key), {"data": rows}, {})
    stores.lake.commit(places.quarantine(key), {"data": rows.slice(0, 0)}, {})
    accepted = stores.lake.commit(places.accepted(key), {"data": rows}, {"landing": landed.sha256})
    with stores.lease(lock_of(key), "test") as lease:
        stores.ledger.record_landed(
            key, lease=lease, contract_version=1, declared=1, received=1, landing_sha=landed.sha256
        )
        stores.ledger.record_verdict(
            key, lease=lease, verdict="accepted", rows_in=1, duplicates=0, accepted=1, quarantined=0, reason=None,
            checks=[], accepted_sha=accepted.sha256,
        )  # fmt: skip
    return [dataset, scope, day.isoformat(), accepted.sha256]


def scored(stores: Stores, district: str, day: date, members: list[list[str]]) -> ResultKey:
    """A result of one district that stands on these snapshots."""
    result = ResultKey(day, district, SCHEME)
    sha = stores.lake.commit(places.points(result), {"points": pa.table({"uscc": ["A"]})}, {}).sha256
    with stores.lease(f"result/{result}", "test") as lease:
        stores.ledger.record_scored(result, lease=lease, snapshot_set=members, enterprises=1, points_sha=sha)
    return result


def brought_in(stores: Stores, day: date) -> None:
    """Make everything in the ledger as old as its business date says, or as `day`."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with writing(stores.engine) as connection:
        connection.execute(sa.update(run_snapshot).values(landed_at=moment))
        connection.execute(sa.update(run_result).values(scored_at=moment))
    for path in stores.lake.root.rglob("*"):
        os.utime(path, (moment.timestamp(), moment.timestamp()))


def test_what_nothing_stands_on_goes_and_is_listed_with_its_digests(stores: Stores) -> None:
    old, kept = SnapshotKey("TAX_CIT", "320411", OLD), SnapshotKey("TAX_CIT", "320411", EDGE)
    for day in (OLD, EDGE):
        snapshot(stores, "TAX_CIT", "320411", day)
    digest = stores.lake.require(places.accepted(old)).tables["data"].sha256
    assert retain(TODAY, holder="test")["erased"] == 0  # brought in today, for a past date: a back-fill is not old
    brought_in(stores, OLD)
    assert retain(TODAY, holder="test", dry=True)["snapshots"] == 1
    assert stores.lake.holds(places.accepted(old))
    done = retain(TODAY, holder="test")
    assert (done["erased"], stores.ledger.snapshot(old)) == (1, None)
    assert not any(stores.lake.holds(place) for place in places.of_snapshot(old))
    assert retain(TODAY, holder="test")["files"] == done["files"]  # repeated, it adds nothing and loses nothing
    proof = stores.lake.read(places.erased(TODAY), "files")
    assert (places.accepted(old), digest) in zip(proof["place"].to_pylist(), proof["sha256"].to_pylist(), strict=True)
    assert stores.lake.read(places.accepted(kept)).num_rows == 1
    assert retain(TODAY + timedelta(days=1), holder="test")["erased"] == 0  # the last accepted one is never too old


def test_what_the_last_result_or_a_generation_stands_on_stays_however_old(stores: Stores) -> None:
    newest = OLD + timedelta(days=9)
    members = {day: snapshot(stores, "TAX_CIT", "320411", day) for day in (OLD, OLD + timedelta(days=1), newest)}
    first = scored(stores, "320411", OLD, [members[OLD]])
    between = scored(stores, "320411", OLD + timedelta(days=1), [members[OLD + timedelta(days=1)]])
    last = scored(stores, "320412", OLD, [members[OLD]])
    scored(stores, "320411", newest, [members[newest]])
    with writing(stores.engine) as connection:
        connection.execute(
            sa.insert(generation).values(
                as_of=OLD, scheme_id=SCHEME, scheme_version="1", snapshot_set="x", status="superseded",
                created_at=datetime(2025, 11, 1, tzinfo=UTC),
            )
        )  # fmt: skip
    brought_in(stores, OLD)
    limit = OLD + timedelta(days=2)
    retain(limit + timedelta(days=retention_days(TODAY)), holder="test")
    assert stores.lake.holds(places.points(first))  # the generation of that date shows it
    assert stores.lake.holds(places.points(last))  # the district's last one
    assert stores.lake.read(places.accepted(SnapshotKey("TAX_CIT", "320411", OLD))).num_rows == 1
    assert not stores.lake.holds(places.points(between))
    assert stores.ledger.result(between) is None
    for indicator in (None, "BAS-01"):
        with pytest.raises(BadInput, match=r"is scored under changzhou_v1 .*old nights are erased"):
            explain("91320400MA00000001", SCHEME, indicator=indicator, as_of=between.as_of)
    assert not stores.lake.holds(places.accepted(SnapshotKey("TAX_CIT", "320411", OLD + timedelta(days=1))))


def test_a_snapshot_that_somebody_works_on_is_left_for_the_next_time(stores: Stores) -> None:
    for day in (OLD, EDGE):
        snapshot(stores, "TAX_CIT", "320411", day)
    brought_in(stores, OLD)
    key = SnapshotKey("TAX_CIT", "320411", OLD)
    with stores.lease(lock_of(key), "a backfill"):
        assert retain(TODAY, holder="test")["erased"] == 0
    assert stores.ledger.snapshot(key) is not None
    assert retain(TODAY, holder="test")["erased"] == 1


def test_a_result_that_stays_keeps_the_older_snapshots_it_stands_on(stores: Stores) -> None:
    member = snapshot(stores, "ST_AWARD", "city", OLD)
    snapshot(stores, "ST_AWARD", "city", TODAY)
    scored(stores, "320411", EDGE, [member])
    scored(stores, "320411", TODAY, [])
    brought_in(stores, OLD)
    assert retain(TODAY, holder="test")["erased"] == 0
    assert stores.lake.read(places.accepted(SnapshotKey("ST_AWARD", "city", OLD))).num_rows == 1


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """What `happens` between the choice of what goes and the rest of it."""
    chosen = retention._old

    def first(stores: Stores, limit: date) -> set[SnapshotKey | ResultKey]:
        found = chosen(stores, limit)
        monkeypatch.setattr(retention, "_old", chosen)
        happens()
        return found

    monkeypatch.setattr(retention, "_old", first)


@pytest.mark.parametrize("what", ["scored again", "published", "used by another district", "landed again"])
def test_what_is_used_again_after_it_was_chosen_keeps_its_files(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    member = snapshot(stores, "TAX_CIT", "320411", OLD)
    result = scored(stores, "320411", OLD, [member])
    scored(stores, "320411", TODAY, [snapshot(stores, "TAX_CIT", "320411", TODAY)])
    scored(stores, "320412", TODAY, [])
    brought_in(stores, OLD)
    key, points = SnapshotKey("TAX_CIT", "320411", OLD), places.points(result)

    def published() -> None:
        set_id = stores.ledger.snapshot_set([member])
        with writing(stores.engine) as connection:
            connection.execute(
                sa.insert(generation).values(
                    as_of=OLD, scheme_id=SCHEME, scheme_version="1", snapshot_set=set_id, status="superseded",
                    created_at=datetime(2025, 11, 1, tzinfo=UTC),
                )
            )  # fmt: skip

    def scored_again() -> None:
        with writing(stores.engine) as connection:
            connection.execute(sa.update(run_result).values(scored_at=datetime.now(UTC)))

    happens: dict[str, Callable[[], object]] = {
        "scored again": scored_again,
        "published": published,
        "used by another district": lambda: scored(stores, "320412", OLD, [member]),
        "landed again": lambda: snapshot(stores, "TAX_CIT", "320411", OLD),
    }
    meanwhile(monkeypatch, happens[what])
    retain(TODAY, holder="test")
    assert stores.ledger.snapshot(key) is not None
    assert stores.lake.read(places.accepted(key), version=member[3]).num_rows == 1
    if what in ("scored again", "published"):
        assert stores.ledger.result(result) is not None
        assert stores.lake.read(points, "points").num_rows == 1


@pytest.mark.parametrize("retry", ["test", "another"])
@pytest.mark.parametrize("part", ["a snapshot", "a result", "between them", "a reply"])
def test_one_that_wakes_late_erases_nothing_of_what_was_brought_in_meanwhile(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str, retry: str
) -> None:
    """It falls asleep as it is about to erase; its retry ends; then the day is brought in anew, and it wakes."""
    key, other = SnapshotKey("TAX_CIT", "320411", OLD), SnapshotKey("TAX_CIT", "320412", OLD)
    result = ResultKey(OLD, "320411", SCHEME)
    between = {"between them": places.conformed("320411", OLD), "ranked": places.ranked(OLD, SCHEME)}
    own = {"a snapshot": places.accepted(key), "a result": places.points(result), "a reply": places.raw(other)}

    def bring_in() -> None:
        scored(stores, "320411", OLD, [snapshot(stores, "TAX_CIT", "320411", OLD)])
        for place in between.values():
            with stores.lease(place, "night") as lease:
                stores.lake.commit(place, {"data": pa.table({"uscc": ["A"]})}, {}, fence=lease.fence)
        with stores.lease(lock_of(other), "night") as lease, lease.fence():
            stores.lake.keep_raw(places.raw(other), "1", b"reply")

    bring_in()
    scored(stores, "320411", TODAY, [snapshot(stores, "TAX_CIT", "320411", TODAY)])
    brought_in(stores, OLD)
    erase = retention._erase

    def falls_asleep(stores: Stores, of_places: list[str], *given: Any) -> None:
        if {**own, **between}[part] in of_places:
            monkeypatch.setattr(retention, "_erase", erase)
            with contextlib.suppress(Held):  # the other is at it still
                retain(TODAY, holder=retry)
            with writing(stores.engine) as connection:  # a quarter of an hour later
                connection.execute(sa.update(run_lease).values(expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
            retain(TODAY, holder=retry)
            bring_in()
        erase(stores, of_places, *given)

    monkeypatch.setattr(Stores, "lease", partialmethod(Stores.lease, patience=0))
    monkeypatch.setattr(retention, "_erase", falls_asleep)
    with pytest.raises(TerminalError, match=r"fenced: test \(token \d+\) has been replaced"):
        retain(TODAY, holder="test")
    assert "fenced: test" in caplog.text
    assert stores.ledger.snapshot(key) is not None
    assert stores.ledger.result(result) is not None
    assert stores.lake.read(places.accepted(key)).num_rows == stores.lake.read(places.points(result), "points").num_rows
    assert all(stores.lake.holds(place) for place in {**own, **between}.values())


class Killed(BaseException):
    """As a process ends that is killed: nothing of ours runs after it."""


def test_an_erasure_that_is_killed_anywhere_is_ended_by_the_next_and_proved(
    stores: Stores, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at the first, the second … of the points between its writes, until none is left."""
    old, young = (SnapshotKey("TAX_CIT", "320411", day) for day in (OLD, EDGE))
    for day in (OLD, EDGE):
        snapshot(stores, "TAX_CIT", "320411", day)
    brought_in(stores, OLD)
    held = {file[1] for place in places.of_snapshot(old) for file in stores.lake.files(place)}
    stores.engine.dispose()
    survived, passed = -1, [""]
    while len(passed) > survived:
        survived, passed = survived + 1, []
        home = tmp_path_factory.mktemp("killed") / "home"
        monkeypatch.setenv("INNOPOINTS_HOME", str(shutil.copytree(tmp_path, home)))
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            for module in (lake_module, warehouse_module):
                patch.setattr(module, "crash_point", partial(_killed_at, passed, survived))
            retain(TODAY, holder="killed")
        after = open_stores()
        with writing(after.engine) as connection:  # its lease runs out
            connection.execute(sa.update(run_lease).values(expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
        retain(TODAY, holder="next")
        assert not any(after.lake.holds(place) for place in places.of_snapshot(old)), passed
        assert after.ledger.snapshot(old) is None
        assert after.lake.read(places.accepted(young)).num_rows == 1
        proof = after.lake.read(places.erased(TODAY), "files")
        assert held == set(proof["sha256"].to_pylist())
        assert len(set(zip(proof["place"].to_pylist(), proof["file"].to_pylist(), strict=True))) == proof.num_rows
    assert {"manifest erased", "erased", "written beside"} <= set(passed)


def _killed_at(passed: list[str], survived: int, point: str) -> None:
    passed.append(point)
    if len(passed) > survived:
        raise Killed


def test_what_a_night_left_that_never_came_to_its_end_goes_too(stores: Stores) -> None:
    """A landing that the ledger never heard of, a raw reply, a conformed district that was never scored."""
    raw = places.raw(SnapshotKey("TAX_CIT", "320412", OLD))
    stores.lake.keep_raw(raw, "1", b"reply")
    rows = {"data": pa.table({"uscc": ["A"]})}
    strays = [places.landing(SnapshotKey("TAX_CIT", "320412", OLD)), places.conformed("320412", OLD)]
    young = [places.conformed("320412", EDGE), places.landing(SnapshotKey("TAX_CIT", "320412", TODAY))]
    for place in (*strays, *young):
        stores.lake.commit(place, rows, {})
    scored(stores, "320411", OLD, [])
    shown = places.points(ResultKey(OLD, "320411", SCHEME))
    assert retain(TODAY, holder="test")["strays"] == 0  # written today: a back-fill that is under way
    brought_in(stores, OLD)
    assert retain(TODAY, holder="test", dry=True)["strays"] == 3
    assert retain(TODAY, holder="test")["strays"] == 3
    assert not any(stores.lake.holds(place) for place in (raw, *strays))
    assert all(stores.lake.holds(place) for place in (*young, shown))
    assert set(stores.lake.read(places.erased(TODAY), "files")["place"].to_pylist()) == {raw, *strays}
