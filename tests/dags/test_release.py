"""The release form, run whole: what a person answers is what happens, and marking a task green is not an answer."""

from __future__ import annotations

import logging
import sys
import threading
import time
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from include.kernel.errors import TerminalError
from plugins.approval import recorded_approval

pytestmark = pytest.mark.airflow

FORM = {"dataset": "TAX_VAT", "scope": "320411", "as_of": "2026-11-20"}
CHEN = {"id": "7", "name": "chen"}


@pytest.fixture(scope="module", autouse=True)
def metadata() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The steps only take notes; the form for past days is not started."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    import include

    calls: list[dict[str, Any]] = []
    taken = ModuleType("include.steps")
    of_release = ModuleType("include.steps.release")

    def release(dataset: str, scope: str, as_of: Any, *, person: str, reason: str, holder: str) -> dict[str, Any]:
        calls.append({"what": f"{dataset}/{scope}/{as_of}", "person": person, "reason": reason})
        counts = {"rows_in": 1, "duplicates": 0, "accepted": 1, "quarantined": 0}
        return {"dataset": dataset, "scope": scope, "as_of": as_of.isoformat(), "verdict": "accepted", **counts}

    taken.release = release  # type: ignore[attr-defined]
    held = SimpleNamespace(reason="snapshot.unit (50 of 50 amounts)", rows_in=50, quarantined=0)
    of_release.require_blocked = lambda *_: held  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "include.steps", taken)
    monkeypatch.setitem(sys.modules, "include.steps.release", of_release)
    monkeypatch.setattr(include, "steps", taken, raising=False)
    monkeypatch.setattr(TriggerDagRunOperator, "execute", lambda self, context: calls.append({"refresh": self.conf}))
    return calls


def answer(option: str, who: dict[str, str] | None, reason: str) -> None:
    """What the API does when somebody answers under Required Actions; nobody: what the scheduler does in the end."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    for _ in range(600):
        time.sleep(0.1)
        with create_session() as session:
            waiting = select(TaskInstance).where(TaskInstance.state == "awaiting_input")
            instance = session.scalars(waiting).first()
            if instance is None:
                continue
            detail = session.scalars(select(HITLDetail).where(HITLDetail.ti_id == instance.id)).one()
            detail.chosen_options, detail.responded_by = [option], who
            detail.params_input, detail.responded_at = {"reason": reason}, datetime.now(UTC)
            event = TriggerEvent(detail.as_resume_event_payload(timedout=who is None))
            handle_event_submit(event, task_instance=instance, session=session)
            return


def run(dag: Any, minute: int, answered: tuple[Any, ...] | None) -> tuple[str, dict[str, str]]:
    if answered:
        threading.Thread(target=answer, args=answered, daemon=True).start()
    finished = dag.test(
        logical_date=datetime(2026, 11, 20, 4, minute, tzinfo=UTC),
        run_conf=FORM,
        mark_success_pattern=None if answered else "^ask$",
    )
    return str(finished.state), {one.task_id: str(one.state) for one in finished.get_task_instances()}


def test_an_approval_releases_in_the_name_of_who_gave_it(
    dags: dict[str, Any], released: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "innopoints")
    state, states = run(dags["innopoints_release"], 1, ("Approve", CHEN, "已与税务局核实"))
    assert (state, states["release"]) == ("success", "success")
    assert released == [
        {"what": "TAX_VAT/320411/2026-11-20", "person": "chen", "reason": "已与税务局核实"},
        {"refresh": {"districts": ["320411"], "date_from": "2026-11-20", "date_to": "2026-11-20",
                     "reason": "TAX_VAT released"}},
    ]  # fmt: skip
    lines = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    assert [line.partition(":")[0] for line in lines] == ["blocked", "release"]


@pytest.mark.parametrize(("minute", "who"), [(2, CHEN), (3, None)], ids=["rejected", "timed out"])
def test_a_rejection_and_a_time_out_keep_the_last_good_one(
    dags: dict[str, Any], released: list[dict[str, Any]], minute: int, who: dict[str, str] | None
) -> None:
    state, states = run(dags["innopoints_release"], minute, ("Reject", who, ""))
    assert (state, states["release"], states["refresh_day"]) == ("success", "skipped", "skipped")
    assert released == []


def test_marking_the_question_as_success_releases_nothing(dags: dict[str, Any], released: list[dict[str, Any]]) -> None:
    state, states = run(dags["innopoints_release"], 4, None)
    assert states["ask"] == "success"
    assert (state, states["release"], states["refresh_day"]) == ("failed", "failed", "upstream_failed")
    assert released == []


@pytest.mark.parametrize(
    "response",
    [
        None,
        {},
        {"chosen_options": ["Approve"], "responded_by_user": None},
        {"chosen_options": ["Reject"], "responded_by_user": CHEN},
        {"chosen_options": [], "responded_by_user": CHEN},
    ],
)
def test_only_an_answer_of_somebody_is_an_approval(response: dict[str, Any] | None) -> None:
    with pytest.raises(TerminalError, match="no recorded approval"):
        recorded_approval(response)


def test_unanswered_it_times_out_to_keep_the_last_good_one(dags: dict[str, Any]) -> None:
    ask = dags["innopoints_release"].get_task("ask")
    assert (ask.defaults, ask.response_timeout.total_seconds()) == (["Reject"], 12 * 3600)
