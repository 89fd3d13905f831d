"""Faults that only the register of names gives away."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from include.conformed.conform import conform
from include.conformed.register import TWO_ENTERPRISES, Register
from include.contracts import require_contract
from include.sandbox.dirt import Fault, Faults
from include.sandbox.world import world
from include.validation.judge import judge
from tests.dirt.snapshots import landed

AS_OF = date(2026, 12, 31)


def test_another_enterprises_name_beside_a_code_goes_to_review() -> None:
    made = world(11, 60, Faults((Fault("parent_for_subsidiary", 0.2, ("HR_STAFF",)),)))
    accepted = {}
    for dataset in ("REG_ENT", "HR_STAFF"):
        table, _ = landed(made, dataset, AS_OF)
        accepted[dataset] = judge(require_contract(dataset), table, as_of=AS_OF).accepted
    register = Register.of(accepted["REG_ENT"], 365)
    conformed = conform(require_contract("HR_STAFF"), accepted["HR_STAFF"], register, register.codes)
    linked, left = conformed.table, conformed.unresolved.to_pylist()
    planted = {row["key"] for row in made.planted.to_pylist() if row["conclusion"] == "review"}
    assert len(planted) > 50
    assert not planted & _records(linked)
    waits = sum(row["rows"] for row in left if row["tier"] == TWO_ENTERPRISES)
    assert waits == len(planted & _records(accepted["HR_STAFF"])) > 200


def _records(rows: pa.Table) -> set[str]:
    return {f"{row['unit_no']}|{row['quarter_end']}" for row in rows.select(["unit_no", "quarter_end"]).to_pylist()}
