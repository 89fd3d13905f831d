"""Ranks: a second, cheap pass over the whole city. They count who stands above; they never change anybody's points."""

from __future__ import annotations

import pyarrow as pa

from include.kernel.columns import as_decimal, sorted_by
from include.schemes.compile import COVERAGE_DECIMALS
from include.schemes.engine import session

RANKS = ("rank_all", "rank_stage", "rank_district")


def rank(points: pa.Table, profile: pa.Table) -> pa.Table:
    """`points` with competition ranks (1, 2, 2, 4) on the shown total, and the percentile inside the stage.

    percentile_stage = (n - rank_stage) / (n - 1): 1 is the best, 0 the last; a stage of one enterprise has 1.
    """
    points = sorted_by(points, "uscc")
    percentile = half_up_sql(f"((n_stage - rank_stage) * {10**COVERAGE_DECIMALS})", "(n_stage - 1)")
    with session() as engine:
        engine.register("points", points.select(["uscc", "stage", "total"]))
        engine.register("profile", profile.select(["uscc", "district"]))
        ranked = engine.sql(
            f"""
            WITH ranked AS (
                SELECT
                    uscc,
                    rank() OVER (ORDER BY total DESC) AS rank_all,
                    rank() OVER (PARTITION BY stage ORDER BY total DESC) AS rank_stage,
                    rank() OVER (PARTITION BY district ORDER BY total DESC) AS rank_district,
                    count(*) OVER (PARTITION BY stage) AS n_stage
                FROM points JOIN profile USING (uscc)
            )
            SELECT uscc, rank_all, rank_stage, rank_district,
                   CAST(coalesce({percentile}, {10**COVERAGE_DECIMALS}) AS BIGINT) AS percentile
            FROM ranked ORDER BY uscc
            """
        ).to_arrow_table()
    assert ranked.num_rows == points.num_rows, "every enterprise with points has one profile"
    for name in RANKS:
        points = points.append_column(name, ranked[name])
    return points.append_column("percentile_stage", as_decimal(ranked["percentile"], 7, COVERAGE_DECIMALS))


def half_up_sql(numerator: str, denominator: str) -> str:
    """numerator / denominator of two counts, rounded half up; NULL where the denominator is zero."""
    return f"CASE WHEN {denominator} <> 0 THEN (2 * {numerator} + {denominator}) // (2 * {denominator}) END"
