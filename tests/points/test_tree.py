"""A scheme with a tree, through the door of `innopoints score`: published results and arithmetic on paper."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal, getcontext
from pathlib import Path

import pytest

from include.steps.supplied import score_file

SCHEMES = Path(__file__).parents[1] / "schemes"
DAY = date(2026, 11, 20)


def score(tmp_path: Path, scheme: Path, given: dict[str, dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    """Enterprise → row name → row."""
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    rows = [f"{one},,{name},{value}" for one, held in given.items() for name, value in held.items()]
    source.write_text("\n".join(["uscc,stage,measure,value", *rows]) + "\n", encoding="utf-8")
    score_file(str(scheme), source, out, DAY)
    found: dict[str, dict[str, dict[str, str]]] = {}
    with out.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["uscc"], {})[row["indicator"]] = row
    return found


# Human Development Report 2020, table 1: life expectancy, expected and mean years of schooling, income; the index.
PUBLISHED = {
    "Norway": ("82.4", "18.1", "12.9", "66494", "0.957"),
    "Ireland": ("82.3", "18.7", "12.7", "68371", "0.955"),
    "Switzerland": ("83.8", "16.3", "13.4", "69394", "0.955"),
    "Hong Kong": ("84.9", "16.9", "12.3", "62985", "0.949"),
    "Iceland": ("83.0", "19.1", "12.8", "54682", "0.949"),
    "Germany": ("81.3", "17.0", "14.2", "55314", "0.947"),
    "China": ("76.9", "14.0", "8.1", "16057", "0.761"),
    "Niger": ("62.4", "6.5", "2.1", "1201", "0.394"),
}
NAMES = ["life_expectancy_years", "expected_schooling_years", "mean_schooling_years", "gni_per_head"]


def _on_paper(life: str, expected: str, mean: str, income: str) -> Decimal:
    """Technical note 1: the cube of the index, with schooling capped at its goalpost (18 years)."""
    getcontext().prec = 60
    health = (Decimal(life) - 20) / 65
    education = (min(Decimal(expected), Decimal(18)) / 18 + Decimal(mean) / 15) / 2
    return health * education * (Decimal(income) / 100).ln() / Decimal(750).ln()


def test_the_human_development_index_is_that_of_the_technical_note(tmp_path: Path) -> None:
    """Three places, decided on the cube: h is right when (h - 0.0005)³ <= L·E·I < (h + 0.0005)³.

    The report prints rounded inputs, so its own last place may differ by one.
    """
    given = {country: dict(zip(NAMES, figures, strict=False)) for country, figures in PUBLISHED.items()}
    found = score(tmp_path, SCHEMES / "hdi", given)
    half = Decimal("0.0005")
    for country, (*figures, published) in PUBLISHED.items():
        index = Decimal(found[country]["total"]["points"])
        assert (index - half) ** 3 <= _on_paper(*figures) < (index + half) ** 3
        assert abs(index - Decimal(published)) <= Decimal("0.001")
    # Ireland and Switzerland 0.956, Hong Kong and Iceland 0.949: ranks follow the shown places and are shared.
    ranks = {country: rows["rank"]["value"] for country, rows in found.items()}
    assert [ranks[c] for c in PUBLISHED] == ["1", "2", "2", "4", "4", "6", "7", "8"]


def test_a_dimension_that_is_not_held_leaves_no_index_but_an_interval(tmp_path: Path) -> None:
    """Life alone: (82.3 - 20)/65 = 0.9584615…; the best case is its cube root 0.98595…, the worst 0."""
    found = score(tmp_path, SCHEMES / "hdi", {"X": {"life_expectancy_years": "82.3"}})["X"]
    assert (found["total"]["points"], found["total"]["status"]) == ("", "not_held")
    assert (found["total_low"]["points"], found["total_high"]["points"]) == ("0.000", "0.986")
    assert found["coverage"]["value"] == "0.333333"
    assert "rank" not in found


@pytest.mark.parametrize(("schooling", "points"), [("18", "1"), ("18.0001", "1"), ("9", "0.5"), ("0", "0")])
def test_a_goalpost_is_a_cap(schooling: str, points: str, tmp_path: Path) -> None:
    found = score(tmp_path, SCHEMES / "hdi", {"X": {"expected_schooling_years": schooling}})
    assert found["X"]["EDU-01"]["points"] == points
