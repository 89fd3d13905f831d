"""Faults that only the register of names gives away."""

from __future__ import annotations

from datetime import date

import pytest

from include.conformed.conform import conform
from include.conformed.enterprises import Directory
from include.contracts import require_contract
from include.sandbox.dirt import Fault, Faults
from include.sandbox.world import world
from include.validation.judge import judge
from tests.dirt.snapshots import landed

AS_OF = date(2026, 12, 31)


@pytest.mark.xfail(
    strict=True,
    reason="a code that decides alone is believed whatever name stands beside it; review of names comes later",
)
def test_another_enterprises_name_beside_a_code_goes_to_review() -> None:
    made = world(11, 60, Faults((Fault("parent_for_subsidiary", 0.2, ("HR_STAFF",)),)))
    accepted = {}
    for dataset in ("REG_ENT", "HR_STAFF"):
        table, _ = landed(made, dataset, AS_OF)
        accepted[dataset] = judge(require_contract(dataset), table, as_of=AS_OF).accepted
    directory = Directory.of(accepted["REG_ENT"])
    linked = conform(require_contract("HR_STAFF"), accepted["HR_STAFF"], directory, directory.codes).table
    planted = {row["key"] for row in made.planted.to_pylist() if row["conclusion"] == "review"}
    assert len(planted) > 50
    units = zip(linked["unit_no"].to_pylist(), linked["quarter_end"].to_pylist(), strict=True)
    assert not planted & {f"{unit}|{day}" for unit, day in units}
