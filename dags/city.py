"""What every district needs, half an hour before it runs: the registries and the city's datasets, conformed once."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow.sdk import dag, get_current_context, task

from include.sources.declaration import shared, sources
from plugins.landing import landing
from plugins.links import ResultManifestLink, task_with
from plugins.run_plan import by_clock, date_param, planned_day
from plugins.task_wrapper import TASK_DEFAULTS, leave_line, run_step

AT_THREE_IN_THE_MORNING = """
### What is kept for the city 全市数据

`plan` → per source, per dataset `land` → `validate` → `conform`

Brings in the registry of each district and the datasets that are kept for the city (patents, lists, banks …), and
conforms the city's for all districts at once. A district that runs by itself, as a back-fill does, brings in what is
missing here (its task `shared`).

**At 3 a.m.** As in a district: the last line of the red task's log says what, where, what was kept and what to do. A
dataset that failed or was rejected keeps its last good snapshot, and the districts go on with that. To have a repaired
one used tonight: *clear* its `land` here, then *clear* `conform` of the districts.
"""


@task
def plan() -> dict[str, str]:
    return leave_line(planned_day, get_current_context())


# A dataset may fail: the last good snapshot is used.
@task_with(ResultManifestLink(), trigger_rule="all_done_min_one_success")
def conform(run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    return run_step(steps.conform_city, date.fromisoformat(run["as_of"]))


@dag(
    dag_id="innopoints_city",
    dag_display_name="企业创新积分 · 全市数据",
    description="Registries and the city's datasets, before the districts",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=by_clock("30 0 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={"as_of": date_param("Business date 业务日期 (empty: the run's day)", nullable=True)},
    tags=["innopoints", "city"],
)
def city() -> None:
    run = plan()
    landed = [group for source in sources().values() for group in landing(source, shared(), run)]
    landed >> conform(run=run)


city()
