"""The environment of an Airflow on one machine: what is where, what listens where, and the secrets of this home."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

from include.kernel.settings import Settings
from include.sources.declaration import SHARED_POOL, sources

ROOT = Path(__file__).resolve().parents[2]
USER = "admin"
WORKER_LOGS, TRIGGER_LOGS = 713, 714  # their ports, above the API's: 8793 and 8794 beside 8080, as Airflow has them
SQLITE_SLOTS, POSTGRES_SLOTS = 4, 8  # with more writers on SQLite, Airflow's components die of "database is locked"


def secrets_of(home: Path) -> dict[str, str]:
    """The secrets of this home, made once; the file is readable by its owner only."""
    path = home / "airflow" / "secrets.json"
    if not path.exists():
        made = {
            "jwt": secrets.token_urlsafe(48),
            "api": secrets.token_urlsafe(32),
            "fernet": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "password": secrets.token_urlsafe(12),
            "privacy": secrets.token_urlsafe(32),
        }
        write_private(path, json.dumps(made))
    return json.loads(path.read_text(encoding="utf-8"))


def airflow_environment(settings: Settings, database: str | None) -> dict[str, str]:
    """The variables that make `airflow …` work on this home. `database` is the embedded PostgreSQL; None: SQLite."""
    home, port, mine = settings.home.absolute(), settings.airflow_port, secrets_of(settings.home.absolute())
    folder = home / "airflow"
    url = database or f"sqlite:///{folder / 'airflow.db'}?timeout=30"
    passwords = folder / "passwords.json"
    write_private(passwords, json.dumps({USER: mine["password"]}))
    airflow: dict[str, dict[str, Any]] = {
        "core": {
            "dags_folder": ROOT / "dags",
            "plugins_folder": ROOT / "plugins",
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "executor": "LocalExecutor",
            "parallelism": POSTGRES_SLOTS if database else SQLITE_SLOTS,
            "fernet_key": mine["fernet"],
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": passwords,
            "default_timezone": "Asia/Shanghai",
            # Else what the asset graph schedules is read by an operator that psycopg 3 does not find: status 500.
            "compress_serialized_dags": True,
        },
        "database": {"sql_alchemy_conn": url} | ({"sql_alchemy_conn_async": url} if database else {}),
        "api": {
            "host": "127.0.0.1",
            "port": port,
            "workers": 1,
            "base_url": f"http://127.0.0.1:{port}",
            "secret_key": mine["api"],
        },
        "api_auth": {"jwt_secret": mine["jwt"]},
        "scheduler": {"scheduler_idle_sleep_time": 0.1, "task_instance_heartbeat_timeout": 120},
        "workers": {"max_failed_heartbeats": 20},
        # An edited file is parsed at once all the same; the others need not be, every 30 seconds.
        "dag_processor": {"dag_bundle_storage_path": folder / "bundles", "min_file_process_interval": 300},
        "logging": {
            "base_log_folder": folder / "logs",
            "worker_log_server_port": port + WORKER_LOGS,
            "trigger_log_server_port": port + TRIGGER_LOGS,
            "namespace_levels": "great_expectations=warning",
        },
    }
    variables: dict[str, Any] = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": value
        for section, values in airflow.items()
        for key, value in values.items()
    }
    variables |= {
        "AIRFLOW_HOME": folder,
        "XDG_RUNTIME_DIR": runtime_folder(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "config")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "GX_ANALYTICS_ENABLED": "false",
        "INNOPOINTS_HOME": home,
        "INNOPOINTS_SANDBOX_SEED": settings.sandbox_seed,
        "INNOPOINTS_SANDBOX_ENTERPRISES": settings.sandbox_enterprises,
        "INNOPOINTS_SANDBOX_PORT": settings.sandbox_port,
        "INNOPOINTS_AIRFLOW_PORT": port,
    }
    elsewhere = {
        "INNOPOINTS_WAREHOUSE_URL": settings.warehouse_url,
        "INNOPOINTS_LAKE": settings.lake,
        "INNOPOINTS_LINEAGE_URL": settings.lineage_url,
    }
    variables |= {name: value for name, value in elsewhere.items() if value}
    return {name: str(value) for name, value in variables.items()}


def runtime_folder(home: Path) -> Path:
    """Where the embedded PostgreSQL keeps its lock, and its socket when the home's path is too long for one."""
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def connection_variables(home: Path) -> dict[str, str]:
    """The Connections of the stand-in departments, in Airflow's environment form, and our own privacy key."""
    given = json.loads((home / "sandbox" / "connections.json").read_text(encoding="utf-8"))
    given["innopoints_privacy"] = {
        "conn_type": "generic",
        "login": "embedded-1",
        "password": secrets_of(home)["privacy"],
    }
    return {f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(value) for conn_id, value in given.items()}


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return found


def pools() -> dict[str, dict[str, Any]]:
    """One pool per source system, from its declaration, and one in which a single district looks after what all need;
    in the form that `airflow pools import` reads.
    """
    slots = {source.pool: (source.pool_slots, source.title_zh) for source in sources().values()}
    return {
        pool: {"slots": number, "description": title, "include_deferred": False}
        for pool, (number, title) in {**slots, SHARED_POOL: (1, "全市数据")}.items()
    }


def write_environment(path: Path, variables: dict[str, str]) -> None:
    """A file for `. var/airflow.env`, after which `airflow …` and `innopoints …` speak to this home."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    write_private(path, "# Generated at each start; holds secrets of this home.\n" + "\n".join(lines) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)
