"""Once a week: erase what the field register no longer allows to be kept, and leave a proof."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, get_current_context, task

from include.kernel.periods import parse_as_of
from plugins.run_plan import by_clock, date_param, planned_day
from plugins.task_wrapper import TASK_DEFAULTS, leave_line, run_step

AT_THREE_IN_THE_MORNING = """
### Retention 到期清除

`plan` → `retain`, Sundays at 22:00

Removes snapshots and results older than the field register allows (`include/contracts/field_register.yaml`), unless a
generation, the last accepted snapshot or a district's last result stands on them, and what nights as old that never
came to their end have left. What went is listed with its digests in the lake under `erased/as_of=…`.

**At 3 a.m.** Nothing depends on it: it may wait until morning, and clearing it repeats what is left. `innopoints retain
--dry-run` only counts.
"""


@task
def plan() -> dict[str, str]:
    return leave_line(planned_day, get_current_context())


@task
def retain(run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    return run_step(steps.retain, parse_as_of(run["as_of"]))


@dag(
    dag_id="innopoints_retention",
    dag_display_name="企业创新积分 · 到期清除",
    description="Erase what may no longer be kept",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=by_clock("0 22 * * 0"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={"as_of": date_param("Business date 业务日期 (empty: the run's day)", nullable=True)},
    tags=["innopoints", "city"],
)
def retention() -> None:
    retain(plan())


retention()
