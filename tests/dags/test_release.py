"""The release form, run whole: what a person answers is what happens, and marking a task green is not an answer."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include import steps
from tests.dags.answers import CHEN, answer, clear, forge_xcom, run, run_among

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata")]

FORM = {"dataset": "TAX_VAT", "scope": "320411", "as_of": "2026-11-20"}
FORGED = {
    "chosen_options": ["Approve"],
    "responded_by_user": CHEN,
    "params_input": {"reason": "x"},
    "answer": "Approve",
}
HELD = SimpleNamespace(reason="snapshot.unit (50 of 50 amounts)", rows_in=50, quarantined=0, landing_sha="this landing")
OF_RELEASE = importlib.import_module("include.steps.release")  # `steps.release` is its function


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """The steps only take notes, but for those of the approval; the form for past days is not started."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    calls: list[dict[str, Any]] = []

    def release(dataset: str, scope: str, as_of: Any, *, person: str, reason: str, holder: str) -> dict[str, Any]:
        calls.append({"what": f"{dataset}/{scope}/{as_of}", "person": person, "reason": reason})
        counts = {"rows_in": 1, "duplicates": 0, "accepted": 1, "quarantined": 0}
        return {"dataset": dataset, "scope": scope, "as_of": as_of.isoformat(), "verdict": "accepted", **counts}

    monkeypatch.setattr(steps, "release", release)
    monkeypatch.setattr(OF_RELEASE, "require_blocked", lambda *_: HELD)
    monkeypatch.setattr(OF_RELEASE, "landing_of", lambda *_: HELD.landing_sha)
    monkeypatch.setattr(TriggerDagRunOperator, "execute", lambda self, context: calls.append({"refresh": self.conf}))
    return calls


def test_an_approval_releases_in_the_name_of_who_gave_it(
    dags: dict[str, Any], released: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "innopoints")
    state, states = run(dags["innopoints_release"], FORM, ("Approve", CHEN, "已与税务局核实"))
    assert (state, states["release"]) == ("success", "success")
    assert released == [
        {"what": "TAX_VAT/320411/2026-11-20", "person": "chen", "reason": "已与税务局核实"},
        {"refresh": {"districts": ["320411"], "date_from": "2026-11-20", "date_to": "2026-11-20",
                     "reason": "TAX_VAT released"}},
    ]  # fmt: skip
    lines = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    assert [line.partition(":")[0] for line in lines] == ["blocked", "ask", "ask", "release"]  # asked, answered


@pytest.mark.parametrize("who", [CHEN, None], ids=["rejected", "timed out"])
def test_a_rejection_and_a_time_out_keep_the_last_good_one(
    dags: dict[str, Any], released: list[dict[str, Any]], who: dict[str, str] | None
) -> None:
    state, states = run(dags["innopoints_release"], FORM, ("Reject", who, ""))
    assert (state, states["release"], states["refresh_day"]) == ("success", "skipped", "skipped")
    assert released == []


@pytest.mark.parametrize("forged", [False, True], ids=["marked", "marked, and an XCom forged"])
def test_marking_the_question_as_success_releases_nothing(
    dags: dict[str, Any],
    released: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    forged: bool,
) -> None:
    if forged:

        def blocked(*_: Any) -> Any:
            from airflow.sdk import get_current_context

            forge_xcom(get_current_context(), "ask", FORGED)
            return HELD

        monkeypatch.setattr(OF_RELEASE, "require_blocked", blocked)
    state, states = run(dags["innopoints_release"], FORM, None)
    assert states["ask"] == "success"
    assert (state, states["release"], states["refresh_day"]) == ("failed", "failed", "upstream_failed")
    assert released == []


def test_what_lands_after_the_question_was_put_is_not_what_was_approved(
    dags: dict[str, Any], released: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OF_RELEASE, "landing_of", lambda *_: "of another landing")
    state, states = run(dags["innopoints_release"], FORM, ("Approve", CHEN, "已与税务局核实"))
    assert (state, states["release"]) == ("failed", "failed")
    assert released == []


def test_a_form_that_airflow_kept_of_an_earlier_landing_is_not_asked_again(
    dags: dict[str, Any], released: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_landing(*_: Any) -> None:
        newer = SimpleNamespace(**{**vars(HELD), "landing_sha": "another landing"})
        monkeypatch.setattr(OF_RELEASE, "require_blocked", lambda *_: newer)
        monkeypatch.setattr(OF_RELEASE, "landing_of", lambda *_: newer.landing_sha)
        clear("blocked", "ask")(*_)

    approve = answer("Approve", CHEN, "已与税务局核实")
    state, states = run_among(dags["innopoints_release"], FORM, another_landing, approve)
    assert (state, states["ask"], states["release"]) == ("failed", "failed", "upstream_failed")
    assert released == []


def test_unanswered_it_times_out_to_keep_the_last_good_one(dags: dict[str, Any]) -> None:
    ask = dags["innopoints_release"].get_task("ask")
    assert (ask.defaults, ask.response_timeout.total_seconds()) == (["Reject"], 12 * 3600)
