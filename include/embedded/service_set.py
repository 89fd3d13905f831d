"""The service set of `docker-compose.yaml` as processes of this machine, read from that very file.

For machines without a container engine (`make services`), and for the test that holds the set: PostgreSQL twice and
Redis from Debian's packages (`apt-get install postgresql redis-server`), Airflow with Celery workers, the stand-in
departments. Addresses become loopback with free ports, folders those of a home; commands, environment, secrets and the
number of workers are the file's.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import redis
import requests
import yaml

from include.embedded.airflow_api import Airflow
from include.embedded.composed import draw_secrets
from include.embedded.environment import ROOT, USER, free_ports, write_environment, write_private
from include.embedded.supervisor import require_free
from include.kernel.errors import BadInput, InnopointsError, TerminalError
from include.kernel.settings import Settings

COMPOSE = ROOT / "docker-compose.yaml"
DATABASES = {"postgres": ("airflow", "METADATA_PASSWORD"), "warehouse": ("innopoints", "WAREHOUSE_PASSWORD")}
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
WORKER = "worker"
STORES = (*DATABASES, "redis")
LISTENING = (*STORES, "sandbox", "api-server", "health")
START_SECONDS, STOP_SECONDS, GUARD_SECONDS = 240, 20, 5
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class ServiceSet:
    """What runs, by name: the services of the file, workers numbered from 1. Those of `ports` listen there, the others
    where it is free.
    """

    home: Path
    world: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
        self.workers = [f"{WORKER}-{n + 1}" for n in range(self.services[WORKER]["deploy"]["replicas"])]

    def start(self) -> Airflow:
        """Everything up, in the file's order, on what an earlier start has left here; a client that has signed in."""
        self._same_world()
        if not (self.home / ".env").exists():
            draw_secrets(self.home / ".env")
        lines = (self.home / ".env").read_text(encoding="utf-8").splitlines()
        self.secrets = dict(line.split("=", 1) for line in lines)
        self.ports = dict(zip(LISTENING, free_ports(len(LISTENING)), strict=True)) | self.ports
        for name in DATABASES:
            self._start_postgresql(name)
        self.begin("redis")
        client = redis.Redis("127.0.0.1", self.ports["redis"], password=self.secrets["REDIS_PASSWORD"])
        self._wait("redis", client.ping)
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
        own: dict[str, Any] = {"cwd": ROOT, "env": self.environment(name)}
        if name in DATABASES:
            own = {"cwd": self.home / name, **_as_database_user()}
        self.running[name] = subprocess.Popen(self._command(name), start_new_session=True, **own, **self._log(name))

    def begin_again(self) -> list[str]:
        """Whoever has ended meanwhile, and is started again."""
        ended = [name for name, process in self.running.items() if process.poll() is not None]
        for name in ended:
            self.kill(name)  # what it has left behind
            self.begin(name)
        return ended

    def kill(self, name: str) -> None:
        """kill -9 of a service with all it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.running[name].pid, signal.SIGKILL)
        self.running[name].wait(STOP_SECONDS)

    def stop(self) -> None:
        """All of them, the stores last, for the others write to them; who does not go is killed."""
        others = [name for name in self.running if name not in STORES]
        for names in (others, [name for name in STORES if name in self.running]):
            for name in names:
                with suppress(ProcessLookupError):
                    os.killpg(self.running[name].pid, signal.SIGINT if name in DATABASES else signal.SIGTERM)
            last = time.monotonic() + STOP_SECONDS
            for name in names:
                with suppress(subprocess.TimeoutExpired):
                    self.running[name].wait(max(last - time.monotonic(), 0))
                with suppress(subprocess.TimeoutExpired):  # one that even kill -9 does not end keeps no other up
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
        if name in DATABASES:
            where = ["-D", str(self.home / name), "-p", str(self.ports[name]), "-h", "127.0.0.1", "-k", ""]
            return [_binary("postgres"), *where]
        written = self.services[WORKER if name in self.workers else name]["command"]
        command = [self._here(part) for part in written]
        if name == "sandbox":
            places = {"--host": "127.0.0.1", "--port": str(self.ports["sandbox"])}
            command = [places.get(before, part) for before, part in zip(["", *command], command, strict=False)]
        if name == "redis":
            command += ["--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--dir", str(self.home)]
        if name in self.workers:
            command += ["--celery-hostname", f"{name}@%h"]
        program = {"python": sys.executable, "airflow": str(Path(sys.executable).with_name("airflow"))}
        return [program.get(command[0]) or _found(shutil.which(command[0]), command[0]), *command[1:]]

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

    def _same_world(self) -> None:
        """What another seed or size has left here must not be taken for this one's."""
        mark, now = self.home / "world", " ".join(value for _, value in sorted(self.world.items()))
        self.home.mkdir(parents=True, exist_ok=True)
        before = mark.read_text(encoding="utf-8") if mark.exists() else now
        if before != now:
            raise BadInput(
                f"size and seed were {before!r}, now {now!r}",
                where=str(self.home),
                kept="what is there",
                todo="set them as they were, or remove that folder",
            )
        mark.write_text(now, encoding="utf-8")

    def _start_postgresql(self, name: str) -> None:
        user, secret = DATABASES[name]
        if not (self.home / name / "PG_VERSION").exists():
            self._make_cluster(name)
        self.begin(name)
        url = f"postgresql://{user}:{self.secrets[secret]}@127.0.0.1:{self.ports[name]}/postgres"
        self._wait(name, lambda: psycopg.connect(url, connect_timeout=2).close() is None)
        with psycopg.connect(url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [user]).fetchone():
                connection.execute(f"CREATE DATABASE {user}".encode())

    def _make_cluster(self, name: str) -> None:
        """The files of a PostgreSQL; they are its user's, who must be able to reach them."""
        user, secret = DATABASES[name]
        data, password, owner = self.home / name, self.home / f"{name}.password", _as_database_user()
        data.mkdir(exist_ok=True)
        if owner:
            shutil.chown(data, owner["user"])
        if subprocess.run(["test", "-w", str(data)], check=False, **owner).returncode:
            raise BadInput(
                f"{owner['user']}, as whom PostgreSQL runs, cannot reach its folder",
                where=str(data),
                kept="what is there",
                todo="set INNOPOINTS_HOME to a folder that other users may enter",
            )
        write_private(password, self.secrets[secret])
        if owner:
            shutil.chown(password, owner["user"])
        options = ["-U", user, "--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8"]
        command = [_binary("initdb"), "-D", str(data), "--locale", "C", *options]
        made = subprocess.run(command, check=False, cwd=data, **owner, **self._log(name))
        password.unlink()
        if made.returncode:
            raise TerminalError(f"initdb of {name} failed", where=str(self.home / "logs"), todo=f"read {name}.log")

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
def service_set(
    home: Path, world: dict[str, str], ports: dict[str, int] | None = None
) -> Iterator[tuple[ServiceSet, Airflow]]:
    """The whole set for as long as the context lasts, in a home that PostgreSQL's user may enter."""
    services = ServiceSet(home, world, ports or {})
    try:
        yield services, services.start()
    finally:
        services.stop()


def keep(settings: Settings, say: Callable[[str], None]) -> None:
    """The set until somebody ends it (Ctrl-C, SIGTERM, a closed terminal). Whoever ends meanwhile is started again."""
    require_installed()
    ports = {"api-server": settings.airflow_port, "sandbox": settings.sandbox_port}
    require_free(settings.airflow_port, "INNOPOINTS_AIRFLOW_PORT")
    require_free(settings.sandbox_port, "INNOPOINTS_SANDBOX_PORT")
    home = settings.home.absolute() / "services"
    world = {
        "INNOPOINTS_SANDBOX_ENTERPRISES": str(settings.sandbox_enterprises),
        "INNOPOINTS_SANDBOX_SEED": str(settings.sandbox_seed),
    }
    for number in ENDING:
        signal.signal(number, _end)
    try:
        say(f"starting, which takes a minute or two; logs in {home / 'logs'}")
        with service_set(home, world, ports) as (services, airflow):
            write_environment(home / "airflow.env", services.environment(services.workers[0]))
            say(f"Airflow   {airflow.base_url}   user {USER}   password {services.secrets['AIRFLOW_ADMIN_PASSWORD']}")
            say(f"sandbox   http://127.0.0.1:{settings.sandbox_port}")
            say(f"shell     . {home / 'airflow.env'}   then airflow …")
            say("stop      Ctrl-C")
            while True:
                time.sleep(GUARD_SECONDS)
                for name in services.begin_again():
                    say(f"{name} had ended; started again")
    except KeyboardInterrupt:
        say("stopped")


def forget(home: Path) -> None:
    """Remove what `make services` has left in a home; refused while a database of it may be running."""
    left = home / "services"
    if any((left / name / "postmaster.pid").exists() for name in DATABASES):
        raise BadInput(
            "the service set is running, or was killed",
            where=str(left),
            kept="what is there",
            todo="end `make services` with Ctrl-C; if it does not run, remove that folder",
        )
    if left.exists():
        shutil.rmtree(left)


def _end(_number: int, _frame: FrameType | None) -> None:
    """End once: who is impatient must not leave half of the set behind."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def require_installed() -> None:
    """Refuse to start where Debian's packages are missing."""
    _binary("postgres")
    _found(shutil.which("redis-server"), "redis-server")


def missing() -> str:
    """What is not installed, in words; empty where everything is there."""
    try:
        require_installed()
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


def _as_database_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then as the user that its package made."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
