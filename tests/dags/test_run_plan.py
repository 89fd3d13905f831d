"""Which day a run is for, and which configurations are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from include.kernel.errors import BadInput
from plugins.assets import POINTS, PUBLISH_REQUEST
from plugins.run_plan import (
    awaits_the_form,
    planned,
    planned_backfill,
    publication_reason,
    wanted_of_backfill,
)

pytestmark = pytest.mark.airflow

SCHEME = "changzhou_v1"
# 01:00 on 24 November in Shanghai: the UTC day is still the 23rd.
AT_ONE = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def context(
    *, logical_date: datetime | None, run_after: datetime = AT_ONE, conf: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What a task of a district sees, as far as the plan reads it."""
    params = {"as_of": None, "scheme": SCHEME} | (conf or {})
    run = SimpleNamespace(conf=conf, run_after=run_after, run_id="manual__1")
    dag = SimpleNamespace(params={"as_of": None, "scheme": SCHEME})
    return {"params": params, "dag_run": run, "logical_date": logical_date, "dag": dag}


def test_at_one_in_shanghai_the_business_date_is_the_shanghai_day() -> None:
    assert planned(context(logical_date=AT_ONE)) == {"as_of": "2026-11-24", "scheme": SCHEME}


def test_one_second_before_midnight_in_shanghai_is_still_the_day_before() -> None:
    before = datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC)
    assert planned(context(logical_date=before))["as_of"] == "2026-11-23"


def test_a_run_without_a_logical_date_is_for_the_day_it_was_asked_for() -> None:
    assert planned(context(logical_date=None))["as_of"] == "2026-11-24"


def test_a_backfilled_run_is_for_its_logical_date_whenever_it_runs() -> None:
    then = datetime(2026, 10, 1, 17, 0, tzinfo=UTC)
    assert planned(context(logical_date=then))["as_of"] == "2026-10-02"


def test_the_parameter_goes_before_the_logical_date() -> None:
    assert planned(context(logical_date=AT_ONE, conf={"as_of": "2026-11-20"}))["as_of"] == "2026-11-20"


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"as_of": "2026-02-30"}, "malformed date '2026-02-30'"),
        ({"as_of": "2026/11/20"}, "malformed date '2026/11/20'"),
        ({"as_of": "2026-11-20\n"}, "malformed date"),
        ({"as_of": "2026-11-25"}, "as_of 2026-11-25 has not begun"),
        ({"scheme": "../changzhou_v1"}, "unknown nightly scheme '../changzhou_v1'"),
        ({"scheme": "tech_sme_2017"}, "unknown nightly scheme 'tech_sme_2017'"),
        ({"asof": "2026-11-20"}, "unknown key 'asof'"),
        ({"as_of": "2026-11-20", "url": "http://169.254.169.254/"}, "unknown key 'url'"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_with_one_line(conf: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as refused:
        planned(context(logical_date=AT_ONE, conf=conf))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("dag_id", "conf"),
    [
        ("innopoints_320411", {"as_of": "2026-13-01"}),
        ("innopoints_320411", {"as_of": "20261120"}),
        ("innopoints_320411", {"as_of": 20261120}),
        ("innopoints_320411", {"scheme": "no_such_scheme"}),
        ("innopoints_backfill", {"districts": ["320499"]}),
        ("innopoints_backfill", {"districts": ["320411' OR '1'='1"]}),
        ("innopoints_backfill", {"districts": []}),
        ("innopoints_backfill", {"date_from": "yesterday"}),
        ("innopoints_backfill", {"reason": ""}),
    ],
)
def test_airflow_itself_refuses_what_the_parameters_do_not_allow(
    dags: dict[str, Any], dag_id: str, conf: dict[str, Any]
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    good = {"districts": ["320411"], "date_from": "2026-11-20", "date_to": "2026-11-20", "reason": "test"}
    params = DagSerialization.from_dict(DagSerialization.to_dict(dags[dag_id])).params
    base = good if dag_id == "innopoints_backfill" else {}
    params.deep_merge(base).validate()
    with pytest.raises(ValueError, match="Invalid input for param"):
        params.deep_merge(base | conf).validate()


def form(**conf: Any) -> dict[str, Any]:
    """What the plan of the back-fill form sees."""
    given = {
        "districts": ["320411", "3204JK"],
        "date_from": "2026-11-20",
        "date_to": "2026-11-21",
        "scheme": SCHEME,
        "reason": "test",
        "dry_run": False,
    } | conf
    run = SimpleNamespace(conf=given, run_after=AT_ONE, run_id="manual__1")
    return {"params": given, "dag_run": run, "logical_date": None, "dag": SimpleNamespace(params=dict.fromkeys(given))}


def test_the_form_plans_every_district_and_date_oldest_date_first() -> None:
    runs = planned_backfill(form())
    assert [(run["trigger_dag_id"], run["conf"]["as_of"]) for run in runs] == [
        ("innopoints_320411", "2026-11-20"),
        ("innopoints_3204JK", "2026-11-20"),
        ("innopoints_320411", "2026-11-21"),
        ("innopoints_3204JK", "2026-11-21"),
    ]
    assert {run["conf"]["scheme"] for run in runs} == {SCHEME}


def test_a_form_that_is_only_to_be_listed_plans_no_run() -> None:
    assert planned_backfill(form(dry_run=True)) == []
    assert len(wanted_of_backfill(form(dry_run=True))) == 4


def test_planning_the_form_again_names_the_same_runs() -> None:
    assert planned_backfill(form()) == planned_backfill(form())


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"date_from": "2026-11-22"}, "not a range"),
        ({"date_to": "2026-11-25"}, "not a range"),
        ({"districts": ["330106"]}, "unknown district '330106'"),
        ({"date_from": "2020-01-01"}, "more than 1000 runs"),
    ],
)
def test_a_form_that_cannot_be_is_refused(conf: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        planned_backfill(form(**conf))


def test_the_form_refuses_a_key_it_does_not_know() -> None:
    asked = form()
    asked["dag_run"].conf = asked["params"] | {"conn_id": "other"}
    with pytest.raises(BadInput, match="unknown key 'conn_id'"):
        planned_backfill(asked)


def rung(*run_ids: str, asked: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the publication sees of who rang: points of districts from these runs, and perhaps the form's request."""
    points = [SimpleNamespace(source_run_id=run_id, extra={}) for run_id in run_ids]
    request = [SimpleNamespace(source_run_id="manual__1", extra=asked)] if asked else []
    return {"triggering_asset_events": {POINTS["320411"]: points, PUBLISH_REQUEST: request}}


def test_days_of_the_form_wait_for_its_request_and_others_do_not() -> None:
    of_form = planned_backfill(form())[0]["trigger_run_id"]
    assert awaits_the_form(rung(of_form, of_form))
    assert not awaits_the_form(rung(of_form, "scheduled__2026-11-23T17:00:00+00:00"))
    assert not awaits_the_form(rung(of_form, asked={"dates": [], "reason": "test"}))
    assert not awaits_the_form(rung("backfill__2026-11-19T17:00:00+00:00"))
    assert not awaits_the_form(rung())


def test_the_reason_of_the_form_goes_to_the_dates_it_named() -> None:
    asked = {"dates": ["2026-11-20"], "reason": "late returns"}
    assert publication_reason(rung(asked=asked), "2026-11-20") == "late returns"
    assert publication_reason(rung(asked=asked), "2026-11-21") == ""
