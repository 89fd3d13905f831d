"""The ledger decides who may write, which snapshot is in use, and what is due."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from include.kernel.errors import TerminalError, TransientError
from include.kernel.references import ResultKey, SnapshotKey
from include.kernel.shell import this_shell
from include.store.lake import Lake, Manifest
from include.store.ledger import Lease, Ledger, PublicationRow, RepullRow, run_publication, run_snapshot
from include.store.warehouse import clock, reading, writing

D22, D23, D24 = date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24)
KEY = SnapshotKey("TAX_CIT", "320411", D23)
COUNTS = {"rows_in": 10, "duplicates": 1, "accepted": 8, "quarantined": 1}
MEMBER = ["TAX_CIT", "320411", "2026-11-23", "a1"]
OTHER = ["REG_ENT", "320411", "2026-11-23", "b2"]


@pytest.fixture
def ledger(warehouse: Engine) -> Ledger:
    return Ledger(warehouse)


def land(
    ledger: Ledger, key: SnapshotKey = KEY, *, lease: Lease | None = None, sha: str = "l1", received: int = 10
) -> None:
    lease = lease or ledger.acquire(f"snapshot/{key}", "me", 60)
    ledger.record_landed(key, lease=lease, contract_version=1, declared=received, received=received, landing_sha=sha)


def judge(
    ledger: Ledger, key: SnapshotKey = KEY, *, lease: Lease | None = None, verdict: str = "accepted", **counts: int
) -> None:
    ledger.record_verdict(
        key,
        lease=lease or ledger.acquire(f"snapshot/{key}", "me", 60),
        verdict=verdict,
        reason=None if verdict == "accepted" else "too few rows",
        checks={"key_is_unique": 1},
        accepted_sha="a1" if verdict == "accepted" else None,
        **(COUNTS | counts),
    )


def score(
    ledger: Ledger, on: date, district: str, *, sha: str = "p1", scheme: str = "s", members: list | None = None
) -> None:
    result = ResultKey(on, district, scheme)
    with ledger.acquire(f"result/{result}", "me", 60) as lease:
        ledger.record_scored(result, lease=lease, snapshot_set=members or [MEMBER], enterprises=3, points_sha=sha)


def publish(
    ledger: Ledger, on: date, *, points: dict | None = None, scheme: str = "s", id: int = 1, by: str = "me"
) -> None:
    """What a publication leaves in the ledger: of these `points`, of all that is scored without an argument."""
    set_id = ledger.snapshot_set([MEMBER])
    of_date = [row for row in ledger.results() if (row.result.as_of, row.result.scheme) == (on, scheme)]
    points = {row.result.district: row.points_sha for row in of_date} if points is None else points
    with writing(ledger.engine) as connection:
        connection.execute(sa.delete(run_publication).where(run_publication.c.generation_id == id))
        connection.execute(
            sa.insert(run_publication).values(
                generation_id=id,
                as_of=on,
                scheme=scheme,
                snapshot_set=set_id,
                content_sha="c",
                points=points,
                published_by=by,
                covers_until=clock(),
            )
        )


# --- what a run made

NIGHT = "scheduled__2026-11-22T17:00:00+00:00"


def land_as(ledger: Ledger, holder: str, key: SnapshotKey = KEY) -> None:
    with ledger.acquire(f"snapshot/{key}", holder, 60) as lease:
        land(ledger, key, lease=lease)


@pytest.mark.parametrize(
    ("dag", "run", "holder", "is_its"),
    [
        ("city", NIGHT, f"city/{NIGHT}/tax.land/12", True),
        ("city", "a/b", "city/a/b/land/-1", True),
        ("city", "50%", "city/50%/land/-1", True),
        ("city", "夜", "city/夜/land/-1", True),
        ("city", "a", "city/ab/land/-1", False),
        ("city", "a", "city/a/b/land/-1", False),
        ("city", "a", "city/A/land/-1", False),
        ("city", "a_c", "city/abc/land/-1", False),
        ("city", "a%", "city/abc/land/-1", False),
        ("city", "", "city/a/land/-1", False),
        ("%", "%", "city/a/land/-1", False),
        ("city", "a", "acity/a/land/-1", False),
        ("shell", "refresh", "shell/refresh/320411", False),
    ],
)
def test_a_run_has_made_what_its_own_tasks_made(ledger: Ledger, dag: str, run: str, holder: str, is_its: bool) -> None:
    land_as(ledger, holder)
    assert [row.key for row in ledger.made_by(dag, run).snapshots] == ([KEY] if is_its else [])


def test_what_another_run_has_made_anew_is_not_the_first_ones(ledger: Ledger) -> None:
    land_as(ledger, "city/first/land/0")
    land_as(ledger, "city/second/land/0")
    assert ledger.made_by("city", "first").snapshots == []
    assert [row.key for row in ledger.made_by("city", "second").snapshots] == [KEY]


def test_everything_that_a_run_made_is_told_with_what_became_of_it(ledger: Ledger) -> None:
    judged, released = KEY, SnapshotKey("TAX_VAT", "320412", D22)
    land_as(ledger, "city/before/land/0", judged)
    land_as(ledger, "city/before/land/1", released)
    with ledger.acquire("r", "city/run/release/-1", 60) as lease:
        judge(ledger, judged, lease=lease)
        judge(ledger, released, lease=lease, verdict="rejected")
        ledger.record_release(released, lease=lease, landing_sha="l1", person="陈工", reason="核实")
        ledger.record_repull(judged, lease=lease, outcome="same", reason="补报", before_sha="a1")
        result = ResultKey(D23, "320411", "s")
        ledger.record_scored(result, lease=lease, snapshot_set=[MEMBER], enterprises=3, points_sha="p1")
    publish(ledger, D23, by="city/run/publish/0")
    made = ledger.made_by("city", "run")
    assert [(row.key, row.verdict, row.accepted) for row in made.snapshots] == [(judged, "accepted", 8)]
    assert made.repulls == [RepullRow("TAX_CIT", "320411", D23, "same")]
    assert [(row.dataset, row.scope, row.person) for row in made.releases] == [("TAX_VAT", "320412", "陈工")]
    assert [(row.result, row.enterprises) for row in made.results] == [(result, 3)]
    assert made.publications == [PublicationRow(1, D23, "s", None)]  # its generation is not kept any more


# --- leases


def test_a_held_lock_says_by_whom_and_until_when(ledger: Ledger) -> None:
    ledger.acquire("publish", "nightly", 60)
    with pytest.raises(TransientError, match=r"lock publish: held by nightly until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"):
        ledger.acquire("publish", "backfill", 60)
    ledger.acquire("another", "backfill", 60)


def test_a_released_or_expired_lock_passes_on_with_a_higher_token(ledger: Ledger) -> None:
    with ledger.acquire("publish", "first", 60) as first:
        pass
    second = ledger.acquire("publish", "second", -1)
    third = ledger.acquire("publish", "third", 60)
    assert first.token < second.token < third.token


def test_a_lock_is_released_when_its_work_fails(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger.acquire("publish", "first", 60):
        raise RuntimeError
    ledger.acquire("publish", "second", 60)


def test_a_retry_of_the_same_task_takes_over_at_once_and_fences_its_zombie(ledger: Ledger) -> None:
    zombie = ledger.acquire("publish", "nightly/publish", 60)
    retry = ledger.acquire("publish", "nightly/publish", 60)
    assert retry.token > zombie.token
    with pytest.raises(TerminalError, match="fenced"):
        zombie.renew()
    zombie.release()
    retry.renew()
    with pytest.raises(TransientError):
        ledger.acquire("publish", "somebody", 60)


def ended_process() -> str:
    """The holder's name that a process of this machine had."""
    asked = [sys.executable, "-c", "from include.kernel.shell import this_shell; print(this_shell())"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_from_a_process_of_this_machine_that_was_killed_anybody_takes_over_at_once(ledger: Ledger) -> None:
    dead = ledger.acquire("publish", ended_process(), 12 * 3600)
    assert ledger.acquire("publish", this_shell(), 60).token > dead.token
    with pytest.raises(TerminalError, match="fenced"):
        dead.renew()


@pytest.mark.parametrize("whose", ["a process that lives", "another user's", "another machine's", "a task's"])
def test_a_process_that_may_live_keeps_its_lock_until_it_expires(ledger: Ledger, whose: str) -> None:
    here, number = ended_process().rsplit("/", 1)
    holder = {
        "a process that lives": f"{here}/{os.getppid()}",
        "another user's": f"{here}/1",
        "another machine's": f"shell/elsewhere-00000000/{number}",
        "a task's": f"innopoints_city/run/publish/{number}",
    }[whose]
    ledger.acquire("publish", holder, 60)
    with pytest.raises(TransientError, match=f"held by {holder} until"):
        ledger.acquire("publish", this_shell(), 60)


def test_a_renewed_lock_is_held_for_its_full_time_again(ledger: Ledger) -> None:
    lease = ledger.acquire("publish", "slow", -1)
    replace(lease, seconds=60).renew()
    with pytest.raises(TransientError):
        ledger.acquire("publish", "other", 60)


def test_of_many_who_want_a_lock_one_gets_it(ledger: Ledger) -> None:
    start = threading.Barrier(8)

    def want(i: int) -> bool:
        start.wait()
        try:
            ledger.acquire("publish", f"holder {i}", 60)
        except TransientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(want, range(8))) == [False] * 7 + [True]


@pytest.mark.parametrize("late", ["landing", "verdict"])
def test_no_write_of_a_zombie_is_ever_accepted(ledger: Ledger, late: str) -> None:
    zombie = ledger.acquire(f"snapshot/{KEY}", "task", 60)
    for attempt in range(10):
        newer = ledger.acquire(f"snapshot/{KEY}", "task", 60)
        land(ledger, lease=newer, sha=f"attempt {attempt}")
        with pytest.raises(TerminalError, match="fenced"):
            land(ledger, lease=zombie, sha="zombie") if late == "landing" else judge(ledger, lease=zombie)
        held = ledger.snapshot(KEY)
        assert held is not None
        assert (held.landing_sha, held.verdict) == (f"attempt {attempt}", None)
        zombie = newer


def test_the_lake_keeps_what_the_newer_holder_committed(ledger: Ledger, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))

    def commit(lease: Lease, value: int) -> Manifest:
        return lake.commit("ranked/s/as_of=2026-11-23", {"data": pa.table({"n": [value]})}, {}, fence=lease.fence)

    zombie, newer = ledger.acquire("ranked", "task", 60), ledger.acquire("ranked", "task", 60)
    made = commit(newer, 2)
    with pytest.raises(TerminalError, match=r"fenced.*nothing of this one is in use"):
        commit(zombie, 1)
    assert lake.require(made.place) == made
    assert commit(newer, 3) == lake.require(made.place)


# --- snapshots


def test_a_snapshot_is_landed_then_judged(ledger: Ledger) -> None:
    assert ledger.snapshot(KEY) is None
    land(ledger)
    landed = ledger.snapshot(KEY)
    assert landed is not None
    assert (landed.key, landed.received, landed.verdict, landed.rows_in, landed.checks) == (KEY, 10, None, None, None)
    judge(ledger)
    judged = ledger.snapshot(KEY)
    assert judged is not None
    assert {name: getattr(judged, name) for name in COUNTS} == COUNTS
    assert (judged.verdict, judged.accepted_sha, judged.checks) == ("accepted", "a1", {"key_is_unique": 1})


def test_no_step_is_skipped_and_none_is_done_twice(ledger: Ledger) -> None:
    with pytest.raises(TerminalError, match="no landing waits for a verdict"):
        judge(ledger)
    land(ledger)
    judge(ledger)
    with pytest.raises(TerminalError, match="no landing waits for a verdict"):
        judge(ledger)


@pytest.mark.parametrize("wrong", [{"accepted": 7}, {"quarantined": 2}, {"rows_in": 11, "accepted": 9}])
def test_the_database_refuses_counts_that_do_not_make_up_what_landed(ledger: Ledger, wrong: dict) -> None:
    land(ledger)
    with pytest.raises(TerminalError, match=r"\((SQLITE_CONSTRAINT_CHECK|23514)\)"):
        judge(ledger, **wrong)
    held = ledger.snapshot(KEY)
    assert held is not None
    assert held.verdict is None


def test_the_database_refuses_a_verdict_without_counts(ledger: Ledger) -> None:
    land(ledger)
    with (
        pytest.raises(TerminalError, match=r"\((SQLITE_CONSTRAINT_CHECK|23514)\)"),
        writing(ledger.engine) as connection,
    ):
        connection.execute(sa.update(run_snapshot).values(verdict="rejected"))


def test_a_rejected_snapshot_leaves_the_last_accepted_one_in_use(ledger: Ledger) -> None:
    for on, verdict in ((D22, "accepted"), (D23, "rejected"), (D24, "accepted")):
        key = SnapshotKey("TAX_CIT", "320411", on)
        land(ledger, key)
        judge(ledger, key, verdict=verdict)
    found = [ledger.last_accepted("TAX_CIT", "320411", on) for on in (date(2026, 11, 21), D22, D23, D24)]
    assert [row and row.as_of for row in found] == [None, D22, D22, D24]
    assert ledger.last_accepted("TAX_CIT", "320412", D24) is None


def test_a_landing_that_comes_again_waits_for_a_new_verdict(ledger: Ledger) -> None:
    land(ledger)
    judge(ledger, verdict="rejected")
    land(ledger, received=12, sha="l2")
    held = ledger.snapshot(KEY)
    assert held is not None
    assert (held.landing_sha, held.received, held.verdict, held.rows_in, held.reason) == ("l2", 12, None, None, None)


# --- results and what is due


def test_a_snapshot_set_has_one_id_whatever_its_order(ledger: Ledger) -> None:
    assert ledger.snapshot_set([MEMBER, OTHER]) == ledger.snapshot_set([OTHER, MEMBER])
    assert ledger.snapshot_set([MEMBER]) != ledger.snapshot_set([OTHER])


def test_the_last_good_result_of_a_district_is_found(ledger: Ledger) -> None:
    score(ledger, D22, "320411", sha="p22", members=[MEMBER, OTHER])
    score(ledger, D24, "320411", sha="p24")
    score(ledger, D23, "320411", sha="other scheme", scheme="t")
    found = [ledger.last_scored("320411", "s", on) for on in (date(2026, 11, 21), D22, D23, D24)]
    assert [row and row.points_sha for row in found] == [None, "p22", "p22", "p24"]
    exactly = ledger.result(ResultKey(D22, "320411", "s"))
    assert exactly == found[1]
    assert exactly is not None
    assert exactly.members == sorted([MEMBER, OTHER])
    assert ledger.result(ResultKey(D23, "320411", "s")) is None


def test_what_is_scored_and_not_published_is_due_oldest_first(ledger: Ledger) -> None:
    assert ledger.due(districts=["320411"], today=D24, sweep=True) == []
    for on in (D24, D22, D23):
        score(ledger, on, "320411")
    score(ledger, D22, "320411", scheme="a")
    score(ledger, D22, "999999", scheme="not a district of ours")
    assert ledger.due(districts=["320411"], today=D24, sweep=False) == [(D22, "a"), (D22, "s"), (D23, "s"), (D24, "s")]
    publish(ledger, D22)
    assert ledger.due(districts=["320411"], today=D24, sweep=False) == [(D22, "a"), (D23, "s"), (D24, "s")]


def test_today_waits_for_its_last_district_unless_the_sweep_asks(ledger: Ledger) -> None:
    districts = ["320411", "320412"]
    score(ledger, D23, "320411")
    score(ledger, D24, "320411")
    assert ledger.due(districts=districts, today=D24, sweep=False) == [(D23, "s")]
    assert ledger.due(districts=districts, today=D24, sweep=True) == [(D23, "s"), (D24, "s")]
    score(ledger, D24, "320412")
    assert ledger.due(districts=districts, today=D24, sweep=False) == [(D23, "s"), (D24, "s")]


def test_only_a_new_result_makes_a_published_date_due_again(ledger: Ledger) -> None:
    score(ledger, D23, "320411")
    publish(ledger, D23)
    score(ledger, D23, "320411")
    assert ledger.due(districts=["320411"], today=D24, sweep=False) == []
    score(ledger, D23, "320411", sha="p2")
    assert ledger.due(districts=["320411"], today=D24, sweep=False) == [(D23, "s")]
    publish(ledger, D23, id=2)
    assert ledger.due(districts=["320411"], today=D24, sweep=False) == []


def test_a_result_scored_while_the_publication_was_under_way_is_still_due(ledger: Ledger) -> None:
    score(ledger, D23, "320411")
    score(ledger, D23, "320412")  # after the city was ranked, before the publication
    publish(ledger, D23, points={"320411": "p1"})
    assert ledger.due(districts=["320411", "320412"], today=D24, sweep=False) == [(D23, "s")]
    publish(ledger, D23, id=2)
    assert ledger.due(districts=["320411", "320412"], today=D24, sweep=False) == []


def test_so_is_one_scored_again_meanwhile_from_the_same_snapshots(ledger: Ledger) -> None:
    """A correction or a rule was taken into use once the city was ranked: other points of the same snapshots."""
    score(ledger, D23, "320411")
    score(ledger, D23, "320411", sha="p2")
    publish(ledger, D23, points={"320411": "p1"})
    assert ledger.due(districts=["320411"], today=D24, sweep=False) == [(D23, "s")]
    publish(ledger, D23, points={"320411": "p2"}, id=2)
    assert ledger.due(districts=["320411"], today=D24, sweep=False) == []


def test_a_fenced_scorer_leaves_the_newer_result(ledger: Ledger) -> None:
    result = ResultKey(D23, "320411", "s")
    zombie = ledger.acquire(f"result/{result}", "me", 60)
    score(ledger, D23, "320411", sha="newer")
    with pytest.raises(TerminalError, match="fenced"):
        ledger.record_scored(result, lease=zombie, snapshot_set=[MEMBER], enterprises=1, points_sha="zombie")
    held = ledger.result(result)
    assert held is not None
    assert held.points_sha == "newer"


def test_the_token_keeps_a_successor_out_until_the_holder_has_committed(ledger: Ledger) -> None:
    """Fencing is checked in the writer's own transaction: a take-over waits for it, or comes before it."""
    lease = ledger.acquire("publish", "task", 60)
    order: list[str] = []

    def take_over() -> None:
        ledger.acquire("publish", "task", 60)
        order.append("taken over")

    with writing(ledger.engine) as connection:
        lease.assert_held(connection)
        other = threading.Thread(target=take_over)
        other.start()
        other.join(0.2)
        order.append("committed")
    other.join(30)
    assert order == ["committed", "taken over"]
    with reading(ledger.engine) as connection, pytest.raises(TerminalError, match="fenced"):
        lease.assert_held(connection)


def test_an_expired_lock_is_not_yet_fenced(ledger: Ledger) -> None:
    lease = ledger.acquire("publish", "slow", timedelta(seconds=-1).total_seconds())
    with writing(ledger.engine) as connection:
        lease.assert_held(connection)  # nobody took over: its work is still good
