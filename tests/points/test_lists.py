"""Honours, recommendations, the banks' list and the ladder, by the dated rules of the small scheme."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from include.points.lists import lists, stage_distribution
from include.schemes.compile import Compiled

Row = Mapping[str, Any]


@pytest.fixture
def listed(small: Compiled, table: Callable[[Any], pa.Table]) -> Callable[[Mapping[str, Row]], dict[str, list[Row]]]:
    """Lists of a city given as: uscc -> stage, ability, result and, where they matter, coverage, value and measures."""

    def run(city: Mapping[str, Row]) -> dict[str, list[Row]]:
        def column(of: Callable[[Row], object], digits: int, scale: int) -> pa.Array:
            return pa.array([Decimal(str(of(row))) for row in city.values()], pa.decimal128(digits, scale))

        points = pa.table(
            {
                "uscc": list(city),
                "stage": [row["stage"] for row in city.values()],
                "total": column(lambda row: Decimal(str(row["ability"])) + Decimal(str(row["result"])), 9, 3),
                "ability": column(lambda row: row["ability"], 9, 3),
                "result": column(lambda row: row["result"], 9, 3),
                "coverage": column(lambda row: row.get("coverage", 1), 7, 6),
                "percentile_stage": column(lambda row: 1, 7, 6),
            }
        )
        values = pa.table(
            {
                "uscc": list(city),
                "indicator": ["ABI-01"] * len(city),
                "value": pa.array(
                    [None if (v := row.get("abi_01")) is None else Decimal(str(v)) for row in city.values()],
                    pa.decimal128(38, 6),
                ),
                "status": ["value"] * len(city),
            }
        )
        measures = table({uscc: row.get("measures", {}) for uscc, row in city.items()})
        found = lists(
            small, points=points, profile=points, values=values, measures=measures, ledger=pa.table({"uscc": []})
        )
        return {name: rows.to_pylist() for name, rows in found.items()}

    return run


def _places(rows: list[Row], honour: str) -> list[tuple[str, int]]:
    return [(row["uscc"], row["place"]) for row in rows if row["honour"] == honour]


def test_who_ties_at_the_last_place_is_in(listed: Callable[..., Any]) -> None:
    totals = {"a": 90, "b": 80, "c": 80, "d": 70}
    city = {code: {"stage": "grown", "ability": total, "result": 0} for code, total in totals.items()}
    assert _places(listed(city)["honours"], "标兵企业") == [("a", 1), ("b", 2), ("c", 2)]


def test_a_tie_is_first_broken_by_merit(listed: Callable[..., Any]) -> None:
    city = {
        "a": {"stage": "grown", "ability": 90, "result": 0},
        "b": {"stage": "grown", "ability": 80, "result": 0},
        "c": {"stage": "grown", "ability": 80, "result": 0, "abi_01": "0.01"},
    }
    assert _places(listed(city)["honours"], "标兵企业") == [("a", 1), ("c", 2)]


def test_a_share_counts_those_honoured_before_and_nobody_has_two(listed: Callable[..., Any]) -> None:
    grown = {code: {"stage": "grown", "ability": 90 - place, "result": 0} for place, code in enumerate("abcdef")}
    young = {code: {"stage": "young", "ability": 50 - place, "result": 0} for place, code in enumerate("xyz")}
    honours = listed(grown | young)["honours"]
    # Half of six grown is three, two of them are 标兵 already; half of three young is one.
    assert _places(honours, "标兵企业") == [("a", 1), ("b", 2)]
    assert _places(honours, "先进企业") == [("c", 1), ("x", 1)]


def test_too_little_coverage_or_a_veto_keeps_from_honours(listed: Callable[..., Any]) -> None:
    city = {
        "at the line": {"stage": "grown", "ability": 1, "result": 0, "coverage": "0.5"},
        "below": {"stage": "grown", "ability": 90, "result": 0, "coverage": "0.499999"},
        "vetoed": {"stage": "grown", "ability": 95, "result": 0, "measures": {"listings": 2}},
    }
    assert {row["uscc"] for row in listed(city)["honours"]} == {"at the line"}


def test_an_honour_that_hangs_on_one_category_is_not_robust(listed: Callable[..., Any]) -> None:
    city = {
        "balanced": {"stage": "grown", "ability": 45, "result": 45},
        "one-sided": {"stage": "grown", "ability": 80, "result": 0},  # result +25 %: overtaken by the next
        "next": {"stage": "grown", "ability": 0, "result": "79.9"},
    }
    robust = {row["uscc"]: row["robust"] for row in listed(city)["honours"] if row["honour"] == "标兵企业"}
    assert robust == {"balanced": True, "one-sided": False}


def test_the_suggested_limit_is_whole_steps_under_the_cap(listed: Callable[..., Any]) -> None:
    held = {"measures": {"certificate": 1}}
    city = {
        "capped": {"stage": "grown", "ability": "84.286", "result": 0, **held},  # 2 x 500000 x 0.84286 > 600000
        "cut down": {"stage": "young", "ability": "54.999", "result": 0, **held},  # 109998 -> 100000
        "at the step": {"stage": "young", "ability": 55, "result": 0, **held},  # 110000
        "below zero": {"stage": "young", "ability": -10, "result": 0, **held},
        "no certificate": {"stage": "young", "ability": 60, "result": 0, "measures": {"certificate": 0}},
        "not known": {"stage": "young", "ability": 60, "result": 0},
    }
    limits = {row["uscc"]: row["suggested_limit_yuan"] for row in listed(city)["credit_list"]}
    assert limits == {"capped": 600000, "cut down": 100000, "at the step": 110000, "below zero": 0}


def test_a_programme_takes_the_best_who_meet_every_condition(listed: Callable[..., Any]) -> None:
    city = {
        "best": {"stage": "young", "ability": 60, "result": 0, "abi_01": "0.049999"},
        "second": {"stage": "young", "ability": 50, "result": 0, "abi_01": "0.05"},
        "third": {"stage": "young", "ability": 40, "result": 0, "abi_01": "0.5"},
    }
    assert [(row["uscc"], row["place"]) for row in listed(city)["project_recommendation"]] == [("second", 1)]


def test_the_ladder_names_what_fails_and_what_nobody_knows(listed: Callable[..., Any]) -> None:
    city = {
        "eligible": {"stage": "young", "ability": 0, "result": 0, "abi_01": "0.05", "measures": {"patents": 1}},
        "holder": {"stage": "young", "ability": 0, "result": 0, "measures": {"certificate": 1, "patents": 0}},
    }
    ladder = {row["uscc"]: row for row in listed(city)["ladder"]}
    assert (ladder["eligible"]["holds"], ladder["eligible"]["eligible"]) == (False, True)
    assert json.loads(ladder["eligible"]["failed_conditions"]) == []
    assert (ladder["holder"]["holds"], ladder["holder"]["eligible"]) == (True, False)
    assert json.loads(ladder["holder"]["failed_conditions"]) == [
        {"condition": "研发强度不低于5%", "state": "not_held"},
        {"condition": "有专利", "state": "not_met"},
    ]


def test_stage_distribution_writes_the_empty_stages_too() -> None:
    profile = pa.table({"district": ["320411"] * 3 + ["320412"], "stage": ["young", "young", "grown", "young"]})
    assert [tuple(row.values()) for row in stage_distribution(profile).to_pylist()] == [
        ("320411", "grown", 1, Decimal("0.333333")),
        ("320411", "young", 2, Decimal("0.666667")),
        ("320412", "grown", 0, Decimal(0)),
        ("320412", "young", 1, Decimal(1)),
    ]
