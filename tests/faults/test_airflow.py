"""A whole night in a running Airflow whose parts are killed, and whose database goes away: nobody has to help."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.kernel.areas import areas
from include.steps.stores import open_stores
from tests.faults import invariants
from tests.faults.airflow_night import Running, committed, night, published, running_airflow
from tests.faults.conftest import Measured, Seeds

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

KILLED_NIGHT, DARK_NIGHT = date(2026, 11, 19), date(2026, 11, 20)
ENTERPRISES, SEED = 250, 4
OUTAGE_SECONDS = 60


@pytest.fixture(scope="module")
def running(open_folder: Path) -> Iterator[Running]:
    """One Airflow for both nights, in a home of its own."""
    with running_airflow(open_folder / "airflow", ENTERPRISES, SEED) as found:
        yield found


def result(as_of: date) -> tuple[str, dict[str, str]]:
    """What came of a night, once it is published."""
    stores = open_stores()
    return published(stores.engine, as_of), committed(stores, as_of)


@pytest.fixture
def undisturbed(running: Running, tmp_path: Path) -> Callable[[date], tuple[str, dict[str, str]]]:
    """The same night from the shell, in another home."""

    def from_shell(as_of: date) -> tuple[str, dict[str, str]]:
        with running.shell(tmp_path) as refreshed:
            refreshed(as_of, list(areas()))
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
