"""The service set of `docker-compose.yaml` as processes of this machine, read from that very file.

For machines without a container engine, and for the test that holds the set: PostgreSQL twice and Redis from Debian's
packages (`apt-get install postgresql redis-server`), Airflow with Celery workers, the stand-in departments. Addresses
become loopback with free ports, folders those of a home; commands, environment, secrets and the number of workers are
the file's.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis
import requests
import yaml

from include.embedded.airflow_api import Airflow
from include.embedded.composed import draw_secrets
from include.embedded.environment import ROOT, USER
from include.kernel.errors import BadInput, InnopointsError, TerminalError

COMPOSE = ROOT / "docker-compose.yaml"
DATABASES = {"postgres": ("airflow", "METADATA_PASSWORD"), "warehouse": ("innopoints", "WAREHOUSE_PASSWORD")}
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
WORKER = "worker"
START_SECONDS, STOP_SECONDS = 240, 20


@dataclass
class ServiceSet:
    """What runs, by name: the services of the file, workers numbered from 1."""

    home: Path
    world: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
        self.workers = [f"{WORKER}-{n + 1}" for n in range(self.services[WORKER]["deploy"]["replicas"])]

    def start(self) -> Airflow:
        """Everything up, in the file's order; a client that has signed in."""
        draw_secrets(self.home / ".env")
        lines = (self.home / ".env").read_text(encoding="utf-8").splitlines()
        self.secrets = dict(line.split("=", 1) for line in lines)
        self.ports = dict(zip((*DATABASES, "redis", "sandbox", "api-server", "health"), free_ports(6), strict=True))
        for name in DATABASES:
            self._start_postgresql(name)
        self._start_redis()
        self.begin("sandbox")
        self._wait("sandbox", lambda: requests.get(f"http://127.0.0.1:{self.ports['sandbox']}/health", timeout=2).ok)
        prepared = subprocess.run(
            self._command("airflow-init"), env=self.environment("airflow-init"), cwd=ROOT, **self._log("airflow-init")
        )
        if prepared.returncode:
            raise TerminalError("airflow-init failed", where=str(self.home / "logs"), todo="read airflow-init.log")
        for name in (*COMPONENTS, *self.workers):
            self.begin(name)
        return self._signed_in()

    def begin(self, name: str) -> None:
        """Start a service, again if it was there before, as `restart: always` would."""
        command, variables = self._command(name), self.environment(name)
        self.running[name] = subprocess.Popen(
            command, env=variables, cwd=ROOT, start_new_session=True, **self._log(name)
        )

    def kill(self, name: str) -> None:
        """kill -9 of a service with all it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.running[name].pid, signal.SIGKILL)
        self.running[name].wait(STOP_SECONDS)

    def stop(self) -> None:
        """All of them, those first that were started last; who does not go is killed."""
        for name, process in reversed(self.running.items()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT if name in DATABASES else signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            self.kill(name)

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a service, on this machine."""
        written = self.services[WORKER if name in self.workers else name].get("environment", {})
        found = {key: self._here(str(value)) for key, value in written.items()} | self.world
        found |= {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "config")]),
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "GX_ANALYTICS_ENABLED": "false",
            "AIRFLOW__API__PORT": str(self.ports["api-server"]),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["health"]),
            # Containers have an address each; here those who serve their logs need a port each.
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_ports(1)[0]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_ports(1)[0]),
        }
        return found

    def warehouse_url(self) -> str:
        """Where the warehouse is, with its password."""
        return self._here(self.services[WORKER]["environment"]["INNOPOINTS_WAREHOUSE_URL"])

    def _command(self, name: str) -> list[str]:
        written = self.services[WORKER if name in self.workers else name]["command"]
        command = [self._here(part) for part in written]
        if name == "sandbox":
            places = {"--host": "127.0.0.1", "--port": str(self.ports["sandbox"])}
            command = [places.get(before, part) for before, part in zip(["", *command], command, strict=False)]
        if name in self.workers:
            command += ["--celery-hostname", f"{name}@%h"]
        program = {"python": sys.executable, "airflow": str(Path(sys.executable).with_name("airflow"))}
        return [program.get(command[0], command[0]), *command[1:]]

    def _here(self, text: str) -> str:
        """A value of the file with its secrets, addresses and folders on this machine."""
        text = re.sub(r"\$\{(\w+)(:[-?][^}]*)?\}", self._variable, text)
        for name in DATABASES:
            text = text.replace(f"@{name}/", f"@127.0.0.1:{self.ports[name]}/")
        text = text.replace("@redis:6379", f"@127.0.0.1:{self.ports['redis']}")
        text = text.replace("//api-server:8080", f"//127.0.0.1:{self.ports['api-server']}")
        return text.replace("/opt/innopoints", str(ROOT)).replace("/var/lib/innopoints", str(self.home))

    def _variable(self, found: re.Match[str]) -> str:
        name, otherwise = found[1], found[2] or ""
        return self.secrets.get(name) or self.world.get(name) or otherwise.removeprefix(":-")

    def _start_postgresql(self, name: str) -> None:
        user, secret = DATABASES[name]
        data, password = self.home / name, self.home / f"{name}.password"
        owner = _database_user()
        for folder in (self.home, data):
            folder.mkdir(exist_ok=True)
        password.write_text(self.secrets[secret], encoding="utf-8")
        if owner:
            for path in (data, password):
                shutil.chown(path, owner)
        as_owner: dict[str, Any] = {"user": owner, "group": owner, "extra_groups": []} if owner else {}
        options = [
            "-U",
            user,
            "--pwfile",
            str(password),
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        ]
        subprocess.run(
            [_binary("initdb"), "-D", str(data), *options], check=True, cwd=data, **as_owner, **self._log(name)
        )
        password.unlink()
        command = [_binary("postgres"), "-D", str(data), "-p", str(self.ports[name]), "-h", "127.0.0.1", "-k", ""]
        self.running[name] = subprocess.Popen(command, cwd=data, start_new_session=True, **as_owner, **self._log(name))
        url = f"postgresql://{user}:{self.secrets[secret]}@127.0.0.1:{self.ports[name]}"
        self._wait(name, lambda: psycopg.connect(f"{url}/postgres", connect_timeout=2).close() is None)
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {user}".encode())

    def _start_redis(self) -> None:
        command = [self._here(part) for part in self.services["redis"]["command"]]
        command += ["--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(self.home)]
        command[0] = _found(shutil.which(command[0]), command[0])
        self.running["redis"] = subprocess.Popen(command, start_new_session=True, **self._log("redis"))
        client = redis.Redis("127.0.0.1", self.ports["redis"], password=self.secrets["REDIS_PASSWORD"])
        self._wait("redis", client.ping)

    def _signed_in(self) -> Airflow:
        url, found = f"http://127.0.0.1:{self.ports['api-server']}", []

        def sign_in() -> bool:
            found.append(Airflow(url, USER, self.secrets["AIRFLOW_ADMIN_PASSWORD"]))
            return bool(found[-1].dag_ids("innopoints"))

        self._wait("api-server", sign_in)
        return found[-1]

    def _wait(self, name: str, is_up: Any) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(requests.RequestException, psycopg.Error, redis.RedisError, InnopointsError):
                if is_up():
                    return
            if name in self.running and self.running[name].poll() is not None:
                break
            time.sleep(0.5)
        raise TerminalError(f"{name} did not start", where=str(self.home / "logs"), todo=f"read {name}.log")

    def _log(self, name: str) -> dict[str, Any]:
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        with (self.home / "logs" / f"{name}.log").open("ab") as log:
            return {"stdout": os.dup(log.fileno()), "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}


@contextmanager
def service_set(home: Path, world: dict[str, str]) -> Iterator[tuple[ServiceSet, Airflow]]:
    """The whole set for as long as the context lasts, in a new home that PostgreSQL's user may enter."""
    services = ServiceSet(home, world)
    try:
        yield services, services.start()
    finally:
        services.stop()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return found


def missing() -> str:
    """What is not installed, in words; empty where everything is there."""
    try:
        _binary("postgres")
        _found(shutil.which("redis-server"), "redis-server")
    except BadInput as error:
        return str(error)
    return ""


def _binary(name: str) -> str:
    """A program of Debian's newest PostgreSQL."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return _found(str(installed[-1]) if installed else None, name)


def _found(path: str | None, name: str) -> str:
    if not path:
        raise BadInput(
            f"{name} is not installed", todo=shlex.join(["apt-get", "install", "postgresql", "redis-server"])
        )
    return path


def _database_user() -> str | None:
    """PostgreSQL refuses to run as root: then as the user that its package made."""
    return "postgres" if os.geteuid() == 0 else None
