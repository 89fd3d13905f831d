"""What an engineer sees in Airflow after whole runs: labels, one line per task, links, assets and their graph."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from include import steps
from include.contracts import contracts
from include.sources.declaration import REGISTRY, of_district, shared, sources
from include.steps import digest
from include.steps.approval import Question
from include.store.warehouse import PUBLISHED as PUBLISHED_TABLES
from plugins.assets import DATASETS, POINTS, PUBLISHED, SOURCES
from tests.dags.answers import CHEN, answer, people
from tests.dags.runs import DAY, DISTRICT, SCHEME, Notes, run

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata")]

REASON = "late returns of the tax bureau"
ASKED: dict[str, dict[str, Any] | None] = {
    "innopoints_city": None,
    f"innopoints_{DISTRICT}": None,
    "innopoints_publish": None,
    "innopoints_digest": None,
    "innopoints_retention": None,
    "innopoints_backfill": {"districts": [DISTRICT], "date_from": DAY, "date_to": DAY, "reason": REASON},
    "innopoints_release": {"dataset": "TAX_VAT", "scope": DISTRICT, "as_of": DAY},
    "innopoints_repull": {"dataset": "TAX_VAT", "districts": [DISTRICT], "as_of": DAY, "reason": REASON},
    "innopoints_honours": {"year": 2026},
}
"""What each DAG is asked, by whoever triggers it."""
AIRFLOWS_OWN = {"district_day", "refresh_day", "public_notice"}
"""Operators of Airflow: they start a run or wait for a day, count nothing, and log what they wait for."""
COUNTS_LINE = re.compile(r"(\w+): \w+=\S*( \w+=\S*)*")


@pytest.fixture(scope="module")
def api() -> Iterator[TestClient]:
    """Airflow's own API server, and somebody signed in to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test and of no other, as long as it has to be")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        app = create_app(apps="core")
        token = app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="anna", role="admin"))
        yield TestClient(app, headers={"Authorization": f"Bearer {token}"})
        purge_cached_app()


def last_run(dag_id: str) -> str:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return session.scalars(select(DagRun.run_id).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc())).first()


def events(run_id: str) -> dict[str, Any]:
    """Name of each asset → the extra of its events that this run left."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run_id)).all()
        found = [(row.asset.name, row.extra) for row in rows]
    assert len(dict(found)) == len(found), "an asset has two events of one run"
    return dict(found)


def test_every_mapped_task_has_a_label(dags: dict[str, Any]) -> None:
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    mapped = [
        task
        for dag in dags.values()
        for task in dag.tasks
        if isinstance(task, MappedOperator) or next(task.iter_mapped_task_groups(), None)
    ]
    assert {task.task_id.rpartition(".")[2] for task in mapped} == {
        "land",
        "validate",
        "rank",
        "publish",
        "district_day",
        "repull",
    }
    assert [task.task_id for task in mapped if not task.map_index_template] == []


@pytest.fixture(scope="module")
def district_night(dags: dict[str, Any], metadata: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The run of a district's night for which the tax bureau's VAT was refused and the insurance did not come."""
    with pytest.MonkeyPatch.context() as patch:
        notes = Notes(patch, tmp_path_factory.mktemp("night"))
        notes.failing |= {("validate", "TAX_VAT"), ("land", "HR_INS")}
        run(dags[f"innopoints_{DISTRICT}"])
    return last_run(f"innopoints_{DISTRICT}")


def test_the_labels_name_scope_and_dataset(district_night: str) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        labels = session.scalars(
            select(TaskInstance.rendered_map_index).where(
                TaskInstance.run_id == district_night,
                TaskInstance.map_index >= 0,
                TaskInstance.state != "upstream_failed",  # which never ran: Airflow names it by its number
            )
        ).all()
    landed = [f"{DISTRICT} {dataset}" for dataset in of_district()]
    judged = [label for label in landed if not label.endswith("HR_INS")]
    assert Counter(labels) == Counter(landed + judged)


@pytest.fixture
def forms(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps behind the forms take notes as well; the runs that a form starts are not started."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    counts = {"rows_in": 50, "duplicates": 0, "accepted": 50, "quarantined": 0}
    snapshot = {"dataset": "TAX_VAT", "scope": DISTRICT, "as_of": DAY, **counts}
    blocked = SimpleNamespace(reason="snapshot.unit", landing_sha="a1", **counts)
    span = {"results": 1, "districts": [DISTRICT], "date_from": DAY, "date_to": DAY}
    asked = Question("b2", "Announce?", "What is approved: b2")
    for module, name, found in (
        ("release", "require_blocked", blocked),
        ("release", "landing_of", blocked.landing_sha),
        ("repull", "repull", {**snapshot, "outcome": "replaced", **span}),
        ("honours", "propose", {"roll": 1, "honoured": 2, "generation": 1, "notice_days": 7}),
        ("honours_question", "question", asked),
        ("honours", "answered", None),
        ("honours", "announce", {"ends_at": "2026-11-27T00:00:00+08:00"}),
        ("honours", "freeze", {"frozen": 2}),
    ):
        step = import_module(f"include.steps.{module}")
        monkeypatch.setattr(step, name, lambda *_, found=found, **__: found)
    monkeypatch.setattr(steps, "release", lambda *_, **__: {**snapshot, "verdict": "accepted"})
    monkeypatch.setattr(digest, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(TriggerDagRunOperator, "execute", lambda self, context: None)


def test_every_dag_is_looked_at(dags: dict[str, Any]) -> None:
    """One district stands for all: they are built alike."""
    districts = {f"innopoints_{code}" for code in POINTS}
    assert set(dags) == {*ASKED, *districts}
    for dag_id in districts:
        assert dags[dag_id].task_ids == dags[f"innopoints_{DISTRICT}"].task_ids


@pytest.mark.parametrize("dag_id", ASKED)
def test_every_task_leaves_one_line_of_counts(
    dags: dict[str, Any], notes: Notes, forms: None, dag_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One each time it is at work: `ask` is when it asks, and when it is answered."""
    notes.due = [{"as_of": day, "scheme": SCHEME} for day in ("2026-11-18", "2026-11-19")]
    caplog.set_level(logging.INFO, "innopoints")
    with people(answer("Approve", CHEN, REASON)):
        state, states = run(dags[dag_id], ASKED[dag_id])
    assert state == "success"
    assert set(states) == set(dags[dag_id].task_ids)
    lines = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    told = Counter(found[1] for line in lines if (found := COUNTS_LINE.fullmatch(line)))
    at_work: Counter[str] = Counter()
    for task, instances in states.items():
        assert set(instances) == {"success"}, task
        at_work[task.rpartition(".")[2]] += 2 if task == "ask" else len(instances)
    assert told == Counter({task: times for task, times in at_work.items() if task not in AIRFLOWS_OWN})
    assert REASON not in caplog.text


@pytest.mark.parametrize("dag_id", ASKED)
def test_a_refused_configuration_is_one_line_in_every_dag(
    dags: dict[str, Any], notes: Notes, forms: None, dag_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "innopoints")
    state, _ = run(dags[dag_id], {**(ASKED[dag_id] or {}), "asof": DAY})
    assert state == "failed"
    (line,) = [
        record.getMessage() for record in caplog.records if record.name == "innopoints" and record.levelname == "ERROR"
    ]
    assert "unknown key 'asof' in the run's configuration | kept: nothing was started | do: use only" in line


def test_a_refused_snapshot_leaves_its_counts_and_then_its_one_line(
    dags: dict[str, Any],
    notes: Notes,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from include.kernel.errors import TerminalError

    def refuse(dataset: str, scope: str, as_of: Any, *, holder: str) -> dict[str, Any]:
        raise TerminalError("snapshot rejected: rows", where=dataset, counts={"dataset": dataset, "quarantined": 9})

    monkeypatch.setattr(steps, "validate", refuse)
    caplog.set_level(logging.INFO, "innopoints")
    run(dags[f"innopoints_{DISTRICT}"])
    lines = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    at = lines.index("validate: dataset=TAX_VAT quarantined=9")
    assert lines[at + 1] == "TAX_VAT: snapshot rejected: rows"


LINKS = {
    "land": {"清单 Manifest": "/manifest"},
    "validate": {"清单 Manifest": "/manifest", "校验报告 Validation report": "", "隔离区 Quarantine": "/quarantine"},
}


def links(api: TestClient, dag_id: str, run_id: str, task: str, map_index: int = -1) -> dict[str, str]:
    at = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task}/links"
    return api.get(at, params={"map_index": map_index}).json()["extra_links"]


@pytest.mark.parametrize(
    ("step", "dataset"),
    [("land", "TAX_CIT"), ("validate", "TAX_CIT"), ("validate", "TAX_VAT"), ("land", "HR_INS")],
    ids=["landed", "accepted", "refused", "not landed"],
)
def test_a_task_links_to_what_it_made_of_its_snapshot_refused_or_not(
    district_night: str, api: TestClient, step: str, dataset: str
) -> None:
    (source,) = [source for source in sources().values() if dataset in source.datasets]
    of_source = [held for held in of_district() if held in source.datasets]
    task = f"{source.source}.{step}"
    found = links(api, f"innopoints_{DISTRICT}", district_night, task, of_source.index(dataset))
    snapshot = f"http://localhost:8080/points/snapshots/{dataset}/{DISTRICT}/{DAY}"
    assert found == {name: snapshot + page for name, page in LINKS[step].items()}


def test_results_link_to_their_manifests_and_other_tasks_to_nothing(
    dags: dict[str, Any],
    district_night: str,
    notes: Notes,
    api: TestClient,
) -> None:
    notes.due = [{"as_of": DAY, "scheme": SCHEME}]
    of_run = {f"innopoints_{DISTRICT}": district_night}
    for dag_id in ("innopoints_city", "innopoints_publish"):
        run(dags[dag_id])
        of_run[dag_id] = last_run(dag_id)

    def manifest(dag_id: str, task: str, map_index: int = -1) -> dict[str, str]:
        return links(api, dag_id, of_run[dag_id], task, map_index)

    results, scheme = "http://localhost:8080/points/results", "?scheme=changzhou_v1"
    for task in ("conform", "measure", "compute", "score"):
        own = {"清单 Manifest": f"{results}/{DISTRICT}/{DAY}/manifest{scheme}"}
        assert manifest(f"innopoints_{DISTRICT}", task) == own
    assert manifest("innopoints_city", "conform") == {"清单 Manifest": f"{results}/city/{DAY}/manifest"}
    for task in ("publication.rank", "publication.publish"):
        assert manifest("innopoints_publish", task, 0) == {"清单 Manifest": f"{results}/city/{DAY}/manifest{scheme}"}
    assert manifest(f"innopoints_{DISTRICT}", "plan") == {}


def test_the_assets_are_those_of_the_declarations() -> None:
    assert set(PUBLISHED) == set(PUBLISHED_TABLES)
    assert set(DATASETS) == set(contracts())
    assert set(SOURCES) == set(sources())


def test_accepted_datasets_leave_an_event_with_their_counts_and_refused_ones_none(district_night: str) -> None:
    assert {"TAX_VAT", "HR_INS"} <= set(of_district())
    left = events(district_night)
    accepted = set(of_district()) - {"TAX_VAT", "HR_INS"}
    assert set(left) == {f"dataset/{dataset}" for dataset in accepted} | {f"points/{DISTRICT}"}
    counts = {"rows_in": 10, "duplicates": 1, "accepted": 8, "quarantined": 1}
    assert left["dataset/TAX_CIT"] == {"as_of": DAY, "scopes": {DISTRICT: counts}}


def test_what_a_district_brought_in_for_all_leaves_events_too(
    dags: dict[str, Any],
    notes: Notes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = {"rows_in": 10, "duplicates": 1, "accepted": 8, "quarantined": 1}
    brought = [(REGISTRY, DISTRICT), (REGISTRY, "320412"), ("IP_PAT", "city")]
    assert set(brought) <= set(shared())
    judged = [{"dataset": d, "scope": s, "as_of": DAY, "verdict": "accepted", **counts} for d, s in brought]

    def land_shared(as_of: Any, **_: Any) -> dict[str, Any]:
        return {"as_of": DAY, "held": 0, "landed": 3, "rejected": 0, "accepted": judged}

    monkeypatch.setattr(steps, "land_shared", land_shared)
    run(dags[f"innopoints_{DISTRICT}"])
    left = events(last_run(f"innopoints_{DISTRICT}"))
    assert set(left[f"dataset/{REGISTRY}"]["scopes"]) == {DISTRICT, "320412"}
    assert left["dataset/IP_PAT"] == {"as_of": DAY, "scopes": {"city": counts}}


@pytest.mark.parametrize("outcome", ["replaced", "same"])
def test_a_snapshot_that_is_pulled_again_leaves_an_event_where_it_replaces_another(
    dags: dict[str, Any], notes: Notes, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    counts = {"rows_in": 10, "duplicates": 1, "accepted": 8, "quarantined": 1}
    done = {"dataset": "TAX_VAT", "scope": DISTRICT, "as_of": DAY, "outcome": outcome, **counts, "results": 0}
    monkeypatch.setattr(import_module("include.steps.repull"), "repull", lambda *_, **__: done)
    assert run(dags["innopoints_repull"], ASKED["innopoints_repull"])[0] == "success"
    event = {"dataset/TAX_VAT": {"as_of": DAY, "scopes": {DISTRICT: counts}}}
    assert events(last_run("innopoints_repull")) == (event if outcome == "replaced" else {})


def test_a_publication_leaves_an_event_per_table_with_its_generation(
    dags: dict[str, Any],
    notes: Notes,
) -> None:
    notes.due = [{"as_of": DAY, "scheme": SCHEME}]
    run(dags["innopoints_publish"])
    left = events(last_run("innopoints_publish"))
    assert set(left) == {f"published/{table}" for table in PUBLISHED_TABLES}
    assert {extra["generation"] for extra in left.values()} == {7}
    notes.failing.add(("publish", DAY))
    run(dags["innopoints_publish"])
    assert events(last_run("innopoints_publish")) == {}


def test_the_asset_graph_leads_from_the_sources_over_the_datasets_to_points_and_tables(
    dags: dict[str, Any],
    notes: Notes,
    api: TestClient,
) -> None:
    run(dags["innopoints_publish"])  # writes every DAG to Airflow's tables, as the DAG processor does

    def graph(name: str) -> set[tuple[str, str]]:
        """What Airflow's asset page draws for one asset: everything before it, and everything after it."""
        (asset,) = api.get("/api/v2/assets", params={"name_pattern": name}).json()["assets"]
        asked = {"dependency_type": "data", "node_id": f"asset:{asset['id']}"}
        found = api.get("/ui/dependencies", params=asked).json()
        names = {node["id"]: node["label"] for node in found["nodes"]}
        return {(names[edge["source_id"]], names[edge["target_id"]]) for edge in found["edges"]}

    of_tax = [dataset for dataset in of_district() if dataset in sources()["tax_database"].datasets]
    judged = f"innopoints_{DISTRICT}.tax_database.validate"
    scored, published = f"innopoints_{DISTRICT}.score", "innopoints_publish.publication.publish"
    before = graph("published/enterprise_points")
    assert {source for source, target in before if target == published} == {f"points/{code}" for code in POINTS}
    assert {source for source, target in before if target == scored} == {f"dataset/{name}" for name in contracts()}
    assert {source for source, target in before if target == judged} == {"source/tax_database"}
    assert {source for source, _ in before if source.startswith("source/")} == {f"source/{name}" for name in sources()}
    after = graph("source/tax_database")
    assert {target for source, target in after if source == judged} == {f"dataset/{name}" for name in of_tax}
    assert {target for source, target in after if source == scored} == {f"points/{DISTRICT}"}
    assert {target for source, target in after if source == published} == {f"published/{name}" for name in PUBLISHED}
