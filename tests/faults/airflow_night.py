"""A night asked of a running Airflow, whatever it runs on, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import sqlalchemy as sa
from rich.console import Console
from sqlalchemy import Engine

from include.embedded import environment, supervisor
from include.embedded.airflow_api import FINISHED, Airflow
from include.embedded.demo import CITY, SCHEME, bring_up
from include.kernel.areas import areas
from include.kernel.connections import from_environment
from include.kernel.errors import TransientError
from include.kernel.references import ResultKey, SnapshotKey
from include.kernel.settings import Settings
from include.steps import due_publications
from include.steps.refresh import refresh
from include.steps.stores import Stores
from include.store import lake as places
from include.store.ledger import run_publication

NIGHT_SECONDS = 25 * 60
Found = TypeVar("Found")


@dataclass(frozen=True)
class Running:
    """Airflow as `make demo` starts it, with a supervisor that starts again what has died."""

    settings: Settings

    def sign_in(self) -> Airflow:
        """A client of its own, for one thread."""
        url = f"http://127.0.0.1:{self.settings.airflow_port}"
        return Airflow(url, environment.USER, environment.secrets_of(self.settings.home)["password"])

    @cached_property
    def airflow(self) -> Airflow:
        return self.sign_in()

    @property
    def supervisor(self) -> psutil.Process:
        """Who guards the others."""
        mine = [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[-1:] == ["supervise"]]
        (one,) = [p for p in mine if p.environ().get("INNOPOINTS_HOME") == str(self.settings.home)]
        return one

    def processes(self, name: str) -> list[psutil.Process]:
        """The process of a component; of `task`: every process below the scheduler, which runs the tasks."""
        of_home = supervisor.read_state(self.settings.home)["processes"]
        component = psutil.Process(of_home["scheduler" if name == "task" else name][0])
        return component.children(recursive=True) if name == "task" else [component]

    @contextmanager
    def shell(self, home: Path) -> Iterator[Callable[[date, list[str]], None]]:
        """A shell in another home, before the same departments: what it is given refreshes districts' days there."""

        def refreshed(as_of: date, districts: list[str]) -> None:
            refresh(as_of, districts, SCHEME, lookup=from_environment, say=lambda _: None)

        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.connection_variables(self.settings.home).items():
                patch.setenv(name, value)
            patch.setenv("INNOPOINTS_HOME", str(home))
            yield refreshed


@contextmanager
def running_airflow(home: Path, enterprises: int, seed: int) -> Iterator[Running]:
    """Departments and Airflow in a new home, for as long as the context lasts; the steps of this process see it too."""
    home.mkdir()
    airflow_port, sandbox_port = environment.free_ports(2)
    world = {
        "HOME": home,
        "AIRFLOW_PORT": airflow_port // 2,  # two more are 713 and 714 above it
        "SANDBOX_PORT": sandbox_port,
        "SANDBOX_ENTERPRISES": enterprises,
        "SANDBOX_SEED": seed,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.items():
            patch.setenv(f"INNOPOINTS_{name}", str(value))
        running = Running(Settings())
        try:
            bring_up(running.settings, Console(quiet=True))
            wanted = {CITY, *(f"innopoints_{code}" for code in areas())}
            deadline = time.monotonic() + 120
            while wanted - patiently(lambda: running.airflow.dag_ids("innopoints")) and time.monotonic() < deadline:
                time.sleep(1)
            yield running
        finally:
            supervisor.stop(home)


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


def committed(stores: Stores, as_of: date, districts: Iterable[str] = areas()) -> dict[str, str]:
    """The digest of every place of these districts' night, whoever wrote it."""
    found = {}
    for row in stores.ledger.blocked():
        raise AssertionError(f"{row.key} was blocked")
    for area in districts:
        for place in (
            places.accepted(SnapshotKey("TAX_VAT", area, as_of)),
            places.accepted(SnapshotKey("REG_ENT", area, as_of)),
            places.conformed(area, as_of),
            places.measures(area, as_of),
            places.points(ResultKey(as_of, area, SCHEME)),
        ):
            found[place] = stores.lake.require(place).sha256
    return found
