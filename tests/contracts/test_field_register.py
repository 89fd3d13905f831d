"""The field register: nothing is held without a purpose, and a purpose that is claimed is a purpose that is served."""

from datetime import date

import pytest

from include.conformed.enterprises import ENTERPRISES
from include.contracts import contracts
from include.contracts.field_register import field_register, retention_days
from include.kernel.errors import TerminalError
from include.measures.registry import columns_read

DAY = date(2026, 11, 29)


def test_every_field_that_may_land_has_a_source_a_purpose_a_ground_and_an_end() -> None:
    register = field_register(DAY)
    assert len(register) == sum(len(contract.columns) for contract in contracts().values())
    for field in register:
        assert all((field.source, field.purpose, field.klass, field.basis, field.reference)), field
        assert field.retention_days > 0


def test_a_field_that_is_held_to_compute_is_read_by_a_measure() -> None:
    read = {name: {column.removeprefix("first_") for column in columns_read(name)} for name in contracts()}
    read["REG_ENT"] = {*ENTERPRISES.names, "state"}  # participation reads the state
    idle = [
        f"{field.dataset}.{field.column}"
        for field in field_register(DAY)
        if field.purpose == "compute" and field.column not in read[field.dataset]
    ]
    assert idle == []


def test_whatever_is_about_a_person_is_keyed_before_it_lands() -> None:
    for contract in contracts().values():
        declared = {name for name, column in contract.columns.items() if "person" in (column.privacy, column.type)}
        assert declared <= set(contract.people), contract.dataset
        assert all(contract.columns[name].privacy == "person" for name in contract.people), contract.dataset


def test_before_its_first_entry_the_register_allows_nothing() -> None:
    with pytest.raises(TerminalError, match="field register's retention is undefined as of 2020-01-01"):
        retention_days(date(2020, 1, 1))
