"""Golden cases of the installed schemes with a tree: published rule tables, each edge from both sides, the gates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache

import pytest

from include.kernel.errors import BadInput
from include.kernel.exact import parse_decimal
from include.schemes.cases import TreeCase, tree_cases
from include.schemes.tree import tree_schemes
from include.schemes.tree_compile import CompiledTree, compile_tree
from include.steps.supplied import Supplied, read_supplied, score_supplied

AS_OF = date(2026, 11, 20)
CASES = [
    (scheme.id, file, {**of.given, **case.given}, case)
    for scheme in tree_schemes().values()
    for file, of in tree_cases(scheme).items()
    for case in of.cases
]


@cache
def _compiled(scheme: str) -> CompiledTree:
    return compile_tree(tree_schemes()[scheme], AS_OF)


@pytest.mark.parametrize(
    ("scheme", "given", "case"),
    [(scheme, given, case) for scheme, _, given, case in CASES],
    ids=[f"{scheme} {file} {case.name}" for scheme, file, _, case in CASES],
)
def test_case(scheme: str, given: dict[str, str], case: TreeCase) -> None:
    if case.refused is not None:
        with pytest.raises(BadInput) as refused:
            _score(scheme, given, case.stage)
        assert case.refused in str(refused.value)
        return
    rows = _score(scheme, given, case.stage)
    found = {name: _shown(rows, name, expected) for name, expected in case.expect.items()}
    assert found == {name: _number(expected) for name, expected in case.expect.items()}


def _score(scheme: str, given: dict[str, str], stage: str) -> dict[str, dict[str, str]]:
    lines = [{"uscc": "X", "stage": stage, "measure": name, "value": value} for name, value in given.items()]
    supplied = read_supplied(_compiled(scheme), enumerate(lines, start=2), "case") or {"X": Supplied(stage)}
    return {row["indicator"]: row for row in score_supplied(_compiled(scheme), supplied, "case")}


def _shown(rows: dict[str, dict[str, str]], name: str, expected: str) -> Decimal | str:
    """What the case speaks of: a word is a status, a number is points or, where a row has none, its value."""
    name, _, part = name.partition(".")
    row = rows[name]
    if part == "value":
        return _number(row["value"])
    return row["status"] if isinstance(_number(expected), str) else _number(row["points"] or row["value"])


def _number(text: str) -> Decimal | str:
    try:
        return parse_decimal(text)
    except ValueError:
        return text
