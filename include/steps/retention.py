"""Forget what nothing published stands on any more, after the days that the field register allows, and prove it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from include.contracts import contracts
from include.contracts.field_register import retention_days
from include.kernel.areas import CITY, areas
from include.kernel.errors import TerminalError, TransientError
from include.kernel.periods import arrival_cutoff
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

    Places as old that the ledger does not know go too: a night that never came to its end has left them, or an erasure
    that was killed once the ledger had forgotten.
    """
    stores = open_stores()
    limit = as_of - timedelta(days=retention_days(as_of))
    snapshots, results, kept = _old(stores, limit)
    counts = {"as_of": as_of.isoformat(), "before": limit.isoformat(), "snapshots": len(snapshots)}
    counts |= {"results": len(results), "strays": len(_strays(stores, limit))}
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
                _erase(stores, own)
        except TransientError:
            continue  # somebody works on it
        erased += 1
    strays = _strays(stores, limit)
    proof.add(strays)
    _erase(stores, strays)
    return {**counts, "strays": len(strays), "erased": erased, "files": proof.table.num_rows}


def _erase(stores: Stores, of_places: list[str]) -> None:
    for place in of_places:
        stores.lake.erase(place)
        if stores.lake.holds(place):
            raise TerminalError("an erased place is still there", where=place, todo="look at the volume")


def _strays(stores: Stores, limit: date) -> list[str]:
    """Places as old as what may go, of which the ledger knows nothing."""
    known = {place for key in stores.ledger.snapshots_before(date.max) for place in _places(key)}
    known |= {place for row in stores.ledger.results() for place in _places(row.result)}
    return [place for place in stores.lake.untouched_since(arrival_cutoff(limit)) if place not in known]


class _Proof:
    """The list of what a date's retention removes: it grows, and each state is committed before files go."""

    def __init__(self, stores: Stores, as_of: date) -> None:
        self._lake, self._place = stores.lake, places.erased(as_of)
        held = self._lake.manifest(self._place)
        self.table = self._lake.read(self._place, "files") if held else ERASED.empty_table()

    def add(self, of_places: list[str]) -> None:
        listed = set(zip(*(self.table[name].to_pylist() for name in ("place", "file", "sha256")), strict=True))
        rows = [(place, *file) for place in of_places for file in self._lake.files(place)]
        rows = [row for row in rows if row[:3] not in listed]
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
