"""Accepted snapshots from the stand-in departments' world, without servers: what had arrived before a night."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import Contract, contracts
from include.kernel.areas import CITY, areas
from include.sandbox.world import World, world
from include.validation.cast import cast
from include.validation.drift import Before, Earlier, season_day


@dataclass
class Nights:
    """The snapshots of one world; every one is cast as validation casts it."""

    seed: int
    enterprises: int
    _cast: dict[str, pa.Table] = field(default_factory=dict)

    @cached_property
    def world(self) -> World:
        return world(self.seed, self.enterprises)

    @cached_property
    def district_of(self) -> dict[str, str]:
        registry = self.world.tables["REG_ENT"]
        pairs = zip(registry["uniscid"].to_pylist(), registry["_area"].to_pylist(), strict=True)
        names = zip(registry["entname"].to_pylist(), registry["_area"].to_pylist(), strict=True)
        return dict(names) | dict(pairs)

    def scopes(self, contract: Contract) -> list[str]:
        return [CITY] if contract.scope == "city" else list(areas())

    def accepted(self, contract: Contract, scope: str, as_of: date) -> pa.Table:
        """What the department held for `scope` before `as_of` began. Lists are numbered as their files are."""
        if contract.dataset not in self._cast:
            self._cast[contract.dataset] = self._all(contract)
        held = self._cast[contract.dataset]
        seconds = int(np.datetime64(as_of, "s").astype(np.int64))
        there = pc.less(held["_arrival"], seconds)
        if scope != CITY:
            there = pc.and_(there, pc.equal(held["_area"], scope))
        if contract.history_years is not None:
            there = pc.and_(there, pc.greater_equal(held["_period"], f"{as_of.year - contract.history_years}-01-01"))
        return held.filter(there).select(contract.accepted_schema().names)

    def before(self, contract: Contract, scope: str, as_of: date, nights_ago: int = 1) -> Before:
        """As the step would find it, had every earlier night been accepted."""
        last = as_of - timedelta(days=nights_ago)
        season = None
        if found := season_day(contract, as_of):
            season = Earlier(found[0], self.accepted(contract, scope, found[1]))
        known = self.district_of if scope == CITY else {}
        return Before(Earlier(last, self.accepted(contract, scope, last)), season, (), known)

    def _all(self, contract: Contract) -> pa.Table:
        table = self.world.tables[contract.dataset]
        if "批次" in {column.native for column in contract.columns.values()}:
            ordered = table.sort_by([("_list", "ascending"), ("_published", "ascending"), ("_line", "ascending")])
            batches = pc.binary_join_element_wise(ordered["_list"], ordered["_published"], "")
            numbers, seen = [], dict[str, int]()
            for batch in batches.to_pylist():
                seen[batch] = seen.get(batch, 0) + 1
                numbers.append(str(seen[batch]))
            table = ordered.append_column("批次", batches).append_column("序号", pa.array(numbers))
        columns = {
            name: cast(column, table[column.native].cast(pa.string()).combine_chunks()).value
            for name, column in contract.columns.items()
        }
        places = pa.array(range(table.num_rows), pa.int32())
        hidden = {name: table[name].cast(pa.string()) for name in ("_area", "_period")}
        whole = pa.table({**columns, "_page": places, "_ordinal": places, **hidden, "_arrival": table["_arrival"]})
        return _without_what_validation_keeps_out(contract, whole)


def _without_what_validation_keeps_out(contract: Contract, rows: pa.Table) -> pa.Table:
    """Rows without a required value wait in quarantine, and of repeated keys one stays: here the first to arrive."""
    for name, column in contract.columns.items():
        rows = rows.filter(pc.is_valid(rows[name])) if column.required else rows
    rows = rows.sort_by([("_arrival", "ascending"), ("_ordinal", "ascending")])
    rows = rows.append_column("_at", pa.array(range(rows.num_rows), pa.int64()))
    firsts = rows.group_by(contract.key).aggregate([("_at", "min")])["_at_min"]
    return rows.take(pa.array(sorted(firsts.to_pylist()), pa.int64()))


def every_scope(nights: Nights) -> list[tuple[Contract, str]]:
    return [(contract, scope) for contract in contracts().values() for scope in nights.scopes(contract)]
