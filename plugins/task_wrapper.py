"""How every task of ours runs: who it is to the ledger, where Connections come from, what is logged and retried."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from airflow.sdk import BaseHook, ExceptionRetryPolicy, RetryAction, RetryRule, get_current_context
from airflow.sdk.exceptions import AirflowNotFoundException

from include.kernel.connections import Connection, missing
from include.kernel.errors import BadInput, InnopointsError, TerminalError, unforeseen
from include.kernel.periods import business_date
from plugins.alarms import on_failure
from plugins.metrics import report

log = logging.getLogger("innopoints")
Found = TypeVar("Found", dict[str, Any], dict[str, str], list[dict[str, Any]], list[dict[str, str]], list[str])

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
    """Run one step of `include.steps` as this task, which holds its locks, and hand its counts on through XCom.

    The holder has no try number, so that a retry takes over the lease of the attempt it follows.
    """
    instance = get_current_context()["ti"]
    holder = f"{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}"
    return leave_line(step, *arguments, holder=holder, **options)


def leave_line(work: Callable[..., Found], /, *arguments: Any, **options: Any) -> Found:
    """What `work` finds, after one line of its counts in the log, which also go out as metrics.

    An error of ours is logged as its one line and raised without the frames below: they say nothing that the line does
    not. What it counted before it gave up is a line as well.
    """
    task = get_current_context()["ti"].task_id.rpartition(".")[2]
    try:
        found = work(*arguments, **options)
    except InnopointsError as error:
        if error.counts:
            _say(task, error.counts)
        log.error("%s", error)
        raise error.with_traceback(None) from None
    except Exception as error:  # noqa: BLE001 - its text may quote a record: only its kind and place are said
        said = unforeseen(error)
        log.error("%s", said)
        raise said from None
    _say(task, found)
    return found


def _say(task: str, found: Mapping[str, Any] | Sequence[Any]) -> None:
    """A list is told by its length: what it names is told by the tasks that it makes."""
    counts = dict(found) if isinstance(found, Mapping) else {"entries": found}
    told = {name: len(value) if isinstance(value, (list, dict)) else value for name, value in counts.items()}
    log.info("%s: %s", task, " ".join(f"{name}={value}" for name, value in told.items()))
    report(task, counts, business_date(get_current_context()["dag_run"].run_after))


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
