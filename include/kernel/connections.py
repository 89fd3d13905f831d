"""Where a department is and how we prove who we are. Values come only from Airflow Connections.

Inside Airflow the task wrapper hands over a lookup that asks Airflow. From a shell the same Connections are read from
Airflow's own environment form, `AIRFLOW_CONN_<ID>` holding JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from include.kernel.errors import TerminalError


@dataclass(frozen=True)
class Connection:
    """The part of an Airflow Connection that a source driver uses. `repr` never shows the password or extras."""

    conn_id: str
    conn_type: str = ""
    host: str = ""
    port: int | None = None
    schema: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


Lookup = Callable[[str], Connection]


def missing(conn_id: str) -> TerminalError:
    """The one line for a Connection nobody has configured."""
    return TerminalError(
        f"Connection {conn_id!r} is not configured",
        kept="the last accepted snapshots stay in use",
        todo=f"add it in Airflow (Admin > Connections) or export AIRFLOW_CONN_{conn_id.upper()} as JSON",
    )


def from_environment(conn_id: str) -> Connection:
    """Read `AIRFLOW_CONN_<ID>` (JSON form)."""
    text = os.environ.get(f"AIRFLOW_CONN_{conn_id.upper()}")
    if not text:
        raise missing(conn_id)
    try:
        raw = json.loads(text)
        extra = raw.get("extra") or {}
        return Connection(
            conn_id=conn_id,
            conn_type=raw.get("conn_type") or "",
            host=raw.get("host") or "",
            port=int(raw["port"]) if raw.get("port") else None,
            schema=raw.get("schema") or "",
            login=raw.get("login") or "",
            password=raw.get("password") or "",
            extra=json.loads(extra) if isinstance(extra, str) else dict(extra),
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise TerminalError(
            f"Connection {conn_id!r} is not readable JSON", todo="write it in Airflow's JSON form"
        ) from None
