"""`make services`: the set comes up, says where it is, starts again who dies, and leaves nothing behind."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import requests

from include.embedded import service_set as services
from include.embedded.environment import free_ports

pytestmark = [
    pytest.mark.composed,
    pytest.mark.skipif(bool(services.missing()), reason=services.missing()),
]

LINE_SECONDS = 300


class Command:
    """The command at work, line by line."""

    def __init__(self, home: Path, airflow: int, sandbox: int) -> None:
        settings = {
            "INNOPOINTS_HOME": str(home),
            "INNOPOINTS_AIRFLOW_PORT": str(airflow),
            "INNOPOINTS_SANDBOX_PORT": str(sandbox),
            "INNOPOINTS_SANDBOX_ENTERPRISES": "60",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "include.embedded", "services"],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip())
        self._lines.put("")

    def until(self, text: str) -> str:
        """The line with this in it, once it is said."""
        said = []
        while line := self._lines.get(timeout=LINE_SECONDS):
            if text in line:
                return line
            said.append(line)
        raise AssertionError(f"it ended without {text!r}: {said}")

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def started(home: Path) -> Iterator[tuple[Command, str]]:
    """The command, up, and the address that it gave."""
    command = Command(home, *free_ports(2))
    try:
        url = command.until("Airflow   ").split()[1]
        command.until("Ctrl-C")
        yield command, url
    finally:
        if command.process.poll() is None:
            command.process.send_signal(signal.SIGTERM)
            command.process.wait(120)


def health(url: str) -> dict[str, str]:
    answer = requests.get(f"{url}/api/v2/monitor/health", timeout=10).json()
    return {name: part["status"] for name, part in answer.items() if part["status"]}


def test_it_comes_up_starts_again_who_dies_and_leaves_nothing_behind(open_folder: Path) -> None:
    home = open_folder / "kept"
    home.mkdir()
    for number in (signal.SIGINT, signal.SIGTERM):  # the second start finds what the first has left
        with started(home) as (command, url):
            deadline = time.monotonic() + LINE_SECONDS
            while set(health(url).values()) != {"healthy"} and time.monotonic() < deadline:
                time.sleep(1)
            assert set(health(url)) == {"metadatabase", "scheduler", "triggerer", "dag_processor"}
            family = command.family()
            (store,) = [one for one in family if "redis-server" in one.name()]
            store.kill()
            assert command.until("started again") == "redis had ended; started again"
            family += command.family()
            for _ in range(2):  # somebody is impatient
                command.process.send_signal(number)
                time.sleep(0.5)
            command.until("stopped")
            assert command.process.wait(60) == 0
            assert [one for one in family if _lives(one)] == []


def _lives(one: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    return False
