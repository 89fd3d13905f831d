"""The accepted Parquet that both sides read: seven districts, and the city's registers, in a lake of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from include.bench.synthetic import Enterprises, accepted
from include.contracts import contracts
from include.kernel.areas import CITY, areas
from include.kernel.references import SnapshotKey
from include.store.lake import Lake
from include.store.lake import accepted as place_of

_FACTS = "world.json"


@dataclass(frozen=True)
class World:
    """Where the accepted snapshots stand, and of which day they are."""

    root: Path
    as_of: date
    enterprises: int

    @classmethod
    def at(cls, root: Path) -> World:
        facts = json.loads((root / _FACTS).read_text(encoding="utf-8"))
        return cls(root, date.fromisoformat(facts["as_of"]), facts["enterprises"])

    @property
    def districts(self) -> list[str]:
        """Those that have enterprises."""
        return list(areas())[: self.enterprises]

    def read(self, dataset: str, district: str, columns: list[str] | None = None) -> pa.Table:
        """What a district's task reads: its own snapshot, or the city's where the register is kept for the city."""
        return Lake(str(self.root)).read(self.place(dataset, district), columns=columns)

    def place(self, dataset: str, district: str) -> str:
        scope = CITY if contracts()[dataset].scope == "city" else district
        return place_of(SnapshotKey(dataset, scope, self.as_of))


def write(root: Path, as_of: date, enterprises: int, seed: int) -> World:
    """Draw the world and commit it; its facts are written last."""
    world, lake = World(root, as_of, enterprises), Lake(str(root))
    districts, first = [], 1
    for place, district in enumerate(world.districts):
        count = enterprises // len(world.districts) + (place < enterprises % len(world.districts))
        districts.append(Enterprises.of(district, first, count))
        first += count
    for dataset, contract in contracts().items():
        drawn = (accepted(contract, enterprises_of, as_of, seed) for enterprises_of in districts)
        if contract.scope == "city":
            lake.commit(world.place(dataset, ""), {"data": pa.concat_tables(drawn)}, {})
        else:
            for enterprises_of, table in zip(districts, drawn, strict=True):
                lake.commit(world.place(dataset, enterprises_of.district), {"data": table}, {})
    facts = {"as_of": as_of.isoformat(), "enterprises": enterprises}
    (root / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
    return world
