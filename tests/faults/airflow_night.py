"""A night asked of a running Airflow, whatever it runs on, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Engine

from include.embedded.airflow_api import FINISHED, Airflow
from include.embedded.demo import CITY, SCHEME
from include.kernel.areas import areas
from include.kernel.errors import TransientError
from include.kernel.references import ResultKey, SnapshotKey
from include.steps import due_publications
from include.steps.stores import Stores
from include.store import lake as places
from include.store.ledger import run_publication

NIGHT_SECONDS = 25 * 60
Found = TypeVar("Found")


def night(airflow: Airflow, as_of: date) -> dict[str, str]:
    """As the demo asks for it: the city, then every district. DAG → how its run ended."""
    day, states = {"as_of": as_of.isoformat()}, {}
    for dags, conf in (([CITY], day), ([f"innopoints_{code}" for code in areas()], {**day, "scheme": SCHEME})):
        states |= ended(airflow, dags, f"night__{as_of}", conf)
    return states


def ended(airflow: Airflow, dags: list[str], run_id: str, conf: dict[str, Any]) -> dict[str, str]:
    """Runs of these DAGs, asked for and waited for. DAG → how its run ended."""

    def trigger(dag_id: str) -> None:
        if dag_id not in airflow.states(run_id):  # the answer may have been lost, not the question
            airflow.trigger(dag_id, run_id, conf, note="test")

    for dag_id in dags:
        patiently(lambda dag_id=dag_id: trigger(dag_id))
    deadline, states = time.monotonic() + NIGHT_SECONDS, {}
    while time.monotonic() < deadline:
        states = patiently(lambda: airflow.states(run_id))
        if all(states.get(dag_id) in FINISHED for dag_id in dags):
            break
        time.sleep(2)
    return {dag_id: states.get(dag_id, "not there") for dag_id in dags}


def patiently(ask: Callable[[], Found]) -> Found:
    """Ask until Airflow answers, for ten minutes; what it refuses is asked once."""
    deadline = time.monotonic() + 600
    while True:
        try:
            return ask()
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def published(engine: Engine, as_of: date) -> str:
    """What the last generation of a date says, once no district of it waits to be published."""
    deadline = time.monotonic() + NIGHT_SECONDS
    while time.monotonic() < deadline:
        waiting = any(due["as_of"] == as_of.isoformat() for due in due_publications(as_of, sweep=True))
        if not waiting and (said := content_published(engine, as_of)):
            return said
        time.sleep(2)
    raise AssertionError(f"no generation of {as_of}")


def content_published(engine: Engine, as_of: date) -> str | None:
    """The digest of what was published last of a date."""
    of_date = sa.select(run_publication.c.content_sha).where(run_publication.c.as_of == as_of)
    with engine.connect() as connection:
        return connection.scalar(of_date.order_by(run_publication.c.generation_id.desc()).limit(1))


def committed(stores: Stores, as_of: date) -> dict[str, str]:
    """The digest of every place of a night, whoever wrote it."""
    found = {}
    for row in stores.ledger.blocked():
        raise AssertionError(f"{row.key} was blocked")
    for area in areas():
        for place in (
            places.accepted(SnapshotKey("TAX_VAT", area, as_of)),
            places.accepted(SnapshotKey("REG_ENT", area, as_of)),
            places.conformed(area, as_of),
            places.measures(area, as_of),
            places.points(ResultKey(as_of, area, SCHEME)),
        ):
            found[place] = stores.lake.require(place).sha256
    return found
