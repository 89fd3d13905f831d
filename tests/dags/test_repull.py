"""The form that asks a department again: one task for each district, and what to back-fill afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from include.kernel.errors import TerminalError
from tests.dags.runs import run

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata")]

FORM = {"dataset": "TAX_VAT", "districts": ["320411", "320412"], "as_of": "2026-11-18", "reason": "已补报"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What each scope's department answers: given counts, or a rejection."""
    from include.steps import repull

    answers: dict[str, Any] = {"calls": []}

    def ask(dataset: str, scope: str, as_of: Any, *, reason: str, holder: str, lookup: Any) -> dict[str, Any]:
        answers["calls"].append((dataset, scope, as_of.isoformat(), reason))
        if scope not in answers:
            raise TerminalError("what came is rejected")
        counts = {"rows_in": 9, "duplicates": 0, "accepted": 9, "quarantined": 0}
        key = {"dataset": dataset, "scope": scope, "as_of": as_of.isoformat()}
        return {**key, "outcome": "replaced", **counts, **answers[scope]}

    monkeypatch.setattr(repull, "repull", ask)
    return answers


def test_what_reads_otherwise_is_the_form_of_the_backfill_that_follows(
    dags: dict[str, Any], asked: dict[str, Any], caplog: Any
) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    caplog.set_level("INFO")
    span = {"districts": ["320411"], "date_from": "2026-11-18", "date_to": "2026-11-20", "results": 3}
    asked |= {"320411": span, "320412": {"results": 0}}
    state, _ = run(dags["innopoints_repull"], FORM)
    assert state == "success"
    assert sorted(asked["calls"]) == [("TAX_VAT", scope, "2026-11-18", "已补报") for scope in FORM["districts"]]
    form = {
        "districts": ["320411"],
        "date_from": "2026-11-18",
        "date_to": "2026-11-20",
        "reason": "TAX_VAT pulled again",
    }
    assert f"3 results would read otherwise: {form}" in caplog.messages
    of_backfill = DagSerialization.from_dict(DagSerialization.to_dict(dags["innopoints_backfill"])).params
    of_backfill.deep_merge(form).validate()  # that form takes it as it is


def test_one_district_that_is_rejected_leaves_the_others_and_is_red(
    dags: dict[str, Any], asked: dict[str, Any]
) -> None:
    asked |= {"320411": {"results": 0}}
    _, states = run(dags["innopoints_repull"], FORM)
    assert sorted(states["repull"]) == ["failed", "success"]
    assert states["otherwise"] == ["success"]


@pytest.mark.parametrize(
    "conf", [{"dataset": "IP_PAT"}, {"districts": []}, {"as_of": "2099-01-01"}, {"scope": "city"}], ids=str
)
def test_a_form_that_cannot_be_asks_nobody(dags: dict[str, Any], asked: dict[str, Any], conf: dict[str, Any]) -> None:
    state, states = run(dags["innopoints_repull"], {**FORM, **conf})
    assert (state, states["plan"]) == ("failed", ["failed"])
    assert asked["calls"] == []
