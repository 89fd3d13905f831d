"""Who moves between two schemes: effects on paper, adding up, by stage and district, for different maxima too."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.indicators.evaluate import evaluate
from include.points.movement import Movement, movement, spearman
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.model import load_scheme
from tests.points.conftest import NOBODY, SMALL

FACTS = {
    "A": {"revenue": 600, "rd": 60},  # young, R&D intensity at its cap
    "B": {"age": 1, "patents": 100},  # young by age, both patent indicators at their caps
    "C": {"revenue": 2000, "rd": 200},  # grown
    "E": {"revenue": 900, "rd": 90},  # young, and grown once the line is 700
}
DISTRICTS = {"A": "320411", "B": "320411", "C": "320412", "E": "320412"}
EDITS = {
    "stages.yaml": [("bounds: [1000]", "bounds: [700]")],
    "weights.yaml": [
        ("ABI-01: 20, ABI-02: 20", "ABI-01: 15, ABI-02: 25"),
        ("ABI-01: 10, ABI-02: 10", "ABI-01: 12, ABI-02: 8"),
    ],
}


def edited(folder: Path, edits: Mapping[str, list[tuple[str, str]]]) -> Compiled:
    copy = folder / "next"
    shutil.copytree(SMALL, copy)
    for name, pieces in edits.items():
        text = (copy / name).read_text(encoding="utf-8")
        for old, new in pieces:
            assert old in text
            text = text.replace(old, new)
        (copy / name).write_text(text, encoding="utf-8")
    return compile_scheme(load_scheme(copy), date(2026, 1, 1), {})


def moved(before: Compiled, after: Compiled, measures: pa.Table) -> Movement:
    who = [
        {"uscc": uscc, "name": uscc, "district": DISTRICTS[uscc], "industry_code": None, "established_on": None}
        for uscc in FACTS
    ]
    values = evaluate(before, measures, NOBODY), evaluate(after, measures, NOBODY)
    return movement(before, after, values, measures, pa.Table.from_pylist(who))


@pytest.fixture
def found(small: Compiled, table: Callable[[Any], pa.Table], tmp_path: Path) -> Movement:
    return moved(small, edited(tmp_path, EDITS), table(FACTS))


def points(share: Fraction) -> Fraction:
    return share * 100


def test_stage_and_rules_are_told_apart_as_on_paper(found: Movement) -> None:
    assert {m.uscc: (m.stages, m.totals, points(m.stage_effect), points(m.rule_effect)) for m in found.moves} == {
        "A": (("young", "young"), (Decimal(20), Decimal(15)), 0, -5),
        "B": (("young", "young"), (Decimal(40), Decimal(45)), 0, 5),
        "C": (("grown", "grown"), (Decimal(10), Decimal(12)), 0, 2),
        # 20 young points become 10 in the grown stage of the old rules, and 12 under the new ones
        "E": (("young", "grown"), (Decimal(20), Decimal(12)), -10, 2),
    }
    assert {m.uscc: m.ranks for m in found.moves} == {"A": (2, 2), "B": (1, 1), "C": (4, 3), "E": (2, 3)}


def test_groups_winners_and_losers(found: Movement) -> None:
    shown = {g.name: (g.enterprises, g.winners, g.losers, points(g.mean_change)) for g in found.by_stage}
    assert shown == {"young": (3, 1, 2, Fraction(-8, 3)), "grown": (1, 1, 0, 2)}
    shown = {g.name: (g.enterprises, g.winners, g.losers, points(g.mean_change)) for g in found.by_district}
    assert shown == {"320411": (2, 1, 1, 0), "320412": (2, 1, 1, -3)}
    assert found.stage_changes == {("grown", "grown"): 1, ("young", "grown"): 1, ("young", "young"): 2}
    assert [m.uscc for m in found.winners(9)] == ["B", "C"]
    assert [m.uscc for m in found.losers(1)] == ["E"]
    # mean ranks 1, 2.5, 2.5, 4 and 1, 2, 3.5, 3.5: 15 / sqrt(18 x 18)
    assert found.rank_correlation == Decimal("0.833333")


def test_the_causes_of_a_move_add_up_to_it(found: Movement) -> None:
    for move in found.moves:
        causes = found.causes(move)
        assert sum((cause.stage_effect for cause in causes), Fraction(0)) == move.stage_effect
        assert sum((cause.rule_effect for cause in causes), Fraction(0)) == move.rule_effect
    by_name = {m.uscc: [c.indicator for c in found.causes(m)] for m in found.moves}
    assert by_name == {"A": ["ABI-01"], "B": ["ABI-02"], "C": ["ABI-01"], "E": ["ABI-01"]}


def test_the_same_rules_move_nobody(small: Compiled, table: Callable[[Any], pa.Table]) -> None:
    same = moved(small, small, table(FACTS))
    assert all(move.change == 0 for move in same.moves)
    assert (same.winners(9), same.losers(9), same.rank_correlation) == ([], [], Decimal(1))


def test_other_weights_alone_change_no_value_and_only_lines_whose_weight_changed(
    small: Compiled, table: Callable[[Any], pa.Table], tmp_path: Path
) -> None:
    after, measures = edited(tmp_path, {"weights.yaml": EDITS["weights.yaml"]}), table(FACTS)
    assert evaluate(small, measures, NOBODY).equals(evaluate(after, measures, NOBODY))
    found = moved(small, after, measures)
    assert all(move.stage_effect == 0 for move in found.moves)
    touched = {cause.indicator for move in found.moves for cause in found.causes(move)}
    assert touched == {"ABI-01", "ABI-02"}


def test_other_maxima_are_compared_by_the_share_of_the_maximum(
    small: Compiled, table: Callable[[Any], pa.Table]
) -> None:
    """The same points out of 1000 instead of 100 are a tenth of the share."""
    found = moved(small, replace(small, total=small.total * 10), table(FACTS))
    assert {m.uscc: m.change for m in found.moves} == {
        "A": Fraction(20, 1000) - Fraction(20, 100),
        "B": Fraction(40, 1000) - Fraction(40, 100),
        "C": Fraction(10, 1000) - Fraction(10, 100),
        "E": Fraction(20, 1000) - Fraction(20, 100),
    }


def test_a_stage_that_the_first_scheme_lacks_leaves_everything_to_the_rules(
    small: Compiled, table: Callable[[Any], pa.Table], tmp_path: Path
) -> None:
    renamed = {
        "stages.yaml": [
            ("{id: grown, name_en: grown}", "{id: old, name_en: old}"),
            ("bounds: [1000]", "bounds: [700]"),
        ],
        "scheme.yaml": [("grown:", "old:")],
        "weights.yaml": [("grown:", "old:")],
        "lists.yaml": [("grown", "old")],
    }
    found = moved(small, edited(tmp_path, renamed), table(FACTS))
    by_name = {m.uscc: (m.stages[1], points(m.stage_effect), points(m.rule_effect)) for m in found.moves}
    assert by_name == {"A": ("young", 0, 0), "B": ("young", 0, 0), "C": ("old", 0, 0), "E": ("old", 0, -10)}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([3, 2, 1], [30, 20, 10], "1"),
        ([3, 2, 1], [1, 2, 3], "-1"),
        ([4, 3, 2, 1], [4, 3, 1, 2], "0.8"),  # 1 - 6 x 2 / (4 x 15)
        ([1, 1, 1], [3, 2, 1], None),
    ],
)
def test_spearman_on_paper(one: list[int], other: list[int], expected: str | None) -> None:
    found = spearman([Decimal(x) for x in one], [Decimal(x) for x in other])
    assert found == (None if expected is None else Decimal(expected))
