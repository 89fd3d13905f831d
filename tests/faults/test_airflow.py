"""A whole night in a running Airflow whose parts are killed, and whose database goes away: nobody has to help."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import sqlalchemy as sa
from rich.console import Console

from include.embedded import environment, supervisor
from include.embedded.airflow_api import FINISHED, Airflow
from include.embedded.demo import CITY, SCHEME, bring_up
from include.kernel.areas import areas
from include.kernel.connections import from_environment
from include.kernel.errors import InnopointsError
from include.kernel.references import ResultKey, SnapshotKey
from include.kernel.settings import Settings
from include.steps import due_publications
from include.steps.refresh import refresh
from include.steps.stores import open_stores
from include.store import lake as places
from include.store.ledger import run_publication
from tests.faults import invariants
from tests.faults.conftest import Measured, Seeds

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

KILLED_NIGHT, DARK_NIGHT = date(2026, 11, 19), date(2026, 11, 20)
ENTERPRISES, SEED = 250, 4
NIGHT_SECONDS, OUTAGE_SECONDS = 25 * 60, 60
Found = TypeVar("Found")


@dataclass(frozen=True)
class Running:
    """Airflow as `make demo` starts it, with a supervisor that starts again what has died."""

    settings: Settings
    airflow: Airflow

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

    def night(self, as_of: date) -> dict[str, str]:
        """As the demo asks for it: the city, then every district. DAG → how its run ended."""
        run_id, day = f"faults__{as_of}", {"as_of": as_of.isoformat()}
        deadline, states = time.monotonic() + NIGHT_SECONDS, {}
        for dags, conf in (([CITY], day), ([f"innopoints_{code}" for code in areas()], {**day, "scheme": SCHEME})):
            for dag_id in dags:
                patiently(lambda dag_id=dag_id, conf=conf: self._trigger(dag_id, run_id, conf))
            while time.monotonic() < deadline:
                states = patiently(lambda: self.airflow.states(run_id))
                if all(states.get(dag_id) in FINISHED for dag_id in dags):
                    break
                time.sleep(2)
        return states

    def published(self, as_of: date) -> str:
        """What the last generation of a date says, once no district of it waits to be published."""
        deadline = time.monotonic() + NIGHT_SECONDS
        while time.monotonic() < deadline:
            waiting = any(due["as_of"] == as_of.isoformat() for due in due_publications(as_of, sweep=True))
            if not waiting and (said := content_published(as_of)):
                return said
            time.sleep(2)
        raise AssertionError(f"no generation of {as_of}")

    def _trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        if dag_id not in self.airflow.states(run_id):  # the answer may have been lost, not the question
            self.airflow.trigger(dag_id, run_id, conf, note="faults")


def patiently(ask: Callable[[], Found]) -> Found:
    """Ask until Airflow answers, for ten minutes."""
    deadline = time.monotonic() + 600
    while True:
        try:
            return ask()
        except InnopointsError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def content_published(as_of: date) -> str | None:
    """The digest of what was published last of a date."""
    of_date = sa.select(run_publication.c.content_sha).where(run_publication.c.as_of == as_of)
    with open_stores().engine.connect() as connection:
        return connection.scalar(of_date.order_by(run_publication.c.generation_id.desc()).limit(1))


def committed(as_of: date) -> dict[str, str]:
    """The digest of every place of a night, whoever wrote it."""
    stores, found = open_stores(), {}
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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def running(open_folder: Path) -> Iterator[Running]:
    """One Airflow for both nights, in a home of its own."""
    home = open_folder / "airflow"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home))
        patch.setenv("INNOPOINTS_AIRFLOW_PORT", str(free_port() // 2))  # two more are 713 and 714 above it
        patch.setenv("INNOPOINTS_SANDBOX_PORT", str(free_port()))
        patch.setenv("INNOPOINTS_SANDBOX_ENTERPRISES", str(ENTERPRISES))
        patch.setenv("INNOPOINTS_SANDBOX_SEED", str(SEED))
        settings = Settings()
        try:
            bring_up(settings, Console(quiet=True))
            url, password = f"http://127.0.0.1:{settings.airflow_port}", environment.secrets_of(home)["password"]
            airflow = Airflow(url, environment.USER, password)
            wanted = {CITY, *(f"innopoints_{code}" for code in areas())}
            deadline = time.monotonic() + 120
            while wanted - patiently(lambda: airflow.dag_ids("innopoints")) and time.monotonic() < deadline:
                time.sleep(1)
            yield Running(settings, airflow)
        finally:
            supervisor.stop(home)


@pytest.fixture
def undisturbed(running: Running, tmp_path: Path) -> Callable[[date], tuple[str | None, dict[str, str]]]:
    """The same night from the shell, in another home."""

    def night(as_of: date) -> tuple[str | None, dict[str, str]]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.connection_variables(running.settings.home).items():
                patch.setenv(name, value)
            patch.setenv("INNOPOINTS_HOME", str(tmp_path))
            refresh(as_of, list(areas()), SCHEME, lookup=from_environment, say=lambda _: None)
            return content_published(as_of), committed(as_of)

    return night


def test_a_night_whose_processes_are_killed_ends_like_an_undisturbed_one(
    running: Running, undisturbed: Callable[[date], Any], seeds: Seeds, measured: Measured
) -> None:
    """kill -9 of scheduler, API server, DAG processor, triggerer and tasks, at random moments of the night."""
    killed: list[str] = []

    def check(seed: int) -> None:
        draw, over = random.Random(seed), threading.Event()

        def killer() -> None:
            while not over.wait(draw.uniform(20, 60)):
                name = draw.choice(["scheduler", "api-server", "dag-processor", "triggerer", "task", "task"])
                with suppress(psutil.Error, KeyError, FileNotFoundError):
                    there = running.processes(name)
                    if there:
                        draw.choice(there).kill()
                        killed.append(name)

        thread = threading.Thread(target=killer)
        thread.start()
        try:
            states = running.night(KILLED_NIGHT)
        finally:
            over.set()
            thread.join()
        assert set(states.values()) == {"success"}, states
        assert (running.published(KILLED_NIGHT), committed(KILLED_NIGHT)) == undisturbed(KILLED_NIGHT)
        invariants.of_home(running.settings.home)

    began = time.monotonic()
    seeds.each(1, check)
    counts = ", ".join(f"{name} {killed.count(name)}" for name in sorted(set(killed)))
    measured(20, f"a night of {len(areas())} districts in {time.monotonic() - began:.0f} s under {counts} kills")


def test_a_night_without_database_and_api_for_a_minute_ends_like_an_undisturbed_one(
    running: Running, undisturbed: Callable[[date], Any], measured: Measured
) -> None:
    """Airflow's PostgreSQL and API server are killed and stay away, because who starts them again is stopped too."""

    def darkness() -> None:
        time.sleep(30)
        guard = running.supervisor
        guard.send_signal(signal.SIGSTOP)
        try:
            postmaster = running.settings.home / "airflow" / "postgres" / "postmaster.pid"
            if postmaster.exists():
                os.kill(int(postmaster.read_text().split()[0]), signal.SIGQUIT)
            for process in running.processes("api-server"):
                process.kill()
            time.sleep(OUTAGE_SECONDS)
        finally:
            guard.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=darkness)
    thread.start()
    began = time.monotonic()
    states = running.night(DARK_NIGHT)
    thread.join()
    assert set(states.values()) == {"success"}, states
    assert (running.published(DARK_NIGHT), committed(DARK_NIGHT)) == undisturbed(DARK_NIGHT)
    measured(22, f"{OUTAGE_SECONDS} s without both, the night ended by itself after {time.monotonic() - began:.0f} s")
