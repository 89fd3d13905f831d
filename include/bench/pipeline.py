"""The product's own rooms, one after the other: what every night runs, without Airflow between them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from include.bench.meter import Meter
from include.bench.world import World
from include.conformed.conform import conform
from include.conformed.register import Register
from include.contracts import contracts
from include.indicators.evaluate import evaluate
from include.kernel.areas import CITY
from include.kernel.whole import THREADS
from include.measures.registry import columns_read
from include.measures.run import measure
from include.points.rank import rank
from include.points.score import score
from include.sources.declaration import REGISTRY
from include.steps.conforming import Registries
from include.steps.district import compiled
from include.store.lake import Lake


def run(world: World, scheme: str, out: Path, meter: Meter) -> None:
    """Every district from accepted rows to its ledger, then the ranks of the city."""
    lake, rules = Lake(str(out)), compiled(scheme, world.as_of)
    nothing_held_back = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
    profiles, points = [], []
    known, shares = _city(world, meter)
    for district in world.districts:
        tables = _conformed(world, district, known, shares.pop(district), meter)
        with meter.phase("measure"):
            measures = measure(tables, world.as_of)
        enterprises = tables.pop("enterprises")
        tables.clear()
        with meter.phase("evaluate"):
            values = evaluate(rules, measures, nothing_held_back)
        with meter.phase("score"):
            scored = score(rules, values, measures, enterprises)
        del values, measures
        with meter.phase("write"):
            lake.commit(f"points/{district}", {"ledger": scored.ledger}, {})
        profiles.append(scored.profile)
        points.append(scored.points)
        del scored
        pa.default_memory_pool().release_unused()  # a district's tasks end here, and give back what they held
    with meter.phase("rank"):
        ranked = rank(pa.concat_tables(points), pa.concat_tables(profiles))
    with meter.phase("write"):
        lake.commit("ranked", {"points": ranked}, {})


def _city(world: World, meter: Meter) -> tuple[Registries, dict[str, dict[str, pa.Table]]]:
    """What is conformed once for all districts, cut to what the measures read; and each district's share of it."""
    with meter.phase("read"):
        registries = {district: world.read(REGISTRY, district) for district in world.districts}
    with meter.phase("conform"):
        known = Registries.of(registries, world.as_of)
        everybody = known.participating()
        taking_part = {district: known.participating(district) for district in world.districts}
    del registries
    with meter.phase("read"):
        accepted = {name: world.read(name, CITY) for name, contract in contracts().items() if contract.scope == CITY}
    shares: dict[str, dict[str, pa.Table]] = {district: {} for district in world.districts}
    with meter.phase("conform"):
        for name, rows in _each_conformed(accepted, known.register, everybody):
            for district, codes in taking_part.items():
                shares[district][name] = rows.filter(pc.is_in(rows["uscc"], codes))
        del rows
    pa.default_memory_pool().release_unused()  # the city's task ends here, and gives back what it held
    return known, shares


def _conformed(
    world: World, district: str, known: Registries, share: dict[str, pa.Table], meter: Meter
) -> dict[str, pa.Table]:
    """A district's own datasets beside its share of the city's."""
    with meter.phase("read"):
        accepted = {
            name: world.read(name, district) for name, contract in contracts().items() if contract.scope != CITY
        }
    with meter.phase("conform"):
        own = dict(_each_conformed(accepted, known.within(district), known.participating(district)))
    return {**share, **own, "enterprises": known.enterprises[district]}


def _each_conformed(
    accepted: dict[str, pa.Table], register: Register, participating: pa.Array
) -> Iterator[tuple[str, pa.Table]]:
    """Each dataset conformed and cut to what the measures read; what was accepted is let go of on the way."""
    datasets = list(accepted)

    def one(dataset: str) -> pa.Table:
        found = conform(contracts()[dataset], accepted.pop(dataset), register, participating)
        return found.table.select(columns_read(dataset))

    with ThreadPoolExecutor(THREADS) as pool:
        yield from zip(map(str.lower, datasets), pool.map(one, datasets), strict=True)
