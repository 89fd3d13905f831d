"""The product's own rooms, one after the other: what every night runs, without Airflow between them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa

from include.bench.meter import Meter
from include.bench.world import World
from include.conformed.conform import conform
from include.conformed.enterprises import Directory, participants
from include.contracts import contracts
from include.indicators.evaluate import evaluate
from include.measures.run import measure
from include.points.rank import rank
from include.points.score import score
from include.steps.district import REGISTRY, compiled
from include.store.lake import Lake


def run(world: World, scheme: str, out: Path, meter: Meter) -> None:
    """Every district from accepted rows to its ledger, then the ranks of the city."""
    lake, rules = Lake(str(out)), compiled(scheme, world.as_of)
    nothing_held_back = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
    profiles, points = [], []
    for district in world.districts:
        tables = _conformed(world, district, world.as_of, meter)
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
    with meter.phase("rank"):
        ranked = rank(pa.concat_tables(points), pa.concat_tables(profiles))
    with meter.phase("write"):
        lake.commit("ranked", {"points": ranked}, {})


def _conformed(world: World, district: str, as_of: date, meter: Meter) -> dict[str, pa.Table]:
    with meter.phase("read"):
        registry = world.read(REGISTRY, district)
    with meter.phase("conform"):
        enterprises, directory = participants(registry, district, as_of), Directory.of(registry)
        taking_part = frozenset(enterprises["uscc"].to_pylist())
    tables = {"enterprises": enterprises}
    for dataset, contract in contracts().items():
        with meter.phase("read"):
            accepted = world.read(dataset, district)
        with meter.phase("conform"):
            tables[dataset.lower()] = conform(contract, accepted, directory, taking_part).table
    return tables
