"""Are the two ledgers the same, cell by cell, and the two rankings?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.bench.world import World
from include.schemes.compile import Compiled
from include.store.lake import Lake

_CELL = ["uscc", "indicator", "value", "status", "segment", "raw_points", "weight", "points"]
_RANKS = ["uscc", "rank_all", "rank_stage", "rank_district"]


@dataclass(frozen=True)
class Comparison:
    """`cells`: ledger lines compared. `differences`: where the two sides first differ, one line each."""

    cells: int
    differences: list[str]


def compare(world: World, rules: Compiled, ours: Path, best: Path) -> Comparison:
    """Line by line through every district's ledger, a row group at a time, then the ranks."""
    lake, cells, differences = Lake(str(ours)), 0, []
    for district in world.districts:
        file = next((ours / "points" / district).glob("ledger-*.parquet"))
        mine, other = _lines(file), _lines(best / f"{district}.parquet")
        for name in _CELL:
            for indicator, a, b in _slices(mine[name], other[name], list(rules.indicators)):
                if not a.equals(b):
                    row = pc.index(pc.fill_null(pc.equal(a, b), False), False).as_py()
                    differences.append(f"{district} {indicator} {name}: row {row}")
        cells += mine.num_rows
    a, b = lake.read("ranked", "points", _RANKS).sort_by("uscc"), pq.read_table(best / "ranked.parquet", columns=_RANKS)
    b = b.sort_by("uscc")
    differences += [f"city {name}" for name in _RANKS if not _plain(a[name]).equals(_plain(b[name]))]
    return Comparison(cells, differences)


def _lines(file: Path) -> pa.Table:
    return pq.read_table(file, columns=_CELL)


def _slices(mine: pa.ChunkedArray, other: pa.ChunkedArray, indicators: list[str]):  # type: ignore[no-untyped-def]
    rows = len(mine) // len(indicators)
    for place, indicator in enumerate(indicators):
        yield indicator, _plain(mine.slice(place * rows, rows)), _plain(other.slice(place * rows, rows))


def _plain(column: pa.ChunkedArray) -> pa.Array:
    kind = column.type
    plain = column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column
    return plain.combine_chunks()
