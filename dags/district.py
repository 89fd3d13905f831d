"""The night of one district: one DAG per area, its landing tasks built from the source declarations."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, get_parsing_context, task

from include.kernel.areas import Area, areas
from include.sources.declaration import SHARED_POOL, of_district, sources
from plugins.assets import DATASETS, POINTS, SHARED, announce, announce_accepted
from plugins.landing import landing
from plugins.links import ResultManifestLink, task_with
from plugins.run_plan import by_clock, date_param, planned, scheme_param
from plugins.task_wrapper import TASK_DEFAULTS, connection_from_airflow, leave_line, run_step

AT_THREE_IN_THE_MORNING = """
### {area} · one night

`plan` → `shared`, and per source, per dataset `land` → `validate`; then `conform` → `measure` → `compute` → `score` →
*points/{code}*

**At 3 a.m.** Open the red task; the last line of its log says what, where, what was kept and what to do.

- `plan`: the run's configuration was refused. Trigger again with `as_of` YYYY-MM-DD and an installed `scheme`.
- `shared`: a registry or a dataset of the city is still missing for this date and its department is down. As for
  `….land`. On an ordinary night `innopoints_city` has brought in all of it at 00:30.
- `….land`, waiting for a retry: a department is down. Wait; four retries span a quarter of an hour.
- `….land`, failed: refused, or down for longer. The last accepted snapshot is in use; call the department in the
  morning, then *clear* the task and all after it.
- `….validate`: the snapshot was rejected, its report is named in the log. As above: the last good one is in use.
- `conform`: a dataset has no accepted snapshot that its contract still allows. Get it landed, clear its `land`.
- `measure`, `compute`, `score`: a rule or a figure the code does not know. The district keeps its last good points;
  call an engineer.

Nothing is half-written: every task may be cleared at any time, and running it twice changes nothing. To redo past
days: *Trigger → Backfill*, or `airflow backfill create --dag-id innopoints_{code} --from-date … --to-date …`
(give the dates with `+08:00`).
"""


@task
def plan() -> dict[str, str]:
    from include.steps.district import compiled

    run = leave_line(planned, get_current_context())
    compiled(run["scheme"], date.fromisoformat(run["as_of"]))  # a broken rule file is said before anything lands
    return run


# The city's own run was the patient one.
@task(pool=SHARED_POOL, execution_timeout=timedelta(hours=1), retries=1, outlets=SHARED)
def shared(run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    done = run_step(steps.land_shared, date.fromisoformat(run["as_of"]), lookup=connection_from_airflow)
    announce_accepted(done["accepted"])
    return done


# The plan must hold; a dataset may fail: the last good snapshot is used.
@task_with(ResultManifestLink(), trigger_rule="all_done_min_one_success")
def conform(district: str, run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    return run_step(steps.conform, district, date.fromisoformat(run["as_of"]))


@task_with(ResultManifestLink())
def measure(district: str, run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    return run_step(steps.measure, district, date.fromisoformat(run["as_of"]))


@task_with(ResultManifestLink())
def compute(district: str, run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    return run_step(steps.compute, district, date.fromisoformat(run["as_of"]), run["scheme"])


@task_with(ResultManifestLink())
def score(district: str, run: dict[str, str]) -> dict[str, Any]:
    from include import steps

    scored = run_step(steps.score, district, date.fromisoformat(run["as_of"]), run["scheme"])
    announce({POINTS[district]: scored})
    return scored


def build(area: Area) -> None:
    """The DAG of one area. No start date: switching it on waits for the next 01:00 instead of running the last one."""

    @dag(
        dag_id=f"innopoints_{area.code}",
        dag_display_name=f"企业创新积分 · {area.name_zh}",
        description=f"Nightly refresh of {area.name_en}",
        doc_md=AT_THREE_IN_THE_MORNING.format(area=area.name_zh, code=area.code),
        schedule=by_clock("0 1 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=TASK_DEFAULTS,
        params={
            "as_of": date_param("Business date 业务日期 (empty: the run's day)", nullable=True),
            "scheme": scheme_param(),
        },
        tags=["innopoints", "district", area.name_zh],
    )
    def district() -> None:
        run = plan()
        own = [(dataset, area.code) for dataset in of_district()]
        landed = [group for source in sources().values() for group in landing(source, own, run)]
        given = {"district": area.code, "run": run}
        conformed, measured, computed = conform(**given), measure(**given), compute(**given)
        lineage = {"inlets": list(DATASETS.values()), "outlets": [POINTS[area.code]]}
        scored = score.override(**lineage)(**given)
        [shared(run), *landed] >> conformed >> measured >> computed >> scored

    district()


wanted = get_parsing_context().dag_id
for _area in areas().values():
    if wanted in (None, f"innopoints_{_area.code}"):
        build(_area)
