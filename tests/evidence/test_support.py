"""Which rows a number stands on, found without being told: small measures whose answer is known on paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from include.evidence.support import Support, supports

ENTERPRISE = pa.table({"uscc": ["x"], "name": ["甲公司"]})


def of(sql: str, rows: list[dict[str, Any]], **registration: Any) -> Support:
    """The support of the one measure `n` that `sql` gives per uscc from `enterprises` and `records`."""
    enterprises = pa.table({"uscc": ["x"], **{name: [value] for name, value in registration.items()}})
    table = pa.Table.from_pylist([{"uscc": "x", "_page": 1, "_ordinal": i, **row} for i, row in enumerate(rows)])

    def measure(tables: Mapping[str, pa.Table]) -> pa.Table:
        with duckdb.connect() as connection:
            for name, one in tables.items():
                connection.register(name, one)
            return connection.sql(sql).to_arrow_table()

    read = frozenset({"enterprises", "records"})
    return supports({"enterprises": enterprises, "records": table}, measure, {"n": read})["n"]


def places(support: Support) -> list[int]:
    return [place for _, place in support.rows]


def test_a_sum_stands_on_the_rows_of_its_year_and_on_two_columns() -> None:
    sql = """
        SELECT e.uscc, CAST(sum(r.amount) FILTER (WHERE r.year = 2025) AS BIGINT) AS n
        FROM enterprises AS e LEFT JOIN records AS r ON r.uscc = e.uscc GROUP BY e.uscc
    """
    rows = [{"year": 2024, "amount": 7, "note": "a"}, {"year": 2025, "amount": 1, "note": "b"}]
    found = of(sql, [*rows, {"year": 2025, "amount": 2, "note": "c"}])
    assert (found.value, places(found), found.columns) == (3, [1, 2], {"records": ("year", "amount")})


def test_of_two_rows_of_the_highest_level_one_is_enough() -> None:
    sql = "SELECT e.uscc, max(r.level) AS n FROM enterprises AS e LEFT JOIN records AS r USING (uscc) GROUP BY e.uscc"
    found = of(sql, [{"level": 1}, {"level": 3}, {"level": 3}])
    assert (found.value, places(found), found.is_minimal) == (3, [1], True)


def test_a_cancellation_is_evidence_of_the_zero() -> None:
    sql = """
        SELECT e.uscc, CAST(coalesce(max(CASE WHEN r.status = '有效' THEN 1 ELSE 0 END), 0) AS BIGINT) AS n
        FROM enterprises AS e
        LEFT JOIN (SELECT * FROM records QUALIFY row_number() OVER (PARTITION BY uscc ORDER BY day DESC) = 1) AS r
            ON r.uscc = e.uscc
        GROUP BY e.uscc
    """
    found = of(sql, [{"day": 1, "status": "有效"}, {"day": 2, "status": "取消"}])
    assert (found.value, places(found)) == (0, [1])


def test_a_true_zero_of_a_register_stands_on_no_row() -> None:
    sql = """
        SELECT e.uscc, count(r.uscc) AS n
        FROM enterprises AS e LEFT JOIN records AS r ON r.uscc = e.uscc AND r.valid GROUP BY e.uscc
    """
    found = of(sql, [{"valid": False}, {"valid": False}])
    assert (found.value, found.rows, found.columns) == (0, (), {})


def test_distinct_people_of_many_rows_are_covered_by_a_minimal_set() -> None:
    """Three names over four rows, none of which is needed alone: a b | b c | c a | a b."""
    sql = """
        SELECT e.uscc, count(DISTINCT p.part) AS n FROM enterprises AS e
        LEFT JOIN (SELECT uscc, unnest(string_split(people, ';')) AS part FROM records) AS p ON p.uscc = e.uscc
        GROUP BY e.uscc
    """
    found = of(sql, [{"people": text} for text in ("a;b", "b;c", "c;a", "a;b")])
    assert found.value == 3
    assert found.is_minimal
    assert len(found.rows) == 2
    assert found.columns == {"records": ("people",)}


def test_more_spare_rows_than_are_tried_at_once_still_give_the_first_that_suffices() -> None:
    sql = "SELECT e.uscc, max(r.level) AS n FROM enterprises AS e LEFT JOIN records AS r USING (uscc) GROUP BY e.uscc"
    levels = [0] * 300 + [5] + [1] * 200 + [5] * 3
    found = of(sql, [{"level": level} for level in levels])
    assert (found.value, places(found)) == (5, [300])


def test_the_registration_is_evidence_by_the_columns_that_matter() -> None:
    sql = "SELECT uscc, capital * 2 AS n FROM enterprises"
    found = of(sql, [{"level": 1}], capital=21, name="甲公司")
    assert (found.value, found.rows, found.columns) == (42, (), {"enterprises": ("capital",)})
