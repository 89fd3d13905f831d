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
from include.steps.stores import Stores, lock_of, open_stores
from include.store import lake as places

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

    Old is what is of a business date before the limit and was also brought in or scored before it: a back-fill is not
    old. Kept are, however old, the last accepted snapshot of each dataset and scope, the last result of each district
    under each scheme, and whatever a result that stays or a generation in the warehouse stands on. What goes is listed
    in the lake with names and digests (place `erased/…`) before the first file goes, and looked for afterwards. The
    ledger forgets first, so that nobody chooses what is about to go and a past date that is asked for again is brought
    in anew. What somebody works on is left for the next time.
    """
    stores = open_stores()
    limit = as_of - timedelta(days=retention_days(as_of))
    snapshots, results, kept = _old(stores, limit)
    counts = {"as_of": as_of.isoformat(), "before": limit.isoformat(), "snapshots": len(snapshots)}
    counts |= {"results": len(results)}
    if dry:
        return counts
    proof, erased = _Proof(stores, as_of), 0
    keys: list[SnapshotKey | ResultKey] = [*snapshots, *results]
    for key in keys:
        try:
            with stores.lease(lock_of(key), holder, patience=0) as lease:
                own = [place for place in _places(key) if place not in kept]
                proof.add(own)
                stores.ledger.forget(key, lease=lease)
                for place in own:
                    stores.lake.erase(place)
        except TransientError:
            continue  # somebody works on it
        if left := [place for place in own if stores.lake.holds(place)]:
            raise TerminalError("an erased place is still there", where=left[0], todo="look at the volume")
        erased += 1
    return {**counts, "erased": erased, "files": proof.table.num_rows}


class _Proof:
    """The list of what a date's retention removes: it grows, and each state is committed before files go."""

    def __init__(self, stores: Stores, as_of: date) -> None:
        self._lake, self._place = stores.lake, places.erased(as_of)
        held = self._lake.manifest(self._place)
        self.table = self._lake.read(self._place, "files") if held else ERASED.empty_table()

    def add(self, of_places: list[str]) -> None:
        rows = [(place, *file) for place in of_places for file in self._lake.files(place)]
        if rows:
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), ERASED, strict=True)
            ]
            self.table = pa.concat_tables([self.table, pa.table(columns, schema=ERASED)])
            self._lake.commit(self._place, {"files": self.table}, {})


def _places(key: SnapshotKey | ResultKey) -> list[str]:
    return places.of_snapshot(key) if isinstance(key, SnapshotKey) else places.of_result(key)


def _old(stores: Stores, limit: date) -> tuple[list[SnapshotKey], list[ResultKey], set[str]]:
    """The snapshots and the results that may go, and the places that may not."""
    from include.publish.generations import generations

    rows = stores.ledger.results()
    shown = {(row.scheme_id, row.as_of) for row in generations(stores.engine)}
    stays = set({(row.result.district, row.result.scheme): row.result for row in rows}.values())  # oldest come first
    for scheme, day in shown:  # a generation shows each district's last result until its date
        found = [stores.ledger.last_scored(district, scheme, day) for district in areas()]
        stays |= {row.result for row in found if row is not None}
    old = {row.result for row in stores.ledger.results(before=limit)} - stays
    members = [member for row in rows if row.result not in old for member in row.members]
    needed = {
        SnapshotKey(dataset, scope, date.fromisoformat(day))
        for dataset, scope, day, _ in [*members, *stores.ledger.members_published()]
    }
    for dataset, contract in contracts().items():
        for scope in [CITY] if contract.scope == CITY else areas():
            if newest := stores.ledger.last_accepted(dataset, scope, date.max):
                needed.add(newest.key)
    kept = {place for row in rows if row.result not in old for place in places.of_result(row.result)}
    return [key for key in stores.ledger.snapshots_before(limit) if key not in needed], sorted(old), kept
