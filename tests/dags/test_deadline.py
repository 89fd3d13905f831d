"""The deadline of a night: when it is, that a night which is not published by then is told of once, and no other."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.kernel.errors import TerminalError
from include.steps.city import require_published
from include.steps.stores import Stores, open_stores
from tests.alarms.servers import WECOM, Robots
from tests.dags.runs import SCHEME

pytestmark = [pytest.mark.airflow, pytest.mark.services]

NIGHT = date(2026, 11, 20)
SWEEP = datetime(2026, 11, 19, 21, 0, tzinfo=UTC)  # 05:00 in Shanghai
SIX = datetime(2026, 11, 19, 22, 0, tzinfo=UTC)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stores:
    """A home of its own, and one group robot to tell."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    value = json.dumps({"conn_type": "generic", "extra": {"channels": [WECOM]}})
    monkeypatch.setenv("AIRFLOW_CONN_INNOPOINTS_ALARMS", value)
    return open_stores()


@pytest.fixture(scope="module")
def written(metadata: None) -> None:
    """The DAGs in Airflow's tables, as its DAG processor writes them."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        sync_bag_to_db(bag, bundle.name, bundle.version)


def started(kind: str, logical_date: datetime | None, state: str = "running") -> int:
    """A run of the publication as the scheduler makes it; its number."""
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.dag_id == "innopoints_publish"))
        dag = SerializedDagModel.get_dag("innopoints_publish", session=session)
        run = dag.create_dagrun(
            run_id=f"{kind}__{SWEEP.isoformat()}",
            logical_date=logical_date,
            data_interval=(logical_date, logical_date) if logical_date else None,
            run_after=SWEEP,
            run_type=DagRunType(kind),
            triggered_by=DagRunTriggeredByType.TEST,
            state=state,
            session=session,
        )
        return run.id


def deadlines(run: int) -> list[Any]:
    from airflow.models.deadline import Deadline
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return list(session.scalars(select(Deadline).where(Deadline.dagrun_id == run)))


def miss(run: int) -> bool:
    """The deadline passes: the scheduler queues what the DAG asked for, and the triggerer carries it out."""
    from airflow.models.deadline import Deadline
    from airflow.triggers.callback import CallbackTrigger
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        (late,) = session.scalars(select(Deadline).where(Deadline.dagrun_id == run))
        late.handle_miss(session)
        kept = late.callback.trigger
        assert kept.classpath == "airflow.triggers.callback.CallbackTrigger"
        trigger = CallbackTrigger(**kept.kwargs)

    async def carried_out() -> list[str]:
        return [event.payload["state"] async for event in trigger.run()]

    return asyncio.run(carried_out()) == ["running", "success"]


def put(stores: Stores, status: str) -> None:
    """A generation of the night."""
    from include.store.warehouse import clock, generation, writing

    entry = {"as_of": NIGHT, "scheme_id": SCHEME, "scheme_version": "1", "snapshot_set": "s", "status": status}
    with writing(stores.engine) as connection:
        connection.execute(generation.insert().values(**entry, created_at=clock()))


def test_the_deadline_of_the_sweep_is_six_in_shanghai(written: None) -> None:
    (found,) = deadlines(started("scheduled", SWEEP))
    assert found.deadline_time == SIX


def test_a_run_that_a_district_rang_for_has_none(written: None) -> None:
    assert deadlines(started("asset_triggered", None)) == []


def test_a_sweep_that_ends_well_before_six_has_no_deadline_any_more_and_one_that_fails_keeps_it(written: None) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    sweep = SWEEP.replace(year=datetime.now(UTC).year + 1)  # it ends today, well before its deadline
    for state, left in (("success", 0), ("failed", 1)):
        number = started("scheduled", sweep)
        with create_session() as session:
            run = session.get(DagRun, number)
            run.dag = SerializedDagModel.get_dag("innopoints_publish", session=session)
            for instance in run.get_task_instances(session=session):
                instance.state = state
            run.update_state(session=session)
            assert run.state == state
        assert len(deadlines(number)) == left


@pytest.mark.parametrize("state", ["running", "queued", "failed"])
def test_a_night_that_is_not_published_by_its_deadline_is_told_once_whatever_became_of_the_sweep(
    written: None, stores: Stores, robots: Robots, state: str
) -> None:
    for _ in range(2):
        assert miss(started("scheduled", SWEEP, state))
    [text] = robots.texts["wecom"]
    assert "not published by its deadline 逾期未发布: changzhou_v1" in text
    assert "districts scored 已算出 0" in text
    assert text.endswith("/dags/innopoints_publish/runs/scheduled__2026-11-19T21%3A00%3A00%2B00%3A00")


def test_of_a_publication_that_was_blocked_somebody_was_told_already(
    written: None, stores: Stores, robots: Robots
) -> None:
    from include.steps import alarm
    from plugins.task_wrapper import connection_from_airflow

    put(stores, "blocked")
    alarm.tell(lambda: alarm.failure("publish", NIGHT, name="publish", scheme=SCHEME), lookup=connection_from_airflow)
    assert miss(started("scheduled", SWEEP))
    [text] = robots.texts["wecom"]
    assert "publication blocked" in text


def test_a_night_that_was_published_after_its_sweep_failed_is_not_late(
    written: None, stores: Stores, robots: Robots
) -> None:
    put(stores, "superseded")
    assert miss(started("scheduled", SWEEP))
    assert robots.texts["wecom"] == []


def test_the_incident_is_over_once_the_night_is_published(written: None, stores: Stores, robots: Robots) -> None:
    from include.steps import alarm

    assert miss(started("scheduled", SWEEP))
    put(stores, "current")
    open_now, ended = alarm.standing(stores)
    assert (open_now, [one.key for one in ended]) == ([], [f"publication/{SCHEME}"])


@pytest.mark.parametrize("broken", ["no ledger", "no Connection"])
def test_a_dead_ledger_or_channel_does_not_fail_the_callback(
    written: None,
    stores: Stores,
    robots: Robots,
    broken: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if broken == "no ledger":
        monkeypatch.setenv("INNOPOINTS_WAREHOUSE_URL", "postgresql://nobody@127.0.0.1:1/none")
    else:
        monkeypatch.delenv("AIRFLOW_CONN_INNOPOINTS_ALARMS")
    caplog.set_level(logging.INFO, "innopoints")
    assert miss(started("scheduled", SWEEP))
    assert "alarms: " in caplog.text
    assert robots.texts["wecom"] == []


@pytest.mark.parametrize("status", [None, "blocked"])
def test_the_sweep_fails_where_the_night_is_not_published(stores: Stores, status: str | None) -> None:
    if status:
        put(stores, status)
    with pytest.raises(TerminalError, match="changzhou_v1 as of 2026-11-20: not published"):
        require_published(NIGHT, SCHEME)


def test_only_the_sweep_is_asked(dags: dict[str, Any], stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    from plugins import task_wrapper

    asked = dags["innopoints_publish"].get_task("published_tonight").python_callable
    run = SimpleNamespace(run_after=SWEEP, run_type="")
    context = {"dag_run": run, "ti": SimpleNamespace(task_id="published_tonight")}
    monkeypatch.setitem(asked.__globals__, "get_current_context", lambda: context)
    monkeypatch.setattr(task_wrapper, "get_current_context", lambda: context)
    for run.run_type in ("asset_triggered", "manual", "backfill"):
        assert asked() == {"asked": 0}
    run.run_type = "scheduled"
    with pytest.raises(TerminalError, match="not published"):
        asked()
    put(stores, "current")
    assert asked()["status"] == "current"


@pytest.mark.parametrize("status", ["current", "superseded", "rolled_back"])
def test_the_sweep_names_the_generation_where_it_is(stores: Stores, status: str) -> None:
    put(stores, status)
    assert require_published(NIGHT, SCHEME)["status"] == status
