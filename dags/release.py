"""The form by which a named person lets a blocked delivery pass, with a reason; unanswered, the last good one stays."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, get_current_context, task

from include.contracts import contracts
from include.kernel.areas import CITY, areas
from plugins.approval import REASON, Approval
from plugins.assets import DATASETS, announce_accepted
from plugins.run_plan import date_param, refuse_unknown_keys
from plugins.task_wrapper import TASK_DEFAULTS, run_name, run_step

AT_THREE_IN_THE_MORNING = """
### Release a blocked delivery 放行

`blocked` (what stands against it, in counts) → `ask` (somebody approves and says why) → `release` → `refresh_day`

A delivery that differs too much from the last good one is blocked, and the last good one stays in use: `innopoints
blocked` lists them, the report of each shows the counts. If it is right as it is (a unit that changed for good, a
register that was cleaned up), trigger this form for it and answer `ask` under *Required Actions*. Who answered and why
stands in the ledger. Unanswered for twelve hours, or rejected: nothing changes. Marking `ask` as success releases
nothing: `ask` itself puts down who answered, and `release` wants that. Where the delivery is another than the form
showed, `ask` or `release` says so: trigger the form again.

**At 3 a.m.** Leave it: the last good snapshot carries the night.
"""
WAIT = timedelta(hours=12)


def question(context: Any) -> Any:
    from include.steps.release import question

    return question(*_asked_for(context))


def answered(*said: Any) -> None:
    from include.steps.approval import answered

    answered(*said)


@task
def blocked() -> dict[str, Any]:
    from include.steps.release import require_blocked

    context = get_current_context()

    def step(*, holder: str) -> dict[str, Any]:
        refuse_unknown_keys(context)
        held = require_blocked(*_asked_for(context))
        return {"reason": held.reason, "rows_in": held.rows_in, "quarantined": held.quarantined}

    return run_step(step)


@task(outlets=list(DATASETS.values()))
def release() -> dict[str, Any]:
    """Release, and what the form for past days must be asked so that the points follow."""
    from include import steps
    from include.steps.approval import approved
    from include.steps.release import landing_of

    context = get_current_context()

    def step(*, holder: str) -> dict[str, Any]:
        delivery = _asked_for(context)
        person, reason = approved(
            run_name(context),
            landing_of(*delivery),
            kept="the last good snapshot",
            todo="clear `ask` and answer it under Required Actions, or use `innopoints release`",
        )
        return steps.release(*delivery, person=person, reason=reason, holder=holder)

    done = run_step(step)
    announce_accepted([done])
    return {
        "districts": list(areas()) if done["scope"] == CITY else [done["scope"]],
        "date_from": done["as_of"],
        "date_to": done["as_of"],
        "reason": f"{done['dataset']} released",
    }


def _asked_for(context: Any) -> tuple[str, str, date]:
    params = context["params"]
    return params["dataset"], params["scope"], date.fromisoformat(params["as_of"])


@dag(
    dag_id="innopoints_release",
    dag_display_name="企业创新积分 · 放行",
    description="A named person releases a blocked delivery",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=None,
    catchup=False,
    default_args=TASK_DEFAULTS,
    params={
        "dataset": Param(type="string", enum=list(contracts()), title="Dataset 数据集"),
        "scope": Param(type="string", enum=[CITY, *areas()], title="Scope 范围 (area code, or city)"),
        "as_of": date_param("Business date 业务日期", nullable=False),
    },
    tags=["innopoints", "city"],
)
def form() -> None:
    ask = Approval(
        task_id="ask",
        question=question,
        answered=answered,
        params=REASON,
        response_timeout=WAIT,
    )
    released = release()
    refresh_day = TriggerDagRunOperator(
        task_id="refresh_day", trigger_dag_id="innopoints_backfill", conf=released, wait_for_completion=False
    )
    blocked() >> ask >> released >> refresh_day


form()
