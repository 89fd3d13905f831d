"""Hold an incoming snapshot against the accepted ones before it: rows lost or missing, columns no longer filled, units.

A population is what may change on its own: all rows, a district, a period, a bank. What one night does to every
population of a clean source stays within the dated limits (`drift_limits`, ours); what goes beyond waits for a person.
Everything told is a count: no value of any row leaves this room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import Contract
from include.contracts.code_lists import code_list
from include.kernel.identity import normal_name
from include.validation.result import CheckResult
from include.validation.units import unit_changes

AREA = "management_area"
CADENCE_MONTHS = {"month": 1, "quarter": 3, "year": 12}
SEASON_MAX_AGE = timedelta(days=10)
_TOLD = 5

Limits = Mapping[str, float]


@dataclass(frozen=True)
class Earlier:
    """An accepted snapshot (the contract's accepted schema), and the day as of which its periods are counted."""

    as_of: date
    rows: pa.Table


@dataclass(frozen=True)
class Before:
    """What came before: the last accepted snapshot of the scope, the one accepted a cadence earlier at the same place
    of the calendar (`season_day`), the header of the last delivery, and for a dataset of the whole city the district of
    each enterprise, by its code and by its normal name.
    """

    last: Earlier | None = None
    season: Earlier | None = None
    fields: tuple[str, ...] = ()
    district_of: Mapping[str, str] = field(default_factory=dict)


def season_day(contract: Contract, as_of: date) -> tuple[date, date] | None:
    """The same place of the calendar one cadence ago, and the day as of which a snapshot is held against: some days
    before it, because holidays move the deadlines. None where nothing comes in a cadence.
    """
    if contract.drift.cadence is None:
        return None
    months = as_of.year * 12 + as_of.month - 1 - CADENCE_MONTHS[contract.drift.cadence]
    first = date(months // 12, months % 12 + 1, 1)
    following = date((months + 1) // 12, (months + 1) % 12 + 1, 1)
    same = min(first.replace(day=1) + timedelta(days=as_of.day - 1), following - timedelta(days=1))
    return same, same - timedelta(days=int(limits(as_of)["moved_deadline_days"]))


def limits(as_of: date) -> Limits:
    """The limits in force."""
    return {row["limit"]: float(Decimal(row["value"])) for row in code_list("drift_limits", as_of).to_pylist()}


def drift(contract: Contract, accepted: pa.Table, before: Before, as_of: date) -> list[CheckResult]:
    """The checks against what came before; none without an accepted snapshot."""
    if before.last is None:
        return []
    allowed = limits(as_of)
    now = _populations(contract, accepted, before.district_of)
    asked = _asked_for(contract, before.last.rows, as_of)
    last = _populations(contract, asked, before.district_of)
    checks = [
        _result("snapshot.lost", "没有成片丢失的行", _compared(now, last, allowed, _lost)),
        _result("snapshot.gained", "行数没有成倍增加", _compared(now, last, allowed, _gained)),
        _result("snapshot.filled", "各列填报率没有下降", _unfilled(contract, accepted, asked, allowed)),
        _result("snapshot.unit", "金额单位没有变化", unit_changes(contract, accepted, asked, now, last, allowed)),
    ]
    if before.season and contract.drift.cadence:
        months = 2 * CADENCE_MONTHS[contract.drift.cadence]
        ages = _ages(contract, accepted, as_of), _ages(contract, before.season.rows, before.season.as_of)
        newest = [(int(age), ages[0] == age, ages[1] == age) for age in range(months + 1)]
        newest = [one for one in newest if one[2].sum() >= allowed["period_floor"]]
        checks.append(_result("snapshot.arrived", "新所属期按时到达", _arrived(newest, allowed)))
        filled = _unfilled_new(contract, accepted, before.season.rows, newest, allowed)
        checks.append(_result("snapshot.filled_new", "新所属期填报率没有下降", filled))
    return checks


def _result(check: str, title: str, found: Iterator[str | None]) -> CheckResult:
    """One line per population that was compared: None where it holds, else what does not."""
    said = list(found)
    told = [one for one in said if one]
    more = [f"{len(told) - _TOLD} more"] if len(told) > _TOLD else []
    detail = ", ".join([*told[:_TOLD], *more])
    return CheckResult(check, title, "", "reject_snapshot", len(said), len(told), not told, detail)


def _compared(
    now: pd.DataFrame, last: pd.DataFrame, allowed: Limits, judge: Callable[[str, int, int, Limits], bool]
) -> Iterator[str | None]:
    """Every population of the earlier snapshot by its rows then and now."""
    for kind in last.columns:
        held = now[kind].value_counts()
        for name, rows in last[kind].value_counts(sort=False).sort_index().items():
            there = int(held.get(name, 0))
            told = f"{kind} {name}: {there} rows, {rows} before" if kind != "all" else f"{there} rows, {rows} before"
            yield told if judge(kind, there, int(rows), allowed) else None


def _lost(kind: str, now: int, before: int, allowed: Limits) -> bool:
    return before - now >= max(allowed["lost_rows"], allowed["lost_share"] * before)


def _gained(kind: str, now: int, before: int, allowed: Limits) -> bool:
    """A period is meant to fill."""
    return kind != "period" and now - before >= max(allowed["gained_rows"], allowed["gained_share"] * before)


def _arrived(newest: list[tuple[int, np.ndarray, np.ndarray]], allowed: Limits) -> Iterator[str | None]:
    for age, now, then in newest:
        short = now.sum() < allowed["arrived_share"] * then.sum()
        yield f"{age} months old: {now.sum()} rows, {then.sum()} one cadence ago" if short else None


def _unfilled(contract: Contract, now: pa.Table, last: pa.Table, allowed: Limits) -> Iterator[str | None]:
    if min(now.num_rows, last.num_rows) < allowed["period_floor"]:
        return
    for name in contract.columns:
        shares = _filled(now[name]).mean(), _filled(last[name]).mean()
        yield _fallen(name, *shares, allowed["unfilled_share"])


def _unfilled_new(
    contract: Contract,
    now: pa.Table,
    then: pa.Table,
    newest: list[tuple[int, np.ndarray, np.ndarray]],
    allowed: Limits,
) -> Iterator[str | None]:
    """A period is judged only where it holds enough rows on both sides."""
    judged = [one for one in newest if one[1].sum() >= allowed["period_floor"]]
    for name in contract.columns if judged else ():
        filled = _filled(now[name]), _filled(then[name])
        for age, rows_now, rows_then in judged:
            shares = filled[0][rows_now].mean(), filled[1][rows_then].mean()
            yield _fallen(f"{name} {age} months old", *shares, allowed["unfilled_new_share"])


def _fallen(name: str, now: float, before: float, most: float) -> str | None:
    return f"{name}: {now:.1%} filled, {before:.1%} before" if before - now > most else None


def _filled(column: pa.ChunkedArray) -> np.ndarray:
    """Which rows hold something; an amount of zero holds nothing."""
    held = pc.is_valid(column)
    if pa.types.is_decimal(column.type):
        held = pc.and_(held, pc.fill_null(pc.not_equal(column, pa.scalar(Decimal(0), column.type)), False))
    return held.to_numpy(zero_copy_only=False)


def _populations(contract: Contract, rows: pa.Table, district_of: Mapping[str, str]) -> pd.DataFrame:
    """Per row the population it belongs to, by kind of population."""
    found: dict[str, object] = {"all": pd.Series("", index=range(rows.num_rows), dtype=str)}
    if AREA in contract.columns:
        found["district"] = rows[AREA].to_pandas()
    elif district_of:
        found["district"] = _districts(contract, rows, district_of)
    if contract.drift.period:
        months = _months(contract, rows)
        found["period"] = [f"{month // 12}-{month % 12 + 1:02d}" if month >= 0 else None for month in months]
    return pd.DataFrame(found | {name: rows[name].to_pandas() for name in contract.drift.parts})


def _districts(contract: Contract, rows: pa.Table, district_of: Mapping[str, str]) -> pd.Series:
    """Of the first code or name in a row that the registry knows."""
    found = pd.Series(None, index=range(rows.num_rows), dtype=object)
    for name in contract.entity.columns:
        spelled = rows[name].combine_chunks().dictionary_encode()
        known = [_district(text, district_of) for text in spelled.dictionary.to_pylist()]
        found = found.fillna(pd.Series(pa.array(known, pa.string()).take(spelled.indices).to_pylist(), dtype=object))
    return found


def _district(text: str, district_of: Mapping[str, str]) -> str | None:
    for part in [text, *re.split("[;；]", text)]:
        if (area := district_of.get(part) or district_of.get(normal_name(part))) is not None:
            return area
    return None


def _months(contract: Contract, rows: pa.Table) -> np.ndarray:
    """The business period's last month, counted from year 0; -1 where there is none."""
    assert contract.drift.period is not None
    held = rows[contract.drift.period]
    if pa.types.is_integer(held.type):  # a year
        months = pc.add(pc.multiply(held, 12), 11)
    else:
        months = pc.subtract(pc.add(pc.multiply(pc.year(held), 12), pc.month(held)), 1)
    return pc.fill_null(months, -1).to_numpy()


def _ages(contract: Contract, rows: pa.Table, day: date) -> np.ndarray:
    """How many months before `day` a row's period ended."""
    return day.year * 12 + day.month - 1 - _months(contract, rows)


def _asked_for(contract: Contract, rows: pa.Table, as_of: date) -> pa.Table:
    """The earlier rows whose period is still asked for: on 1 January a year leaves the window."""
    if contract.history_years is None:
        return rows
    return rows.filter(pa.array(_months(contract, rows) >= (as_of.year - contract.history_years) * 12))
