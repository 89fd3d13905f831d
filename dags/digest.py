"""Ten past six: what the night brought, in counts, once, to the channels of the Connection `innopoints_alarms`."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, get_current_context, task

from include.kernel.periods import business_date, parse_as_of
from plugins.run_plan import DEFAULT_SCHEME, by_clock, date_param, planned, scheme_param
from plugins.task_wrapper import TASK_DEFAULTS, connection_from_airflow, leave_line, run_step

AT_THREE_IN_THE_MORNING = """
### The digest 每日摘要

`plan` → `send`, at 06:10

One message a night: published or not by then, districts, open incidents, and per source what came, was accepted, is in
quarantine and how old the oldest snapshot in use is. Counts and links only. What was sent once is not sent again,
whatever is cleared. A night that is not published, and of which the deadline at six has told nobody, is told first, as
an incident; so is a declared correction that no longer fits its source. Without the Connection `innopoints_alarms`
nothing is sent: `innopoints digest` prints it.

**At 3 a.m.** Nothing depends on it. A channel that is down is a line in the log of `send`, never a red task.
"""


@task
def plan() -> dict[str, str]:
    return leave_line(planned, get_current_context())


@task
def send(run: dict[str, str]) -> dict[str, Any]:
    """The digest; before it the incidents of a night that is not published though no sweep was ever late, and of
    corrections that no longer fit their source."""
    from include.steps import alarm
    from include.steps.digest import PAUSE_SECONDS, send_digest
    from plugins.run_plan import is_scheduled

    context = get_current_context()
    pages = context["ti"].log_url.partition("/dags/")[0] + "/plugin/innovation-points"
    as_of, scheme = parse_as_of(run["as_of"]), run["scheme"]
    nightly = is_scheduled(context) and scheme == DEFAULT_SCHEME  # by hand it may be too early, or long past
    if nightly and as_of == business_date(context["dag_run"].run_after):
        alarm.tell(lambda: alarm.unpublished(as_of, scheme, link=pages), lookup=connection_from_airflow)
        alarm.tell(lambda: alarm.unfit_corrections(as_of, link=pages), lookup=connection_from_airflow)
    channels = {"lookup": connection_from_airflow, "pause_seconds": PAUSE_SECONDS}
    return run_step(send_digest, as_of, scheme, link=pages, **channels)


@dag(
    dag_id="innopoints_digest",
    dag_display_name="企业创新积分 · 每日摘要",
    description="What the night brought, told once",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=by_clock("10 6 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "as_of": date_param("Business date 业务日期 (empty: the run's day)", nullable=True),
        "scheme": scheme_param(),
    },
    tags=["innopoints", "city"],
)
def digest() -> None:
    send(plan())


digest()
