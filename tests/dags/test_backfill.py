"""The form for past days, run whole: the days of districts are others' DAGs and only take notes here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dags.runs import run

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata")]

FORM = {
    "districts": ["320411", "320412"],
    "date_from": "2026-11-18",
    "date_to": "2026-11-19",
    "reason": "late tax returns",
    "dry_run": False,
}
KEY = "backfill/changzhou_v1/320411/2026-11-18"


class Days:
    """Notes which districts' days were started, and lets some of them fail."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []
        self.failing: set[tuple[str, str]] = set()
        self.claimed_meanwhile: set[str] = set()


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Days:
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.sdk.exceptions import AirflowFailException

    from include.steps.stores import open_stores
    from include.store.ledger import Held

    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    notes = Days()

    def execute(self: Any, context: Any) -> None:
        day = (self.trigger_dag_id, self.conf["as_of"])
        notes.started.append(day)
        try:
            open_stores().ledger.acquire(KEY, "another", 1).release()
        except Held as error:
            notes.claimed_meanwhile.add(str(error).split(" until ")[0])
        if day in notes.failing:
            raise AirflowFailException("the district's run failed")

    monkeypatch.setattr(TriggerDagRunOperator, "execute", execute)
    return notes


def is_free() -> bool:
    from include.steps.stores import open_stores
    from include.store.ledger import Held

    try:
        open_stores().ledger.acquire(KEY, "another", 1).release()
    except Held:
        return False
    return True


def test_every_district_and_day_runs_while_nobody_else_may_have_them_then_one_publication(
    dags: dict[str, Any], days: Days
) -> None:
    state, states = run(dags["innopoints_backfill"], FORM)
    assert state == "success"
    assert sorted(days.started) == [
        (f"innopoints_{district}", day) for district in FORM["districts"] for day in ("2026-11-18", "2026-11-19")
    ]
    assert days.claimed_meanwhile
    assert all(f"{KEY}: held by innopoints_backfill/" in line for line in days.claimed_meanwhile)
    assert states["request_publication"] == ["success"]
    assert is_free()


def test_one_failed_district_leaves_the_others_to_be_published_and_the_run_red(
    dags: dict[str, Any], days: Days
) -> None:
    days.failing.add(("innopoints_320412", "2026-11-18"))
    state, states = run(dags["innopoints_backfill"], FORM)
    assert sorted(states["district_day"]) == ["failed", "success", "success", "success"]
    assert states["request_publication"] == ["success"]
    assert (state, states["complete"], states["free"]) == ("failed", ["upstream_failed"], ["success"])
    assert is_free()


def test_where_nothing_was_scored_nothing_is_asked_to_be_published(dags: dict[str, Any], days: Days) -> None:
    days.failing = {("innopoints_320411", "2026-11-18")}
    state, states = run(dags["innopoints_backfill"], {**FORM, "districts": ["320411"], "date_to": "2026-11-18"})
    assert (state, states["request_publication"]) == ("failed", ["upstream_failed"])
    assert is_free()


def test_listed_only_nothing_runs_and_nothing_is_published(dags: dict[str, Any], days: Days, caplog: Any) -> None:
    caplog.set_level("INFO")
    state, states = run(dags["innopoints_backfill"], {**FORM, "dry_run": True})
    assert (state, states["preview"], states["request_publication"]) == ("success", ["success"], ["skipped"])
    assert days.started == []
    listed = [line for line in caplog.messages if line.startswith("2026-11-1")]
    assert [line.split(": ")[0] for line in listed] == [
        f"{day} {district} changzhou_v1" for day in ("2026-11-18", "2026-11-19") for district in FORM["districts"]
    ]


def test_a_second_form_for_a_claimed_day_is_refused_and_names_the_first(
    dags: dict[str, Any], days: Days, caplog: Any
) -> None:
    from include.steps.stores import open_stores

    held = open_stores().ledger.acquire(KEY, "innopoints_backfill/manual__the_first", 3600)
    state, states = run(dags["innopoints_backfill"], FORM)
    assert (state, states["claim"], days.started) == ("failed", ["failed"], [])
    assert f"{KEY}: held by innopoints_backfill/manual__the_first until" in caplog.text
    assert not is_free()  # the first one's claim stands
    held.release()
