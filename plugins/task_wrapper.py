"""How every task of ours runs: who it is to the ledger, where Connections come from, what is logged and retried."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseHook, ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context
from airflow.sdk.exceptions import AirflowNotFoundException

from include.kernel.connections import Connection, missing
from include.kernel.errors import BadInput, InnopointsError, TerminalError, unforeseen
from plugins.alarms import on_failure

log = logging.getLogger("innopoints")

# 60 + 120 + 240 + 480 seconds (Airflow adds jitter): four retries outlast a department's quarter of an hour, and a
# restart of Airflow's own API server or database. What waiting cannot help fails at once.
TASK_DEFAULTS: dict[str, Any] = {
    "owner": "innopoints",
    "retries": 4,
    "retry_delay": timedelta(seconds=60),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(exception=[BadInput, TerminalError], action=RetryAction.FAIL, reason="a person must act"),
        ],
        default=RetryAction.DEFAULT,
    ),
    "execution_timeout": timedelta(minutes=15),
    "on_failure_callback": on_failure,
    "pool": "default_pool",
}


def run_name(context: Mapping[str, Any]) -> str:
    """The run, as the ledger knows what a whole run holds or was told."""
    return f"{context['dag'].dag_id}/{context['run_id']}"


def run_step(step: Callable[..., dict[str, Any]], /, *arguments: Any, **options: Any) -> dict[str, Any]:
    """Run one step of `include.steps` as this task; log its counts in one line and hand them on through XCom.

    The holder has no try number, so that a retry takes over the lease of the attempt it follows. An error of ours is
    logged as its one line and raised without the frames below: they say nothing that the line does not.
    """
    instance = get_current_context()["ti"]
    holder = f"{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}"
    try:
        counts = step(*arguments, holder=holder, **options)
    except InnopointsError as error:
        log.error("%s", error)
        raise error.with_traceback(None) from None
    except Exception as error:  # noqa: BLE001 - its text may quote a record: only its kind and place are said
        said = unforeseen(error)
        log.error("%s", said)
        raise said from None
    log.info("%s: %s", step.__name__, " ".join(f"{name}={value}" for name, value in counts.items()))
    return counts


def connection_from_airflow(conn_id: str) -> Connection:
    """A department's address and credentials, from Airflow's Connections (database, environment or secrets backend)."""
    try:
        found = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise missing(conn_id) from None
    return Connection(
        conn_id=conn_id,
        conn_type=found.conn_type or "",
        host=found.host or "",
        port=found.port,
        schema=found.schema or "",
        login=found.login or "",
        password=found.password or "",
        extra=found.extra_dejson,
    )
