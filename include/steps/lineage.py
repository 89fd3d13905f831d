"""What was made of what, as OpenLineage events: one when a step begins, one when it ends, in names and counts.

A step is declared once (`@traced`) and told wherever it runs. Nothing is sent unless `INNOPOINTS_LINEAGE_URL` names a
server, and a server that is dead, slow or refuses is one line in the log: lineage never fails a run. Names are those of
Airflow's assets, with the scope: source/… -> landing/… -> dataset/… and quarantine/… -> points/… -> published/….

The events are of version 2-0-2 of the specification, https://openlineage.io/spec/2-0-2/OpenLineage.json.
"""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import requests

from include.contracts import contracts
from include.kernel.areas import CITY, areas
from include.kernel.periods import SHANGHAI
from include.kernel.settings import settings

log = logging.getLogger("innopoints")

PRODUCER, NAMESPACE = "urn:innopoints", "innopoints"
SPECIFICATION = "https://openlineage.io/spec"
WAIT_SECONDS = 2.0
"""What a server may take for one event. Where the first of a step is not taken, its last is not tried."""

Step = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Work:
    """One step: what it reads and makes, and, from the counts that it gives, how many rows of each."""

    job: str
    as_of: date
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: Callable[[Mapping[str, Any]], Mapping[str, int]]


def landing_work(dataset: str, scope: str, as_of: date) -> Work:
    """A department's records, copied."""
    landed = f"landing/{dataset}/{scope}"
    source = f"source/{contracts()[dataset].source}"
    return Work(f"land/{dataset}/{scope}", as_of, (source,), (landed,), lambda counts: {landed: counts["rows"]})


def validating_work(dataset: str, scope: str, as_of: date) -> Work:
    """A landing, judged."""
    place = f"{dataset}/{scope}"
    names = {"rows_in": f"landing/{place}", "accepted": f"dataset/{place}", "quarantined": f"quarantine/{place}"}
    landed, *made = names.values()
    return Work(
        f"validate/{place}",
        as_of,
        (landed,),
        tuple(made),
        lambda counts: {name: counts[count] for count, name in names.items()},
    )


def scoring_work(district: str, as_of: date, scheme: str) -> Work:
    """A district's points, from every dataset: its own, and the city's."""
    scopes = {dataset: CITY if contract.scope == CITY else district for dataset, contract in contracts().items()}
    read = tuple(f"dataset/{dataset}/{scope}" for dataset, scope in scopes.items())
    points = f"points/{district}"
    return Work(f"score/{scheme}/{district}", as_of, read, (points,), lambda counts: {points: counts["enterprises"]})


def publishing_work(as_of: date, scheme: str) -> Work:
    """The published tables, from the points of all districts."""
    from include.store.warehouse import PUBLISHED

    read, made = tuple(f"points/{code}" for code in areas()), tuple(f"published/{table}" for table in PUBLISHED)
    return Work(
        f"publish/{scheme}",
        as_of,
        read,
        made,
        lambda counts: {f"published/{table}": rows for table, rows in counts["tables"].items()},
    )


def traced(work_of: Callable[..., Work]) -> Callable[[Step], Step]:
    """Tell the lineage server of each run of the step; `work_of` takes the step's own positional arguments."""

    def around(step: Step) -> Step:
        @functools.wraps(step)
        def run(*arguments: Any, **options: Any) -> dict[str, Any]:
            url = settings().lineage_url
            if not url:
                return step(*arguments, **options)
            work, run_id = work_of(*arguments), str(uuid.uuid4())
            heard = _send(url, event("START", work, run_id))
            try:
                counts = step(*arguments, **options)
            except BaseException as error:
                if heard:
                    _send(url, event("FAIL", work, run_id, failed=type(error).__name__))
                raise
            if heard:
                _send(url, event("COMPLETE", work, run_id, rows=work.rows(counts)))
            return counts

        return run

    return around


def event(kind: str, work: Work, run_id: str, *, rows: Mapping[str, int] | None = None, failed: str = "") -> Any:
    """A RunEvent. Of a failure only its kind is said: the text stands in the log, to which not everybody has a key."""
    rows = rows or {}
    night = datetime.combine(work.as_of, time(), SHANGHAI)
    run_facets = {"nominalTime": _facet("1-0-1", "NominalTimeRunFacet", nominalStartTime=night.isoformat())}
    if failed:
        said = {"message": failed, "programmingLanguage": "PYTHON"}
        run_facets["errorMessage"] = _facet("1-0-1", "ErrorMessageRunFacet", **said)
    read = [_dataset(name, "inputFacets", _read(rows[name]) if name in rows else {}) for name in work.inputs]
    made = [_dataset(name, "outputFacets", _made(rows[name]) if name in rows else {}) for name in work.outputs]
    return {
        "eventType": kind,
        "eventTime": datetime.now(UTC).isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id, "facets": run_facets},
        "job": {"namespace": NAMESPACE, "name": work.job, "facets": {}},
        "inputs": read,
        "outputs": made,
    }


def _dataset(name: str, kind: str, facets: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": NAMESPACE, "name": name, "facets": {}, kind: facets}


def _read(rows: int) -> dict[str, Any]:
    """How many rows were read. The facet asks for its columns too: we tell of none."""
    said = _facet("1-0-2", "DataQualityMetricsInputDatasetFacet", rowCount=rows, columnMetrics={})
    return {"dataQualityMetrics": said}


def _made(rows: int) -> dict[str, Any]:
    return {"outputStatistics": _facet("1-0-2", "OutputStatisticsOutputDatasetFacet", rowCount=rows)}


def _facet(version: str, name: str, **said: Any) -> dict[str, Any]:
    schema = f"{SPECIFICATION}/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": schema, **said}


def _send(url: str, told: dict[str, Any]) -> bool:
    """True when the server took it."""
    try:
        answer = requests.post(f"{url}/api/v1/lineage", json=told, timeout=WAIT_SECONDS, allow_redirects=False)
        if answer.status_code < 300:
            return True
        why = f"status {answer.status_code}"
    except requests.RequestException as error:
        why = type(error).__name__  # its text may hold more of the address than anybody should read
    log.warning("lineage: %s of %s not taken: %s", told["eventType"], told["job"]["name"], why)
    return False
