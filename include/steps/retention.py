"""Forget what nothing published stands on any more, after the days that the field register allows, and prove it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from include.contracts import contracts
from include.contracts.field_register import retention_days
from include.kernel.areas import CITY, areas
from include.kernel.errors import TerminalError, TransientError
from include.kernel.references import ResultKey, SnapshotKey
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.ledger import ResultRow

ERASED = pa.schema(
    [
        pa.field("place", pa.string()),
        pa.field("file", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("bytes", pa.int64()),
    ]
)


def retain(as_of: date, *, holder: str, dry: bool = False) -> dict[str, Any]:
    """Remove the snapshots and results older than the register allows on `as_of`; `dry` only counts them.

    Kept are: whatever a generation in the warehouse stands on, the last accepted snapshot of each dataset and scope,
    and the last result of each district under each scheme. The ledger forgets first, so that nobody chooses what is
    about to go and a past date that is asked for again is brought in anew. A snapshot that somebody works on is left
    for the next time. What went is committed to the lake as a table of names and digests (place `erased/…`), after
    every place has been looked for and not found.
    """
    stores = open_stores()
    limit = as_of - timedelta(days=retention_days(as_of))
    kept_snapshots, kept_results = _kept(stores)
    snapshots = [key for key in stores.ledger.snapshots_before(limit) if key not in kept_snapshots]
    results = [row.result for row in stores.ledger.results_before(limit) if row.result not in kept_results]
    kept_places = {place for key in kept_snapshots for place in places.of_snapshot(key)}
    kept_places |= {place for result in kept_results for place in places.of_result(result)}
    old = [place for place in stores.lake.dated(limit) if place not in kept_places]
    counts = {"as_of": as_of.isoformat(), "before": limit.isoformat(), "kept_places": len(kept_places)}
    if dry:
        return {**counts, "would_erase": len(old)}
    busy: set[str] = set()
    forgotten: list[SnapshotKey | ResultKey] = [*snapshots, *results]
    for key in forgotten:
        try:
            with stores.lease(_lock(key), holder, patience=0) as lease:
                stores.ledger.forget(key, lease=lease)
        except TransientError:
            busy |= set(places.of_snapshot(key) if isinstance(key, SnapshotKey) else places.of_result(key))
    gone = [(place, *file) for place in old if place not in busy for file in stores.lake.erase(place)]
    if left := [place for place in old if place not in busy and stores.lake.holds(place)]:
        raise TerminalError(f"{len(left)} erased places are still there", where=left[0], todo="look at the volume")
    columns = dict(zip(ERASED.names, zip(*gone, strict=True) if gone else [()] * len(ERASED.names), strict=True))
    proof = stores.lake.commit(places.erased(as_of), {"files": pa.table(columns, ERASED)}, counts)
    return {**counts, "erased": len(old) - len(busy & set(old)), "files": len(gone), "proof": proof.sha256}


def _lock(key: SnapshotKey | ResultKey) -> str:
    return f"snapshot/{key}" if isinstance(key, SnapshotKey) else f"result/{key}"


def _kept(stores: Stores) -> tuple[set[SnapshotKey], set[ResultKey]]:
    """What may not go, however old: what generations, the next night and the next explanation stand on."""
    from include.publish.generations import generations

    schemes = {row.result.scheme for row in stores.ledger.results_before(date.max)}
    until = {(scheme, date.max) for scheme in schemes}
    until |= {(row.scheme_id, row.as_of) for row in generations(stores.engine)}
    found = (stores.ledger.last_scored(district, scheme, day) for scheme, day in until for district in areas())
    rows: list[ResultRow] = [row for row in found if row is not None]
    snapshots = {
        SnapshotKey(dataset, scope, date.fromisoformat(day)) for row in rows for dataset, scope, day, _ in row.members
    }
    for dataset, contract in contracts().items():
        for scope in [CITY] if contract.scope == CITY else areas():
            if last := stores.ledger.last_accepted(dataset, scope, date.max):
                snapshots.add(last.key)
    return snapshots, {row.result for row in rows}
