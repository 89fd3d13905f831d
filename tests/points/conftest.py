"""The small scheme compiled, and facts written as dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.indicators.evaluate import evaluate
from include.points.score import Scored, score
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.model import load_scheme

SMALL = Path(__file__).parents[1] / "schemes" / "small"
Facts = Mapping[str, Mapping[str, Any]]
NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})


@pytest.fixture(scope="session")
def small() -> Compiled:
    return compile_scheme(load_scheme(SMALL), date(2026, 1, 1), {})


@pytest.fixture(scope="session")
def table(small: Compiled) -> Callable[[Facts], pa.Table]:
    """Measures of the given enterprises, in the order given; what is not given is not held."""

    def make(facts: Facts) -> pa.Table:
        columns: dict[str, Any] = {"uscc": pa.array(list(facts), pa.string())}
        for name, quantity in small.measures.items():
            held = [Decimal(str(row[name])) if name in row else None for row in facts.values()]
            columns[name] = pa.array(held, pa.decimal128(24, quantity.decimals))
        return pa.table(columns)

    return make


@pytest.fixture(scope="session")
def scored(small: Compiled, table: Callable[[Facts], pa.Table]) -> Callable[[Facts], Scored]:
    def run(facts: Facts) -> Scored:
        measures = table(facts)
        return score(small, evaluate(small, measures, NOBODY), measures)

    return run
