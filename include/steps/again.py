"""A district's night again: conformed anew from the frozen accepted snapshots that its points stand on, under the rules
of its day.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from include.evidence.support import ENTERPRISES
from include.kernel.areas import CITY
from include.schemes.compile import Compiled
from include.sources.declaration import REGISTRY
from include.steps.conforming import Frozen, Registries, conformed, decided
from include.steps.district import compiled
from include.steps.stores import Stores
from include.store.ledger import Result

MOST_RULES, MOST_ENTERPRISES = 8, 32
Made = TypeVar("Made")


@dataclass(frozen=True)
class ConformedNight:
    """The conformed rows of a district's enterprises by table, and which of them have rows in quarantine."""

    tables: dict[str, pa.Table]
    held_back: pa.Table

    def of(self, code: str) -> tuple[dict[str, pa.Table], frozenset[str]]:
        """One enterprise's rows, and the datasets that hold rows of it in quarantine."""
        tables = {name: table.filter(pc.equal(table["uscc"], code)) for name, table in self.tables.items()}
        return tables, frozenset(self.held_back.filter(pc.equal(self.held_back["uscc"], code))["dataset"].to_pylist())

    @property
    def bytes(self) -> int:
        return sum(table.nbytes for table in (*self.tables.values(), self.held_back))


def conformed_again(stores: Stores, row: Result) -> ConformedNight:
    """A night from its frozen snapshots alone: what was conformed then is not looked at."""
    members, district, as_of = [Frozen.of(member) for member in row.members], row.result.district, row.result.as_of
    known = Registries.read(stores, (m for m in members if m.key.dataset == REGISTRY), as_of)
    taking_part, people = known.participating(district), decided(stores, as_of)
    tables, held_back = {ENTERPRISES: known.enterprises[district]}, []
    for scope, register in ((district, known.within(district)), (CITY, known.register)):
        chosen = (m for m in members if m.key.scope == scope)
        found = conformed(stores, chosen, register, taking_part, people, as_of)
        held_back.append(found.pop("quarantined"))
        tables |= {name: table for name, table in found.items() if name != "unresolved"}
    return ConformedNight(tables, pa.concat_tables(held_back))


class Nights:
    """What was worked out again of the last nights that were asked about, as long as it takes no more memory than
    `most_bytes`, and of the last enterprises. A night is told by the digest of its points, and nothing of it ever
    changes.
    """

    def __init__(self, most_bytes: int = 0) -> None:
        self._most_bytes = most_bytes
        self._nights: OrderedDict[tuple[str, str], ConformedNight] = OrderedDict()
        self._enterprises: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
        self.rules: Callable[[str, date], Compiled] = lru_cache(MOST_RULES)(compiled)

    def enterprise(self, row: Result, code: str, make: Callable[[], Made]) -> Made:
        """What `make` works out of an enterprise on a night, once for all that is asked about it in a row."""
        key = (row.points_sha, row.snapshot_set, code)
        found = self._enterprises.pop(key) if key in self._enterprises else make()
        self._enterprises[key] = found
        if len(self._enterprises) > MOST_ENTERPRISES:
            self._enterprises.popitem(last=False)
        return found

    def conformed(self, stores: Stores, row: Result) -> ConformedNight:
        """A night; of those that take too much together, that which was asked about longest ago is forgotten first."""
        key = (row.points_sha, row.snapshot_set)
        night = self._nights.pop(key, None) or conformed_again(stores, row)
        self._nights[key] = night
        while self._nights and sum(one.bytes for one in self._nights.values()) > self._most_bytes:
            self._nights.popitem(last=False)
        return night
