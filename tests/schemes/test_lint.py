"""Lint finds every planted fault, says where it stands, and finds nothing in the installed schemes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include.measures.registry import measures
from include.schemes.lint import lint, lint_directory
from include.schemes.model import require_scheme

Broken = Callable[[str, str, str], Path]


def test_the_installed_scheme_has_no_findings() -> None:
    assert lint(require_scheme("changzhou_v1"), measures()) == []


def test_the_small_scheme_has_no_findings(small: Path) -> None:
    assert lint_directory(small, {}) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "finding"),
    [
        ("weights.yaml", "ABI-01: 20,", "ABI-01: 20.001,", "young.ability: the indicators add up to 60.001"),
        ("weights.yaml", "ABI-04: 10", "ABI-04: -10", "ABI-04: -10 is negative"),
        ("scheme.yaml", "ability: 60", "ability: 61", "the categories add up to 101"),
        ("ability/ABI-01.yaml", "linear(0; 0.1)", "step(1:100; 2:50)", "segment 3 runs against higher_better"),
        ("ability/ABI-01.yaml", "linear(0; 0.1)", "step(1:30; 2:99)", "no value reaches 100 raw points"),
        ("ability/ABI-04.yaml", "2:-100", "2:-90", "a penalty runs from 0 to -100"),
        ("ability/ABI-02.yaml", "direction: higher_better", "direction: lower_better", "runs against lower_better"),
        ("ability/ABI-01.yaml", "unit: 比例", "unit: 人", "the indicator's unit is 人"),
        ("ability/ABI-01.yaml", "ratio(rd,", "ratio(age,", "gives 年/元"),
        ("ability/ABI-01.yaml", "ratio(rd, revenue)", "rd / revenue", "write ratio(a, b)"),
        ("lists.yaml", "abi_01 >= 0.05", "aby_01 >= 0.05", "did you mean abi_01?"),
        ("ability/ABI-01.yaml", "expression:", "expresion:", "did you mean expression?"),
    ],
)
def test_planted_faults_are_found(file: str, old: str, new: str, finding: str, broken: Broken) -> None:
    found = lint_directory(broken(file, old, new), {})
    assert any(finding in str(each) for each in found), [str(each) for each in found]
    assert all(each.where for each in found)


def test_a_fault_that_begins_later_is_found_today(broken: Broken) -> None:
    later = '\n  - {from: 2030-01-01, form: "step(1:100; 2:50)", reference: ours}'
    text = '{from: 2024-01-01, form: "linear(0; 0.1)", reference: ours}'
    found = lint_directory(broken("ability/ABI-01.yaml", text, text + later), {})
    assert [str(each) for each in found] == [
        "small/ability/ABI-01.yaml: curve from 2030-01-01: segment 3 runs against higher_better"
    ]
