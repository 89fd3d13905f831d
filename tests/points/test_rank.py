"""Ranks count who stands above; equals share a rank whatever their order."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from include.points.rank import rank


def _city(totals: list[tuple[str, str, str, str]]) -> tuple[pa.Table, pa.Table]:
    codes = [uscc for uscc, *_ in totals]
    points = pa.table(
        {
            "uscc": codes,
            "stage": [stage for _, stage, _, _ in totals],
            "total": pa.array([Decimal(total) for *_, total in totals], pa.decimal128(9, 3)),
        }
    )
    return points, pa.table({"uscc": codes, "district": [district for _, _, district, _ in totals]})


CITY = [
    ("a", "young", "320411", "90.000"),
    ("b", "young", "320412", "80.000"),
    ("c", "young", "320411", "80.000"),
    ("d", "young", "320411", "79.999"),
    ("e", "grown", "320412", "85.000"),
]


def test_competition_ranks_and_percentiles() -> None:
    found = {row["uscc"]: row for row in rank(*_city(CITY)).to_pylist()}
    assert {code: row["rank_all"] for code, row in found.items()} == {"a": 1, "e": 2, "b": 3, "c": 3, "d": 5}
    assert {code: row["rank_stage"] for code, row in found.items()} == {"a": 1, "b": 2, "c": 2, "d": 4, "e": 1}
    assert {code: row["rank_district"] for code, row in found.items()} == {"a": 1, "c": 2, "d": 3, "e": 1, "b": 2}
    # young has 4: (4 - rank) / 3; grown has one enterprise, which is the best.
    assert {code: str(row["percentile_stage"]) for code, row in found.items()} == {
        "a": "1.000000",
        "b": "0.666667",
        "c": "0.666667",
        "d": "0.000000",
        "e": "1.000000",
    }


def test_the_order_of_rows_changes_nothing() -> None:
    points, profile = _city(CITY)
    backwards = list(range(len(CITY)))[::-1]
    assert rank(points.take(backwards), profile).equals(rank(points, profile))
