"""Drift: what one night may not do to a source. Edges in pairs on small tables, spoilers on the sandbox's world."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.contracts import Contract, contracts, require_contract
from include.kernel.areas import CITY
from include.validation.drift import Before, Earlier, drift, season_day
from tests.validation.nights import Nights, every_scope

DAY = date(2026, 11, 20)
VAT, STAFF, LOAN = require_contract("TAX_VAT"), require_contract("HR_STAFF"), require_contract("FIN_LOAN")

Rows = list[dict[str, Any]]


def filings(number: int, first: int = 0, **given: Any) -> Rows:
    """One enterprise each, one filing of October."""
    row = {"period_to": date(2026, 10, 31), "frequency": "月", "management_area": "320411", "sales_yuan": Decimal(1000)}
    return [row | {"filing_id": f"f{i}", "uscc": f"firm{i}"} | given for i in range(first, first + number)]


def table(rows: Rows, contract: Contract = VAT) -> pa.Table:
    return pa.Table.from_pylist(rows, contract.accepted_schema())


def failing(
    now: Rows, last: Rows, *, contract: Contract = VAT, season: Rows | None = None, as_of: date = DAY
) -> dict[str, str]:
    """Check → its detail, of the checks that do not hold."""
    same_place = season_day(contract, as_of)
    then = Earlier(same_place[0], table(season, contract)) if season is not None and same_place else None
    before = Before(Earlier(as_of - timedelta(days=1), table(last, contract)), then)
    return {
        found.id: found.detail for found in drift(contract, table(now, contract), before, as_of) if not found.passed
    }


def test_without_an_accepted_snapshot_nothing_is_compared() -> None:
    assert drift(VAT, table(filings(3)), Before(), DAY) == []


@pytest.mark.parametrize(
    ("now", "last", "lost"),
    [
        (100, 100, False),
        (81, 100, False),
        (80, 100, True),
        (33, 40, False),
        (32, 40, True),
        (3, 10, False),
        (2, 10, True),
        (1, 9, True),
        (1, 8, False),
        (0, 8, True),
        (0, 7, False),  # of so few the floor of an empty delivery tells: `snapshot.min_rows`
    ],
)
def test_a_fifth_of_the_rows_and_at_least_eight_are_a_loss(now: int, last: int, lost: bool) -> None:
    assert ("snapshot.lost" in failing(filings(now), filings(last))) == lost


@pytest.mark.parametrize(("now", "grown"), [(599, False), (600, True)])
def test_half_as_many_again_and_two_hundred_more_are_a_growth(now: int, grown: bool) -> None:
    assert ("snapshot.gained" in failing(filings(now), filings(400))) == grown
    assert failing(filings(150), filings(10)) == {}  # a young dataset may grow tenfold: 140 rows are nobody's alarm


def test_one_period_that_is_gone_is_told_though_the_whole_hardly_shrinks() -> None:
    old = filings(1000, 100, period_to=date(2026, 9, 30))
    assert failing(old, [*old, *filings(50)]) == {"snapshot.lost": "period 2026-10: 0 rows, 50 before"}


def test_a_year_that_is_no_longer_asked_for_is_not_lost() -> None:
    past = filings(500, 1000, period_to=date(2023, 12, 31))
    assert failing(filings(100), [*filings(100), *past], as_of=date(2027, 1, 1)) == {}
    assert "snapshot.lost" in failing(filings(100), [*filings(100), *past], as_of=date(2026, 12, 31))


def test_one_bank_that_is_missing_is_told() -> None:
    def statements(bank: str, number: int) -> Rows:
        row = {"bank": bank, "month": date(2026, 10, 1), "enterprise_name": "甲"}
        return [row | {"contract_no": f"{bank}{i}"} for i in range(number)]

    last = [*statements("中国银行", 300), *statements("苏州银行", 20)]
    found = failing(statements("中国银行", 300), last, contract=LOAN)
    assert found == {"snapshot.lost": "bank 苏州银行: 0 rows, 20 before"}


@pytest.mark.parametrize(("filled", "fallen"), [(90, False), (89, True)])
def test_a_column_that_is_no_longer_filled_is_told(filled: int, fallen: bool) -> None:
    now = [row | {"export_sales_yuan": Decimal(5) if i < filled else Decimal(0)} for i, row in enumerate(filings(100))]
    last = filings(100, export_sales_yuan=Decimal(5))
    assert (failing(now, last) == {}) != fallen
    if fallen:
        assert failing(now, last) == {"snapshot.filled": "export_sales_yuan: 89.0% filled, 100.0% before"}


def quarter(end: date, number: int, **given: Any) -> Rows:
    row = {"quarter_end": end, "management_area": "320411", "uscc": "91320411MA1", "unit_name": "甲"}
    return [row | {"unit_no": f"{end}{i}"} | given for i in range(number)]


def test_the_same_place_of_the_calendar_lies_a_cadence_back_and_leaves_room_for_a_moved_deadline() -> None:
    assert season_day(STAFF, date(2026, 11, 20)) == (date(2026, 8, 20), date(2026, 8, 8))
    assert season_day(STAFF, date(2026, 5, 31)) == (date(2026, 2, 28), date(2026, 2, 16))
    assert season_day(require_contract("TAX_CIT"), date(2026, 1, 5)) == (date(2025, 1, 5), date(2024, 12, 24))
    assert season_day(require_contract("IP_PAT"), DAY) is None


@pytest.mark.parametrize(("came", "late"), [(50, False), (49, True), (0, True)])
def test_a_period_that_does_not_arrive_is_told_by_the_one_a_cadence_ago(came: int, late: bool) -> None:
    june, september = quarter(date(2026, 6, 30), 100), quarter(date(2026, 9, 30), came)
    found = failing([*june, *september], [*june, *september], contract=STAFF, season=june)
    assert found == ({"snapshot.arrived": f"2 months old: {came} rows, 100 one cadence ago"} if late else {})


def test_a_new_period_that_starts_nearly_empty_is_not_judged() -> None:
    """In August only a few of the second quarter had come by the same day: nobody expects more of the third now."""
    june, september = quarter(date(2026, 6, 30), 49), quarter(date(2026, 9, 30), 1)
    assert failing(september, september, contract=STAFF, season=june) == {}


def test_the_fill_rate_of_a_new_period_has_the_periods_floor() -> None:
    june = quarter(date(2026, 6, 30), 100)
    empty = quarter(date(2026, 9, 30), 50, unit_name=None)
    few = quarter(date(2026, 9, 30), 49, unit_name=None)
    said = failing([*june, *empty], [*june, *empty], contract=STAFF, season=june)
    assert said == {"snapshot.filled_new": "unit_name 2 months old: 0.0% filled, 100.0% before"}
    assert "snapshot.filled_new" not in failing([*june, *few], [*june, *few], contract=STAFF, season=june)


@pytest.mark.parametrize(("moved", "told"), [(2, False), (3, True)])
def test_three_of_a_hundred_amounts_that_move_by_the_same_power_are_a_unit(moved: int, told: bool) -> None:
    now = [row | ({"sales_yuan": Decimal("0.10")} if i < moved else {}) for i, row in enumerate(filings(100))]
    assert (failing(now, filings(100)) != {}) == told
    if told:
        assert failing(now, filings(100)) == {"snapshot.unit": "sales_yuan: 3 of 100 amounts times 10^-4"}


@pytest.mark.parametrize("power", [power for power in range(-8, 9) if power])
def test_every_power_of_ten_is_a_unit_and_what_lies_between_is_none(power: int) -> None:
    """A little more or less is what rounding to 0.01 of a larger unit does; half as much again is something else."""

    def moved(by: str) -> dict[str, str]:
        tens = Decimal(by) * Decimal(10) ** power
        last = filings(10, sales_yuan=Decimal(1000 if power > 0 else 10**11))
        return failing([row | {"sales_yuan": round(row["sales_yuan"] * tens, 2)} for row in last], last)

    assert moved("1")["snapshot.unit"].startswith(f"sales_yuan: 10 of 10 amounts times 10^{power}, ")
    assert "snapshot.unit" in moved("1.04")
    assert moved("1.5") == {}


def test_amounts_that_change_by_anything_else_are_restatements() -> None:
    now = [row | {"sales_yuan": Decimal(1000 + 13 * i)} for i, row in enumerate(filings(100))]
    assert failing(now, filings(100)) == {}


def test_signs_that_turn_are_told() -> None:
    assert failing(filings(100, sales_yuan=Decimal(-1000)), filings(100)) == {
        "snapshot.unit": "sales_yuan: 100 of 100 amounts times -1, sales_yuan district 320411: 100 of 100 amounts "
        "times -1, sales_yuan frequency 月: 100 of 100 amounts times -1"
    }


def test_only_new_filings_in_another_unit_are_told_by_their_enterprises() -> None:
    september = filings(200, period_to=date(2026, 9, 30))
    october = [row | {"filing_id": f"n{i}"} for i, row in enumerate(filings(10, sales_yuan=Decimal("0.12")))]
    found = failing([*september, *october], september)["snapshot.unit"]
    assert found.startswith("sales_yuan: new amounts of 10 enterprises about 10^-4 of theirs")
    assert "snapshot.unit" not in failing([*september, *october[:9]], september)


# The world: every kind of amount that is served, spoiled in every way. 400 enterprises, about 57 a district; `make
# test-drift` has a larger one too.

NIGHTS, LARGER = Nights(20210430, 400), Nights(20210430, 1500)
WORLDS = pytest.mark.parametrize(
    "nights", [NIGHTS, pytest.param(LARGER, marks=pytest.mark.drift)], ids=lambda nights: str(nights.enterprises)
)
FACTORS = {
    "元 to 万元": "0.0001",
    "万元 to 元": "10000",
    "元 to 千元": "0.001",
    "千元 to 元": "1000",
    "万元 to 千元": "10",
    "千元 to 万元": "0.1",
}
RARE = {"元 to 百万元": "0.000001", "百万元 to 元": "1000000", "元 to 分": "100", "分 to 元": "0.01"}


def money(nights: Nights) -> list[tuple[Contract, str]]:
    """Datasets with amounts; of a small world two districts, of a larger one all."""
    return [
        (contract, scope)
        for contract, scope in every_scope(nights)
        if any(column.unit == "元" for column in contract.columns.values())
        and (nights is LARGER or scope in (CITY, "320411", "320412"))
    ]


def spoiled(contract: Contract, rows: pa.Table, mask: np.ndarray, factor: str) -> pa.Table:
    """Amounts of the masked rows times `factor`, rounded to what the column holds."""
    for name, column in contract.columns.items():
        if column.unit == "元":
            held = rows[name].to_pylist()
            unit = Decimal(1).scaleb(-column.decimals)
            moved = [
                (value * Decimal(factor)).quantize(unit) if value is not None and hit else value
                for value, hit in zip(held, mask, strict=True)
            ]
            place = rows.column_names.index(name)
            rows = rows.set_column(place, rows.schema.field(name), pa.chunked_array([pa.array(moved, rows[name].type)]))
    return rows


def broken(contract: Contract, rows: pa.Table, before: Before) -> set[str]:
    return {found.id for found in drift(contract, rows, before, DAY) if not found.passed}


def caught(contract: Contract, rows: pa.Table, before: Before) -> bool:
    return "snapshot.unit" in broken(contract, rows, before)


def districts(contract: Contract, rows: pa.Table, before: Before) -> np.ndarray:
    """Per row the district of the first enterprise it names; None where the registry knows none."""

    def of(row: dict[str, Any]) -> str | None:
        said = [part for name in contract.entity.columns for part in (row[name] or "").split(";")]
        return next((before.district_of[part] for part in said if part in before.district_of), None)

    return np.array([of(row) for row in rows.to_pylist()], dtype=object)


def amounts(contract: Contract, rows: pa.Table) -> np.ndarray:
    """Which rows hold an amount that says something about the unit: 万元 of it is at least 1.00."""
    money = [name for name, column in contract.columns.items() if column.unit == "元"]
    large = [pc.fill_null(pc.greater_equal(pc.abs(rows[name]), pa.scalar(10_000)), False) for name in money]
    return np.any([mask.to_numpy(zero_copy_only=False) for mask in large], axis=0)


@WORLDS
@pytest.mark.parametrize("factor", [*FACTORS.values(), *RARE.values()], ids=[*FACTORS, *RARE])
def test_a_unit_that_changes_in_the_whole_dataset_is_always_caught(factor: str, nights: Nights) -> None:
    for contract, scope in money(nights):
        rows, before = nights.accepted(contract, scope, DAY), nights.before(contract, scope, DAY)
        whole = spoiled(contract, rows, np.ones(rows.num_rows, bool), factor)
        assert caught(contract, whole, before), (contract.dataset, scope)
        assert not caught(contract, rows, before), (contract.dataset, scope)


@WORLDS
@pytest.mark.parametrize("change", ["元 to 万元", "万元 to 元", "万元 to 千元"])
def test_a_unit_that_changes_in_one_district_of_a_city_dataset_is_always_caught(change: str, nights: Nights) -> None:
    """Three amounts of a district are the least that can tell a unit from a correction."""
    judged = 0
    for contract, scope in money(nights):
        if scope != CITY:
            continue
        rows, before = nights.accepted(contract, CITY, DAY), nights.before(contract, CITY, DAY)
        there = districts(contract, rows, before)
        for district in sorted({area for area in there if area}):
            mask = there == district
            if (mask & amounts(contract, rows)).sum() >= 3:
                judged += 1
                spoilt = spoiled(contract, rows, mask, FACTORS[change])
                assert caught(contract, spoilt, before), (contract.dataset, district)
    assert judged >= 21


def tenths(nights: Nights, seeds: range, least: int) -> tuple[int, int]:
    """10 % of the rows of every dataset with at least `least` amounts, drawn per seed: caught, of how many."""
    hits = tries = 0
    for contract, scope in money(nights):
        rows, before = nights.accepted(contract, scope, DAY), nights.before(contract, scope, DAY)
        if amounts(contract, rows).sum() < least:
            continue
        for seed in seeds:
            mask = np.random.default_rng(seed).random(rows.num_rows) < 0.1
            factor = list(FACTORS.values())[seed % len(FACTORS)]
            tries += 1
            hits += caught(contract, spoiled(contract, rows, mask, factor), before)
    return hits, tries


@pytest.mark.parametrize(
    ("nights", "seeds"),
    [
        (NIGHTS, range(2)),
        pytest.param(NIGHTS, range(100, 140), marks=pytest.mark.drift),
        pytest.param(LARGER, range(100, 108), marks=pytest.mark.drift),
    ],
    ids=["two", "40", "8 in a larger world"],
)
def test_a_unit_that_changes_in_a_tenth_of_the_rows_is_caught(
    nights: Nights, seeds: range, capsys: pytest.CaptureFixture[str]
) -> None:
    hits, tries = tenths(nights, seeds, 100)
    with capsys.disabled():
        print(f"\n10 % of the rows in another unit: caught {hits} of {tries}")
    assert tries >= 20
    assert hits >= 0.95 * tries


@WORLDS
@pytest.mark.parametrize("kept", [0.1, 0.5])
def test_one_district_of_a_city_dataset_that_comes_short_is_caught(kept: float, nights: Nights) -> None:
    judged = 0
    for contract, scope in every_scope(nights):
        if scope != CITY:
            continue
        rows, before = nights.accepted(contract, CITY, DAY), nights.before(contract, CITY, DAY)
        theirs = districts(contract, rows, before) == "320412"
        if theirs.sum() >= 40:
            gone = theirs & (np.arange(len(theirs)) % 10 >= kept * 10)
            judged += 1
            assert "snapshot.lost" in broken(contract, rows.filter(pa.array(~gone)), before), contract.dataset
    assert judged >= 8


@pytest.mark.parametrize("contract", contracts().values(), ids=list(contracts()))
def test_a_tenth_of_what_came_and_ten_times_as_much_are_caught(contract: Contract) -> None:
    scope = NIGHTS.scopes(contract)[0]
    rows, before = NIGHTS.accepted(contract, scope, DAY), NIGHTS.before(contract, scope, DAY)
    assert rows.num_rows > 30
    assert "snapshot.lost" in broken(contract, rows.slice(0, rows.num_rows // 10), before)
    assert "snapshot.gained" in broken(contract, pa.concat_tables([rows] * 10), before)


@pytest.mark.drift
def test_in_a_larger_world_a_tenth_of_what_came_and_nothing_are_caught_in_every_scope() -> None:
    for contract, scope in every_scope(LARGER):
        rows, before = LARGER.accepted(contract, scope, DAY), LARGER.before(contract, scope, DAY)
        assert rows.num_rows >= 9
        some = np.random.default_rng(3).random(rows.num_rows) < 0.1
        for kept in (np.zeros(rows.num_rows, bool), some):
            assert "snapshot.lost" in broken(contract, rows.filter(pa.array(kept)), before), (contract.dataset, scope)
