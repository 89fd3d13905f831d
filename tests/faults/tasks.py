"""Tasks in processes of their own, which can be killed or sent to sleep at any point, starved of disk, tried again."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import include.cli
import include.conformed.conform
import include.measures.run
import include.points.lists
import include.points.once_only
import include.points.score
import include.publish.generations
import include.sources.database
import include.sources.filedrop
import include.sources.rest
import include.validation.judge
import include.validation.report  # these are what the tasks import, so that a process of theirs starts at once
from include import steps
from include.kernel import crash
from include.kernel.connections import Connection, missing
from include.kernel.errors import InnopointsError

# A server without threads, with everything imported, whose children are the tasks.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])

Connections = dict[str, Connection]


@dataclass(frozen=True)
class Task:
    """One step of the pipeline with its arguments; a retry is the same holder."""

    step: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return "-".join([self.step, *(str(one) for one in self.arguments if not isinstance(one, date))])

    def run(self, connections: Connections) -> None:
        """As Airflow's task wrapper runs it."""

        def lookup(conn_id: str) -> Connection:
            if conn_id not in connections:
                raise missing(conn_id)
            return connections[conn_id]

        options = {"lookup": lookup} if self.step in ("land", "land_shared") else {}
        getattr(steps, self.step)(*self.arguments, holder=f"task/{self}", **options)


@dataclass(frozen=True)
class Command(Task):
    """What a person types at a shell: `innopoints <step> <arguments>`."""

    def run(self, connections: Connections) -> None:
        """As the console script runs it; each process is a holder of its own."""
        include.cli.from_environment = connections.__getitem__
        include.cli.app([self.step, *self.arguments], standalone_mode=False)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: killed, or with the one line of its error, or well (empty)."""

    killed: bool
    said: str
    seconds: float


def attempt(
    task: Task,
    home: Path,
    connections: Connections,
    *,
    crash_at: int | None = None,
    most_bytes: int | None = None,
    kill_after: float | None = None,
) -> Outcome:
    """Run a task on the stores of `home`: killed at its n-th crash point, allowed files of at most so many bytes, or
    killed from outside after so many seconds.
    """
    running = _Running(task, home, connections, crash_at, most_bytes)
    if kill_after is not None:
        running.child.join(kill_after)
        running.child.kill()
    return running.end()


class _Running:
    """A task in its process."""

    def __init__(
        self,
        task: Task,
        home: Path,
        connections: Connections,
        crash_at: int | None = None,
        most_bytes: int | None = None,
        fate: int = signal.SIGKILL,
    ) -> None:
        self.task, (self._here, self._there), self._started = task, _processes.Pipe(), time.monotonic()
        given = (task, str(home), connections, crash_at, most_bytes, fate, self._there)
        self.child = _processes.Process(target=_child, args=given)
        self.child.start()

    def end(self) -> Outcome:
        """Wait until it has ended, and say how."""
        self.child.join(120)
        assert self.child.exitcode is not None, f"{self.task} did not end"
        self._there.close()
        said = ""
        with suppress(EOFError):
            said = self._here.recv() if self._here.poll() else ""
        killed = self.child.exitcode == -signal.SIGKILL
        if not killed and self.child.exitcode:
            raise AssertionError(f"{self.task} ended with {self.child.exitcode}: {said}")
        return Outcome(killed, said, time.monotonic() - self._started)


class Zombie(_Running):
    """A task that falls asleep at its n-th crash point, with whatever it has read and whatever lock it holds."""

    def __init__(self, task: Task, home: Path, connections: Connections, *, at: int) -> None:
        super().__init__(task, home, connections, crash_at=at, fate=signal.SIGSTOP)

    def sleeps(self) -> bool:
        """Wait until it sleeps; False if it has ended before that point."""
        while self.child.is_alive():
            state = subprocess.run(["ps", "-o", "state=", "-p", str(self.child.pid)], capture_output=True, text=True)
            if state.stdout.startswith("T"):
                return True
            time.sleep(0.01)
        return False

    def __enter__(self) -> Zombie:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()

    def wake(self) -> Outcome:
        """Let it go on to its end."""
        assert self.child.pid is not None
        os.kill(self.child.pid, signal.SIGCONT)
        return self.end()


def _child(
    task: Task,
    home: str,
    connections: Connections,
    crash_at: int | None,
    most_bytes: int | None,
    fate: int,
    there: Pipe,
) -> None:
    os.environ["INNOPOINTS_HOME"], crash.FATE = home, signal.Signals(fate)
    if crash_at:
        os.environ[crash.VARIABLE] = str(crash_at)
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
    try:
        task.run(connections)
    except InnopointsError as error:
        there.send(str(error))
    except BaseException as error:  # noqa: BLE001 - told to the test
        there.send(f"unforeseen {type(error).__name__}: {error}")
        sys.exit(70)
