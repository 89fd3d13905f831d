"""The honours of a year, run whole over a real warehouse: people announce and freeze them, no state of a task does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from include.kernel.periods import SHANGHAI
from tests.dags.answers import CHEN, forge_xcom, run, xcom_of
from tests.portal.conftest import put, town

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata")]

FORM = {"year": 2026}
YES = ("Approve", CHEN, "市政府常务会议通过")


class Clock:
    """The wall clock of the steps; the sensor's wait moves it instead of waiting for days."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync

    from include.steps import honours

    clock = Clock()
    monkeypatch.setattr(honours, "clock", clock)

    def waited(self: Any, context: Any) -> None:
        clock.now = self._moment

    monkeypatch.setattr(DateTimeSensorAsync, "execute", waited)
    return clock


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Engine:
    from include.steps.stores import open_stores

    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    engine = open_stores().engine
    put(engine, town())
    return engine


def status(engine: Engine) -> str:
    from include.store import honours as store

    (roll,) = store.rolls(engine)
    assert bool(store.frozen(engine, 2026, "changzhou_v1")) == (roll.status == "frozen")
    return roll.status


def test_approved_by_a_person_they_stand_in_public_and_freeze(
    dags: dict[str, Any], engine: Engine, clock: Clock
) -> None:
    from include.store.approvals import approval

    dag = dags["innopoints_honours"]
    state, states = run(dag, FORM, YES)
    assert (state, set(states.values())) == ("success", {"success"})
    assert clock.now == datetime(2026, 12, 8, tzinfo=SHANGHAI)  # seven whole days after 30 November
    assert status(engine) == "frozen"
    from include.store import honours as store

    found = approval(engine, store.rolls(engine)[0].proposed_by)
    assert found is not None
    assert (found.answer, found.person, found.reason) == ("Approve", "chen", "市政府常务会议通过")


@pytest.mark.parametrize("who", [CHEN, None], ids=["rejected", "timed out"])
def test_rejected_or_left_alone_nothing_is_announced(
    dags: dict[str, Any], engine: Engine, who: dict[str, str] | None
) -> None:
    state, states = run(dags["innopoints_honours"], FORM, ("Reject", who, ""))
    assert (state, states["announce"], states["public_notice"], states["freeze"]) == ("success", *["skipped"] * 3)
    assert status(engine) == "proposed"


@pytest.mark.parametrize(("marked", "red"), [("^ask$", "announce"), ("^(ask|announce|public_notice)$", "freeze")])
def test_marking_tasks_as_success_announces_and_freezes_nothing(
    dags: dict[str, Any], engine: Engine, marked: str, red: str
) -> None:
    state, states = run(dags["innopoints_honours"], FORM, None, marked)
    assert (state, states[red]) == ("failed", "failed")
    assert status(engine) == "proposed"


def test_an_xcom_written_in_the_name_of_the_question_is_no_answer(
    dags: dict[str, Any], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import get_current_context

    from include.steps import honours

    proposing = honours.propose

    def propose(*given: Any, **options: Any) -> dict[str, Any]:
        answer = {"chosen_options": ["Approve"], "responded_by_user": CHEN, "answer": "Approve"}
        forge_xcom(get_current_context(), "ask", answer)
        return proposing(*given, **options)

    monkeypatch.setattr(honours, "propose", propose)
    state, states = run(dags["innopoints_honours"], FORM, None)
    assert xcom_of("ask")["chosen_options"] == ["Approve"]  # it is there, and nobody believes it
    assert (state, states["ask"], states["announce"]) == ("failed", "success", "failed")
    assert status(engine) == "proposed"


def test_the_days_in_public_cannot_be_marked_over(
    dags: dict[str, Any], engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync

    monkeypatch.setattr(DateTimeSensorAsync, "execute", lambda self, context: None)  # as marked: it is green at once
    state, states = run(dags["innopoints_honours"], FORM, YES)
    assert (state, states["public_notice"], states["freeze"]) == ("failed", "success", "failed")
    assert status(engine) == "notice"


def test_what_the_form_shows_is_counts_and_a_link(dags: dict[str, Any], engine: Engine) -> None:
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import select

    run(dags["innopoints_honours"], FORM, ("Reject", CHEN, ""))
    with create_session() as session:
        newest = session.scalars(select(HITLDetail).order_by(HITLDetail.created_at.desc())).first()
        assert newest is not None
        subject, body = newest.subject, str(newest.body)
    assert subject == "Honours of 2026: announce? 是否公示2026年度荣誉？"
    assert "2 honours from generation 1 as of 2026-11-23" in body
    assert "nothing is frozen for 2025" in body
    assert "标兵企业: 2 stay, 0 new, 0 gone" in body
    assert "/points/honours/2026?scheme=changzhou_v1" in body
    assert not [one["name"] for one in town()["enterprise_profile"] if one["name"] in body or one["uscc"] in body]


@pytest.mark.parametrize("conf", [{**FORM, "district": "320411"}, {**FORM, "notice_days": 3}, {"year": 2030}], ids=str)
def test_a_form_that_cannot_be_meant_proposes_nothing(
    dags: dict[str, Any], engine: Engine, conf: dict[str, Any]
) -> None:
    from include.store import honours as store

    state, states = run(dags["innopoints_honours"], conf, None, "^nothing$")
    assert (state, states["propose"], states["ask"]) == ("failed", "failed", "upstream_failed")
    assert store.rolls(engine) == []


def test_the_wait_for_the_last_day_is_the_triggerers_and_unanswered_is_no(dags: dict[str, Any]) -> None:
    from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync

    dag = dags["innopoints_honours"]
    assert isinstance(dag.get_task("public_notice"), DateTimeSensorAsync)
    ask = dag.get_task("ask")
    assert (ask.defaults, ask.response_timeout) == (["Reject"], timedelta(days=3))
