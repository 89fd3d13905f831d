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

Trigger it with the year. `ask` shows how far the roll differs from last year's honours and from tonight's list, and
links to the names. Unanswered for three days, or rejected: nothing is announced. While the roll stands in public,
objections are taken down with `innopoints honours object`; an honour with a standing objection is left out of the
freeze. What froze never changes again: `innopoints honours erratum` puts corrections beside it.

Marking a task as success moves nothing: `announce` and `freeze` want the recorded answer of a person to exactly this
roll, and `freeze` wants the days of the notice to be over. To start again before the freeze, trigger another run for
the year: its roll takes the place of this one once it is approved.

**At 3 a.m.** Leave it: nothing of the night waits for it. The last line of a red task's log says what to do.
"""
WAIT = timedelta(days=3)
BODY = """{{ said['honoured'] }} honours from generation {{ said['generation'] }} as of {{ said['as_of'] }}, scheme
{{ said['scheme'] }}. Approved, they stand in public for {{ said['notice_days'] }} days, then they freeze.
批准后公示 {{ said['notice_days'] }} 天，期满定榜。

- Since last year 与上年相比: {{ said['since_last_year'] }}
- Beside tonight's list 与今夜名单相比: {{ said['beside_tonight'] }}

[The names, and who is new or gone 名单及增减]({{ said['link'] }})
"""


@task
def propose() -> dict[str, Any]:
    from include.steps import honours

    context = get_current_context()
    params, run = context["params"], run_name(context)
    page = f"{context['ti'].log_url.partition('/dags/')[0]}/points/honours/{params['year']}"

    def step(*, holder: str) -> dict[str, Any]:
        refuse_unknown_keys(context)
        found = honours.propose(params["year"], params["generation"], params["notice_days"], run=run, holder=holder)
        return {**found, "link": f"{page}?scheme={found['scheme']}"}

    return run_step(step)


@task
def announce(proposed: dict[str, Any]) -> dict[str, Any]:
    from include.steps import honours

    return run_step(honours.announce, proposed["roll"], proposed["notice_days"], run=run_name(get_current_context()))


@task
def freeze(proposed: dict[str, Any]) -> dict[str, Any]:
    from include.steps import honours

    return run_step(honours.freeze, proposed["roll"], run=run_name(get_current_context()))


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
    proposed = propose()
    ask = Approval(
        task_id="ask",
        about="{{ ti.xcom_pull(task_ids='propose')['about'] }}",
        subject="Honours of {{ params.year }}: announce? 是否公示{{ params.year }}年度荣誉？",
        body="{% set said = ti.xcom_pull(task_ids='propose') %}" + BODY,
        params=REASON,
        response_timeout=WAIT,
    )
    announced = announce(proposed)
    public_notice = DateTimeSensorAsync(
        task_id="public_notice", target_time="{{ ti.xcom_pull(task_ids='announce')['ends_at'] }}"
    )
    proposed >> ask >> announced >> public_notice >> freeze(proposed)


honours()
