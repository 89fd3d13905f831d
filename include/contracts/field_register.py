"""The field register: every field that may be held, from whom, for what, on what ground, how guarded, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from include.contracts.model import Column, Contract, contracts
from include.kernel.documents import read_yaml
from include.kernel.errors import TerminalError


@dataclass(frozen=True)
class RegisteredField:
    """One line of the register. `klass`: public, business or person; of a person only a keyed hash is held."""

    dataset: str
    column: str
    native: str
    zh: str
    source: str
    purpose: str
    klass: str
    basis: str
    reference: str
    retention_days: int


def field_register(as_of: date) -> list[RegisteredField]:
    """The register in force on a date, in the order of the contracts and their columns."""
    found = []
    for contract in contracts().values():
        basis = _in_force("basis", as_of)
        ground = basis.get("datasets", {}).get(contract.dataset, basis["default"])
        for name, column in contract.columns.items():
            found.append(
                RegisteredField(
                    dataset=contract.dataset,
                    column=name,
                    native=column.native,
                    zh=column.zh,
                    source=contract.owner,
                    purpose=purpose(contract, name, column),
                    klass="person" if column.type == "people" else column.privacy,
                    basis=ground["text"],
                    reference=ground["reference"],
                    retention_days=retention_days(as_of),
                )
            )
    return found


def purpose(contract: Contract, name: str, column: Column) -> str:
    """What a field is held for: said by its column, else read off its part in the contract, else `compute`."""
    if column.purpose:
        return column.purpose
    if name in (*contract.entity.columns, contract.entity.filed_by):
        return "identify"
    versions = contract.versions
    ordering = {*contract.key, contract.arrival}
    if versions:
        ordering |= {*versions.group, *versions.latest_by, *versions.void, *filter(None, [versions.filing])}
    if contract.editions:
        ordering |= {*contract.editions.of, *contract.editions.latest_by}
    return "order" if name in ordering else "compute"


def retention_days(as_of: date) -> int:
    """How long a snapshot is kept that nothing published stands on any more."""
    return _in_force("retention", as_of)["days"]


def _in_force(part: str, as_of: date) -> dict[str, Any]:
    held = [entry for entry in _register()[part] if entry["from"] <= as_of]
    if not held:
        raise TerminalError(f"the field register's {part} is undefined as of {as_of}", todo="add a dated entry")
    return held[-1]


@cache
def _register() -> dict[str, list[dict[str, Any]]]:
    return read_yaml(Path(__file__).with_name("field_register.yaml"))
