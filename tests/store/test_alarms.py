"""However many tasks meet an incident, on whichever database, one of them tells of it; what is over may begin anew."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from include.store import alarms
from include.store.alarms import MOST_IN_AN_HOUR, alarm, meet, not_told, over, told

KEY, DAY = "source/tax_database", date(2026, 11, 20)


def met(engine: Engine, key: str = KEY, *, tries: int = 2, seconds: float = 60) -> int:
    """Meet it once more; how often it may be tried to tell it."""
    return meet(
        engine, key, as_of=DAY, title="a department", counts={"missing": 1}, link="", tries=tries, seconds=seconds
    )


def test_of_twenty_that_meet_it_at_once_one_may_tell(warehouse: Engine) -> None:
    granted: list[int] = []
    together = threading.Barrier(20)

    def task() -> None:
        together.wait()
        granted.append(met(warehouse))

    threads = [threading.Thread(target=task) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(granted) == [0] * 19 + [2]
    held = alarm(warehouse, KEY)
    assert held is not None
    assert (held.times_seen, held.tries, held.counts) == (20, 2, {"missing": 1})


def test_what_is_told_is_not_told_again_until_it_is_over_and_begins_anew(warehouse: Engine) -> None:
    assert met(warehouse) == 2
    told(warehouse, KEY)
    assert met(warehouse) == 0
    over(warehouse, KEY)
    first = alarm(warehouse, KEY)
    assert met(warehouse) == 2
    again = alarm(warehouse, KEY)
    assert first is not None
    assert again is not None
    assert again.first_seen > first.first_seen
    assert (again.times_seen, again.tries, again.told_at, again.over_at) == (1, 2, None, None)


def test_three_tries_are_the_most_whatever_fails(warehouse: Engine) -> None:
    tries = []
    for _ in range(4):
        tries.append(met(warehouse))
        not_told(warehouse, KEY)
    assert tries == [2, 1, 0, 0]


def test_whoever_was_killed_while_telling_is_followed_by_the_next_in_time(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert met(warehouse, seconds=60) == 2
    assert met(warehouse) == 0
    monkeypatch.setattr(alarms, "clock", lambda: datetime.now(UTC) + timedelta(seconds=61))
    assert met(warehouse) == 1


def test_a_night_of_many_incidents_sends_no_more_than_a_robot_takes_and_the_digest_still_goes_out(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = [met(warehouse, f"snapshot/D{n}/320411") for n in range(MOST_IN_AN_HOUR + 5)]
    assert [bool(one) for one in granted] == [True] * MOST_IN_AN_HOUR + [False] * 5
    for n in range(MOST_IN_AN_HOUR):
        told(warehouse, f"snapshot/D{n}/320411")
    assert met(warehouse, "district/320411") == 0
    assert met(warehouse, "digest/2026-11-20/changzhou_v1", tries=3) == 3
    assert len(alarms.alarms(warehouse)) == MOST_IN_AN_HOUR + 6  # without the digest
    monkeypatch.setattr(alarms, "clock", lambda: datetime.now(UTC) + timedelta(hours=2))
    assert met(warehouse, "district/320411") == 2
