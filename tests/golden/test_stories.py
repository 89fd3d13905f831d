"""Whole enterprises: what departments wrote about one, and the stage, lines and lists that must come of it.

A story is a file in `stories/`: rows in the departments' own words and units (the contract's Chinese titles), each with
the day on which it arrived, and what is expected as of which day. All stories of a day are one small city and run
through the pure rooms together, from validation to the lists, so that no story may disturb another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from stdnum.cn.uscc import calc_check_digit

from include.conformed.conform import conform, quarantined_pairs
from include.conformed.enterprises import participants
from include.conformed.register import Register
from include.contracts import Contract, contracts
from include.indicators.evaluate import evaluate
from include.kernel.periods import parse_as_of
from include.measures.registry import measures
from include.measures.run import measure
from include.points.lists import lists
from include.points.rank import rank
from include.points.score import score
from include.schemes.compile import compile_scheme
from include.schemes.model import require_scheme
from include.schemes.reading import read_yaml
from include.schemes.status import VALUE
from include.validation.cast import cast
from include.validation.judge import Judgement, judge

HERE = Path(__file__).parent
SCHEME, DISTRICT, REGISTRY = "changzhou_v1", "320411", "REG_ENT"
ROWS: dict[str, dict[str, str]] = read_yaml(HERE / "rows.yaml")
EXPECTED = {"as_of", "district", "takes_part", "stage", "stage_reason", "measures", "lines", "ladder"}
Row = dict[str, str]


@dataclass(frozen=True)
class Story:
    """One file: its enterprise, the rows about it by dataset (native titles and text), and what is expected when."""

    title: str
    code: str
    rows: dict[str, list[Row]]
    expect: list[dict[str, Any]]


def _story(number: int, path: Path) -> Story:
    told = read_yaml(path)
    assert set(told) == {"title", "source", "name", "given", "expect"}, f"{path.name}: {sorted(told)}"
    code = f"91320411YY{number:06}9"
    code += calc_check_digit(code)
    rows: dict[str, list[Row]] = {}
    for dataset, given in told["given"].items():
        spelt = [one for row in given for one in _months(row)]
        titles = {column.zh for column in contracts()[dataset].columns.values()}
        rows[dataset] = []
        for n, row in enumerate(spelt, start=1):
            known = {"code": code, "name": told["name"], "n": number * 100 + n, **_calendar(row)}
            filled = {**ROWS[dataset], **{title: text for title, text in row.items() if title not in ("年度", "月份")}}
            assert set(filled) <= titles, f"{path.name}: {dataset}: {sorted(set(filled) - titles)}"
            rows[dataset].append({title: str(text).format(**known) for title, text in filled.items() if text != ""})
    for expected in told["expect"]:
        assert set(expected) <= EXPECTED, f"{path.name}: {sorted(set(expected) - EXPECTED)}"
    return Story(told["title"], code, rows, told["expect"])


def _months(row: Row) -> list[Row]:
    """`每月: 2025` is twelve rows."""
    if "每月" not in row:
        return [row]
    rest = {title: text for title, text in row.items() if title != "每月"}
    return [{**rest, "月份": f"{row['每月']}-{month:02}"} for month in range(1, 13)]


def _calendar(row: Row) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if "年度" in row:
        known |= {"year": row["年度"], "next": int(row["年度"]) + 1}
    if "月份" in row:
        year, month = map(int, row["月份"].split("-"))
        known |= {"month": row["月份"], "following": f"{year + month // 12}-{month % 12 + 1:02}"}
    return known


STORIES = [_story(n, path) for n, path in enumerate(sorted((HERE / "stories").glob("*.yaml")), start=1)]
LAST = max(parse_as_of(str(expected["as_of"])) for story in STORIES for expected in story.expect)
CASES = [(story, expected) for story in STORIES for expected in story.expect]


def _told(contract: Contract) -> list[tuple[Story, Row]]:
    return [(story, row) for story in STORIES for row in story.rows.get(contract.dataset, [])]


def _handed_over(contract: Contract, as_of: date, district: str) -> list[int]:
    """Which rows the department would hand over: arrived, and of this district; the registry tells its newest state."""
    titles = {name: column.zh for name, column in contract.columns.items()}
    rows = [row for _, row in _told(contract)]
    arrived = cast(
        contract.columns[contract.arrival], pa.array([row[titles[contract.arrival]] for row in rows], pa.string())
    )
    midnight = datetime.combine(as_of, time(0))
    newest: dict[Any, int] = {}
    for n, (row, moment) in enumerate(zip(rows, arrived.value.to_pylist(), strict=True)):
        here = contract.scope == "city" or row[titles["management_area"]] == district
        if here and (moment < midnight if isinstance(moment, datetime) else moment < as_of):
            newest[row[titles["uscc"]] if contract.dataset == REGISTRY else n] = n
    return list(newest.values())


def _judge(contract: Contract, numbers: list[int]) -> Judgement:
    natives = {column.zh: column.native for column in contract.columns.values()}
    told = _told(contract)
    rows = [{natives[title]: text for title, text in told[n][1].items()} | {"_page": 1, "_ordinal": n} for n in numbers]
    return judge(contract, pa.Table.from_pylist(rows, contract.landing_schema()), as_of=LAST)


@cache
def _judged(dataset: str) -> Judgement:
    """Every row of every story at once: the checks look at one row, or at keys that no story repeats."""
    contract = contracts()[dataset]
    return _judge(contract, list(range(len(_told(contract)))))


@cache
def _city(as_of: date, district: str) -> dict[str, dict[str, Any]]:
    """Every enterprise of the stories that takes part, with its measures, lines and ladder."""
    accepted: dict[str, pa.Table] = {}
    quarantine: dict[str, pa.Table] = {}
    for dataset, contract in contracts().items():
        accepted[dataset] = contract.accepted_schema().empty_table()
        if numbers := _handed_over(contract, as_of, district):
            # The registry states the present only, so its rows are judged as they stood on the day.
            judged = _judge(contract, numbers) if dataset == REGISTRY else _judged(dataset)
            seen = pc.field("_ordinal").isin(numbers)
            accepted[dataset], quarantine[dataset] = judged.accepted.filter(seen), judged.quarantine.filter(seen)

    enterprises = participants(accepted[REGISTRY], district, as_of)
    register, taking_part = Register.of(accepted[REGISTRY], 365), enterprises["uscc"].combine_chunks()
    tables = {"enterprises": enterprises}
    held_back: set[tuple[str, str]] = set()
    for dataset, contract in contracts().items():
        tables[dataset.lower()] = conform(contract, accepted[dataset], register, taking_part).table
        if dataset in quarantine:
            held_back |= quarantined_pairs(contract, quarantine[dataset], register)

    rules, facts = compile_scheme(require_scheme(SCHEME), as_of, measures()), measure(tables, as_of)
    pairs = [{"uscc": uscc, "dataset": dataset} for uscc, dataset in sorted(held_back)]
    text = pa.schema([("uscc", pa.string()), ("dataset", pa.string())])
    values = evaluate(rules, facts, pa.Table.from_pylist(pairs, text))
    scored = score(rules, values, facts, enterprises)
    listed = lists(
        rules,
        points=rank(scored.points, scored.profile),
        profile=scored.profile,
        values=values,
        measures=facts,
        ledger=scored.ledger,
    )
    found = {one["uscc"]: {**one, "lines": {}, "ladder": {}} for one in scored.profile.to_pylist()}
    for one in facts.to_pylist():
        found[one["uscc"]]["measures"] = one
    for line in scored.ledger.to_pylist():
        found[line["uscc"]]["lines"][line["indicator"]] = line
    for rung in listed["ladder"].to_pylist():
        found[rung["uscc"]]["ladder"][rung["rung"]] = rung["holds"]
    return found


def _differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """One short line per thing that is not as told."""
    pairs: dict[str, tuple[Any, Any]] = {
        key: (expected[key], found[key]) for key in ("stage", "stage_reason") if key in expected
    }
    for name, value in expected.get("measures", {}).items():
        pairs[name] = (None if value == "null" else Decimal(value), found["measures"][name])
    for indicator, told in expected.get("lines", {}).items():
        line = found["lines"][indicator]
        if isinstance(told, str):
            pairs[indicator] = (told, line["status"])
        else:
            pairs[f"{indicator} status"] = (VALUE, line["status"])
            pairs |= {f"{indicator} {field}": (Decimal(text), line[field]) for field, text in told.items()}
    for rung, holds in expected.get("ladder", {}).items():
        pairs[f"ladder {rung}"] = (holds, found["ladder"][rung])
    return [f"{what}: expected {told}, found {here}" for what, (told, here) in pairs.items() if told != here]


@pytest.mark.parametrize(("story", "expected"), CASES, ids=[f"{s.title} {e['as_of']}" for s, e in CASES])
def test_story(story: Story, expected: dict[str, Any]) -> None:
    city = _city(parse_as_of(str(expected["as_of"])), str(expected.get("district", DISTRICT)))
    found = city.get(story.code)
    if (found is not None) != expected.get("takes_part", True):
        pytest.fail(f"takes part: expected {found is None}, found {found is not None}", pytrace=False)
    if found is not None and (differences := _differences(expected, found)):
        pytest.fail("\n".join(differences), pytrace=False)
