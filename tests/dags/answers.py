"""Somebody who answers a form of Airflow, as its API does when a person answers under Required Actions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.dags import runs

CHEN = {"id": "7", "name": "chen"}
Act = Callable[[Any, Any], None]
"""What somebody does to the task that asks: it and a session of Airflow's database."""


def answer(option: str, who: dict[str, str] | None, reason: str, **more: str) -> Act:
    """Answer the form, with `more` than it asks for; nobody: what the scheduler does when its time has run out."""

    def act(instance: Any, session: Any) -> None:
        from airflow.models.hitl import HITLDetail
        from airflow.models.trigger import handle_event_submit
        from airflow.triggers.base import TriggerEvent
        from sqlalchemy import select

        detail = session.scalars(select(HITLDetail).where(HITLDetail.ti_id == instance.id)).one()
        detail.chosen_options, detail.responded_by = [option], who
        detail.params_input, detail.responded_at = {"reason": reason, **more}, datetime.now(UTC)
        event = TriggerEvent(detail.as_resume_event_payload(timedout=who is None))
        handle_event_submit(event, task_instance=instance, session=session)

    return act


def clear(*task_ids: str) -> Act:
    """Clear tasks of the run, as somebody does in its grid."""

    def act(instance: Any, session: Any) -> None:
        from airflow.models.taskinstance import TaskInstance, clear_task_instances
        from sqlalchemy import select

        of_run = select(TaskInstance).where(
            TaskInstance.dag_id == instance.dag_id, TaskInstance.run_id == instance.run_id
        )
        cleared = session.scalars(of_run.where(TaskInstance.task_id.in_(task_ids))).all()
        clear_task_instances(list(cleared), session, dag_run_state=False)  # `dag.test()` goes on with it

    return act


@contextmanager
def people(*acts: Act) -> Iterator[None]:
    """People who act one after the other, each when a form waits."""
    over = threading.Event()

    def wait_and_act() -> None:
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select

        left = list(acts)
        while left and not over.wait(0.1):
            with create_session() as session:
                waiting = select(TaskInstance).where(TaskInstance.state == "awaiting_input")
                instance = session.scalars(waiting).first()
                if instance is not None:
                    left.pop(0)(instance, session)

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run(
    dag: Any, conf: dict[str, Any], answered: tuple[Any, ...] | None, marked: str = "^ask$"
) -> tuple[str, dict[str, str]]:
    """Run a form whole: it is answered, or the tasks that `marked` matches are marked as success by hand. Gives the
    state of the run and of each task.
    """
    if answered:
        return run_among(dag, conf, answer(*answered))
    state, states = runs.run(dag, conf, marked=marked)
    return state, {task: only for task, (only,) in states.items()}


def run_among(dag: Any, conf: dict[str, Any], *acts: Act) -> tuple[str, dict[str, str]]:
    """Run a form whole while people act."""
    with people(*acts):
        state, states = runs.run(dag, conf)
    return state, {task: only for task, (only,) in states.items()}


def xcom_of(task_id: str) -> Any:
    """What the newest run has as the XCom of a task."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        of_task = select(XComModel).where(XComModel.task_id == task_id, XComModel.key == "return_value")
        found = session.scalars(of_task.order_by(XComModel.dag_run_id.desc())).first()
        return found and XComModel.deserialize_value(found)


def forge_xcom(context: Any, task_id: str, value: dict[str, Any]) -> None:
    """Write an XCom in the name of another task of the run, as `POST …/xcomEntries` lets whoever may edit the run."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        XComModel.set(
            key="return_value", value=value, dag_id=context["dag"].dag_id, task_id=task_id,
            run_id=context["run_id"], session=session,
        )  # fmt: skip
