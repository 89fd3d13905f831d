"""From the conformed tables to the points of one district: measure, compute, score."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from include.contracts import contracts
from include.kernel.areas import require_area
from include.kernel.references import ResultKey
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.model import require_scheme
from include.steps.lineage import scoring_work, traced
from include.steps.stores import lock_of, open_stores
from include.store import lake as places


def measure(district: str, as_of: date, *, holder: str) -> dict[str, Any]:
    """One exact number per enterprise and measure, from the conformed tables."""
    from include.measures.registry import columns_read
    from include.measures.run import measure as run_measures

    stores, place, upstream = open_stores(), places.measures(district, as_of), places.conformed(district, as_of)
    with stores.lease(place, holder) as lease:
        conformed = stores.lake.require(upstream)
        read = partial(stores.lake.read, upstream, version=conformed.sha256)
        tables = {name.lower(): read(name.lower(), columns_read(name)) for name in contracts()}
        measures = run_measures({**tables, "enterprises": read("enterprises")}, as_of)
        facts = {"conformed": conformed.sha256, "snapshot_set": conformed.facts["snapshot_set"]}
        stores.lake.commit(place, {"measures": measures}, facts, fence=lease.fence)
    return {
        "district": district,
        "as_of": as_of.isoformat(),
        "enterprises": measures.num_rows,
        "measures": measures.num_columns - 1,
    }


def compute(district: str, as_of: date, scheme: str, *, holder: str) -> dict[str, Any]:
    """Indicator values under a scheme."""
    from include.indicators.evaluate import evaluate

    stores, result = open_stores(), ResultKey(as_of, require_area(district), scheme)
    with stores.lease(places.values(result), holder) as lease:
        measured = stores.lake.require(places.measures(district, as_of))
        measures = stores.lake.read(places.measures(district, as_of), "measures", version=measured.sha256)
        conformed = places.conformed(district, as_of)
        quarantined = stores.lake.read(conformed, "quarantined", version=measured.facts["conformed"])
        values = evaluate(compiled(scheme, as_of), measures, quarantined)
        facts = {"measures": measured.sha256, "snapshot_set": measured.facts["snapshot_set"]}
        stores.lake.commit(places.values(result), {"values": values}, facts, fence=lease.fence)
    return {**result.to_json(), "values": values.num_rows}


@traced(scoring_work)
def score(district: str, as_of: date, scheme: str, *, holder: str) -> dict[str, Any]:
    """Stage, points and the ledger of one district; recorded as scored, so that the city can publish it."""
    from include.points.score import score as score_points

    stores, result = open_stores(), ResultKey(as_of, require_area(district), scheme)
    with stores.lease(lock_of(result), holder) as lease:
        computed = stores.lake.require(places.values(result))
        measured = stores.lake.require(places.measures(district, as_of), computed.facts["measures"])
        conformed = measured.facts["conformed"]
        scored = score_points(
            compiled(scheme, as_of),
            stores.lake.read(places.values(result), "values", version=computed.sha256),
            stores.lake.read(places.measures(district, as_of), "measures", version=measured.sha256),
            stores.lake.read(places.conformed(district, as_of), "enterprises", version=conformed),
        )
        facts = {"values": computed.sha256, "snapshot_set": computed.facts["snapshot_set"]}
        manifest = stores.lake.commit(places.points(result), scored.tables(), facts, fence=lease.fence)
        stores.ledger.record_scored(
            result,
            lease=lease,
            snapshot_set=facts["snapshot_set"],
            enterprises=scored.profile.num_rows,
            points_sha=manifest.sha256,
        )
    return {**result.to_json(), "enterprises": scored.profile.num_rows, "ledger_lines": scored.ledger.num_rows}


def compiled(scheme: str, as_of: date) -> Compiled:
    """The scheme as it is in force on `as_of`, compiled against the measures that exist."""
    from include.measures.registry import measures

    return compile_scheme(require_scheme(scheme), as_of, measures())
