"""A ratio is above or below a line by cross-multiplication, never by its rounded picture: a/b >= p/q as a·q >= b·p."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.indicators.evaluate import evaluate
from include.points.score import score
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.model import load_scheme

SMALL = Path(__file__).parents[1] / "schemes" / "small"
NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
LINES = [(1, 50, 20), (3, 100, 40), (1, 10, 60), (1, 4, 80), (3, 10, 100)]
"""p, q and the raw points from p/q on."""


@pytest.fixture(scope="module", params=["[a,b)", "(a,b]"])
def stepped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Compiled, str]:
    """The small scheme with R&D intensity in steps, the line itself on either side."""
    folder = tmp_path_factory.mktemp("steps")
    shutil.copytree(SMALL, folder, dirs_exist_ok=True)
    scheme, indicator = folder / "scheme.yaml", folder / "ability" / "ABI-01.yaml"
    scheme.write_text(scheme.read_text(encoding="utf-8").replace("[a,b)", request.param), encoding="utf-8")
    steps = "; ".join(f"{Decimal(p) / q}:{points}" for p, q, points in LINES)
    text = indicator.read_text(encoding="utf-8")
    assert "linear(0; 0.1)" in text
    indicator.write_text(text.replace("linear(0; 0.1)", f"step({steps})"), encoding="utf-8")
    return compile_scheme(load_scheme(folder), date(2026, 1, 1), {}), request.param


def on_paper(spent: int, revenue: int, edge: str) -> int:
    """The points of the highest line that is reached (or, for the other edge, passed)."""
    reached = [
        points for p, q, points in LINES if spent * q > revenue * p or (edge == "[a,b)" and spent * q == revenue * p)
    ]
    return max(reached, default=0)


def shown(spent: int, revenue: int, edge: str) -> Decimal:
    """Half up at six places, but never over a line that the ratio itself has not reached (or passed)."""
    millionths = (2 * spent * 10**6 + revenue) // (2 * revenue)
    side = on_paper(spent, revenue, edge)
    while (rounded := on_paper(millionths, 10**6, edge)) != side:
        millionths += 1 if rounded < side else -1
    return Decimal(millionths).scaleb(-6)


def engine(compiled: Compiled, facts: list[tuple[int, int]]) -> list[tuple[Decimal, Decimal]]:
    """Value and raw points of each (spent, revenue), both in cents."""
    columns: dict[str, pa.Array] = {"uscc": pa.array([f"e{number:04}" for number in range(len(facts))])}
    for name, quantity in compiled.measures.items():
        column = {"rd": 0, "revenue": 1}.get(name)
        held = [None if column is None else Decimal(pair[column]).scaleb(-2) for pair in facts]
        columns[name] = pa.array(held, pa.decimal128(24, quantity.decimals))
    measures = pa.table(columns)
    ledger = score(compiled, evaluate(compiled, measures, NOBODY), measures).ledger.to_pylist()
    return [(line["value"], line["raw_points"]) for line in ledger if line["indicator"] == "ABI-01"]


@pytest.mark.parametrize(("p", "q", "points"), LINES, ids=[f"{p} of {q}" for p, q, _ in LINES])
def test_one_cent_below_the_line_is_below_however_large_the_enterprise(
    stepped: tuple[Compiled, str], p: int, q: int, points: int
) -> None:
    """Revenue up to a hundred billion yuan: the cent is the thirteenth digit, the shown value has six."""
    compiled, edge = stepped
    facts = [
        (p * size * 10**n + cent, q * size * 10**n) for size in (1, 7, 10**4) for n in (2, 5, 7) for cent in (-1, 0, 1)
    ]
    found = [raw for _, raw in engine(compiled, facts)]
    assert found == [on_paper(*pair, edge) for pair in facts]
    assert points in found


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(LINES), st.integers(1, 10**10), st.integers(-3, 3)).map(
            lambda drawn: (max(drawn[0][0] * drawn[1] + drawn[2], 0), drawn[0][1] * drawn[1])
        ),
        min_size=20,
        max_size=60,
    )
)
def test_any_ratio_near_a_line_scores_on_its_side(stepped: tuple[Compiled, str], facts: list[tuple[int, int]]) -> None:
    compiled, edge = stepped
    found = engine(compiled, facts)
    assert [raw for _, raw in found] == [on_paper(*pair, edge) for pair in facts]
    assert [value for value, _ in found] == [shown(*pair, edge) for pair in facts]
