"""Past days again: what a back-fill would do, and who is at it. What it does are the steps of any night."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from include.contracts import contracts
from include.kernel.references import ResultKey, SnapshotKey
from include.sources.declaration import of_district, shared
from include.steps.stores import Stores, open_stores
from include.store.ledger import Held

CLAIM_SECONDS = 12 * 3600  # as long as a run of the form waits for a district's day


@dataclass(frozen=True)
class Planned:
    """One district's day under a scheme: how many of the snapshots it needs are there and how many must be asked for,
    whether it was scored before, and the generation of that date under that scheme, if one is kept.
    """

    as_of: date
    district: str
    scheme: str
    reused: int
    to_land: int
    scored: bool
    generation: int | None

    def __str__(self) -> str:
        told = "scored before" if self.scored else "not scored yet"
        shown = f"published as generation {self.generation}" if self.generation else "not published"
        what = f"{self.reused} snapshots reused, {self.to_land} to land; {told}; {shown}"
        return f"{self.as_of} {self.district} {self.scheme}: {what}"


def preview(days: Sequence[date], districts: Sequence[str], scheme: str) -> list[Planned]:
    """What a back-fill would do, oldest day first. Nothing is asked of a department and nothing is written."""
    from include.publish.generations import generations

    stores = open_stores()
    newest: dict[date, int] = {}
    for one in generations(stores.engine):
        if one.scheme_id == scheme and one.status != "blocked":
            newest.setdefault(one.as_of, one.id)
    planned = []
    for day in days:
        of_city = [_is_there(stores, dataset, scope, day) for dataset, scope in shared()]
        for district in districts:
            there = of_city + [_is_there(stores, dataset, district, day) for dataset in of_district()]
            scored = stores.ledger.result(ResultKey(day, district, scheme)) is not None
            counts = (sum(there), len(there) - sum(there))
            planned.append(Planned(day, district, scheme, *counts, scored, newest.get(day)))
    return planned


def claim(keys: Sequence[ResultKey], holder: str) -> int:
    """Take these districts' days for a back-fill: all of them, or none and one line that says who has one of them."""
    stores, taken = open_stores(), []
    try:
        for key in keys:
            stores.ledger.acquire(_lock(key), holder, CLAIM_SECONDS)
            taken.append(key)
    except Held:
        free(taken, holder)
        raise
    return len(keys)


def free(keys: Sequence[ResultKey], holder: str) -> int:
    """Give back what this holder has of them; what another has taken over since is left alone."""
    stores = open_stores()
    freed = 0
    for key in keys:
        try:
            stores.ledger.acquire(_lock(key), holder, CLAIM_SECONDS).release()
            freed += 1
        except Held:
            continue
    return freed


@contextmanager
def claimed(keys: Sequence[ResultKey], holder: str) -> Iterator[None]:
    """Hold these districts' days for a while."""
    claim(keys, holder)
    try:
        yield
    finally:
        free(keys, holder)


def _lock(key: ResultKey) -> str:
    return f"backfill/{key}"


def _is_there(stores: Stores, dataset: str, scope: str, day: date) -> bool:
    """Would the landing find it and ask nobody? (A rejected one is asked for again, and so is one of which the landing
    finds a file damaged: nothing is read here.)
    """
    held = stores.ledger.snapshot(SnapshotKey(dataset, scope, day))
    return held is not None and held.verdict != "rejected" and held.contract_version == contracts()[dataset].version
