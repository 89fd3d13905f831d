"""Which day and scheme a run is for, what its configuration may say, and which bell it answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param

import include
from include.kernel.areas import areas, require_area
from include.kernel.errors import BadInput, shown
from include.kernel.periods import business_date, parse_as_of, require_begun
from include.kernel.references import ResultKey
from plugins.assets import PUBLISH_REQUEST

TIMEZONE = "Asia/Shanghai"
# Schemes for supplied measures keep their weights in a tree, those of the nightly run in weights.yaml.
SCHEMES = sorted(path.parent.name for path in Path(include.__path__[0]).glob("schemes/*/weights.yaml"))
DEFAULT_SCHEME = "changzhou_v1"
FORM_RUN = "backfill_form__"
MOST_RUNS = 1000  # Airflow maps at most 1,024 tasks


def by_clock(cron: str) -> CronTriggerTimetable:
    """A schedule in Shanghai's hours that begins with the next run.

    By default Airflow also starts, in a DAG that never ran, the run of up to a tenth of the interval ago: at 02:00 that
    of 00:30. Five minutes are left so that the first run cannot slip between two readings of its file.
    """
    return CronTriggerTimetable(cron, timezone=TIMEZONE, run_immediately=timedelta(minutes=5))


def date_param(title: str, *, nullable: bool) -> Param:
    """A date picker; the server refuses what is not YYYY-MM-DD."""
    allowed = ["null", "string"] if nullable else "string"
    options: dict[str, Any] = {"type": allowed, "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$", "title": title}
    return Param(None, **options) if nullable else Param(**options)


def scheme_param() -> Param:
    """The scheme, one of those installed."""
    return Param(DEFAULT_SCHEME, type="string", enum=SCHEMES, title="Scheme 积分方案")


def districts_param(title: str, *, nullable: bool) -> Param:
    """Some of the districts, each once."""
    options: dict[str, Any] = {
        "type": ["null", "array"] if nullable else "array",
        "uniqueItems": True,
        "items": {"type": "string", "enum": list(areas())},
        "examples": list(areas()),
        "values_display": {code: area.name_zh for code, area in areas().items()},
        "title": title,
    }
    return Param(None, **options) if nullable else Param(minItems=1, **options)


def reason_param() -> Param:
    """Why somebody asks; kept with what comes of it."""
    return Param(type="string", minLength=3, maxLength=200, title="Reason 原因")


def run_moment(context: Mapping[str, Any]) -> datetime:
    """The moment a run stands for: its logical date, else (manual and asset-triggered runs have none) its run-after."""
    return context.get("logical_date") or context["dag_run"].run_after


def is_scheduled(context: Mapping[str, Any]) -> bool:
    """Whether this run came by the schedule, at its hour."""
    return context["dag_run"].run_type == "scheduled"


def refuse_unknown_keys(context: Mapping[str, Any]) -> None:
    """Airflow checks the parameters it knows and lets any other key of the configuration pass: we do not."""
    allowed = sorted(context["dag"].params)
    unknown = sorted(set(context["dag_run"].conf or {}) - set(allowed))
    if unknown:
        raise BadInput(
            f"unknown key {unknown[0]!r:.40} in the run's configuration",
            where=context["dag_run"].run_id,
            kept="nothing was started",
            todo=f"use only {', '.join(allowed) or 'an empty configuration'}",
        )


def planned_day(context: Mapping[str, Any]) -> dict[str, str]:
    """The business date of a run. It is decided here and nowhere else.

    Parameter `as_of`, else the Shanghai day of the run's moment: at 01:00 in Shanghai the UTC day is still yesterday.
    A day that has not begun has records yet to arrive, so its snapshot could never be repeated: refused.
    """
    refuse_unknown_keys(context)
    asked = context["params"]["as_of"]
    as_of = parse_as_of(asked) if asked else business_date(run_moment(context))
    require_begun(as_of, business_date(context["dag_run"].run_after))
    return {"as_of": as_of.isoformat()}


def planned(context: Mapping[str, Any]) -> dict[str, str]:
    """The business date and the scheme of a district's run."""
    day, scheme = planned_day(context), context["params"]["scheme"]
    if scheme not in SCHEMES:
        raise BadInput(f"unknown nightly scheme {shown(scheme)}", todo=f"use one of {', '.join(SCHEMES)}")
    return {**day, "scheme": scheme}


def wanted_of_backfill(context: Mapping[str, Any]) -> list[ResultKey]:
    """Every date × district of the form, oldest date first."""
    refuse_unknown_keys(context)
    params, form = context["params"], context["dag_run"]
    first, last, today = parse_as_of(params["date_from"]), parse_as_of(params["date_to"]), business_date(form.run_after)
    if not first <= last <= today:
        raise BadInput(
            f"dates {first} to {last} are not a range that ends by {today}",
            kept="nothing was started",
            todo="give date_from <= date_to <= today",
        )
    districts = [require_area(code) for code in params["districts"]]
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    if len(days) * len(districts) > MOST_RUNS:
        raise BadInput(
            f"{len(days)} dates x {len(districts)} districts are more than {MOST_RUNS} runs",
            kept="nothing was started",
            todo="split the range",
        )
    return [ResultKey(day, district, params["scheme"]) for day in days for district in districts]


def planned_backfill(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One run of a district's DAG for each date and district of the form; none where it is only to be previewed.

    The run ids are derived from the form's run: a cleared task finds and resets its own run instead of adding another.
    """
    wanted = wanted_of_backfill(context)
    stamp = context["dag_run"].run_after.strftime("%Y%m%dT%H%M%S%f")
    return [
        {
            "trigger_dag_id": f"innopoints_{key.district}",
            "trigger_run_id": f"{FORM_RUN}{key.as_of}__{stamp}",
            "conf": {"as_of": key.as_of.isoformat(), "scheme": key.scheme},
        }
        for key in ([] if context["params"]["dry_run"] else wanted)
    ]


def awaits_the_form(context: Mapping[str, Any]) -> bool:
    """Was the bell rung by runs of the back-fill form alone? The form asks for one publication when all are done."""
    rung_by = [event for events in context["triggering_asset_events"].values() for event in events]
    return bool(rung_by) and all((event.source_run_id or "").startswith(FORM_RUN) for event in rung_by)


def publication_reason(context: Mapping[str, Any], as_of: str) -> str:
    """What the forms that asked for the publication of a date gave as their reasons."""
    asked = context["triggering_asset_events"][PUBLISH_REQUEST]
    return "; ".join(sorted({event.extra["reason"] for event in asked if as_of in event.extra["dates"]}))
