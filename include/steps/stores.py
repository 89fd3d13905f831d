"""Open the stores that the settings name: the lake of snapshots, the warehouse, the ledger of runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from include.kernel.references import ResultKey, SnapshotKey
from include.kernel.settings import settings
from include.store import lake as places
from include.store.lake import Lake
from include.store.ledger import Held, Lease, Ledger
from include.store.warehouse import create_engine, migrate

LEASE_SECONDS = 900  # as long as a task may run: a department that makes us wait must not cost us the lock
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Stores:
    """What every step works on."""

    lake: Lake
    engine: Engine
    ledger: Ledger

    @contextmanager
    def lease(self, name: str, holder: str, patience: float = PATIENCE_SECONDS) -> Iterator[Lease]:
        """Hold the lock `name`, waiting a while for whoever has it now (seven districts want the city's patents).

        A step takes it before it reads or chooses anything that it will write, and writes within its fence. So whoever
        wakes late is refused by an old token, or takes a new one and begins with what there is now. Places between a
        snapshot and a result are their own locks.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                lease = self.ledger.acquire(name, holder, LEASE_SECONDS)
                break
            except Held:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        try:
            yield lease
        finally:
            lease.release()


def lock_of(what: SnapshotKey | ResultKey | str) -> str:
    """One at a time works on a dataset in a scope, whatever the date: night and back-fill wait for each other; and one
    at a time on a result. The lock of a place is that of what it is a part of, else its own name."""
    if isinstance(what, str):
        key = places.key_of(what)
        return what if key is None else lock_of(key)
    return f"result/{what}" if isinstance(what, ResultKey) else f"snapshot/{what.dataset}/{what.scope}"


def open_stores() -> Stores:
    """Stores of this process's settings; the warehouse is migrated to the version this code expects."""
    chosen = settings()
    lake, engine = Lake(chosen.lake_root), create_engine(chosen.warehouse)
    migrate(engine)
    return Stores(lake, engine, Ledger(engine))
