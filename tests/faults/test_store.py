"""Crashes, kills, zombies and disks (rows 18 to 20, 23, 24, 26): the next attempt ends as if nothing had happened."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partialmethod
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
import sqlalchemy as sa
from click.testing import Result
from typer.testing import CliRunner

import include.cli
from include import steps
from include.embedded.environment import free_ports
from include.kernel.connections import Connection, missing
from include.kernel.errors import TerminalError
from include.kernel.references import SnapshotKey
from include.publish.generations import generations
from include.sources.declaration import of_district, shared
from include.steps.repull import repull
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.lake import MANIFEST, Lake
from include.store.ledger import Lease, Ledger, run_lease
from include.store.warehouse import clock, reading, writing
from tests.faults import invariants
from tests.faults.conftest import Measured, Seeds
from tests.faults.scale import scale
from tests.faults.tasks import Command, Connections, Task, Zombie, attempt
from tests.publish.conftest import make_tables
from tests.publish.test_generations import view
from tests.sources.test_database import filing, sqlite_with

AS_OF = date(2026, 11, 23)
SCHEME = "changzhou_v1"
DISTRICT = "320411"


def twin(home: Path, there: Path) -> Path:
    """The same stores again. Files of the lake are never written into, only replaced, so they may be shared."""

    def place(path: str, twin: str) -> None:
        (shutil.copy2 if Path(path).name.startswith("warehouse.sqlite") else os.link)(path, twin)

    shutil.rmtree(there, ignore_errors=True)
    return Path(shutil.copytree(home, there, copy_function=place))


@dataclass
class Night:
    """Tasks in their order, and the stores as those that are `tried` find them."""

    folder: Path
    connections: Connections
    tasks: list[Task]
    tried: list[Task]
    homes: dict[Task, Path] = field(default_factory=dict)
    done: int = 0

    def before(self, task: Task) -> Path:
        """The stores as they are when `task` begins; the tasks before it are run once."""
        home = self.folder / "home"
        if not home.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("INNOPOINTS_HOME", str(home))
                self.begin()
        while task not in self.homes:
            one = self.tasks[self.done]
            if one in self.tried:
                self.homes[one] = twin(home, self.folder / f"before-{self.done}")
            ended = attempt(one, home, self.connections)
            assert not ended.said, ended.said
            self.done += 1
        return self.homes[task]

    def begin(self) -> None:
        """What the first task finds."""
        open_stores().engine.dispose()

    def copy(self, task: Task) -> Path:
        """Stores for one trial of `task`."""
        return twin(self.before(task), self.folder / f"trial-{os.getpid()}")

    def clean(self, task: Task) -> dict[str, str]:
        """What the stores hold after `task` when nothing happens."""
        home = self.copy(task)
        done = attempt(task, home, self.connections)
        assert not done.said, done.said
        return invariants.content(home)


class SmallNight(Night):
    """One table of a front-end database from landing to verdict, and a publication of tables that lie ready."""

    def begin(self) -> None:
        stores = open_stores()
        facts = {
            "scheme_version": "1",
            "snapshot_set": [["TAX_VAT", DISTRICT, "2026-11-23", "a1"]],
            "districts": {},
            "last_good": {},
            "without_result": [],
        }
        stores.lake.commit(places.ranked(AS_OF, SCHEME), make_tables(6, indicators=5), facts)
        stores.engine.dispose()


LAND, VALIDATE = Task("land", ("TAX_VAT", DISTRICT, AS_OF)), Task("validate", ("TAX_VAT", DISTRICT, AS_OF))
PUBLISH = Task("publish", (AS_OF, SCHEME))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("night")
    rows = [filing(i, XSE="unreadable" if i == 7 else "1200.00") for i in range(400)]
    url = sqlite_with(folder / "front_end.sqlite", [*rows, rows[3]])
    connections = {"innopoints_tax_database": Connection("innopoints_tax_database", "generic", extra={"url": url})}
    tasks = [LAND, VALIDATE, PUBLISH]
    return SmallNight(folder, connections, tasks, tasks)


# --- row 18: crash points


def survives_every_crash(night: Night, task: Task, *, repeats: int, every: int = 1) -> int:
    """Kill the task at its n-th crash point, as often as `repeats` says, for n = 1, 2, … until none is reached."""
    clean = night.clean(task)
    for n in itertools.count(1, every):
        home = night.copy(task)
        killed = 0
        for _ in range(repeats):
            killed += attempt(task, home, night.connections, crash_at=n).killed
            invariants.nothing_half_visible(home)
        if not killed:
            assert n > 1, "the task has no crash point"
            return n - 1
        last = attempt(task, home, night.connections)
        assert not last.said, last.said
        assert invariants.content(home) == clean, f"another end after a crash at point {n}"
        invariants.of_home(home)
    raise AssertionError


@pytest.mark.parametrize(("task", "every"), [(LAND, 3), (VALIDATE, 9), (PUBLISH, 6)], ids=str)
def test_a_task_killed_at_a_crash_point_ends_as_if_nothing_had_happened(
    small: Night, task: Task, every: int, measured: Measured
) -> None:
    points = survives_every_crash(small, task, repeats=1, every=every)
    measured(18, f"{task}: every {every}. of about {points} points, same end")


@pytest.mark.faults
@pytest.mark.parametrize("task", [LAND, VALIDATE, PUBLISH], ids=str)
def test_a_task_killed_three_times_at_each_crash_point_ends_as_if_nothing_had_happened(
    small: Night, task: Task, measured: Measured
) -> None:
    points = survives_every_crash(small, task, repeats=3)
    measured(18, f"{task}: {points} points x 3, same end")


# --- the whole night of a district, from running departments


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The stand-in departments of forty enterprises, and one district's night."""
    folder, (port,) = tmp_path_factory.mktemp("whole"), free_ports(1)
    command = [sys.executable, "-m", "include.sandbox", "serve", "--enterprises", "40", "--seed", "5"]
    env = {**os.environ, "INNOPOINTS_HOME": str(folder)}
    server = subprocess.Popen([*command, "--port", str(port)], env=env, stdout=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            try:
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=1).ok:
                    break
            except requests.ConnectionError:
                assert server.poll() is None, "the departments did not start"
                time.sleep(0.5)
        given = json.loads((folder / "sandbox" / "connections.json").read_text("utf-8"))
        connections = {
            conn_id: Connection(conn_id, **{name: value for name, value in one.items() if value is not None})
            for conn_id, one in given.items()
        }
        connections["innopoints_privacy"] = Connection(
            "innopoints_privacy", login="k1", password="only-for-this-test-run"
        )
        yield Night(folder, connections, NIGHT, CHOSEN)
    finally:
        server.terminate()
        server.wait(20)


SNAPSHOTS = [*shared(), *((dataset, DISTRICT) for dataset in of_district())]
NIGHT = [
    *(Task(step, (dataset, scope, AS_OF)) for dataset, scope in SNAPSHOTS for step in ("land", "validate")),
    Task("conform_city", (AS_OF,)),
    Task("conform", (DISTRICT, AS_OF)),
    Task("measure", (DISTRICT, AS_OF)),
    Task("compute", (DISTRICT, AS_OF, SCHEME)),
    Task("score", (DISTRICT, AS_OF, SCHEME)),
    Task("rank", (AS_OF, SCHEME)),
    Task("publish", (AS_OF, SCHEME)),
]
# One snapshot of each kind of source; the steps are the same for the others.
LANDED = [("REG_ENT", DISTRICT), ("ST_QUAL", "city"), ("TAX_CIT", DISTRICT)]
CHOSEN = [task for task in NIGHT if task.step not in ("land", "validate") or task.arguments[:2] in LANDED]


@pytest.mark.faults
@pytest.mark.services
@pytest.mark.parametrize("task", CHOSEN, ids=str)
def test_every_task_of_a_night_killed_at_each_crash_point_ends_as_if_nothing_had_happened(
    whole: Night, task: Task, measured: Measured
) -> None:
    points = survives_every_crash(whole, task, repeats=3)
    measured(18, f"{task}: {points} points x 3, same end")


# --- row 19: a zombie wakes after the new attempt


def overtaken(
    night: Night, task: Task, arrives: Callable[[Path], Connections], again: list[Task], *, every: int
) -> tuple[int, int]:
    """Let the task fall asleep at every so many of its crash points, from its lease on, until it ends before one.
    Its leases run out, something arrives, the tasks of `again` end with its new attempt, and it wakes: nothing is
    another then. At how many points it was overtaken, and refused.
    """
    slept = refused = 0
    for n in itertools.count(4, every):
        home = night.copy(task)
        with Zombie(task, home, night.connections, at=n) as zombie:
            if not zombie.sleeps():
                assert not zombie.end().said
                return slept, refused
            if _holds_the_database(home):  # nobody overtakes it there
                assert not zombie.wake().said
                continue
            _leases_run_out(home)
            connections = arrives(home)
            for one in again:
                ended = attempt(one, home, connections)
                assert not ended.said, ended.said
            done, late = invariants.content(home), zombie.wake().said
        assert invariants.content(home) == done, f"what slept at point {n} has changed something ({late})"
        assert not late or "fenced" in late, late
        invariants.nothing_half_visible(home)
        slept, refused = slept + 1, refused + bool(late)
    raise AssertionError


def _holds_the_database(home: Path) -> bool:
    with closing(sqlite3.connect(home / "warehouse.sqlite", timeout=0)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


def _leases_run_out(home: Path) -> None:
    """A quarter of an hour passes."""
    with stores_of(home) as stores, writing(stores.engine) as connection:
        connection.execute(sa.update(run_lease).values(expires_at=clock()))


@contextmanager
def stores_of(home: Path) -> Iterator[Stores]:
    """The stores of a home, for as long as it is this process's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home))
        stores = open_stores()
        yield stores
        stores.engine.dispose()


@pytest.mark.parametrize(("task", "every"), [(LAND, 3), (VALIDATE, 4), (PUBLISH, 12)], ids=str)
def test_a_task_that_wakes_after_its_new_attempt_changes_nothing(
    small: Night, tmp_path: Path, task: Task, every: int, measured: Measured
) -> None:
    """Meanwhile the department has handed over one row fewer, and the ranks are others."""
    url = sqlite_with(tmp_path / "front_end.sqlite", [filing(i) for i in range(399)])

    def arrives(home: Path) -> Connections:
        with stores_of(home) as stores:
            ranked = stores.lake.require(places.ranked(AS_OF, SCHEME))
            stores.lake.commit(ranked.place, make_tables(7, indicators=5), ranked.facts)
        return {"innopoints_tax_database": Connection("innopoints_tax_database", "generic", extra={"url": url})}

    slept, refused = overtaken(small, task, arrives, [task], every=every)
    assert refused
    measured(19, f"{task}: overtaken at {slept} points, refused at {refused}, nothing changed at any")


def test_a_publication_that_wakes_before_its_lease_publishes_what_is_ranked_by_then(
    small: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new attempt ranks and publishes while the other is about to take its lease."""
    small.before(PUBLISH)
    acquire = Ledger.acquire

    def woken(ledger: Ledger, *given: Any) -> Lease:
        monkeypatch.setattr(Ledger, "acquire", acquire)
        ranked = stores.lake.require(places.ranked(AS_OF, SCHEME))
        stores.lake.commit(ranked.place, make_tables(7, indicators=5), ranked.facts)
        steps.publish(AS_OF, SCHEME, holder="task")
        return acquire(ledger, *given)

    with stores_of(small.copy(PUBLISH)) as stores:
        first = steps.publish(AS_OF, SCHEME, holder="task")["generation"]
        monkeypatch.setattr(Ledger, "acquire", woken)
        late = steps.publish(AS_OF, SCHEME, holder="task")["generation"]
        found = {one.id: one.status for one in generations(stores.engine)}
        assert found == {first: "superseded", late: "current"}
        with reading(stores.engine) as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(view("enterprise_profile"))) == 7


@pytest.mark.faults
@pytest.mark.services
@pytest.mark.parametrize("task", NIGHT[-7:], ids=str)
def test_every_task_of_a_night_that_wakes_after_its_new_attempt_changes_nothing(
    whole: Night, task: Task, measured: Measured
) -> None:
    """Meanwhile a department has handed its file over again, with one row fewer."""

    def arrives(home: Path) -> Connections:
        with stores_of(home) as stores:
            handed_over_again(stores, SnapshotKey("ST_QUAL", "city", AS_OF))
        return whole.connections

    again = NIGHT[-7 : NIGHT.index(task) + 1]
    slept, refused = overtaken(whole, task, arrives, again, every=11)
    assert refused
    measured(19, f"{task}: overtaken at {slept} points, refused at {refused}, nothing changed at any")


def handed_over_again(stores: Stores, key: SnapshotKey) -> None:
    """The department is asked again, and answers as before without its last row."""
    landing = stores.lake.require(places.landing(key))
    rows = stores.lake.read(places.landing(key), version=landing.sha256)
    answer = rows.slice(0, rows.num_rows - 1), {**landing.facts, "declared": rows.num_rows - 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("include.steps.repull.pulled", lambda *_: answer)
        done = repull(key.dataset, key.scope, key.as_of, reason="handed over again", holder="test", lookup=missing)
    assert done["outcome"] == "replaced"


# --- row 20: kill -9 at any moment


@scale(4, 60)
def test_a_task_killed_at_any_moment_ends_as_if_nothing_had_happened(
    small: Night, seeds: Seeds, count: int, measured: Measured
) -> None:
    tasks = [LAND, PUBLISH]
    clean = {task: small.clean(task) for task in tasks}
    takes = {task: attempt(task, small.copy(task), small.connections).seconds for task in tasks}
    killed = 0

    def check(seed: int) -> None:
        nonlocal killed
        draw = random.Random(seed)
        task = draw.choice(tasks)
        home = small.copy(task)
        for _ in range(draw.randint(1, 3)):
            killed += attempt(task, home, small.connections, kill_after=draw.uniform(0.1, 1.1) * takes[task]).killed
            invariants.nothing_half_visible(home)
        assert not attempt(task, home, small.connections).said
        assert invariants.content(home) == clean[task]
        invariants.of_home(home)

    seeds.each(count, check)
    measured(20, f"{count} runs, {killed} kills at random moments, all ended alike")


# --- row 23: no room left


LIMITS = [0, 100, 1_000, 4_000, 8_000, 16_000, 40_000, 100_000, 200_000]


@pytest.mark.parametrize("limits", [LIMITS[1::3], pytest.param(LIMITS, marks=pytest.mark.faults)], ids=["few", "all"])
@pytest.mark.parametrize("task", [LAND, VALIDATE, PUBLISH], ids=str)
def test_a_disk_that_fills_up_leaves_nothing_half_visible(
    small: Night, task: Task, limits: list[int], measured: Measured
) -> None:
    """Files may grow to so many bytes only, from none at all to enough."""
    clean, refused = small.clean(task), 0
    for most_bytes in limits:
        home = small.copy(task)
        ended = attempt(task, home, small.connections, most_bytes=most_bytes)
        invariants.nothing_half_visible(home)
        if ended.said:
            refused += 1
            assert "kept: " in ended.said
        again = attempt(task, home, small.connections)
        assert not again.said, again.said
        assert invariants.content(home) == clean
    assert refused
    measured(23, f"{task}: refused at {refused} of {len(limits)} limits, 0 readable partial snapshots")


def test_without_room_a_landing_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The department is not asked, so nobody needs to have configured it."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    monkeypatch.setenv("INNOPOINTS_LEAST_FREE_MIB", str(1 << 40))

    def nobody(conn_id: str) -> Connection:
        raise AssertionError(f"{conn_id} was asked")

    with pytest.raises(
        TerminalError, match=r"\d+ MiB are free, fewer than the 1099511627776 .*no department was asked"
    ):
        steps.land("TAX_VAT", "320411", date(2026, 11, 20), holder="test", lookup=nobody)
    assert not (tmp_path / "lake" / "landing").exists()


# --- row 24: damaged files


@pytest.fixture
def snapshot(tmp_path: Path) -> tuple[Lake, str, Path]:
    """A committed place of two tables, and its folder."""
    lake, place = Lake(str(tmp_path)), "accepted/TAX_CIT/320411/as_of=2026-11-23"
    tables = {
        name: pa.table({"uscc": [f"91320411MA{i:08d}" for i in range(500)], "value": [i * factor for i in range(500)]})
        for name, factor in (("data", 1), ("other", 7))
    }
    lake.commit(place, tables, {"contract_version": 1})
    return lake, place, tmp_path / place


@scale(40, 300)
def test_no_flipped_bit_is_read(snapshot: tuple[Lake, str, Path], seeds: Seeds, count: int, measured: Measured) -> None:
    lake, place, folder = snapshot
    files = [folder / MANIFEST, *folder.glob("data-*.parquet")]
    whole_bytes = {path: path.read_bytes() for path in files}

    def check(seed: int) -> None:
        draw = random.Random(seed)
        path = draw.choice(files)
        harmed = bytearray(whole_bytes[path])
        harmed[draw.randrange(len(harmed))] ^= 1 << draw.randrange(8)
        path.write_bytes(harmed)
        try:
            with pytest.raises(TerminalError, match=path.name.split(".")[0]):
                lake.read(place)
        finally:
            path.write_bytes(whole_bytes[path])

    seeds.each(count, check)
    assert lake.read(place).num_rows == 500
    measured(24, f"0 of {count} flipped bits read")


@pytest.mark.parametrize("damage", ["cut off", "empty", "other footer", "other table", "other district"])
def test_no_damaged_or_foreign_file_is_read(snapshot: tuple[Lake, str, Path], damage: str, measured: Measured) -> None:
    lake, place, folder = snapshot
    (path,), (other,) = folder.glob("data-*.parquet"), folder.glob("other-*.parquet")
    content = path.read_bytes()
    if damage == "cut off":
        for length in range(0, len(content), 97):
            path.write_bytes(content[:length])
            with pytest.raises(TerminalError, match="the file is damaged"):
                lake.read(place)
    elif damage == "other district":
        elsewhere = "accepted/TAX_CIT/320412/as_of=2026-11-23"
        shutil.copytree(folder, lake._path(elsewhere))
        with pytest.raises(TerminalError, match="the manifest belongs to accepted/TAX_CIT/320411"):
            lake.read(elsewhere)
    else:
        half = len(content) // 2
        foreign = other.read_bytes()
        instead = {"empty": b"", "other footer": content[:half] + foreign[half:], "other table": foreign}
        path.write_bytes(instead[damage])
        with pytest.raises(TerminalError, match="the file is damaged"):
            lake.read(place)
    measured(24, f"{damage}: refused by name")


# --- row 25: two people at the shell

AGAIN = ("TAX_VAT", "--district", DISTRICT, "--as-of", AS_OF.isoformat(), "--reason", "late filings")


def test_a_second_shell_is_told_who_is_at_it_and_one_that_was_killed_is_replaced_at_once(
    small: Night, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    monkeypatch.setattr(Stores, "lease", partialmethod(Stores.lease, patience=0))
    monkeypatch.setattr(include.cli, "from_environment", small.connections.__getitem__)
    home = small.copy(PUBLISH)

    def typed() -> Result:
        return CliRunner().invoke(include.cli.app, ["repull", *AGAIN])

    with Zombie(Command("repull", AGAIN), home, small.connections, at=2) as first, stores_of(home) as stores:
        assert first.sleeps()  # its lease is committed, nothing else is
        before = invariants.content(home)
        told = str(typed().exception)
        assert re.search(rf"lock snapshot/TAX_VAT/{DISTRICT}: held by shell/\S+/{first.child.pid} until ", told), told
        assert invariants.content(home) == before
        first.child.kill()
        first.child.join()
        assert typed().output.startswith(f"TAX_VAT/{DISTRICT}/{AS_OF}: same, ")
        held = stores.ledger.snapshot(SnapshotKey("TAX_VAT", DISTRICT, AS_OF))
        assert held is not None
        assert held.verdict == "accepted"
    measured(25, "two shells at one dataset: the second is told who is at it, and takes over once that is killed")


# --- row 26: the same again


@pytest.mark.parametrize("task", [LAND, VALIDATE, PUBLISH], ids=str)
def test_a_task_that_is_run_again_changes_nothing(small: Night, task: Task, measured: Measured) -> None:
    clean, home = small.clean(task), small.copy(task)
    for _ in range(3):
        assert not attempt(task, home, small.connections).said
        assert invariants.content(home) == clean
    measured(26, f"{task}: three times, the same content")
