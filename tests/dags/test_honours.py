"""The honours of a year, run whole over a real warehouse: people announce and freeze them, no state of a task does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from include.kernel.periods import SHANGHAI
from tests.dags.answers import CHEN, answer, clear, forge_xcom, run, run_among, xcom_of
from tests.portal.conftest import put, town

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata")]

FORM = {"year": 2026}
YES = ("Approve", CHEN, "市政府常务会议通过")
YES_PUT_DOWN = ("Approve", "chen", "市政府常务会议通过")


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
    state, states = run(dags["innopoints_honours"], FORM, YES)
    assert (state, set(states.values())) == ("success", {"success"})
    assert clock.now == datetime(2026, 12, 8, tzinfo=SHANGHAI)  # seven whole days after 30 November
    assert status(engine) == "frozen"
    assert answers(engine) == [YES_PUT_DOWN]


def answers(engine: Engine) -> list[tuple[str | None, ...]]:
    """What is written of the forms that were put up: option, person, reason."""
    from include.store.approvals import run_approval
    from include.store.warehouse import reading

    kept = run_approval.c
    with reading(engine) as connection:
        rows = connection.execute(sa.select(kept.answer, kept.person, kept.reason).order_by(kept.asked_at))
        return [tuple(row) for row in rows]


@pytest.mark.parametrize(("who", "name"), [(CHEN, "chen"), (None, None)], ids=["rejected", "timed out"])
def test_rejected_or_left_alone_nothing_is_announced_and_it_is_put_down(
    dags: dict[str, Any], engine: Engine, who: dict[str, str] | None, name: str | None
) -> None:
    state, states = run(dags["innopoints_honours"], FORM, ("Reject", who, "材料有误"))
    assert (state, states["announce"], states["public_notice"], states["freeze"]) == ("success", *["skipped"] * 3)
    assert answers(engine) == [("Reject", name, "材料有误")]
    assert status(engine) == "rejected"


@pytest.mark.parametrize(
    "given",
    [
        answer("Approve", CHEN, "长" * 501),
        answer("Reject", CHEN, "长" * 501),
        answer("Approve", CHEN, "已核", extra="x"),
        answer("Approve", CHEN, " "),
        answer("Delete", CHEN, "已核"),
    ],
    ids=["too long", "too long a no", "one key more", "no reason", "no such option"],
)
def test_an_answer_that_is_not_what_the_form_asks_for_is_none(
    dags: dict[str, Any], engine: Engine, caplog: pytest.LogCaptureFixture, given: Any
) -> None:
    state, states = run_among(dags["innopoints_honours"], FORM, given)
    assert (state, states["ask"], states["announce"]) == ("failed", "failed", "upstream_failed")
    assert (answers(engine), status(engine)) == ([(None, None, None)], "proposed")
    assert "do: clear `ask` and answer it again" in caplog.text
    assert "长长" not in caplog.text


def test_the_form_is_for_those_who_may_approve_and_who_else_answers_is_put_down_and_refused(
    dags: dict[str, Any], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INNOPOINTS_APPROVERS", '["wang"]')
    state, states = run(dags["innopoints_honours"], FORM, ("Reject", CHEN, "nein"))
    assert (state, states["ask"], states["announce"]) == ("failed", "failed", "upstream_failed")
    assert answers(engine) == [("Reject", "chen", "nein")]
    assert status(engine) == "proposed"
    assert form().assigned_users == [{"id": "wang", "name": "wang"}]


def test_a_form_that_airflow_kept_of_an_earlier_try_is_not_asked_again(
    dags: dict[str, Any], engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    from include.store import honours as store

    def another_generation(*_: Any) -> None:
        rows = town()
        rows["honours"] = rows["honours"][:1]
        put(engine, rows)
        clear("propose", "ask")(*_)

    state, states = run_among(dags["innopoints_honours"], FORM, another_generation, answer(*YES))
    assert "2 honours from generation 1" in str(form().body)  # what people still see
    assert [(roll.generation_id, roll.status) for roll in store.rolls(engine)] == [(2, "proposed"), (1, "superseded")]
    assert (state, states["ask"], states["announce"]) == ("failed", "failed", "upstream_failed")
    assert "shows something else" in caplog.text
    assert "do: trigger another run" in caplog.text


def test_the_same_roll_is_asked_about_again(dags: dict[str, Any], engine: Engine) -> None:
    state, _ = run_among(dags["innopoints_honours"], FORM, clear("propose", "ask"), answer(*YES))
    assert (state, status(engine)) == ("success", "frozen")


def test_the_days_are_those_that_were_approved_whatever_an_xcom_says(dags: dict[str, Any], engine: Engine) -> None:
    from include.store import honours as store

    dag = dags["innopoints_honours"]

    def forge(instance: Any, session: Any) -> None:
        forged = {**xcom_of("propose"), "notice_days": 7, "roll": 99}
        forge_xcom({"dag": dag, "run_id": instance.run_id}, "propose", forged)

    state, _ = run_among(dag, {**FORM, "notice_days": 12}, forge, answer(*YES))
    assert "for 12 days" in str(form().body)
    assert (state, str(store.rolls(engine)[0].notice_until)) == ("success", "2026-12-12")


@pytest.mark.parametrize("cleared", [("ask",), ("propose", "ask")], ids="+".join)
def test_an_approval_taken_back_takes_the_roll_out_of_the_notice(
    dags: dict[str, Any], engine: Engine, monkeypatch: pytest.MonkeyPatch, cleared: tuple[str, ...]
) -> None:
    from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
    from airflow.utils.session import create_session

    def clear_meanwhile(self: Any, context: Any) -> None:
        assert status(engine) == "notice"
        rows = town()
        rows["honours"] = rows["honours"][:1]
        put(engine, rows)  # another night is published meanwhile
        with create_session() as session:
            clear(*cleared)(context["ti"], session)

    monkeypatch.setattr(DateTimeSensorAsync, "execute", clear_meanwhile)
    taken_back = answer("Reject", CHEN, "发现材料有误")
    _, states = run_among(dags["innopoints_honours"], FORM, answer(*YES), taken_back)
    assert states["freeze"] != "success"
    assert status(engine) == "rejected"
    assert answers(engine) == [YES_PUT_DOWN, ("Reject", "chen", "发现材料有误")]


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


def form() -> Any:
    """The form that was put up last, as Airflow keeps it."""
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        newest = session.scalars(select(HITLDetail).order_by(HITLDetail.created_at.desc())).first()
        session.expunge_all()
        return newest


def test_what_the_form_shows_is_the_difference_and_a_link_to_the_roll(dags: dict[str, Any], engine: Engine) -> None:
    run(dags["innopoints_honours"], FORM, ("Reject", CHEN, ""))
    subject, body = form().subject, str(form().body)
    assert subject == "Honours of 2026, roll 1: announce? 是否公示2026年度荣誉？"
    assert "2 honours from generation 1 as of 2026-11-23" in body
    assert "名单共 2 项，出自代次 1，数据日期 2026-11-23" in body
    assert "nothing is frozen 上年未定榜" in body
    assert "标兵企业: 2 stay 保留, 0 new 新增, 0 gone 退出" in body
    assert "/points/honours/2026?scheme=changzhou_v1&roll=1" in body
    assert not [one["name"] for one in town()["enterprise_profile"] if one["name"] in str(xcom_of("propose"))]


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
