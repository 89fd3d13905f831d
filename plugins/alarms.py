"""When a task of ours gives up, or a night is late: tell it once.

Airflow calls `on_failure` in the task's own process, after its last attempt. It then leaves the process 20 seconds and
never looks at what comes of it; the task has failed already, and nothing here can make it fail again or keep another
from running. `on_late` runs in the triggerer, when the scheduler has seen a deadline missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from airflow.sdk.configuration import conf
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from include.kernel.areas import areas
from include.kernel.errors import InnopointsError, unforeseen
from include.kernel.periods import business_date, parse_as_of
from plugins.run_plan import DEFAULT_SCHEME, run_moment

log = logging.getLogger("innopoints")
# Whoever triggers these by hand sees them fail, and what they start tells for itself.
FORMS = ("innopoints_backfill", "innopoints_release", "innopoints_repull", "innopoints_digest")


def on_failure(context: Mapping[str, Any]) -> None:
    """Tell what it means that this task failed, unless somebody was told already."""
    try:
        given = _failed(context)
        if given is not None:
            from include.steps import alarm
            from plugins.task_wrapper import connection_from_airflow

            alarm.tell(lambda: alarm.failure(**given), lookup=connection_from_airflow)
    except Exception as error:  # noqa: BLE001 - see above; its text may quote a record
        log.warning("alarms: %s", error if isinstance(error, InnopointsError) else unforeseen(error))


async def on_late(context: Mapping[str, Any]) -> None:
    """As `_late`, in a thread: it waits for databases and channels, and other triggers must not wait with it."""
    await asyncio.to_thread(_late, context)


def _late(context: Mapping[str, Any]) -> None:
    """Tell that a night is not published by its deadline, unless it is by now, or somebody was told already."""
    try:
        from include.steps import alarm
        from plugins.task_wrapper import connection_from_airflow

        run = context["dag_run"]
        as_of = business_date(datetime.fromisoformat(run["run_after"]))
        airflow = conf.get("api", "base_url", fallback="http://localhost:8080/").rstrip("/")
        link = f"{airflow}/dags/{run['dag_id']}/runs/{quote(run['dag_run_id'])}"
        alarm.tell(lambda: alarm.unpublished(as_of, DEFAULT_SCHEME, link=link), lookup=connection_from_airflow)
    except Exception as error:  # noqa: BLE001 - see above; its text may quote a record
        log.warning("alarms: %s", error if isinstance(error, InnopointsError) else unforeseen(error))


# The sweep at 05:00 fails where the night is not published, and a run that has not succeeded by its deadline is late.
# Runs that a district rang for have no logical date, and so no deadline: the sweep comes after them all. Not on the
# executor: there Airflow 3.3.2 refuses a callback every Connection (apache/airflow PR #66141).
PUBLISHED_BY_SIX = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
    interval=timedelta(hours=1),
    callback=AsyncCallback(on_late),
    name="published by 06:00",
)


def _failed(context: Mapping[str, Any]) -> dict[str, Any] | None:
    """Airflow's words for the failed task in ours; None for a form, which has somebody sitting before it."""
    instance, given = context["ti"], getattr(context["task"], "op_kwargs", None) or {}
    group, _, step = instance.task_id.rpartition(".")
    by_hand = str(context["dag_run"].run_type).rpartition(".")[2].lower() == "manual"
    if instance.dag_id in FORMS or (step == "plan" and by_hand):
        return None
    publication = given.get("publication") or {}
    code = instance.dag_id.removeprefix("innopoints_")
    return {
        "step": step,
        "as_of": _as_of(context, publication),
        "name": f"{instance.dag_id}/{instance.task_id}",
        "source": group if step == "land" else "",
        "dataset": given.get("dataset", ""),
        "scope": given.get("scope", ""),
        "district": code if code in areas() else "",
        "scheme": publication.get("scheme", ""),
        "link": instance.log_url,
    }


def _as_of(context: Mapping[str, Any], publication: Mapping[str, str]) -> date:
    asked = publication.get("as_of") or context["params"].get("as_of")
    return parse_as_of(asked) if asked else business_date(run_moment(context))
