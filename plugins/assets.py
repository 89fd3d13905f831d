"""The assets: what a source delivers, what was accepted, the points of a district, what is published.

    source/…  ->  dataset/…  ->  points/<district>  ->  published/<table>

They are what Airflow's asset graph draws, from the inlets and outlets of `validate`, `score` and `publish`. By
`points/…` and `publish_request` a publication is rung for; nothing is scheduled by the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import Asset, get_current_context

from include.contracts import contracts
from include.kernel.areas import areas
from include.sources.declaration import shared, sources

# The published tables by name (`include/store/warehouse.py`): a DAG file is read without the store.
TABLES = (
    "category_points",
    "credit_list",
    "enterprise_points",
    "enterprise_profile",
    "fields_saved",
    "honours",
    "ladder",
    "once_only",
    "once_only_gap",
    "once_only_indicator",
    "once_only_reason",
    "points_ledger",
    "project_recommendation",
    "source_quality",
    "stage_distribution",
)


def _asset(name: str) -> Asset:
    return Asset(name=name, uri=f"innopoints://{name}", group="innopoints")


SOURCES = {source: _asset(f"source/{source}") for source in sources()}
DATASETS = {dataset: _asset(f"dataset/{dataset}") for dataset in contracts()}
SHARED = [DATASETS[dataset] for dataset in dict(shared())]
POINTS = {code: _asset(f"points/{code}") for code in areas()}
PUBLISHED = {table: _asset(f"published/{table}") for table in TABLES}
PUBLISH_REQUEST = _asset("publish_request")

COUNTS = ("rows_in", "duplicates", "accepted", "quarantined")


def announce(events: Mapping[Asset, dict[str, Any]]) -> None:
    """Let this task, once it has succeeded, leave an event for these assets and for no other of its outlets.

    A task declares every asset that it may make, because the graph is drawn from declarations; one of its instances
    makes one of them (a dataset of its source), or none (a snapshot that was refused).
    """
    context = get_current_context()
    context["ti"].task.outlets = list(events)
    for asset, extra in events.items():
        context["outlet_events"][asset].extra = extra


def announce_accepted(judged: Iterable[Mapping[str, Any]]) -> None:
    """An event per dataset of which snapshots were accepted: as of when, and per scope how many rows."""
    events: dict[Asset, dict[str, Any]] = {}
    for one in judged:
        event = events.setdefault(DATASETS[one["dataset"]], {"as_of": one["as_of"], "scopes": {}})
        event["scopes"][one["scope"]] = {name: one[name] for name in COUNTS}
    announce(events)
