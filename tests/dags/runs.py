"""Whole runs of a DAG inside one process, and notes that stand in for the steps of a night."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include import steps
from include.kernel.errors import TerminalError

DISTRICT, DAY = "320411", "2026-11-20"
SCHEME = "changzhou_v1"
NIGHT = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)  # 01:00 of that day in Shanghai
STEPS = (
    "land_shared",
    "land",
    "validate",
    "conform_city",
    "conform",
    "measure",
    "compute",
    "score",
    "rank",
    "publish",
    "retain",
)
_seconds = itertools.count()


def run(dag: Any, conf: dict[str, Any] | None = None, *, marked: str | None = None) -> tuple[str, dict[str, list[str]]]:
    """The run's end state, and the states of each task's instances in the order of their map index. Tasks that `marked`
    matches are marked as success by hand.

    Each run has a moment of its own. No task is retried: the run would sit there for the quarter of an hour that its
    retries take. And the parameters are put back: `dag.test()` of Airflow 3.3 writes what a run is asked into those of
    the DAG, where the next run would find it as their default.
    """
    moment = NIGHT + timedelta(seconds=next(_seconds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dag, "deadline", None)  # `dag.test()` cannot end a good run that has one
        for task in dag.tasks:
            patch.setattr(task, "retries", 0)
        for param in (one for held in (dag, *dag.tasks) for one in held.params.values()):
            patch.setattr(param, "value", param.value)
        finished = dag.test(logical_date=moment, run_conf=conf, mark_success_pattern=marked)
    states: dict[str, list[str]] = {}
    for instance in sorted(finished.get_task_instances(), key=lambda one: one.map_index):
        states.setdefault(instance.task_id, []).append(str(instance.state))
    return str(finished.state), states


class Notes:
    """Stands in for the steps of a night: notes each call; fails where it is told to. `home` is for the ledger that
    alarms look into; there is one Connection.
    """

    def __init__(self, patch: pytest.MonkeyPatch, home: Path) -> None:
        patch.setenv("INNOPOINTS_HOME", str(home))
        patch.setenv(
            "AIRFLOW_CONN_INNOPOINTS_TEST",
            '{"conn_type": "http", "host": "http://127.0.0.1:1", "login": "app", "password": "pw", "extra": {"a": 1}}',
        )
        self.failing: set[tuple[str, str]] = set()
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.holders: list[str] = []
        self.connections: list[Any] = []
        self.due: list[dict[str, str]] = []
        for name in STEPS:
            patch.setattr(steps, name, self._noting(name))
        patch.setattr(steps, "due_publications", self._due_publications)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def _noting(self, name: str) -> Any:
        def step(*arguments: Any, holder: str, **options: Any) -> dict[str, Any]:
            self.calls.append((name, tuple(map(str, arguments))))
            self.holders.append(holder)
            if "lookup" in options:
                self.connections.append(options["lookup"]("innopoints_test"))
            if (name, str(arguments[0])) in self.failing:
                raise TerminalError("refused", where=str(arguments[0]), kept="the last good one", todo="call them")
            return _found(name, *map(str, arguments))

        step.__name__ = name
        return step

    def _due_publications(self, today: Any, *, sweep: bool) -> list[dict[str, str]]:
        self.calls.append(("due", (str(today), str(sweep))))
        return self.due


def _found(name: str, *given: str) -> dict[str, Any]:
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
