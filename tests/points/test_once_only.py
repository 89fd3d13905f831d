"""What was computed wholly from records already held, and why the rest was not: two enterprises on paper."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from include.points.once_only import STALE_DATASETS, once_only
from include.schemes.compile import Compiled
from include.schemes.model import require_scheme
from include.schemes.paper_form import PaperForm, paper_form

NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
DATASETS_OF = {
    "rd": ("TAX_RDD",),
    "revenue": ("TAX_CIT",),
    "revenue_prior1": ("TAX_CIT",),
    "patents": ("IP_PAT",),
    "debt": ("TAX_FIN",),
    "certificate": ("ST_QUAL",),
    "listings": ("REG_RISK",),
}
FORM = PaperForm.model_validate(
    {
        "from": date(2024, 1, 1),
        "reference": "ours",
        "indicators": {
            "ABI-01": ["研发费用", "营业收入"],
            "ABI-02": ["专利清单"],
            "ABI-03": ["负债", "营业收入"],
            "ABI-04": ["异常记录"],
            "RES-01": ["营业收入", "上年营业收入"],
            "RES-02": ["专利清单"],
            "RES-03": ["证书编号"],
        },
    }
)


def run(small: Compiled, statuses: dict[str, dict[str, str]], facts: pa.Table, **more: Any) -> dict[str, list[Any]]:
    """The once-only tables of enterprises in stage young and district 320411, given the status of their lines."""
    rows = [
        {"uscc": uscc, "indicator": indicator, "status": status}
        for indicator in small.indicators
        for uscc, of_enterprise in statuses.items()
        if (status := of_enterprise.get(indicator, "value"))
    ]
    profile = pa.table(
        {"uscc": list(statuses), "district": ["320411"] * len(statuses), "stage": ["young"] * len(statuses)}
    )
    given = {"quarantined": NOBODY, "stale": STALE_DATASETS.empty_table(), "form": FORM, **more}
    found = once_only(
        small, profile=profile, values=pa.Table.from_pylist(rows), measures=facts, datasets_of=DATASETS_OF, **given
    )
    return {name: table.to_pylist() for name, table in found.items()}


@pytest.fixture
def everything(table: Any) -> pa.Table:
    held = {
        "revenue": 2000,
        "revenue_prior1": 1600,
        "rd": 100,
        "patents": 1,
        "debt": 8,
        "listings": 0,
        "certificate": 1,
    }
    return table({"a": held})


def test_a_pair_that_does_not_apply_does_not_count_and_weights_count_in_the_share(small: Compiled, table: Any) -> None:
    """Young weights: ABI 20 20 20 10, RES 20 20 0. ABI-02 and RES-02 (patents) not held, ABI-03 does not apply:
    six pairs, four held; weights 50 of 90.
    """
    facts = table({"a": {"revenue": 2000, "revenue_prior1": 1600, "rd": 100, "listings": 0, "certificate": 1}})
    found = run(small, {"a": {"ABI-02": "not_held", "RES-02": "not_held", "ABI-03": "not_applicable"}}, facts)
    assert found["once_only"] == [
        {
            "district": "320411",
            "applicable_pairs": 6,
            "from_records_pairs": 4,
            "share": Decimal("0.666667"),
            "weighted_share": Decimal("0.555556"),
        }
    ]
    by_indicator = {
        row["indicator"]: (row["applicable_pairs"], row["from_records_pairs"]) for row in found["once_only_indicator"]
    }
    assert by_indicator["ABI-02"] == (1, 0)
    assert "ABI-03" not in by_indicator
    assert [row["indicator"] for row in found["once_only_indicator"]] == [i for i in small.indicators if i != "ABI-03"]


def test_a_gap_names_the_dataset_that_holds_nothing(small: Compiled, table: Any) -> None:
    facts = table({"a": {"revenue_prior1": 1600, "listings": 0}, "b": {"revenue": 0, "revenue_prior1": 1, "rd": 5}})
    statuses = {"a": {"ABI-01": "not_held", "RES-01": "not_held"}, "b": {"ABI-01": "not_held"}}
    found = run(small, statuses, facts)
    assert found["once_only_gap"] == [
        {"uscc": "a", "indicator": "ABI-01", "reason": "not_held", "datasets": "TAX_CIT TAX_RDD"},
        {"uscc": "a", "indicator": "RES-01", "reason": "not_held", "datasets": "TAX_CIT"},
        # Everything is held, but a share of no revenue has no value.
        {"uscc": "b", "indicator": "ABI-01", "reason": "no_value", "datasets": ""},
    ]
    assert {(row["indicator"], row["reason"]): row["pairs"] for row in found["once_only_reason"]} == {
        ("ABI-01", "no_value"): 1,
        ("ABI-01", "not_held"): 1,
        ("RES-01", "not_held"): 1,
    }


def test_rows_in_quarantine_are_a_reason_of_their_own(small: Compiled, everything: pa.Table) -> None:
    held_back = pa.table({"uscc": ["a", "a"], "dataset": ["TAX_CIT", "ST_QUAL"]})
    found = run(small, {"a": {"RES-01": "in_quarantine"}}, everything, quarantined=held_back)
    assert found["once_only_gap"] == [
        {"uscc": "a", "indicator": "RES-01", "reason": "in_quarantine", "datasets": "TAX_CIT"}
    ]


def test_a_value_from_a_snapshot_that_is_too_old_is_not_from_valid_records(
    small: Compiled, everything: pa.Table
) -> None:
    stale = pa.Table.from_pylist([{"district": "320411", "dataset": "TAX_RDD"}], STALE_DATASETS)
    elsewhere = pa.Table.from_pylist([{"district": "320412", "dataset": "TAX_RDD"}], STALE_DATASETS)
    assert [
        (g["indicator"], g["reason"], g["datasets"])
        for g in run(small, {"a": {}}, everything, stale=stale)["once_only_gap"]
    ] == [("ABI-01", "stale", "TAX_RDD")]
    assert run(small, {"a": {}}, everything, stale=elsewhere)["once_only_gap"] == []


def test_a_field_counts_once_per_enterprise_and_is_saved_when_any_indicator_that_needs_it_is(
    small: Compiled, everything: pa.Table
) -> None:
    """Six asked: 研发费用 营业收入 专利清单 异常记录 上年营业收入 证书编号; 负债 only where it does not apply.
    ABI-01 not from records, RES-01 is: 营业收入 is saved, 研发费用 is not. RES-03 is not: 证书编号 is not.
    """
    found = run(small, {"a": {"ABI-01": "not_held", "ABI-03": "not_applicable", "RES-03": "not_held"}}, everything)
    assert found["fields_saved"] == [
        {
            "district": "320411",
            "form_from": date(2024, 1, 1),
            "enterprises": 1,
            "fields_asked": 6,
            "fields_saved": 4,
            "share": Decimal("0.666667"),
        }
    ]


def test_without_a_form_nothing_is_said_about_fields(small: Compiled, everything: pa.Table) -> None:
    assert run(small, {"a": {}}, everything, form=None)["fields_saved"] == []


@pytest.mark.parametrize("scheme", ["changzhou_v1", "national_core"])
def test_the_frozen_form_asks_something_for_every_indicator(scheme: str) -> None:
    form = paper_form(require_scheme(scheme), date(2026, 11, 20))
    assert form is not None
    assert form.reference.startswith("ours")
    assert set(form.indicators) == set(require_scheme(scheme).indicators)


def test_the_form_of_2021_is_frozen() -> None:
    """143 distinct fields in 188 places, counted on paper: a new demand is a new dated form, never an edit."""
    form = paper_form(require_scheme("changzhou_v1"), date(2021, 4, 30))
    assert form is not None
    fields = [field for asked in form.indicators.values() for field in asked]
    assert (len(set(fields)), len(fields)) == (143, 188)
