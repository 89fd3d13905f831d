"""The difference of two nights under the small scheme, split on paper."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.contracts import contracts
from include.evidence.change import Night, added, category_changes, line_changes, record_changes
from include.evidence.derive import derive, with_numbers
from include.schemes.compile import compile_scheme
from include.schemes.model import load_scheme

SMALL = compile_scheme(load_scheme(Path(__file__).parents[1] / "schemes" / "small"), date(2026, 1, 1), {})
NOTHING: dict[str, Any] = dict.fromkeys(SMALL.measures)


def night(stage: str, **measured: Any) -> Night:
    return Night(SMALL, {**NOTHING, **measured}, stage)


def test_facts_first_then_the_stage() -> None:
    """RD share 100/2000 = 0.05 → 50 raw; 160/2000 = 0.08 → 80 raw. Its weight is 20 when young and 10 when grown:
    50 x 20 = 10; new facts in the old stage 16; then the stage halves it.
    """
    before = night("young", rd=Decimal(100), revenue=Decimal(2000))
    after = night("grown", rd=Decimal(160), revenue=Decimal(2000))
    (line,) = [one for one in line_changes(before, after) if one.indicator == "ABI-01"]
    effects = [getattr(line.effects, name) for name in ("before", "facts", "stage", "rules", "after")]
    assert effects == [10, 6, -8, 0, 8]


FACT = st.one_of(st.none(), st.integers(0, 3000).map(Decimal))
FACTS = st.fixed_dictionaries(dict.fromkeys(SMALL.measures, FACT))


@settings(max_examples=60, deadline=None)
@given(FACTS, FACTS, st.sampled_from(["young", "grown"]), st.sampled_from(["young", "grown"]))
def test_the_three_effects_add_up_for_lines_categories_and_total(old: Any, new: Any, was: str, now: str) -> None:
    lines = line_changes(Night(SMALL, old, was), Night(SMALL, new, now))
    every = [*(line.effects for line in lines), *(c.effects for c in category_changes(lines)), added(lines)]
    assert all(e.before + e.facts + e.stage + e.rules == e.after for e in every)
    assert added(lines).after == sum(derive(SMALL, name, new, now).points for name in SMALL.indicators)


def test_a_formula_shows_its_numbers_and_what_is_not_held() -> None:
    measured = {"rd": Decimal("5.00"), "revenue": None}
    assert with_numbers("case when revenue > 0 then ratio(rd, revenue) end", measured) == (
        "case when null > 0 then ratio(5.00, null) end"
    )


@pytest.fixture
def rating() -> dict[str, Any]:
    return dict.fromkeys(contracts()["TAX_PAY"].conformed_schema().names)


def test_records_that_came_went_or_read_differently(rating: dict[str, Any]) -> None:
    contract = contracts()["TAX_PAY"]

    def rows(*given_rows: dict[str, Any]) -> pa.Table:
        return pa.Table.from_pylist([{**rating, **row} for row in given_rows], contract.conformed_schema())

    before = rows({"voucher_id": "1", "rating": "A"}, {"voucher_id": "2"})
    after = rows({"voucher_id": "1", "rating": "B"}, {"voucher_id": "3"})
    changes = {change.key["PZXH"]: change for change in record_changes(contract, before, after)}
    assert {key: change.change for key, change in changes.items()} == {"1": "changed", "2": "removed", "3": "added"}
    (field,) = changes["1"].fields
    assert (field.column, field.before, field.after) == ("rating", "A", "B")


def test_a_persons_field_says_only_that_it_changed() -> None:
    contract = contracts()["IP_PAT"]
    blank = dict.fromkeys(contract.conformed_schema().names)

    def row(inventors: str) -> pa.Table:
        return pa.Table.from_pylist([{**blank, "inventors": inventors}], contract.conformed_schema())

    (change,) = record_changes(contract, row("k1:aa"), row("k1:bb"))
    (field,) = change.fields
    assert (field.column, field.before, field.after, field.withheld) == ("inventors", None, None, True)


def test_a_patent_that_fewer_share_says_so_without_naming_them() -> None:
    contract = contracts()["IP_PAT"]
    blank = dict.fromkeys(contract.conformed_schema().names)

    def row(assignees: str, owners: int) -> pa.Table:
        return pa.Table.from_pylist([{**blank, "assignees": assignees, "owners": owners}], contract.conformed_schema())

    (change,) = record_changes(contract, row("甲公司;乙", 2), row("甲公司", 1))
    told = {field.column: (field.before, field.after, field.withheld) for field in change.fields}
    assert told == {"assignees": (None, None, True), "owners": ("2", "1", False)}


def test_which_part_an_enterprise_has_in_a_deal_tells_its_records_apart() -> None:
    contract = contracts()["ST_CONTRACT"]
    blank = {**dict.fromkeys(contract.conformed_schema().names), "registration_no": "R1", "event_no": 1}

    def rows(*roles: str) -> pa.Table:
        return pa.Table.from_pylist([{**blank, "role": role} for role in roles], contract.conformed_schema())

    (change,) = record_changes(contract, rows("seller"), rows("buyer", "seller"))
    assert (change.change, change.key) == ("added", {"HTDJBH": "R1", "BGXH": "1", "role": "buyer"})
    assert record_changes(contract, rows("seller"), rows("seller")) == []
