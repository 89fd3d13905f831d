"""The service set for real: PostgreSQL, Redis, Celery with two workers, one of which is killed in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.embedded import service_set as services
from include.embedded.airflow_api import Airflow
from include.embedded.composed import connections_to_import
from include.embedded.demo import SCHEME
from include.kernel.areas import areas
from include.kernel.connections import from_environment
from include.steps.refresh import refresh
from include.steps.stores import open_stores
from include.store.warehouse import PUBLISHED, reading
from tests.faults.airflow_night import committed, ended, night, patiently, published

pytestmark = [
    pytest.mark.composed,
    pytest.mark.skipif(bool(services.missing()), reason=services.missing()),
]

AS_OF = date(2026, 11, 20)
EARLIER, DISTRICT = AS_OF - timedelta(days=1), "320411"
WORLD = {"INNOPOINTS_SANDBOX_ENTERPRISES": "120", "INNOPOINTS_SANDBOX_SEED": "4"}
DAGS = {"innopoints_city", "innopoints_publish", "innopoints_backfill", *(f"innopoints_{code}" for code in areas())}
RUN = "past_days__test"
AFTER_TASKS, AWAY_SECONDS = 15, 20


@dataclass(frozen=True)
class Composed:
    """The set, and its Airflow."""

    services: services.ServiceSet
    airflow: Airflow

    def by_command(self, *words: str) -> None:
        """Airflow's own command, as a person types it in a shell of a worker."""
        command = [str(Path(sys.executable).with_name("airflow")), *words]
        subprocess.run(command, env=self.services.environment("worker-1"), check=True, capture_output=True, timeout=300)

    def done_by(self, worker: str) -> int:
        """Tasks that a worker has ended, by its own log."""
        log = self.services.home / "logs" / f"{worker}.log"
        return log.read_text(encoding="utf-8", errors="replace").count(" succeeded in ")


@pytest.fixture(scope="module")
def composed(open_folder: Path) -> Iterator[Composed]:
    """Everything up; the steps of this process see the set's stores."""
    home = open_folder / "set"
    home.mkdir()
    with services.service_set(home, WORLD) as (running, airflow), pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home))
        patch.setenv("INNOPOINTS_WAREHOUSE_URL", running.warehouse_url())
        deadline = time.monotonic() + 240
        while DAGS - patiently(lambda: airflow.dag_ids("innopoints")) and time.monotonic() < deadline:
            time.sleep(1)
        yield Composed(running, airflow)


def rows_published(as_of: date) -> dict[str, list[tuple]]:
    """Every row of the last generation of a date, but for its number."""
    engine, found = open_stores().engine, {}
    with reading(engine) as connection:
        newest = sa.text(f"SELECT max(generation_id) FROM {_named(engine, 'generation')} WHERE as_of = '{as_of}'")
        number = connection.scalar(newest)
        for name, table in PUBLISHED.items():
            columns = [column for column in table.c if column.name != "generation_id"]
            rows = connection.execute(sa.select(*columns).where(table.c.generation_id == number))
            found[name] = sorted(json.dumps(tuple(row), default=str, ensure_ascii=False) for row in rows)
    return found


def _named(engine: sa.Engine, table: str) -> str:
    return f"publish.{table}" if engine.dialect.name == "postgresql" else table


def test_a_night_and_a_backfill_on_the_service_set_end_like_those_of_one_machine(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 of a worker with its tasks after some of them; it is away for a while, and comes again."""
    over, killed = threading.Event(), []

    def killer() -> None:
        while not over.wait(0.5):
            if composed.done_by("worker-1") >= AFTER_TASKS:
                composed.services.kill("worker-1")
                killed.append(composed.done_by("worker-1"))
                over.wait(AWAY_SECONDS)
                composed.services.begin("worker-1")
                return

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        states = night(composed.airflow, AS_OF)
    finally:
        over.set()
        thread.join()
    assert killed, "the worker was not killed"
    assert set(states.values()) == {"success"}, states
    stores = open_stores()
    of_night = published(stores.engine, AS_OF), committed(stores, AS_OF), rows_published(AS_OF)
    day = EARLIER.isoformat()
    asked = {"districts": [DISTRICT], "date_from": day, "date_to": day, "scheme": SCHEME, "reason": "late returns"}
    composed.by_command("dags", "trigger", "innopoints_backfill", "--run-id", RUN, "--conf", json.dumps(asked))
    assert ended(composed.airflow, ["innopoints_backfill"], RUN, asked) == {"innopoints_backfill": "success"}
    of_backfill = published(stores.engine, EARLIER), rows_published(EARLIER)
    for worker in composed.services.workers:
        assert composed.done_by(worker) > AFTER_TASKS, worker

    for name, connection in connections_to_import(composed.services.home).items():
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name.upper()}", json.dumps({**connection, "extra": json.loads(connection["extra"])})
        )
    privacy = composed.services.environment("worker-1")["AIRFLOW_CONN_INNOPOINTS_PRIVACY"]
    monkeypatch.setenv("AIRFLOW_CONN_INNOPOINTS_PRIVACY", privacy)
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    monkeypatch.delenv("INNOPOINTS_WAREHOUSE_URL")
    refresh(AS_OF, list(areas()), SCHEME, lookup=from_environment, say=lambda _: None)
    assert (published(open_stores().engine, AS_OF), committed(open_stores(), AS_OF), rows_published(AS_OF)) == of_night
    refresh(EARLIER, [DISTRICT], SCHEME, lookup=from_environment, say=lambda _: None)
    assert (published(open_stores().engine, EARLIER), rows_published(EARLIER)) == of_backfill
