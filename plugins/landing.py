"""How a dataset is brought in: `land`, then `validate`, mapped over the datasets of one source system."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from airflow.sdk import task_group

from include.sources.declaration import Source
from plugins.assets import DATASETS, SOURCES, announce_accepted
from plugins.links import QuarantineLink, SnapshotManifestLink, ValidationReportLink, task_with
from plugins.task_wrapper import connection_from_airflow, run_step

LABEL = "{{ task.op_kwargs['scope'] }} {{ task.op_kwargs['dataset'] }}"


@task_with(SnapshotManifestLink(), map_index_template=LABEL)
def land(dataset: str, scope: str, run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    return run_step(steps.land, dataset, scope, date.fromisoformat(run["as_of"]), lookup=connection_from_airflow)


@task_with(QuarantineLink(), ValidationReportLink(), SnapshotManifestLink(), map_index_template=LABEL)
def validate(dataset: str, scope: str, run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    judged = run_step(steps.validate, dataset, scope, date.fromisoformat(run["as_of"]))
    announce_accepted([judged])
    return judged


def landing(source: Source, wanted: Sequence[tuple[str, str]], run: Any) -> list[Any]:
    """One group for a source system, mapped over those of the `wanted` (dataset, scope) that it delivers: each fails,
    waits and is cleared on its own. No group where it delivers none.
    """
    pairs = [{"dataset": dataset, "scope": scope} for dataset, scope in wanted if dataset in source.datasets]
    if not pairs:
        return []

    @task_group(group_id=source.source, tooltip=source.title_zh)
    def one_dataset(dataset: str, scope: str, run: dict[str, str]) -> None:
        landed = land.override(pool=source.pool)(dataset=dataset, scope=scope, run=run)
        outlets = [DATASETS[name] for name in dict.fromkeys(pair["dataset"] for pair in pairs)]
        lineage = {"inlets": [SOURCES[source.source]], "outlets": outlets}
        landed >> validate.override(**lineage)(dataset=dataset, scope=scope, run=run)

    return [one_dataset.partial(run=run).expand_kwargs(pairs)]
