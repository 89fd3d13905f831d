"""What the results of districts stand on, by digest: which a generation published, and the tables behind several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.references import ResultKey
from include.store import lake as places
from include.store.lake import Lake
from include.store.ledger import Ledger, Result

if TYPE_CHECKING:
    from include.publish.generations import Generation


def published_result(lake: Lake, ledger: Ledger, one: Generation, district: str) -> Result | None:
    """The result of a district that a generation published, by the digest that it names, whatever was scored since.
    None where it names none, or one that is not kept any more.
    """
    content = ledger.published_content(one.id)
    ranked = lake.manifest(places.ranked(one.as_of, one.scheme_id), content) if content else None
    if ranked is None or district not in ranked.facts["districts"]:
        return None
    day = date.fromisoformat(ranked.facts["last_good"].get(district, one.as_of.isoformat()))
    result, digest = ResultKey(day, district, one.scheme_id), ranked.facts["districts"][district]
    points = lake.manifest(places.points(result), digest)
    return Result(result, digest, points.facts["snapshot_set"]) if points else None


def stood_on(lake: Lake, row: Result) -> dict[str, tuple[str, str]]:
    """Room → the place and the very version that a result came through, read off its manifests from the points down."""
    result = row.result
    found = {"points": (places.points(result), row.points_sha)}
    steps = (
        ("values", places.values(result)),
        ("measures", places.measures(result.district, result.as_of)),
        ("conformed", places.conformed(result.district, result.as_of)),
    )
    place, version = found["points"]
    for room, before in steps:
        place, version = before, lake.require(place, version).facts[room]
        found[room] = (place, version)
    return found


def gatherer(lake: Lake, results: Sequence[Result], moved: Mapping[str, pa.Array]) -> Callable[[str, str], pa.Table]:
    """Gives a table of a room as these results of districts stand on it, for the city: each enterprise once."""
    behind = [stood_on(lake, row) for row in results]

    def gather(room: str, table: str) -> pa.Table:
        parts = []
        for row, rooms in zip(results, behind, strict=True):
            place, version = rooms[room]
            part = lake.read(place, table, version=version)
            parts.append(part.filter(pc.invert(pc.is_in(part["uscc"], moved[row.result.district]))))
        return pa.concat_tables(parts)

    return gather


def moved_away(lake: Lake, results: Sequence[Result]) -> dict[str, pa.Array]:
    """Per district the enterprises that a newer result of another district has: they moved after its last good night.

    Results of one night never share an enterprise for long; should they, the later district of the area table has it.
    """
    seen: set[str] = set()
    moved: dict[str, pa.Array] = {}
    newest_first = sorted(enumerate(results), key=lambda placed: (placed[1].result.as_of, placed[0]), reverse=True)
    for _, row in newest_first:
        table = lake.read(places.points(row.result), "points", ["uscc"], version=row.points_sha)
        held = set(table["uscc"].to_pylist())
        moved[row.result.district] = pa.array(sorted(held & seen), pa.string())
        seen |= held
    return moved
