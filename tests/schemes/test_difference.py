"""What two schemes say differently: one line per planted change, none for equal schemes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from include.schemes.difference import differences, pairs, tree_differences
from include.schemes.model import load_scheme, require_scheme
from include.schemes.tree import load_tree

HDI = Path(__file__).parent / "hdi"
Broken = Callable[[str, str, str], Path]
LATER = '{from: 2027-01-01, form: "linear(0; 0.2)", reference: ours}'
CURVE = '{from: 2024-01-01, form: "linear(0; 0.1)", reference: ours}'


def test_equal_schemes_differ_in_nothing(small: Path) -> None:
    assert differences(load_scheme(small), load_scheme(small)) == []


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (
            [("weights.yaml", "ABI-01: 20, ABI-02: 20", "ABI-01: 15, ABI-02: 25")],
            [
                "ABI-01: weight in young from 2024-01-01: 20 -> 15",
                "ABI-02: weight in young from 2024-01-01: 20 -> 25",
            ],
        ),
        (
            [("ability/ABI-01.yaml", CURVE, f"{CURVE}\n  - {LATER}")],
            ["ABI-01: curve from 2027-01-01: linear(0; 0.1) -> linear(0; 0.2)"],
        ),
        (
            [("ability/ABI-01.yaml", "ratio(rd, revenue)", "ratio(rd, greatest(revenue, 1))")],
            ["ABI-01: formula from 2024-01-01: ratio(rd, revenue) -> ratio(rd, greatest(revenue, 1))"],
        ),
        (
            [("ability/ABI-03.yaml", "    applicable_when: revenue > 0\n", "")],
            [
                "ABI-03: formula from 2024-01-01: expression: ratio(debt, revenue), applicable_when: revenue > 0 -> "
                "ratio(debt, revenue)"
            ],
        ),
        (
            [("ability/ABI-02.yaml", "decimals: 2", "decimals: 1")],
            ["ABI-02: decimals: 2 -> 1"],
        ),
        ([("scheme.yaml", "[a,b)", "(a,b]")], ["scheme: step_edge from 2024-01-01: [a,b) -> (a,b]"]),
        (
            [("scheme.yaml", "valid: {from: 2024-01-01}", "valid: {from: 2026-01-01}")],
            ["scheme: valid: from 2024-01-01 to further notice -> from 2026-01-01 to further notice"],
        ),
        (
            [("lists.yaml", "places: 2", "places: 3")],
            [
                "lists: 标兵企业 from 2024-01-01: stages: grown, ranked: together, "
                "places: 2 -> stages: grown, ranked: together, places: 3"
            ],
        ),
        ([("ability/ABI-01.yaml", "reference: ours", "reference: 常科发〔2026〕1号")], []),
    ],
)
def test_each_change_is_one_line(
    edits: list[tuple[str, str, str]], said: list[str], broken: Broken, small: Path
) -> None:
    for file, old, new in edits:
        directory = broken(file, old, new)
    assert [str(change) for change in differences(load_scheme(small), load_scheme(directory))] == said


def test_an_indicator_of_one_side_only_is_added_or_removed(broken: Broken, small: Path) -> None:
    directory = broken("weights.yaml", "RES-02: 20, RES-03: 0", "RES-02: 20")
    broken("weights.yaml", "RES-02: 30, RES-03: 10", "RES-02: 40")
    (directory / "result/RES-03.yaml").unlink()
    before, after = load_scheme(small), load_scheme(directory)
    said = [str(change) for change in differences(before, after)]
    assert "RES-03: indicator removed: 证书 (result)" in said
    assert "RES-02: weight in grown from 2024-01-01: 30 -> 40" in said
    assert "RES-03: indicator added: 证书 (result)" in [str(change) for change in differences(after, before)]


def test_national_indicators_are_paired_by_their_code() -> None:
    local, national = require_scheme("changzhou_v1"), require_scheme("national_core")
    found = pairs(local, national)
    assert len(found) == 18
    assert all(pair.before.national == pair.after.national for pair in found)
    same = {"formula", "curve", "unit", "decimals", "direction", "sources", "not_held"}
    told = [change for change in differences(local, national) if " -> " in change.subject and change.what in same]
    assert told == []


def test_schemes_with_a_tree_are_compared_node_by_node(tmp_path: Path) -> None:
    copy = tmp_path / "next"
    shutil.copytree(HDI, copy)
    text = (copy / "scheme.yaml").read_text(encoding="utf-8")
    for old, new in (("education: {kind: mean,", "education: {kind: best_of,"), ("ties: competition", "ties: dense")):
        assert old in text
        text = text.replace(old, new)
    (copy / "scheme.yaml").write_text(text, encoding="utf-8")
    assert tree_differences(load_tree(HDI), load_tree(HDI)) == []
    assert [str(change) for change in tree_differences(load_tree(HDI), load_tree(copy))] == [
        "node education: rule from 2010-01-01: kind: mean, of: EDU-01: 1, EDU-02: 1 -> "
        "kind: best_of, of: EDU-01: 1, EDU-02: 1",
        "scheme: ranks from 2010-01-01: ranked: shown, ties: competition, first: highest, scopes: all -> "
        "ranked: shown, ties: dense, first: highest, scopes: all",
    ]
