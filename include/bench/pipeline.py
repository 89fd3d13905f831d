"""The product's own rooms, one after the other: what every night runs, without Airflow between them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from include.bench.meter import Meter
from include.bench.world import World
from include.conformed.conform import conform
from include.contracts import contracts
from include.indicators.evaluate import evaluate
from include.kernel.areas import CITY
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
    shares: dict[str, dict[str, pa.Table]] = {district: {} for district in world.districts}
    for dataset, contract in contracts().items():
        if contract.scope == CITY:
            with meter.phase("read"):
                accepted = world.read(dataset, CITY)
            with meter.phase("conform"):
                rows = conform(contract, accepted, known.register, everybody).table.select(columns_read(dataset))
                for district, codes in taking_part.items():
                    shares[district][dataset.lower()] = rows.filter(pc.is_in(rows["uscc"], codes))
            del accepted, rows
    return known, shares


def _conformed(
    world: World, district: str, known: Registries, share: dict[str, pa.Table], meter: Meter
) -> dict[str, pa.Table]:
    """A district's own datasets beside its share of the city's."""
    with meter.phase("conform"):
        register, participating = known.within(district), known.participating(district)
    tables = {**share, "enterprises": known.enterprises[district]}
    for dataset, contract in contracts().items():
        if contract.scope != CITY:
            with meter.phase("read"):
                accepted = world.read(dataset, district)
            with meter.phase("conform"):
                found = conform(contract, accepted, register, participating).table
                tables[dataset.lower()] = found.select(columns_read(dataset))
            del accepted, found
    return tables
