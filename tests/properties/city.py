"""A small city of generated facts, and how it is scored: what the laws are tried on."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import settings
from hypothesis import strategies as st

from include.indicators.evaluate import evaluate
from include.kernel.exact import from_scaled
from include.points.rank import rank
from include.points.score import Scored, score
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.expression import Quantity
from include.schemes.model import load_scheme

NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
DAY = date(2026, 1, 1)
DIRECTORY = Path(__file__).parents[1] / "schemes" / "small"
SMALL = compile_scheme(load_scheme(DIRECTORY), DAY, {})

Facts = dict[str, int | None]

FACT = st.one_of(st.none(), st.just(0), st.integers(0, 3000), st.integers(0, 10**9))
FACTS: st.SearchStrategy[Facts] = st.fixed_dictionaries(
    {
        "revenue": FACT,
        "revenue_prior1": FACT,
        "age": st.one_of(st.none(), st.integers(0, 2000)),
        "rd": FACT,
        "patents": st.one_of(st.none(), st.integers(0, 12000)),
        "debt": FACT,
        "listings": st.one_of(st.none(), st.integers(0, 30)),
        "certificate": st.one_of(st.none(), st.integers(0, 1)),
    }
)
CITY = st.lists(FACTS, min_size=6, max_size=25)
POSITIVE = ("revenue", "revenue_prior1", "rd", "patents", "debt", "certificate")
STAGES = st.sampled_from(SMALL.scheme.stage_ids)
laws = settings(max_examples=6, deadline=None)


def table(city: list[Facts], compiled: Compiled = SMALL) -> pa.Table:
    columns: dict[str, Any] = {"uscc": pa.array([f"e{number:03}" for number in range(len(city))])}
    for name, quantity in compiled.measures.items():
        held = [None if facts.get(name) is None else _number(facts[name], quantity) for facts in city]
        columns[name] = pa.array(held, pa.decimal128(24, quantity.decimals))
    return pa.table(columns)


def _number(scaled: int | None, quantity: Quantity) -> Decimal:
    assert scaled is not None
    return from_scaled(scaled, quantity.decimals)


def run(measures: pa.Table, compiled: Compiled = SMALL, stage: str | None = None) -> Scored:
    """Score; with `stage`, everybody is in it, so that a changed fact does not change the weights."""
    stages = None
    if stage is not None:
        n = measures.num_rows
        stages = pa.table({"uscc": measures["uscc"].sort(), "stage": [stage] * n, "stage_reason": [""] * n})
    return score(compiled, evaluate(compiled, measures, NOBODY), measures, stages=stages)


def totals(scored: Scored) -> list[Decimal]:
    return scored.points["total"].to_pylist()


def ranking(scored: Scored) -> list[dict[str, Any]]:
    """The points with their ranks, all enterprises in one district."""
    profile = pa.table({"uscc": scored.points["uscc"], "district": ["320411"] * len(scored.points)})
    return rank(scored.points, profile).to_pylist()


def ranks(scored: Scored) -> list[int]:
    return [row["rank_all"] for row in ranking(scored)]


def as_bytes(scored: Scored) -> list[bytes]:
    written = []
    for one in scored.tables().values():
        sink = io.BytesIO()
        pq.write_table(one, sink)
        written.append(sink.getvalue())
    return written
