"""What the composed services need to start: secrets in `.env`, Airflow's tables, pools, Connections and login."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from include.embedded.environment import USER, pools, write_private
from include.kernel.errors import BadInput, TerminalError

SECRETS = (
    "API_SECRET",
    "JWT_SECRET",
    "METADATA_PASSWORD",
    "WAREHOUSE_PASSWORD",
    "REDIS_PASSWORD",
    "PRIVACY_KEY",
    "AIRFLOW_ADMIN_PASSWORD",
)


def draw_secrets(path: Path) -> None:
    """Write fresh secrets to `.env`; one that exists is left alone, for the databases were made with its passwords."""
    if path.exists():
        raise BadInput("there already", where=str(path), kept="its secrets", todo="delete it to draw new ones")
    fernet = base64.urlsafe_b64encode(os.urandom(32)).decode()
    drawn = {name: secrets.token_hex(24) for name in SECRETS} | {"FERNET_KEY": fernet}
    write_private(path, "".join(f"{name}={value}\n" for name, value in sorted(drawn.items())))


def prepare(home: Path) -> None:
    """Bring Airflow's database to this version, with a pool per source, the departments' Connections, and the login."""
    airflow("db", "migrate")
    _import("pools", pools())
    _import("connections", connections_to_import(home), "--overwrite")
    passwords = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    write_private(passwords, json.dumps({USER: os.environ["AIRFLOW_ADMIN_PASSWORD"]}))


def connections_to_import(home: Path) -> dict[str, dict[str, Any]]:
    """The departments' Connections as `airflow connections import` takes them: extras are text there."""
    given = json.loads((home / "sandbox" / "connections.json").read_text(encoding="utf-8"))
    return {conn_id: one | {"extra": json.dumps(one["extra"])} for conn_id, one in given.items()}


def _import(what: str, content: dict[str, Any], *options: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:  # readable by us only
        json.dump(content, file)
        file.flush()
        airflow(what, "import", *options, file.name)


def airflow(*arguments: str) -> None:
    """Run one `airflow` command of this environment; its output is the container's log."""
    done = subprocess.run([sys.executable, "-m", "airflow", *arguments], stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise TerminalError(f"`airflow {' '.join(arguments[:2])}` ended with status {done.returncode}")
