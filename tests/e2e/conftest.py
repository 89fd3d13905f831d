"""A small city: running departments on a free port, and the steps pointed at them. Everything real, nothing shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from include.embedded.environment import free_ports
from include.kernel.areas import areas
from include.kernel.connections import Connection, from_environment
from include.kernel.references import ResultKey, SnapshotKey
from include.steps.refresh import refresh
from include.steps.stores import Stores, open_stores
from include.store import lake as places

AS_OF = date(2026, 11, 20)
SCHEME = "changzhou_v1"
ENTERPRISES, SEED = 250, 4


@dataclass(frozen=True)
class City:
    """The departments' world, and one home of ours that refreshes from it."""

    sandbox: Path
    home: Path
    connections: dict[str, Connection]

    def lookup(self, conn_id: str) -> Connection:
        """As Airflow's Connections would answer."""
        return self.connections[conn_id]

    def moved_to(self, home: Path) -> City:
        """The same departments seen from an empty home."""
        return replace(self, home=home)

    def refresh(self, as_of: date, districts: list[str] | None = None) -> list[str]:
        """The whole night; gives the lines it said."""
        said: list[str] = []
        refresh(as_of, districts or list(areas()), SCHEME, lookup=self.lookup, say=said.append)
        return said

    @property
    def stores(self) -> Stores:
        """The lake, warehouse and ledger of this home."""
        return open_stores()

    def truth(self, table: str) -> pa.Table:
        """What the world knows of itself."""
        return pq.read_table(self.sandbox / "world" / f"{table}.parquet")

    def gathered(self, table: str, as_of: date = AS_OF) -> pa.Table:
        """A table of the points (or `measures`) of all districts."""
        parts = []
        for district in areas():
            place = places.points(ResultKey(as_of, district, SCHEME))
            if table == "measures":
                place = places.measures(district, as_of)
            parts.append(self.stores.lake.read(place, table))
        return pa.concat_tables(parts, promote_options="permissive")

    def snapshots(self, dataset: str, room: str, as_of: date = AS_OF) -> pa.Table:
        """A dataset's accepted or quarantined rows of the whole city."""
        from include.contracts import require_contract

        scopes = ["city"] if require_contract(dataset).scope == "city" else list(areas())
        place = {"accepted": places.accepted, "quarantine": places.quarantine}[room]
        return pa.concat_tables(self.stores.lake.read(place(SnapshotKey(dataset, scope, as_of))) for scope in scopes)


@pytest.fixture(scope="session")
def departments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The stand-in departments of all these tests."""
    with served(tmp_path_factory.mktemp("departments"), ENTERPRISES, SEED) as city:
        yield city


@contextmanager
def served(home: Path, enterprises: int, seed: int, *options: str) -> Iterator[City]:
    """Stand-in departments as a separate process, as `make demo` runs them, for as long as the context lasts."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "include.sandbox", "serve", "--enterprises", str(enterprises)]
    server = subprocess.Popen(
        [*command, "--seed", str(seed), "--port", str(port), *options],
        env={**os.environ, "INNOPOINTS_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(240):
            try:
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=1).ok:
                    break
            except requests.ConnectionError:
                assert server.poll() is None, "the departments did not start"
                time.sleep(0.5)
        else:
            pytest.fail("the departments do not answer: the machine is too busy", pytrace=False)
        given = json.loads((home / "sandbox" / "connections.json").read_text(encoding="utf-8"))
        with pytest.MonkeyPatch.context() as patch:
            for conn_id, connection in given.items():
                patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
            known = {conn_id: from_environment(conn_id) for conn_id in given}
        known["innopoints_privacy"] = Connection("innopoints_privacy", login="k1", password="only-for-this-test-run")
        yield City(home / "sandbox", home, known)
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def city(departments: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    """An empty home of one test."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    return departments.moved_to(tmp_path)


@pytest.fixture(scope="session")
def night(departments: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A home in which the night of `AS_OF` has been refreshed and published; for tests that only look."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("night")
        patch.setenv("INNOPOINTS_HOME", str(home))
        there = departments.moved_to(home)
        there.refresh(AS_OF)
        yield there
