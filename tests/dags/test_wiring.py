"""Whole runs inside one process, with steps that only take notes: what is called, with what, and after what failure."""

from __future__ import annotations

from typing import Any

import pytest

from include.sources.declaration import of_district, shared, sources
from tests.dags.runs import DAY, DISTRICT, SCHEME, Notes, run

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata")]


def test_a_night_lands_and_validates_the_districts_datasets_then_scores(dags: dict[str, Any], notes: Notes) -> None:
    state, _ = run(dags[f"innopoints_{DISTRICT}"])
    assert state == "success"
    for step in ("land", "validate"):
        landed = sorted(given for name, given in notes.calls if name == step)
        assert landed == sorted((dataset, DISTRICT, DAY) for dataset in of_district())
    assert ("land_shared", (DAY,)) in notes.calls
    assert notes.names()[-4:] == ["conform", "measure", "compute", "score"]
    assert notes.calls[-1] == ("score", (DISTRICT, DAY, SCHEME))


def test_the_city_lands_what_all_share_then_conforms_it_once(dags: dict[str, Any], notes: Notes) -> None:
    notes.failing.add(("land", "IP_PAT"))
    state, _ = run(dags["innopoints_city"])
    assert state == "success"  # the last good snapshot is used
    landed = sorted(given for name, given in notes.calls if name == "land")
    assert landed == sorted((dataset, scope, DAY) for dataset, scope in shared())
    assert notes.calls[-1] == ("conform_city", (DAY,))
    assert "score" not in notes.names()


def test_the_holder_names_the_task_and_not_the_try_and_connections_come_from_airflow(
    dags: dict[str, Any], notes: Notes
) -> None:
    run(dags[f"innopoints_{DISTRICT}"])
    assert len(set(notes.holders)) == len(notes.holders)
    assert {holder.count("/") for holder in notes.holders} == {3}  # by which the ledger knows what a run made
    last = notes.holders[-1].split("/")
    assert (last[0], last[2:]) == (f"innopoints_{DISTRICT}", ["score", "-1"])
    connection = notes.connections[0]
    assert (connection.host, connection.login, connection.password, connection.extra) == (
        "http://127.0.0.1:1",
        "app",
        "pw",
        {"a": 1},
    )


def test_one_failed_dataset_leaves_the_others_and_the_district_is_still_scored(
    dags: dict[str, Any], notes: Notes
) -> None:
    notes.failing.add(("land", "TAX_VAT"))
    _, states = run(dags[f"innopoints_{DISTRICT}"])
    of_tax = [dataset for dataset in of_district() if dataset in sources()["tax_database"].datasets]
    where = of_tax.index("TAX_VAT")
    assert states["tax_database.land"] == ["failed" if i == where else "success" for i in range(len(of_tax))]
    assert states["tax_database.validate"][where] == "upstream_failed"
    assert states["tax_database.validate"].count("success") == len(of_tax) - 1
    assert states["score"] == ["success"]


def test_a_district_that_cannot_be_conformed_is_not_scored(dags: dict[str, Any], notes: Notes) -> None:
    notes.failing.add(("conform", DISTRICT))
    state, states = run(dags[f"innopoints_{DISTRICT}"])
    assert (state, states["score"]) == ("failed", ["upstream_failed"])
    assert "score" not in notes.names()


def test_a_refused_configuration_starts_nothing(dags: dict[str, Any], notes: Notes) -> None:
    state, states = run(dags[f"innopoints_{DISTRICT}"], {"asof": DAY})
    assert (state, states["plan"], states["conform"]) == ("failed", ["failed"], ["upstream_failed"])
    assert notes.calls == []


def test_the_city_ranks_and_publishes_every_date_that_is_due(dags: dict[str, Any], notes: Notes) -> None:
    notes.due = [{"as_of": day, "scheme": SCHEME} for day in ("2026-11-18", "2026-11-19")]
    state, _ = run(dags["innopoints_publish"])
    assert state == "success"
    for step in ("rank", "publish"):
        assert sorted(given[0] for name, given in notes.calls if name == step) == ["2026-11-18", "2026-11-19"]


def test_nothing_due_publishes_nothing(dags: dict[str, Any], notes: Notes) -> None:
    state, _ = run(dags["innopoints_publish"])
    assert state == "success"
    assert notes.names() == ["due"]


def test_what_one_run_is_asked_is_not_what_the_next_one_is_given(dags: dict[str, Any], notes: Notes) -> None:
    for conf, day in (({"as_of": "2026-11-18"}, "2026-11-18"), (None, DAY)):
        run(dags["innopoints_retention"], conf)
        assert notes.calls[-1] == ("retain", (day,))
