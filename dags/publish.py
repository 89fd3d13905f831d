"""The city's publication: districts ring the bell, the ledger says what is due, a sweep at 05:00 misses none."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow.sdk import AssetAny, AssetOrTimeSchedule, dag, get_current_context, task, task_group

from include.kernel.periods import business_date
from plugins.alarms import PUBLISHED_BY_SIX
from plugins.assets import POINTS, PUBLISH_REQUEST, PUBLISHED, announce
from plugins.links import ResultManifestLink, task_with
from plugins.run_plan import (
    DEFAULT_SCHEME,
    awaits_the_form,
    by_clock,
    is_scheduled,
    publication_reason,
    refuse_unknown_keys,
)
from plugins.task_wrapper import TASK_DEFAULTS, leave_line, run_step

AT_THREE_IN_THE_MORNING = """
### The city's publication 全市发布

`due` → per due date `rank` → `publish` (one transaction: a new generation beside the old, then the pointer) →
`published_tonight`

Rung by every district that is scored; skipped when nothing is due (tonight waits for all seven). The sweep at 05:00,
and any run triggered by hand, publish without waiting: a district that failed appears with its last good points,
flagged.

**Published by 06:00** is the deadline of the sweep's run. `published_tonight` is red where no district was scored; if
one still is, its bell publishes it. At six somebody is told if the night is not published then, once.

**At 3 a.m.** Readers still see the previous generation, whole. Open the red task, read the last line of its log, put
right what it names, *clear* it. To take a publication back: `innopoints generations`, `innopoints rollback --to ID`.
"""
LABEL = "{{ task.op_kwargs['publication']['as_of'] }} {{ task.op_kwargs['publication']['scheme'] }}"


@task
def due() -> list[dict[str, str]]:
    from include import steps

    context = get_current_context()
    run = context["dag_run"]

    def due_now() -> list[dict[str, str]]:
        refuse_unknown_keys(context)
        if awaits_the_form(context):
            return []
        return steps.due_publications(business_date(run.run_after), sweep=run.run_type != "asset_triggered")

    return leave_line(due_now)


@task_with(ResultManifestLink(), map_index_template=LABEL, max_active_tis_per_dagrun=1)  # one after the other
def rank(publication: dict[str, str]) -> dict[str, Any]:
    from include import steps

    return run_step(steps.rank, date.fromisoformat(publication["as_of"]), publication["scheme"])


@task_with(
    ResultManifestLink(),
    map_index_template=LABEL,
    max_active_tis_per_dagrun=1,
    inlets=list(POINTS.values()),
    outlets=list(PUBLISHED.values()),
)
def publish(publication: dict[str, str]) -> dict[str, Any]:
    from include import steps

    reason = publication_reason(get_current_context(), publication["as_of"])
    made = run_step(steps.publish, date.fromisoformat(publication["as_of"]), publication["scheme"], reason=reason)
    announce(dict.fromkeys(PUBLISHED.values(), made))
    return made


# No alarm of its own: the run's deadline tells, at six, of a night that is not published by then.
@task(trigger_rule="none_failed", on_failure_callback=None)
def published_tonight() -> dict[str, Any]:
    """The sweep's last word. A run of any other kind has published what was due, and is not asked."""
    from include.steps.city import require_published

    context = get_current_context()
    if not is_scheduled(context):
        return leave_line(dict, asked=0)
    return leave_line(require_published, business_date(context["dag_run"].run_after), DEFAULT_SCHEME)


@task_group
def publication(publication: dict[str, str]) -> None:
    rank(publication=publication) >> publish(publication=publication)


@dag(
    dag_id="innopoints_publish",
    dag_display_name="企业创新积分 · 全市发布",
    description="Ranks, lists and the published generation of the city",
    doc_md=AT_THREE_IN_THE_MORNING,
    schedule=AssetOrTimeSchedule(
        timetable=by_clock("0 5 * * *"),
        assets=AssetAny(*POINTS.values(), PUBLISH_REQUEST),
    ),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    deadline=PUBLISHED_BY_SIX,
    tags=["innopoints", "city"],
)
def city() -> None:
    publication.expand(publication=due()) >> published_tonight()


city()
