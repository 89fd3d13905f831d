"""The form for past days: districts × dates, each a run of its district's own DAG, then one publication."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task

from plugins.assets import PUBLISH_REQUEST, announce
from plugins.run_plan import (
    date_param,
    districts_param,
    planned_backfill,
    reason_param,
    scheme_param,
    wanted_of_backfill,
)
from plugins.task_wrapper import TASK_DEFAULTS, leave_line, log, run_name, run_step

AT_THREE_IN_THE_MORNING = """
### Past days again 补算

Choose districts, first and last date, scheme, and say why; the reason is kept with the publication. *Only list* runs
`preview` and nothing else.

`preview` (what would run, what of it is there already) → `claim` (nobody else back-fills these days meanwhile) → one
run of `innopoints_<district>` per district and date (they wait for each other and for the nightly run) →
`request_publication` where one of them was scored; `complete` is green only where all were; `free` gives the days back

From a shell: `airflow dags trigger innopoints_backfill -c '{"districts": ["320411"], "date_from": "2026-11-20",
"date_to": "2026-11-22", "reason": "late tax returns"}'`

**At 3 a.m.** A red `district_day` names the district's run: open that one, put right what it says, then *clear*
the red `district_day` here. The other districts are published without it, by the rule of any night: its last good
points, flagged. Days already accepted are reused, so a repeat costs little. A red `claim` says who is at these days:
wait for that run, or free its claim by clearing its `free`.
"""


@task
def preview() -> list[str]:
    """One line for each run; also in the log, where a person looks."""
    from include.steps import backfill

    context = get_current_context()

    def previewed() -> list[str]:
        wanted = wanted_of_backfill(context)
        days, districts = ({getattr(key, name): None for key in wanted} for name in ("as_of", "district"))
        return [str(one) for one in backfill.preview(list(days), list(districts), context["params"]["scheme"])]

    lines = leave_line(previewed)
    for line in lines:
        log.info("%s", line)
    return lines


@task(retries=0)  # somebody sits before the form: who is at these days is said at once
def claim() -> list[dict[str, Any]]:
    """The runs, once their days are claimed for this one."""
    from include.steps import backfill

    context = get_current_context()
    runs = planned_backfill(context)

    def claimed(*, holder: str) -> dict[str, Any]:
        return {"days": backfill.claim(wanted_of_backfill(context) if runs else [], run_name(context))}

    run_step(claimed)
    return runs


@task(outlets=[PUBLISH_REQUEST], trigger_rule="all_done_min_one_success")  # what was scored is published
def request_publication() -> None:
    context = get_current_context()
    days = {key.as_of.isoformat() for key in wanted_of_backfill(context)}
    dates = leave_line(lambda: {"dates": sorted(days)})["dates"]
    announce({PUBLISH_REQUEST: {"dates": dates, "reason": context["params"]["reason"]}})


@task
def complete() -> None:
    """Green when every district's day was scored: the run is red where one was not."""
    leave_line(lambda: {"days": len(wanted_of_backfill(get_current_context()))})


@task
def free() -> dict[str, Any]:
    from include.steps import backfill

    context = get_current_context()

    def freed(*, holder: str) -> dict[str, Any]:
        return {"days": backfill.free(wanted_of_backfill(context), run_name(context))}

    return run_step(freed)


@dag(
    dag_id="innopoints_backfill",
    dag_display_name="企业创新积分 · 补算",
    description="Re-run districts for past dates, then publish once",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=None,
    catchup=False,
    default_args=TASK_DEFAULTS,
    params={
        "districts": districts_param("Districts 辖区", nullable=False),
        "date_from": date_param("First date 起", nullable=False),
        "date_to": date_param("Last date 止", nullable=False),
        "scheme": scheme_param(),
        "reason": reason_param(),
        "dry_run": Param(False, type="boolean", title="Only list what would run 仅预览"),
    },
    tags=["innopoints", "city"],
)
def backfill() -> None:
    claimed = claim()
    district_days = TriggerDagRunOperator.partial(
        task_id="district_day",
        logical_date=None,
        reset_dag_run=True,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=5,
        retries=0,
        execution_timeout=timedelta(hours=12),
        map_index_template="{{ task.trigger_dag_id }} {{ task.conf['as_of'] }}",
    ).expand_kwargs(claimed)
    preview() >> claimed
    district_days >> [request_publication(), complete()] >> free().as_teardown(setups=claimed)


backfill()
