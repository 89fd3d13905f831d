"""Score measures that somebody supplies: a what-if, an officer's golden case, another zone's published index.

In: a CSV `uscc, stage, measure, value`, long form, values as plain decimals; an empty stage means the scheme's rule. A
measure without a row is not held. Out: one line per enterprise and indicator, then its categories and its total.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from include.kernel.errors import BadInput
from include.kernel.exact import parse_decimal, to_scaled
from include.kernel.settings import settings
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.lint import Finding
from include.schemes.lint import lint_directory as lint_scheme
from include.schemes.model import Scheme, load_scheme, require_scheme, schemes
from include.schemes.reading import nearest

COLUMNS = ["uscc", "stage", "measure", "value"]
RESULT = ["uscc", "stage", "indicator", "value", "status", "points"]
_NOTHING = "nothing was written"


@dataclass
class Supplied:
    """What one enterprise was given: its stage ('' = by rule) and its measures."""

    stage: str
    values: dict[str, Decimal] = field(default_factory=dict)


def score_file(scheme: str, measures: Path, out: Path) -> int:
    """Score the file `measures` under an installed scheme or a scheme directory; write `out`; the lines written."""
    compiled = compile_for_supplied(scheme)
    try:
        with measures.open(encoding="utf-8-sig", newline="") as lines:
            supplied = read_supplied(compiled, csv.DictReader(lines, strict=True), str(measures))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"not a readable CSV: {error}", where=str(measures), kept=_NOTHING) from None
    if not supplied:
        raise BadInput(
            "no row of measures", where=str(measures), kept=_NOTHING, todo=f"write {', '.join(COLUMNS)} rows"
        )
    rows = list(score_supplied(compiled, supplied))
    try:
        with out.open("w", encoding="utf-8", newline="") as sink:
            writer = csv.DictWriter(sink, RESULT, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", where=str(out), kept=_NOTHING) from None
    return len(rows)


def lint_directory(directory: Path) -> list[Finding]:
    """The publication checks of a scheme directory, against the measures that exist."""
    from include.measures.registry import measures

    return lint_scheme(directory, measures(), schemes().values())


def compile_for_supplied(scheme: str) -> Compiled:
    """An installed scheme by id, or the scheme in a directory, as in force on today's business date."""
    from include.measures.registry import measures

    found: Scheme = load_scheme(Path(scheme)) if Path(scheme).is_dir() else require_scheme(scheme)
    return compile_scheme(found, settings().business_date(), measures())


def read_supplied(compiled: Compiled, lines: Iterable[Mapping[str, str]], where: str) -> dict[str, Supplied]:
    """The rows by enterprise, read strictly: unknown names, repeats and anything but plain decimals are refused."""
    supplied: dict[str, Supplied] = {}
    for number, line in enumerate(lines, start=2):
        at = f"{where} line {number}"
        if list(line) != COLUMNS or None in line.values():
            raise BadInput(f"columns are {', '.join(COLUMNS)}", where=at, kept=_NOTHING, todo="write exactly these")
        uscc, stage, measure, text = (line[column] for column in COLUMNS)
        if not uscc:
            raise BadInput("uscc is empty", where=at, kept=_NOTHING)
        _known(stage, ["", *compiled.scheme.stage_ids], "stage", at)
        _known(measure, list(compiled.measures), "measure", at)
        one = supplied.setdefault(uscc, Supplied(stage))
        if one.stage != stage:
            raise BadInput(f"stage {stage!r} here, {one.stage!r} above for the enterprise", where=at, kept=_NOTHING)
        if measure in one.values:
            raise BadInput(f"measure {measure} stands twice for the same enterprise", where=at, kept=_NOTHING)
        try:
            value = parse_decimal(text)
            to_scaled(value, compiled.measures[measure].decimals)
        except ValueError as error:
            raise BadInput(f"{measure}: {error}", where=at, kept=_NOTHING, todo="write a plain decimal") from None
        one.values[measure] = value
    return supplied


def score_supplied(compiled: Compiled, supplied: Mapping[str, Supplied]) -> Iterator[dict[str, str]]:
    """The result rows, by enterprise: indicators in catalogue order, categories, total."""
    from include.indicators.evaluate import evaluate
    from include.points.score import score
    from include.points.stage import assign

    codes = sorted(supplied)
    columns: dict[str, pa.Array] = {"uscc": pa.array(codes, pa.string())}
    for name, quantity in compiled.measures.items():
        held = [supplied[uscc].values.get(name) for uscc in codes]
        columns[name] = pa.array(held, pa.decimal128(38, quantity.decimals))
    measures = pa.table(columns)
    nothing_held_back = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
    by_rule = assign(compiled, measures).to_pylist()
    stages = pa.Table.from_pylist(
        [
            {"uscc": line["uscc"], "stage": stage, "stage_reason": "as supplied"}
            if (stage := supplied[line["uscc"]].stage)
            else line
            for line in by_rule
        ]
    )
    scored = score(compiled, evaluate(compiled, measures, nothing_held_back), measures, stages=stages)
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


def _known(name: str, known: list[str], what: str, at: str) -> None:
    if name not in known:
        near = nearest(name, [word for word in known if word])
        raise BadInput(
            f"unknown {what} {name!r:.60}" + (f" (did you mean {near}?)" if near else ""), where=at, kept=_NOTHING
        )
