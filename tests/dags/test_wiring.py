"""Whole runs inside one process, with steps that only take notes: what is called, with what, and after what failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import include.steps.district
from include.kernel.errors import TerminalError
from include.sources.declaration import of_district, shared, sources

pytestmark = pytest.mark.airflow

DISTRICT, DAY = "320411", "2026-11-20"
OF_CITY = ("land", "validate", "conform_city")
OF_DISTRICT = ("land_shared", "land", "validate", "conform", "measure", "compute", "score")
STEPS = (*OF_CITY, *OF_DISTRICT, "rank", "publish", "retain")


@pytest.fixture(scope="module", autouse=True)
def metadata() -> None:
    """Airflow's own tables, in the home of this test session."""
    from airflow.utils.db import initdb

    initdb()


class Notes(ModuleType):
    """Stands in for `include.steps`: notes each call; fails where it is told to."""

    def __init__(self, failing: set[tuple[str, str]]) -> None:
        super().__init__("include.steps")
        self.failing = failing
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.holders: list[str] = []
        self.connections: list[Any] = []
        self.due: list[dict[str, str]] = []
        for name in STEPS:
            setattr(self, name, self._noting(name))

    def _noting(self, name: str) -> Any:
        def step(*arguments: Any, holder: str, **options: Any) -> dict[str, Any]:
            self.calls.append((name, tuple(map(str, arguments))))
            self.holders.append(holder)
            if "lookup" in options:
                self.connections.append(options["lookup"]("innopoints_test"))
            if (name, str(arguments[0])) in self.failing:
                raise TerminalError("refused", where=str(arguments[0]), kept="the last good one", todo="call them")
            return self.found(name, *map(str, arguments))

        step.__name__ = name
        return step

    def found(self, name: str, *given: str) -> dict[str, Any]:
        """What the real step would say, in kind."""
        if name == "validate":
            dataset, scope, as_of = given
            counts = {"rows_in": 10, "duplicates": 1, "accepted": 8, "quarantined": 1}
            return {"dataset": dataset, "scope": scope, "as_of": as_of, "verdict": "accepted", **counts}
        if name == "land_shared":
            return {"as_of": given[0], "held": 32, "landed": 0, "rejected": 0, "accepted": []}
        if name == "conform":
            return {"district": given[0], "as_of": given[1], "snapshots": {"TAX_VAT/320411": 3, "IP_PAT/city": 0}}
        if name == "score":
            counts = {"enterprises": 400, "ledger_lines": 48_400}
            return {"district": given[0], "as_of": given[1], "scheme": given[2], **counts}
        if name == "publish":
            return {"as_of": given[0], "scheme": given[1], "generation": 7, "status": "current", "pruned": 0}
        return {"rows": 1}

    def due_publications(self, today: Any, *, sweep: bool) -> list[dict[str, str]]:
        self.calls.append(("due", (str(today), str(sweep))))
        return self.due

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Notes]:
    """Notes in the place of the steps, one Connection, and a home for the ledger that alarms look into."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    taken = Notes(set())
    monkeypatch.setitem(sys.modules, "include.steps", taken)
    monkeypatch.setattr(include, "steps", taken, raising=False)
    monkeypatch.setitem(
        os.environ,
        "AIRFLOW_CONN_INNOPOINTS_TEST",
        '{"conn_type": "http", "host": "http://127.0.0.1:1", "login": "app", "password": "pw", "extra": {"a": 1}}',
    )
    return taken


def run(dag: Any, conf: dict[str, Any] | None = None) -> tuple[str, dict[str, list[str]]]:
    """The run's end state, and the states of each task's instances in the order of their map index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dag, "deadline", None)  # `dag.test()` of Airflow 3.3.2 cannot end a good run that has one
        finished = dag.test(logical_date=datetime(2026, 11, 19, 17, 0, tzinfo=UTC), run_conf=conf)
    states: dict[str, list[str]] = {}
    for instance in sorted(finished.get_task_instances(), key=lambda one: one.map_index):
        states.setdefault(instance.task_id, []).append(str(instance.state))
    return str(finished.state), states


def test_a_night_lands_and_validates_the_districts_datasets_then_scores(dags: dict[str, Any], notes: Notes) -> None:
    # The day is asked for: `dag.test()` may give a second run of one logical date what the first was given.
    state, _ = run(dags[f"innopoints_{DISTRICT}"], {"as_of": DAY})
    assert state == "success"
    for step in ("land", "validate"):
        landed = sorted(given for name, given in notes.calls if name == step)
        assert landed == sorted((dataset, DISTRICT, DAY) for dataset in of_district())
    assert ("land_shared", (DAY,)) in notes.calls
    assert notes.names()[-4:] == ["conform", "measure", "compute", "score"]
    assert notes.calls[-1] == ("score", (DISTRICT, DAY, "changzhou_v1"))


def test_the_city_lands_what_all_share_then_conforms_it_once(dags: dict[str, Any], notes: Notes) -> None:
    notes.failing.add(("land", "IP_PAT"))
    state, _ = run(dags["innopoints_city"])
    assert state == "success"  # the last good snapshot is used
    landed = sorted(given for name, given in notes.calls if name == "land")
    assert landed == sorted((dataset, scope, DAY) for dataset, scope in shared())
    assert notes.calls[-1] == ("conform_city", (DAY,))
    assert "score" not in notes.names()


def test_the_holder_names_the_task_and_not_the_try_and_connections_come_from_airflow(
    dags: dict[str, Any], notes: Notes
) -> None:
    run(dags[f"innopoints_{DISTRICT}"])
    assert len(set(notes.holders)) == len(notes.holders)
    last = notes.holders[-1].split("/")
    assert (last[0], last[2:]) == (f"innopoints_{DISTRICT}", ["score", "-1"])
    connection = notes.connections[0]
    assert (connection.host, connection.login, connection.password, connection.extra) == (
        "http://127.0.0.1:1",
        "app",
        "pw",
        {"a": 1},
    )


def test_one_failed_dataset_leaves_the_others_and_the_district_is_still_scored(
    dags: dict[str, Any], notes: Notes
) -> None:
    notes.failing.add(("land", "TAX_VAT"))
    _, states = run(dags[f"innopoints_{DISTRICT}"])
    of_tax = [dataset for dataset in of_district() if dataset in sources()["tax_database"].datasets]
    where = of_tax.index("TAX_VAT")
    assert states["tax_database.land"] == ["failed" if i == where else "success" for i in range(len(of_tax))]
    assert states["tax_database.validate"][where] == "upstream_failed"
    assert states["tax_database.validate"].count("success") == len(of_tax) - 1
    assert states["score"] == ["success"]


def test_a_district_that_cannot_be_conformed_is_not_scored(dags: dict[str, Any], notes: Notes) -> None:
    notes.failing.add(("conform", DISTRICT))
    state, states = run(dags[f"innopoints_{DISTRICT}"])
    assert (state, states["score"]) == ("failed", ["upstream_failed"])
    assert "score" not in notes.names()


def test_a_refused_configuration_starts_nothing(dags: dict[str, Any], notes: Notes) -> None:
    state, states = run(dags[f"innopoints_{DISTRICT}"], {"asof": DAY})
    assert (state, states["plan"], states["conform"]) == ("failed", ["failed"], ["upstream_failed"])
    assert notes.calls == []


def test_the_city_ranks_and_publishes_every_date_that_is_due(dags: dict[str, Any], notes: Notes) -> None:
    notes.due = [{"as_of": day, "scheme": "changzhou_v1"} for day in ("2026-11-18", "2026-11-19")]
    state, _ = run(dags["innopoints_publish"])
    assert state == "success"
    for step in ("rank", "publish"):
        assert sorted(given[0] for name, given in notes.calls if name == step) == ["2026-11-18", "2026-11-19"]


def test_nothing_due_publishes_nothing(dags: dict[str, Any], notes: Notes) -> None:
    state, _ = run(dags["innopoints_publish"])
    assert state == "success"
    assert notes.names() == ["due"]
