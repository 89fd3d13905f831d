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
from typing import Any

import psutil
import pytest
from rich.console import Console

from include.embedded import environment, supervisor
from include.embedded.airflow_api import Airflow
from include.embedded.demo import CITY, SCHEME, bring_up
from include.kernel.areas import areas
from include.kernel.connections import from_environment
from include.kernel.settings import Settings
from include.steps.refresh import refresh
from include.steps.stores import open_stores
from tests.faults import invariants
from tests.faults.airflow_night import committed, night, patiently, published
from tests.faults.conftest import Measured, Seeds

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

KILLED_NIGHT, DARK_NIGHT = date(2026, 11, 19), date(2026, 11, 20)
ENTERPRISES, SEED = 250, 4
OUTAGE_SECONDS = 60


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


def result(as_of: date) -> tuple[str, dict[str, str]]:
    """What came of a night, once it is published."""
    stores = open_stores()
    return published(stores.engine, as_of), committed(stores, as_of)


@pytest.fixture
def undisturbed(running: Running, tmp_path: Path) -> Callable[[date], tuple[str, dict[str, str]]]:
    """The same night from the shell, in another home."""

    def from_shell(as_of: date) -> tuple[str, dict[str, str]]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.connection_variables(running.settings.home).items():
                patch.setenv(name, value)
            patch.setenv("INNOPOINTS_HOME", str(tmp_path))
            refresh(as_of, list(areas()), SCHEME, lookup=from_environment, say=lambda _: None)
            return result(as_of)

    return from_shell


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
            states = night(running.airflow, KILLED_NIGHT)
        finally:
            over.set()
            thread.join()
        assert set(states.values()) == {"success"}, states
        assert result(KILLED_NIGHT) == undisturbed(KILLED_NIGHT)
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
    states = night(running.airflow, DARK_NIGHT)
    thread.join()
    assert set(states.values()) == {"success"}, states
    assert result(DARK_NIGHT) == undisturbed(DARK_NIGHT)
    measured(22, f"{OUTAGE_SECONDS} s without both, the night ended by itself after {time.monotonic() - began:.0f} s")
