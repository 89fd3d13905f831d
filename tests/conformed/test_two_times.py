"""Two times: as of a night, what had arrived by then is seen and nothing that came later, however often it is asked."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.conformed.conform import conform
from include.conformed.enterprises import rule
from include.conformed.register import Register
from include.contracts import Contract, require_contract
from include.kernel.areas import CITY
from tests.validation.nights import Nights

NIGHTS = Nights(4, 250)
LATE = ("superseded", "void", "cancelled", "arrives_late")
FIRST, LAST = datetime(2025, 1, 1), datetime(2026, 11, 20)  # noqa: DTZ001 - wall time, as departments write it
SAMPLE = 3


@cache
def register() -> Register:
    """Everybody who is registered in any district by the end."""
    registry = require_contract("REG_ENT")
    rows = [NIGHTS.accepted(registry, scope, LAST.date()) for scope in NIGHTS.scopes(registry)]
    return Register.of(pa.concat_tables(rows), rule("name_lag_days", LAST.date()))


def conformed(contract: Contract, scope: str, as_of: date) -> pa.Table:
    accepted = NIGHTS.accepted(contract, scope, as_of)
    return conform(contract, accepted, register(), register().codes).table


def planted(dataset: str, conclusion: str) -> list[dict[str, str]]:
    """A few of the truth table's faults that arrived in the window, evenly spread."""
    found = [
        row
        for row in NIGHTS.world.planted.to_pylist()
        if (row["dataset"], row["conclusion"]) == (dataset, conclusion)
        and FIRST <= datetime.fromisoformat(row["arrived_at"]) <= LAST
    ]
    return found[:: max(1, len(found) // SAMPLE)][:SAMPLE]


def keys(contract: Contract, rows: pa.Table) -> set[str]:
    return {"|".join(map(str, row.values())) for row in rows.select(contract.key).to_pylist()}


# The other corrected return, TAX_HNTE, has no correction in this world that arrives in the window.
@pytest.mark.parametrize("dataset", ["TAX_VAT", "TAX_FIN", "TAX_CIT"])
def test_a_corrected_filing_counts_until_the_night_after_its_correction_arrived(dataset: str) -> None:
    contract = require_contract(dataset)
    assert contract.versions is not None
    faults, corrected = planted(dataset, "superseded"), 0
    for fault in faults:
        last = conformed(contract, fault["area"], LAST.date())
        held = NIGHTS.accepted(contract, fault["area"], LAST.date())
        mine, *_ = held.filter(pc.equal(held[contract.key[0]], fault["key"].split("|")[0])).to_pylist()
        same = held.filter(pc.equal(held["uscc"], mine["uscc"])).to_pylist()
        same = [row for row in same if all(row[name] == mine[name] for name in contract.versions.group)]
        later = [row[contract.arrival] for row in same if row["correction_no"] > mine["correction_no"]]
        if not later:  # its correction comes after the last night
            assert fault["key"] in keys(contract, last)
            continue
        day, corrected = min(later).date(), corrected + 1
        assert fault["key"] not in keys(contract, last)
        assert (fault["key"] in keys(contract, conformed(contract, fault["area"], day))) == (
            mine[contract.arrival].date() < day
        )
        assert fault["key"] not in keys(contract, conformed(contract, fault["area"], day + timedelta(days=1)))
        assert conformed(contract, fault["area"], LAST.date()).equals(last)  # an earlier night in between left no trace
    assert corrected


# The other corrected return, TAX_HNTE, has no correction in this world that arrives in the window.
@pytest.mark.parametrize("dataset", ["TAX_VAT", "TAX_FIN", "TAX_CIT"])
def test_a_void_filing_never_counts(dataset: str) -> None:
    contract, faults = require_contract(dataset), planted(dataset, "void")
    assert faults
    for fault in faults:
        arrived = datetime.fromisoformat(fault["arrived_at"]).date()
        for night in (arrived, arrived + timedelta(days=1), LAST.date()):
            assert fault["key"] not in keys(contract, conformed(contract, fault["area"], night))


def test_a_revoked_certificate_stands_in_the_list_until_the_cancellation_is_published() -> None:
    contract = require_contract("ST_QUAL")
    rows = NIGHTS.accepted(contract, CITY, LAST.date()).to_pylist()
    cancelled = [row for row in rows if row["status"] == "取消"]
    assert cancelled
    for row in cancelled[:SAMPLE]:
        key, published = f"{row['list_batch']}|{row['line_no']}", row[contract.arrival]
        seen = [key in keys(contract, conformed(contract, CITY, published + timedelta(days=n))) for n in (0, 1)]
        assert seen == [False, True]


def test_a_late_filing_is_not_known_before_it_came() -> None:
    contract = require_contract("TAX_CIT")
    late = [
        row
        for row in NIGHTS.world.planted.to_pylist()
        if (row["dataset"], row["conclusion"]) == ("TAX_CIT", "arrives_late")
    ][:SAMPLE]
    assert late
    for fault in late:
        arrived = datetime.fromisoformat(fault["arrived_at"]).date()
        seen = [
            fault["key"] in keys(contract, NIGHTS.accepted(contract, fault["area"], arrived + timedelta(days=n)))
            for n in (0, 1)
        ]
        assert seen == [False, True]
