"""The DAGs as declared: they parse from nothing, import nothing heavy, and every task knows its limits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.contracts import contracts
from include.kernel.areas import areas
from include.sources.declaration import sources

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
DISTRICTS = [f"innopoints_{code}" for code in areas()]
PARSE = """
import json, socket, sys

def refuse(*_):
    raise AssertionError("parsing reached for the network")

socket.socket.connect = socket.socket.connect_ex = refuse
from airflow.dag_processing.dagbag import DagBag

before = set(sys.modules)
bag = DagBag(dag_folder=sys.argv[1])
print("FOUND" + json.dumps({
    "errors": bag.import_errors,
    "tasks": {name: sorted(dag.task_ids) for name, dag in bag.dags.items()},
    "imported": sorted(name for name in set(sys.modules) - before if "." not in name),
    "own": sorted(name for name in set(sys.modules) - before if name.startswith("include.")),
}))
"""


def parse(home: Path, root: Path = ROOT) -> dict[str, Any]:
    """Parse the DAGs in a new process that has no metadata database, no network, no Connection and no secret."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/at/all.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(root),
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(ROOT / "dags")],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    assert found, done.stderr[-2000:]
    return json.loads(found[0].removeprefix("FOUND"))


def test_parsing_needs_no_database_network_or_secret_and_imports_nothing_heavy(tmp_path: Path) -> None:
    found = parse(tmp_path)
    assert found["errors"] == {}
    heavy = {"pandas", "great_expectations", "duckdb", "pyarrow", "numpy", "sqlglot", "alembic"}
    assert heavy.isdisjoint(found["imported"])
    assert not [name for name in found["own"] if name.startswith(("include.steps", "include.store"))]


def test_a_new_source_declaration_adds_its_tasks_to_every_district(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "include", tmp_path / "include", ignore=shutil.ignore_patterns("__pycache__", "schemes"))
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "include" / "schemes", tmp_path / "include" / "schemes")
    datasets, folder = tmp_path / "include" / "contracts" / "datasets", tmp_path / "include" / "sources"
    contract = (datasets / "FIN_EQ.yaml").read_text(encoding="utf-8")
    contract = contract.replace("dataset: FIN_EQ", "dataset: CREDIT").replace("finance_office", "credit_office")
    (datasets / "CREDIT.yaml").write_text(contract, encoding="utf-8")
    declared = (folder / "finance_office" / "source.yaml").read_text(encoding="utf-8")
    (folder / "credit_office").mkdir()
    (folder / "credit_office" / "source.yaml").write_text(
        declared.replace("FIN_EQ", "CREDIT").replace("finance_office", "credit_office"), encoding="utf-8"
    )
    home = tmp_path / "home"
    home.mkdir()
    tasks = parse(home, tmp_path)["tasks"]
    scope = yaml.safe_load(contract)["scope"]
    for dag in ["innopoints_city"] if scope == "city" else DISTRICTS:
        assert {"credit_office.land", "credit_office.validate"} <= set(tasks[dag])


def test_one_dag_per_area_the_city_and_the_form(dags: dict[str, Any]) -> None:
    forms = {"innopoints_backfill", "innopoints_release", "innopoints_honours", "innopoints_repull"}
    city = {"innopoints_city", "innopoints_publish", "innopoints_digest", "innopoints_retention"}
    assert set(dags) == {*DISTRICTS, *city, *forms}


def first_run_of(dag: Any, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Any:
    """When the scheduler starts a DAG that never ran, read and switched on at a moment."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables import trigger
    from airflow.timetables.base import TimeRestriction

    monkeypatch.setattr(trigger, "utcnow", lambda: now)
    timetable = decode_timetable(encode_timetable(dag.schedule))
    first = timetable.next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=dag.start_date, latest=None, catchup=dag.catchup),
    )
    return None if first is None else first.run_after


def test_switching_on_waits_for_the_next_night(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    due = {"innopoints_city": (16, 30), "innopoints_publish": (21, 0), "innopoints_digest": (22, 10)}
    due |= dict.fromkeys(DISTRICTS, (17, 0))  # UTC, of 00:30, 05:00, 06:10 and 01:00 in Shanghai
    for dag_id, (hour, minute) in due.items():
        night = datetime(2026, 11, 23, hour, minute, tzinfo=UTC)
        hour_later = first_run_of(dags[dag_id], night + timedelta(hours=1), monkeypatch)
        assert hour_later == night + timedelta(days=1), dag_id
        minute_later = first_run_of(dags[dag_id], night + timedelta(minutes=1), monkeypatch)
        assert minute_later == night, dag_id  # read anew while the scheduler was about to start it


def landed_by(dag: Any) -> list[tuple[str, str]]:
    """(dataset, scope) of every landing of a DAG."""
    groups = [child for child in dag.task_group.children.values() if hasattr(child, "_expand_input")]
    return [(pair["dataset"], pair["scope"]) for group in groups for pair in group._expand_input.value]


def test_city_and_districts_land_every_declared_dataset_of_every_scope_exactly_once(dags: dict[str, Any]) -> None:
    landed = [pair for dag_id in ("innopoints_city", *DISTRICTS) for pair in landed_by(dags[dag_id])]
    wanted = {
        (dataset, scope)
        for dataset, contract in contracts().items()
        for scope in (["city"] if contract.scope == "city" else areas())
    }
    assert sorted(landed) == sorted(wanted)
    assert {scope for _, scope in landed_by(dags["innopoints_320411"])} == {"320411"}


def test_a_district_waits_for_what_all_share_and_scores_once(dags: dict[str, Any]) -> None:
    for district in DISTRICTS:
        own = {task for task in dags[district].task_ids if "." not in task}
        assert own == {"plan", "shared", "conform", "measure", "compute", "score"}
        assert "shared" in dags[district].get_task("conform").upstream_task_ids
        assert dags[district].get_task("shared").pool == "innopoints_shared"
        assert dags[district].get_task("conform").trigger_rule == "all_done_min_one_success"


def test_landing_waits_for_a_slot_of_its_own_source(dags: dict[str, Any]) -> None:
    for dag_id in ("innopoints_city", *DISTRICTS):
        for source in sources().values():
            if dags[dag_id].has_task(f"{source.source}.land"):
                assert dags[dag_id].get_task(f"{source.source}.land").pool == source.pool


def test_every_task_has_a_time_limit_a_pool_and_retries_that_outlast_a_quarter_of_an_hour(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.doc_md, dag.dag_id
        assert "3 a.m." in dag.doc_md
        assert dag.catchup is False
        for task in dag.tasks:
            where = f"{dag.dag_id}.{task.task_id}"
            assert task.execution_timeout is not None, where
            assert task.pool, where
            if task.task_id in ("claim", "district_day", "shared"):
                continue  # somebody waits for it; the run it starts has its own; the city's run has asked before
            waits = [
                min(task.retry_delay * task.retry_exponential_backoff**n, task.max_retry_delay)
                for n in range(task.retries)
            ]
            assert sum(waits, timedelta()) >= timedelta(minutes=15), where


def test_only_what_waiting_can_help_is_retried(dags: dict[str, Any]) -> None:
    from airflow.sdk import RetryAction

    from include.kernel.errors import BadInput, TerminalError, TransientError

    policy = dags["innopoints_320411"].get_task("conform").retry_policy
    decide = {kind: policy.evaluate(kind("x"), 1, 4).action for kind in (BadInput, TerminalError, TransientError)}
    assert decide == {
        BadInput: RetryAction.FAIL,
        TerminalError: RetryAction.FAIL,
        TransientError: RetryAction.DEFAULT,
    }
    assert policy.evaluate(ConnectionError("x"), 1, 4).action is RetryAction.DEFAULT


def test_districts_start_at_one_in_shanghai_one_run_at_a_time(dags: dict[str, Any]) -> None:
    for district in DISTRICTS:
        timetable = dags[district].timetable
        assert (timetable.expression, str(timetable.timezone)) == ("0 1 * * *", "Asia/Shanghai")
        assert dags[district].max_active_runs == 1
    assert dags["innopoints_publish"].max_active_runs == 1


def test_the_city_starts_half_an_hour_before_the_districts(dags: dict[str, Any]) -> None:
    timetable = dags["innopoints_city"].timetable
    assert (timetable.expression, str(timetable.timezone)) == ("30 0 * * *", "Asia/Shanghai")
    assert dags["innopoints_city"].max_active_runs == 1


def test_dags_survive_serialisation(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        restored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
        assert set(restored.task_dict) == set(dag.task_dict)
