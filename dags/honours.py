"""A year's honours: a named person approves the roll, it stands in public, then it freezes; later there are errata."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import Param, dag, get_current_context, task

from plugins.approval import REASON, Approval
from plugins.run_plan import refuse_unknown_keys
from plugins.task_wrapper import TASK_DEFAULTS, run_name, run_step

AT_THREE_IN_THE_MORNING = """
### A year's honours 年度荣誉

`propose` (a roll from a generation, with counts) → `ask` (a named person approves and says why) → `announce` (公示) →
`public_notice` (waits for the last day of the notice, and holds no slot meanwhile) → `freeze`

Trigger it with the year. `ask` shows how far the roll differs from last year's honours and from tonight's list, by
name, and links to the whole. Unanswered for three days, or rejected: nothing is announced. While the roll stands in
public, objections are taken down with `innopoints honours object`; an honour with a standing objection is left out of
the freeze. What froze never changes again: `innopoints honours erratum` puts corrections beside it.

Marking a task as success or editing an XCom moves nothing: `announce` and `freeze` want the recorded answer of a person
to exactly this roll and its days, and `freeze` wants the days to be over. To take an approval back before the freeze,
clear `ask` and reject: the roll stands in public no longer. To start again, trigger another run for the year: its roll
takes the place of this one once it is approved. Airflow keeps the form of a task that is cleared; where the roll is
another by then, `ask` says so and asks nobody.

**At 3 a.m.** Leave it: nothing of the night waits for it. The last line of a red task's log says what to do.
"""
WAIT = timedelta(days=3)


def question(context: Any) -> Any:
    from include.steps.honours_question import question

    return question(run_name(context), f"{context['ti'].log_url.partition('/dags/')[0]}/points")


def answered(*said: Any) -> None:
    from include.steps.honours import answered

    answered(*said)


@task
def propose() -> dict[str, Any]:
    from include.steps import honours

    context = get_current_context()
    params, run = context["params"], run_name(context)

    def step(*, holder: str) -> dict[str, Any]:
        refuse_unknown_keys(context)
        return honours.propose(params["year"], params["generation"], params["notice_days"], run=run, holder=holder)

    return run_step(step)


@task
def announce() -> dict[str, Any]:
    from include.steps import honours

    return run_step(honours.announce, run=run_name(get_current_context()))


@task
def freeze() -> dict[str, Any]:
    from include.steps import honours

    return run_step(honours.freeze, run=run_name(get_current_context()))


@dag(
    dag_id="innopoints_honours",
    dag_display_name="企业创新积分 · 年度荣誉",
    description="A year's honours: approved, held up in public, frozen",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=None,
    catchup=False,
    default_args=TASK_DEFAULTS,
    params={
        "year": Param(type="integer", minimum=2021, maximum=2100, title="Year 年度"),
        "generation": Param(
            None, type=["null", "integer"], minimum=1, title="Generation 代次 (empty: the current one)"
        ),
        "notice_days": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=90,
            title="Days of notice 公示天数 (empty: as the rule says)",
        ),
    },
    tags=["innopoints", "city"],
)
def honours() -> None:
    ask = Approval(task_id="ask", question=question, answered=answered, params=REASON, response_timeout=WAIT)
    public_notice = DateTimeSensorAsync(
        task_id="public_notice", target_time="{{ ti.xcom_pull(task_ids='announce')['ends_at'] }}"
    )
    propose() >> ask >> announce() >> public_notice >> freeze()


honours()
