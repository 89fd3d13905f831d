"""The golden cases of a scheme directory, run: what each expects beside what the rules in the directory give.

Lines of a nightly scheme go through the exact reference, cases of a tree through the door of `innopoints score`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

import pyarrow as pa

from include.evidence.derive import derive
from include.kernel.errors import BadInput
from include.kernel.exact import parse_decimal
from include.points.stage import assign
from include.schemes.cases import STAGE_FILE, Case, TreeCase, indicator_cases, stage_cases, tree_cases
from include.schemes.compile import Compiled
from include.schemes.lint import Finding
from include.schemes.model import CASES
from include.schemes.status import NOT_APPLICABLE, NOT_HELD, VALUE
from include.schemes.tree_compile import CompiledTree
from include.steps.supplied import Supplied, read_supplied, score_supplied

Shown = dict[str, Decimal | str]


def failing_cases(compiled: Compiled | CompiledTree, beside: Collection[str]) -> Iterator[Finding]:
    """One finding per case that fails. `beside`: places with findings already; mend those rules first."""
    try:
        if isinstance(compiled, CompiledTree):
            yield from _of_tree(compiled)
        else:
            yield from _of_indicators(compiled, beside)
            yield from _of_stages(compiled)
    except BadInput as error:  # a file of cases that cannot be read
        yield Finding(error.where, error.what)


def _of_indicators(compiled: Compiled, beside: Collection[str]) -> Iterator[Finding]:
    scheme = compiled.scheme
    for name, of in indicator_cases(scheme).items():
        file = scheme.where(f"{CASES}/{name}.yaml")
        if of.indicator != name:
            yield Finding(file, f"indicator {of.indicator!r:.40} does not match the file name")
        elif name in compiled.indicators and scheme.indicator_where(name) not in beside:
            for case in of.cases:
                if fault := _line_fault(compiled, name, case, case.stage or of.stage):
                    yield Finding(file, f"case {case.name}: {fault}")


def _line_fault(compiled: Compiled, indicator: str, case: Case, stage: str) -> str | None:
    if stage not in compiled.weights:
        return f"unknown stage {stage!r:.40}"
    if strange := sorted(case.given.keys() - compiled.measures.keys()):
        return f"unknown measure {strange[0]!r:.60}"
    line = derive(compiled, indicator, {name: case.given.get(name) for name in compiled.measures}, stage)
    expect = case.expect
    status = VALUE if line.value is not None else NOT_HELD if line.applies else NOT_APPLICABLE
    found: Shown = {"status": status, "points": line.points, "provisional": str(line.provisional)}
    expected: Shown = {"status": expect.status, "points": expect.points, "provisional": str(expect.provisional)}
    if line.value is not None and line.hit is not None:
        found |= {"value": line.value, "raw_points": line.hit.raw_points}
    if expect.value is not None and expect.raw_points is not None:
        expected |= {"value": expect.value, "raw_points": expect.raw_points}
    return _difference(expected, found)


def _of_stages(compiled: Compiled) -> Iterator[Finding]:
    cases, file = stage_cases(compiled.scheme), compiled.scheme.where(f"{CASES}/{STAGE_FILE}")
    for number, case in enumerate(cases, start=1):
        if strange := sorted(case.given.keys() - compiled.measures.keys()):
            yield Finding(file, f"case {number}: unknown measure {strange[0]!r:.60}")
            return
    columns: dict[str, pa.Array] = {"uscc": pa.array([f"{number:05}" for number in range(len(cases))], pa.string())}
    for name, quantity in compiled.measures.items():
        columns[name] = pa.array([case.given.get(name) for case in cases], pa.decimal128(38, quantity.decimals))
    stages = assign(compiled, pa.table(columns))["stage"].to_pylist()
    for number, (case, stage) in enumerate(zip(cases, stages, strict=True), start=1):
        if fault := _difference({"stage": case.expect}, {"stage": stage}):
            yield Finding(file, f"case {number}: {fault}")


def _of_tree(compiled: CompiledTree) -> Iterator[Finding]:
    for file, of in tree_cases(compiled.scheme).items():
        for case in of.cases:
            if fault := tree_fault(compiled, {**of.given, **case.given}, case):
                yield Finding(compiled.scheme.where(f"{CASES}/{file}.yaml"), f"case {case.name}: {fault}")


def tree_fault(compiled: CompiledTree, given: dict[str, str], case: TreeCase) -> str | None:
    """What one case expects beside what comes, only where they differ. `given`: the file's measures and its own."""
    lines = [{"uscc": "X", "stage": case.stage, "measure": name, "value": value} for name, value in given.items()]
    try:
        supplied = read_supplied(compiled, enumerate(lines, start=2), "case") or {"X": Supplied(case.stage)}
        rows = {row["indicator"]: row for row in score_supplied(compiled, supplied, "case")}
    except BadInput as error:
        if case.refused is not None and case.refused in str(error):
            return None
        return f"expected {f'a refusal with {case.refused!r}' if case.refused else 'a result'}, found: {error.what}"
    if case.refused is not None:
        return f"expected a refusal with {case.refused!r}, found a result"
    expected = {name: _number(text) for name, text in case.expect.items()}
    return _difference(expected, {name: _shown(rows, name, text) for name, text in expected.items()})


def _shown(rows: dict[str, dict[str, str]], name: str, expected: Decimal | str) -> Decimal | str:
    """What the case speaks of: a word is a status, a number is points or, where a row has none, its value."""
    name, _, part = name.partition(".")
    if name not in rows:
        return "no such row"
    row = rows[name]
    if part == "value":
        return _number(row["value"])
    return row["status"] if isinstance(expected, str) else _number(row["points"] or row["value"])


def _number(text: str) -> Decimal | str:
    try:
        return parse_decimal(text)
    except ValueError:
        return text


def _difference(expected: Shown, found: Shown) -> str | None:
    """Only what differs, both sides of it."""
    names = [n for n in dict.fromkeys([*expected, *found]) if expected.get(n) != found.get(n)]
    if not names:
        return None
    said = [", ".join(f"{n} {side[n]}" for n in names if n in side) or "nothing" for side in (expected, found)]
    return f"expected {said[0]}; found {said[1]}"
