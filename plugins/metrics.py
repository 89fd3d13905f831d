"""The counts of a task as metrics, through whatever Airflow itself is set to send metrics by (StatsD or OpenTelemetry).

Gauges only: each says how the newest snapshot, district or generation stands, whichever short-lived process told it
last. Where Airflow sends no metrics, nothing here does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from airflow.sdk.observability import stats

log = logging.getLogger("innopoints")


class Gauge(NamedTuple):
    """A metric: of which task it is told, under which count of it, and by which keys it is told apart."""

    task: str
    counted: str
    tags: tuple[str, ...]
    meaning: str


_SNAPSHOT, _DISTRICT, _GENERATION = ("dataset", "scope"), ("district", "scheme"), ("scheme",)
GAUGES = {
    "innopoints.rows_in": Gauge("validate", "rows_in", _SNAPSHOT, "rows of the newest snapshot that was judged"),
    "innopoints.duplicates": Gauge("validate", "duplicates", _SNAPSHOT, "of these, repeated"),
    "innopoints.accepted": Gauge("validate", "accepted", _SNAPSHOT, "of these, accepted"),
    "innopoints.quarantined": Gauge("validate", "quarantined", _SNAPSHOT, "of these, in quarantine"),
    "innopoints.snapshot_age_days": Gauge(
        "conform", "snapshots", _SNAPSHOT, "days between the night and the snapshot that it stands on"
    ),
    "innopoints.enterprises": Gauge("score", "enterprises", _DISTRICT, "enterprises scored"),
    "innopoints.ledger_lines": Gauge("score", "ledger_lines", _DISTRICT, "lines of their ledger"),
    "innopoints.generation": Gauge("publish", "generation", _GENERATION, "number of the newest generation"),
}


def report(task: str, counts: Mapping[str, Any], tonight: date) -> None:
    """Tell the metrics that these counts of a task are, if they are of tonight: a past day run again is no news.

    Whoever takes metrics may be dead: that is no task's failure.
    """
    if counts.get("as_of") != tonight.isoformat():
        return
    try:
        for name, value, tags in metrics(task, counts):
            stats.gauge(name, value, tags=tags)
    except Exception as error:  # noqa: BLE001 - whatever it is, the task has done its work
        log.warning("metrics: not sent: %s", type(error).__name__)


def metrics(task: str, counts: Mapping[str, Any]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Name, value and tags of each. A count that is not there is not told; a mapping is told by each of its keys."""
    if task == "shared":
        for judged in counts["accepted"]:  # what it landed and judged for all districts
            yield from metrics("validate", judged)
    for name, gauge in GAUGES.items():
        if gauge.task != task or gauge.counted not in counts:
            continue
        for told, value in _each(counts, gauge.counted):
            yield name, value, {tag: str(told[tag]) for tag in gauge.tags}


def _each(counts: Mapping[str, Any], name: str) -> Iterator[tuple[Mapping[str, Any], int]]:
    """`snapshots` is {"TAX_VAT/320411": 0, …}; any other count is a number of the task's own keys."""
    held = counts[name]
    if not isinstance(held, Mapping):
        yield counts, held
        return
    for snapshot, value in held.items():
        dataset, scope = snapshot.split("/")
        yield {"dataset": dataset, "scope": scope}, value
