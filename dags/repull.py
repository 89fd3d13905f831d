"""The form by which a department is asked again for a past date: what it says now is used if it is accepted."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from include.contracts import contracts
from include.kernel.periods import business_date, parse_as_of, require_begun
from include.sources.declaration import SHARED_POOL
from plugins.assets import DATASETS, announce_accepted
from plugins.run_plan import date_param, districts_param, reason_param, refuse_unknown_keys
from plugins.task_wrapper import TASK_DEFAULTS, connection_from_airflow, leave_line, log, run_step

AT_THREE_IN_THE_MORNING = """
### Ask a department again 重取

`plan` → per district (or once, for a dataset of the city) `repull` → `otherwise`

A night never asks twice for what it has accepted. When a department says that it has repaired a past date, ask for
that date here. The answer is landed and judged like any other. Accepted, it takes the place of what was in use for that
date, in one transaction; the same bytes again, or a rejected answer, change nothing. The earlier snapshot stays in the
lake under its digest, and so does every published result that stands on it.

`otherwise` says which districts' results, from which date on, would now read something else. They stay as they are
until somebody back-fills them: give its districts and dates to `innopoints_backfill`.

**At 3 a.m.** Leave it. The last line of a red task's log says what came and what stays in use; clearing it asks again.
"""


@task
def plan() -> list[str]:
    """For whom it is asked for again."""
    from include.steps.repull import scopes_of

    context = get_current_context()

    def scopes() -> list[str]:
        refuse_unknown_keys(context)
        params = context["params"]
        require_begun(parse_as_of(params["as_of"]), business_date(context["dag_run"].run_after))
        return scopes_of(params["dataset"], params["districts"] or [])

    return leave_line(scopes)


@task(pool=SHARED_POOL, map_index_template="{{ task.op_kwargs['scope'] }}", outlets=list(DATASETS.values()))
def repull(scope: str) -> dict[str, Any]:
    from include.steps.repull import repull

    params = get_current_context()["params"]
    given = {"reason": params["reason"], "lookup": connection_from_airflow}
    done = run_step(repull, params["dataset"], scope, date.fromisoformat(params["as_of"]), **given)
    announce_accepted([done] if done["outcome"] == "replaced" else [])
    return done


@task(trigger_rule="all_done_min_one_success")
def otherwise(done: Any) -> dict[str, Any]:
    """What to give to the form for past days so that the results follow; empty where none would read otherwise."""
    changed = [one for one in done if one and one["results"]]
    results = sum(one["results"] for one in changed)
    leave_line(lambda: {"results": results})
    if not changed:
        return {}
    form = {
        "districts": sorted({district for one in changed for district in one["districts"]}),
        "date_from": min(one["date_from"] for one in changed),
        "date_to": max(one["date_to"] for one in changed),
        "reason": f"{get_current_context()['params']['dataset']} pulled again",
    }
    log.info("%d results would read otherwise: %s", results, form)
    return form


@dag(
    dag_id="innopoints_repull",
    dag_display_name="企业创新积分 · 重取",
    description="Ask a department again for a past date",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=None,
    catchup=False,
    default_args=TASK_DEFAULTS,
    params={
        "dataset": Param(type="string", enum=list(contracts()), title="Dataset 数据集"),
        "districts": districts_param("Districts 辖区 (empty for a dataset of the whole city)", nullable=True),
        "as_of": date_param("Business date 业务日期", nullable=False),
        "reason": reason_param(),
    },
    tags=["innopoints", "city"],
)
def form() -> None:
    otherwise(repull.expand(scope=plan()))


form()
