"""Faults that a row itself gives away: each is held back, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from include.contracts import contracts
from include.sandbox.dirt import KINDS, Fault, Faults, as_in_life
from include.sandbox.world import world
from tests.dirt.snapshots import REFUSED_BY, judged

AS_OF = date(2026, 12, 31)
Show = Callable[[str, object], None]
FAMILIES = ("REG_ENT", "TAX_CIT", "TAX_RDD", "TAX_HNTE", "HR_STAFF", "IP_PAT", "FIN_EQ", "ST_QUAL", "ST_CONTRACT")
RATES = {"sum_row": 1.0, "unit_of_total": 0.3}  # few records can carry these


def spoiling(rate: float) -> Faults:
    kinds = [kind for kind in KINDS.values() if kind.spoils or kind.conclusion == "duplicate"]
    return Faults(tuple(Fault(kind.name, RATES.get(kind.name, rate), kind.datasets) for kind in kinds))


def test_each_kind_that_a_contract_can_decide_says_which_checks_refuse_it() -> None:
    assert {kind.name for kind in KINDS.values() if kind.spoils} == REFUSED_BY.keys()


def test_every_spoilt_row_waits_and_no_other(record_property: Show) -> None:
    found = judged(world(11, 100, spoiling(0.02)), AS_OF, FAMILIES)
    record_property("shown", ("what contracts decide, a dataset of each family, 100 enterprises", found.lines()))
    assert {kind: found.recall(kind) for kind in REFUSED_BY} == dict.fromkeys(REFUSED_BY, 1.0)
    assert {kind: found.precision(kind) for kind in REFUSED_BY} == dict.fromkeys(REFUSED_BY, 1.0)
    assert found.clean == []
    assert all(planted == counted for planted, counted in found.duplicates.values())
    assert sum(planted for planted, _ in found.duplicates.values()) > 100


@pytest.mark.dirt
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_row_of_a_clean_world_waits(seed: int) -> None:
    found = judged(world(seed, 150, as_in_life(0)), AS_OF, contracts())
    assert found.clean == []
    assert not sum(counted for _, counted in found.duplicates.values())


@pytest.mark.dirt
@pytest.mark.parametrize("seed", range(101, 106))
def test_of_larger_worlds_too_every_spoilt_row_waits_and_no_other(seed: int, record_property: Show) -> None:
    found = judged(world(seed, 600, spoiling(0.01)), AS_OF, contracts())
    record_property("shown", (f"what contracts decide, 600 enterprises, seed {seed}", found.lines()))
    assert {kind: found.recall(kind) for kind in REFUSED_BY} == dict.fromkeys(REFUSED_BY, 1.0)
    assert found.clean == []
    assert all(planted == counted for planted, counted in found.duplicates.values())


@pytest.mark.dirt
@pytest.mark.parametrize("seed", range(201, 204))
def test_under_the_usual_faults_every_snapshot_is_accepted_and_exactly_the_spoilt_rows_wait(seed: int) -> None:
    found = judged(world(seed, 1000), AS_OF, contracts())
    assert sum(found.planted.values()) > 500
    assert found.found == found.planted
    assert found.clean == []
