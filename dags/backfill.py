"""The form for past days: districts × dates, each a run of its district's own DAG, then one publication."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task

from include.kernel.areas import areas
from plugins.assets import PUBLISH_REQUEST, announce
from plugins.run_plan import date_param, planned_backfill, scheme_param
from plugins.task_wrapper import TASK_DEFAULTS, leave_line

AT_THREE_IN_THE_MORNING = """
### Past days again 补算

Choose districts, first and last date, scheme, and say why; the reason is kept with the publication.

`plan` → one run of `innopoints_<district>` per district and date (they wait for each other and for the nightly run) →
`request_publication`

From a shell: `airflow dags trigger innopoints_backfill -c '{"districts": ["320411"], "date_from": "2026-11-20",
"date_to": "2026-11-22", "reason": "late tax returns"}'`

**At 3 a.m.** A red `district_day` names the district's run: open that one, put right what it says, then *clear*
the red `district_day` here. Days already accepted are reused, so a repeat costs little.
"""


@task
def plan() -> list[dict[str, Any]]:
    return leave_line(planned_backfill, get_current_context())


@task(outlets=[PUBLISH_REQUEST])
def request_publication(runs: list[dict[str, Any]]) -> None:
    reason = get_current_context()["params"]["reason"]
    dates = leave_line(lambda: {"dates": sorted({run["conf"]["as_of"] for run in runs})})["dates"]
    announce({PUBLISH_REQUEST: {"dates": dates, "reason": reason}})


@dag(
    dag_id="innopoints_backfill",
    dag_display_name="企业创新积分 · 补算",
    description="Re-run districts for past dates, then publish once",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=None,
    catchup=False,
    default_args=TASK_DEFAULTS,
    params={
        "districts": Param(
            type="array",
            minItems=1,
            uniqueItems=True,
            items={"type": "string", "enum": list(areas())},
            examples=list(areas()),
            values_display={code: area.name_zh for code, area in areas().items()},
            title="Districts 辖区",
        ),
        "date_from": date_param("First date 起", nullable=False),
        "date_to": date_param("Last date 止", nullable=False),
        "scheme": scheme_param(),
        "reason": Param(type="string", minLength=3, maxLength=200, title="Reason 原因"),
    },
    tags=["innopoints", "city"],
)
def backfill() -> None:
    runs = plan()
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
    ).expand_kwargs(runs)
    district_days >> request_publication(runs)


backfill()
