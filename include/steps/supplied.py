"""Score measures that somebody supplies: a what-if, an officer's golden case, another zone's published index.

In: a CSV `uscc, stage, measure, value`, long form, values as plain decimals (or a category's word); an empty stage
means the scheme's rule. A measure without a row is not held. Out: one line per enterprise and indicator, then its
categories or nodes, its total and, where the scheme has a tree, coverage, interval, gates and rank.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from include.kernel.cells import write_csv
from include.kernel.errors import BadInput
from include.kernel.exact import parse_decimal, to_scaled
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.expression import Quantity
from include.schemes.lint import Finding, newest_day
from include.schemes.lint import lint_directory as lint_scheme
from include.schemes.model import MeasureDeclaration, has_tree, load_scheme, schemes
from include.schemes.reading import nearest
from include.schemes.status import VALUE
from include.schemes.tree import load_tree, tree_schemes
from include.schemes.tree_compile import CompiledTree, compile_tree

COLUMNS = ["uscc", "stage", "measure", "value"]
RESULT = ["uscc", "stage", "indicator", "value", "status", "points"]
_NOTHING = "nothing was written"


class Declared(Protocol):
    """What reading needs of a scheme."""

    @property
    def stage_ids(self) -> list[str]: ...
    @property
    def measures(self) -> dict[str, MeasureDeclaration]: ...


@dataclass
class Supplied:
    """What one enterprise was given: its stage ('' = by rule) and its measures."""

    stage: str
    values: dict[str, Decimal] = field(default_factory=dict)


def score_file(scheme: str, measures: Path, out: Path, as_of: date) -> int:
    """Score the file `measures` under an installed scheme or a scheme directory; write `out`; the lines written."""
    compiled = compile_for_supplied(scheme, as_of)
    try:
        with measures.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            if reader.fieldnames is not None and list(reader.fieldnames) != COLUMNS:
                raise _other_columns(f"{measures} line 1")
            supplied = read_supplied(compiled, ((reader.line_num, row) for row in reader), str(measures))
    except UnicodeDecodeError as error:
        raise BadInput(
            f"not UTF-8 at byte {error.start}", where=str(measures), kept=_NOTHING, todo="save it as UTF-8"
        ) from None
    except (OSError, csv.Error) as error:
        raise BadInput(f"not a readable CSV: {error}", where=str(measures), kept=_NOTHING) from None
    if not supplied:
        raise BadInput(
            "no row of measures", where=str(measures), kept=_NOTHING, todo=f"write {', '.join(COLUMNS)} rows"
        )
    rows = list(score_supplied(compiled, supplied, str(measures)))
    write_csv(out, RESULT, ([row[column] for column in RESULT] for row in rows), made_of=[measures])
    return len(rows)


def lint_directory(directory: Path) -> list[Finding]:
    """The publication checks of a scheme directory, against the measures that exist, and its golden cases, run."""
    from include.measures.registry import measures
    from include.steps.golden import failing_cases

    directory = directory.resolve()  # errors name it, also where it was given as `.`
    found = lint_scheme(directory, measures(), schemes().values())
    try:
        day = newest_day(load_tree(directory) if has_tree(directory) else load_scheme(directory))
        compiled = compile_for_supplied(str(directory), day)
    except BadInput:
        return found  # said already
    at_fault = {finding.where for finding in found if not finding.warning}
    return sorted({*found, *failing_cases(compiled, at_fault)})


def compile_for_supplied(scheme: str, as_of: date) -> Compiled | CompiledTree:
    """An installed scheme by id, or the scheme in a directory, as in force on `as_of`."""
    from include.measures.registry import measures

    if os.path.isdir(scheme):  # unlike Path.is_dir, it answers for names that no file could have
        directory = Path(scheme).resolve()
        if has_tree(directory):
            return compile_tree(load_tree(directory), as_of)
        return compile_scheme(load_scheme(directory), as_of, measures())
    if scheme in tree_schemes():
        return compile_tree(tree_schemes()[scheme], as_of)
    if scheme in schemes():
        return compile_scheme(schemes()[scheme], as_of, measures())
    known = [*schemes(), *tree_schemes()]
    near = nearest(scheme, known)
    raise BadInput(
        f"no directory and no scheme {scheme!r:.60}" + (f" (did you mean {near}?)" if near else ""),
        kept=_NOTHING,
        todo=f"name a directory with a scheme.yaml, or one of {', '.join(known)}",
    )


def read_supplied(
    compiled: Compiled | CompiledTree, lines: Iterable[tuple[int, Mapping[str, str]]], where: str
) -> dict[str, Supplied]:
    """The numbered rows by enterprise, read strictly: unknown names, repeats and no plain decimals are refused."""
    declared: Declared = compiled.scheme
    supplied: dict[str, Supplied] = {}
    for number, line in lines:
        at = f"{where} line {number}"
        if list(line) != COLUMNS or None in line.values():
            raise _other_columns(at)
        uscc, stage, measure, text = (line[column] for column in COLUMNS)
        if not uscc.strip():
            raise BadInput("uscc is empty", where=at, kept=_NOTHING)
        if uscc != uscc.strip() or not uscc.isprintable():  # else one enterprise would be two
            raise BadInput("uscc has blanks around it, or characters that nobody sees", where=at, kept=_NOTHING)
        _known(stage, ["", *declared.stage_ids], "stage", at)
        _known(measure, list(compiled.measures), "measure", at)
        one = supplied.setdefault(uscc, Supplied(stage))
        if one.stage != stage:
            raise BadInput(f"stage {stage!r} here, {one.stage!r} above for the enterprise", where=at, kept=_NOTHING)
        if measure in one.values:
            raise BadInput(f"measure {measure} stands twice for the same enterprise", where=at, kept=_NOTHING)
        one.values[measure] = _value(text, measure, compiled.measures[measure], declared.measures.get(measure), at)
    return supplied


def _other_columns(at: str) -> BadInput:
    return BadInput(f"columns are {', '.join(COLUMNS)}", where=at, kept=_NOTHING, todo="write exactly these")


def score_supplied(
    compiled: Compiled | CompiledTree, supplied: Mapping[str, Supplied], where: str
) -> Iterator[dict[str, str]]:
    """The result rows, by enterprise in the order of their codes."""
    if isinstance(compiled, CompiledTree):
        return _tree_rows(compiled, supplied, where)
    return _rows(compiled, supplied, where)


def _rows(compiled: Compiled, supplied: Mapping[str, Supplied], where: str) -> Iterator[dict[str, str]]:
    """Indicators in catalogue order, categories, total."""
    from include.indicators.evaluate import evaluate
    from include.points.score import score

    codes, measures = sorted(supplied), _table(compiled, supplied)
    nothing_held_back = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
    stage_of = _stages(compiled, measures, supplied)
    stages = pa.table(
        {"uscc": codes, "stage": [stage_of[uscc] for uscc in codes], "stage_reason": ["as supplied"] * len(codes)}
    )
    try:
        values = evaluate(compiled, measures, nothing_held_back)
    except OverflowError as error:
        raise BadInput(str(error), where=where, kept=_NOTHING, todo="correct the figures or the formula") from None
    scored = score(compiled, values, measures, stages=stages)
    lines: dict[str, list[dict[str, object]]] = {uscc: [] for uscc in codes}
    for line in scored.ledger.to_pylist():
        lines[str(line["uscc"])].append(line)
    for totals in scored.points.to_pylist():
        same = {"uscc": totals["uscc"], "stage": totals["stage"]}
        for line in lines[totals["uscc"]]:
            indicator = compiled.indicators[str(line["indicator"])].indicator
            value = line["value"]
            shown = "" if value is None else f"{value:.{indicator.decimals}f}"
            rest = {"value": shown, "status": str(line["status"]), "points": str(line["points"])}
            yield {**same, "indicator": indicator.id, **rest}
        for category in compiled.scheme.category_ids:
            result = {"indicator": f"category:{category}", "value": "", "status": "", "points": str(totals[category])}
            yield {**same, **result}
        yield {**same, "indicator": "total", "value": "", "status": "", "points": str(totals["total"])}


def _tree_rows(compiled: CompiledTree, supplied: Mapping[str, Supplied], where: str) -> Iterator[dict[str, str]]:
    """Indicators, nodes (members first), total, coverage, interval, gates, rank."""
    from include.points.standing import standings
    from include.points.tree import COVERAGE_DECIMALS, Scored, fixed, score_tree, shown_value, written

    codes = sorted(supplied)
    stage_of = _stages(compiled, _table(compiled, supplied) if compiled.bases else None, supplied)
    scored: dict[str, Scored] = {}
    for uscc in codes:
        held = supplied[uscc].values
        facts = {name: Fraction(held[name]) if name in held else None for name in compiled.measures}
        scored[uscc] = score_tree(compiled, facts, stage_of[uscc], f"{where} {uscc}")
    ranks = standings(scored, compiled.ranks) if compiled.ranks else {}
    rule = compiled.rule
    for uscc, one in scored.items():

        def row(
            name: str, points: str = "", value: str = "", status: str = "", uscc: str = uscc, stage: str = one.stage
        ) -> dict[str, str]:
            line = [uscc, stage, name, value, status, points]
            return dict(zip(RESULT, line, strict=True))

        for name, outcome in one.lines.items():
            silent = outcome.points is None and rule.handling()[outcome.status] == "no_points"
            counted = Fraction(0) if silent else outcome.points
            value = shown_value(compiled.lines[name], outcome.value)
            yield row(name, written(counted, rule.round_indicators), value, outcome.status)
        for name, node in compiled.nodes.items():
            outcome = one.nodes[name]
            yield row(f"node:{name}", written(outcome.points, node.rule.round), status=outcome.status)
        shown = rule.nodes[rule.root].round
        absent = "" if one.total.status == VALUE else one.total.status
        yield row("total", written(one.total.points, shown), status=absent)
        yield row("total_low", written(one.total_low, shown))
        yield row("total_high", written(one.total_high, shown))
        yield row("coverage", value=fixed(one.coverage, COVERAGE_DECIMALS))
        for condition, answer in one.conditions.items():
            status = "unknown" if answer is None else "pass" if answer else "fail"
            yield row(f"gate:{condition}", value="" if answer is None else str(int(answer)), status=status)
        if one.passed is not None:
            yield row("passed", value=str(int(one.passed != "fail")), status=one.passed)
        for name, place in ranks.get(uscc, {}).items():
            yield row(name, value=place)


def _table(compiled: Compiled | CompiledTree, supplied: Mapping[str, Supplied]) -> pa.Table:
    codes = sorted(supplied)
    columns: dict[str, pa.Array] = {"uscc": pa.array(codes, pa.string())}
    for name, quantity in compiled.measures.items():
        held = [supplied[uscc].values.get(name) for uscc in codes]
        columns[name] = pa.array(held, pa.decimal128(38, quantity.decimals))
    return pa.table(columns)


def _stages(
    compiled: Compiled | CompiledTree, measures: pa.Table | None, supplied: Mapping[str, Supplied]
) -> dict[str, str]:
    """The stage that was supplied, else the one of the rule; without a rule there is only one."""
    from include.points.stage import assign

    by_rule = {}
    if measures is not None:
        by_rule = {line["uscc"]: line["stage"] for line in assign(compiled, measures).to_pylist()}
    return {uscc: one.stage or by_rule.get(uscc, compiled.otherwise) for uscc, one in supplied.items()}


def _value(text: str, measure: str, quantity: Quantity, declared: MeasureDeclaration | None, at: str) -> Decimal:
    """One supplied value: a word of its category, or a plain decimal within its bounds."""
    if quantity.words:
        _known(text, list(quantity.words), f"word of {measure}", at)
        return Decimal(quantity.words.index(text) + 1)
    try:
        value = parse_decimal(text)
        to_scaled(value, quantity.decimals)
    except ValueError as error:
        what = str(error).partition(":")[0]  # without the figure, which may be somebody's amount
        raise BadInput(f"{measure}: {what}", where=at, kept=_NOTHING, todo="write a plain decimal") from None
    if declared is not None:
        if declared.least is not None and value < declared.least:
            raise BadInput(f"{measure} lies below {declared.least}", where=at, kept=_NOTHING, todo="correct the value")
        if declared.most is not None and value > declared.most:
            raise BadInput(f"{measure} lies above {declared.most}", where=at, kept=_NOTHING, todo="correct the value")
    return value


def _known(name: str, known: list[str], what: str, at: str) -> None:
    if name not in known:
        near = nearest(name, [word for word in known if word])
        raise BadInput(
            f"unknown {what} {name!r:.60}" + (f" (did you mean {near}?)" if near else ""), where=at, kept=_NOTHING
        )
