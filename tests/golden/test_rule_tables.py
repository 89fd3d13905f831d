"""Golden cases of the installed schemes with a tree: published rule tables, each edge from both sides, the gates."""

from __future__ import annotations

from datetime import date
from functools import cache

import pytest

from include.schemes.cases import TreeCase, tree_cases
from include.schemes.tree import tree_schemes
from include.schemes.tree_compile import CompiledTree, compile_tree
from include.steps.golden import tree_fault

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
    if fault := tree_fault(_compiled(scheme), given, case):
        pytest.fail(fault, pytrace=False)
