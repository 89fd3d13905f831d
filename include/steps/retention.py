"""Forget what nothing published stands on any more, after the days that the field register allows, and prove it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, timedelta
from typing import Any, TypeVar

import pyarrow as pa

from include.contracts import contracts
from include.contracts.field_register import retention_days
from include.kernel.areas import CITY, areas
from include.kernel.errors import TerminalError, TransientError
from include.kernel.periods import arrival_cutoff
from include.kernel.references import ResultKey, SnapshotKey
from include.steps.stores import Stores, lock_of, open_stores
from include.store import lake as places
from include.store.ledger import Lease

Item = TypeVar("Item", bound=SnapshotKey | ResultKey | str)
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

    Places as old that the ledger does not know go too: what lay between snapshots and a result that went, what a night
    has left that never came to its end, or an erasure that was killed once the ledger had forgotten.

    What goes is chosen again once its locks are held, and goes within the fence of its lease: what was scored or
    published meanwhile stays, and who wakes late erases nothing.
    """
    stores = open_stores()
    limit = as_of - timedelta(days=retention_days(as_of))
    keys, strays = _old(stores, limit), _strays(stores, limit)
    snapshots = sum(isinstance(key, SnapshotKey) for key in keys)
    counts = {"as_of": as_of.isoformat(), "before": limit.isoformat(), "snapshots": snapshots}
    counts |= {"results": len(keys) - snapshots, "strays": len(strays)}
    if dry:
        return counts
    erased = 0
    with stores.lease(places.erased(as_of), holder) as lease:
        proof = _Proof(stores, as_of, lease)
        for day in sorted({key.as_of for key in keys}):
            with _free(stores, [key for key in keys if key.as_of == day], holder) as held:
                chosen = sorted(held.keys() & _old(stores, limit), key=str)
                proof.add([place for key in chosen for place in _own(key)])
                for key in chosen:
                    stores.ledger.forget(key, lease=held[key])
                    _erase(stores, _own(key), held[key])
                erased += len(chosen)
        with _free(stores, _strays(stores, limit), holder) as free:
            swept = sorted(free.keys() & _strays(stores, limit))
            proof.add(swept)
            for place in swept:
                _erase(stores, [place], free[place])
    return {**counts, "strays": len(swept), "erased": erased, "files": proof.table.num_rows}


@contextmanager
def _free(stores: Stores, wanted: Iterable[Item], holder: str) -> Iterator[dict[Item, Lease]]:
    """Those of these that nobody works on, with the leases of their locks."""
    locks = {item: lock_of(item) for item in wanted}
    leases: dict[str, Lease] = {}
    with ExitStack() as held:
        for lock in sorted(set(locks.values())):
            with suppress(TransientError):
                leases[lock] = held.enter_context(stores.lease(lock, holder, patience=0))
        yield {item: leases[lock] for item, lock in locks.items() if lock in leases}


def _erase(stores: Stores, of_places: list[str], lease: Lease) -> None:
    for place in of_places:
        with lease.fence():
            stores.lake.erase(place)
        if stores.lake.holds(place):
            raise TerminalError("an erased place is still there", where=place, todo="look at the volume")


def _strays(stores: Stores, limit: date) -> set[str]:
    """Places as old as what may go, of which the ledger knows nothing."""
    known = {place for key in stores.ledger.snapshots_before(date.max) for place in places.of_snapshot(key)}
    known |= {place for row in stores.ledger.results() for place in places.of_result(row.result)}
    return set(stores.lake.untouched_since(arrival_cutoff(limit))) - known


def _own(key: SnapshotKey | ResultKey) -> list[str]:
    """The places that are written under the lock of a snapshot or of a result alone."""
    return places.of_snapshot(key) if isinstance(key, SnapshotKey) else [places.points(key)]


class _Proof:
    """The list of what a date's retention removes: it grows, and each state is committed before files go."""

    def __init__(self, stores: Stores, as_of: date, lease: Lease) -> None:
        self._lake, self._place, self._lease = stores.lake, places.erased(as_of), lease
        held = self._lake.manifest(self._place)
        self.table = self._lake.read(self._place, "files") if held else ERASED.empty_table()

    def add(self, of_places: list[str]) -> None:
        self._lease.renew()
        listed = set(zip(*(self.table[name].to_pylist() for name in ("place", "file", "sha256")), strict=True))
        rows = [(place, *file) for place in of_places for file in self._lake.files(place)]
        rows = [row for row in rows if row[:3] not in listed]
        if rows:
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), ERASED, strict=True)
            ]
            self.table = pa.concat_tables([self.table, pa.table(columns, schema=ERASED)])
            self._lake.commit(self._place, {"files": self.table}, {}, fence=self._lease.fence)


def _old(stores: Stores, limit: date) -> set[SnapshotKey | ResultKey]:
    """The snapshots and the results that may go."""
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
    return {key for key in stores.ledger.snapshots_before(limit) if key not in needed} | old
