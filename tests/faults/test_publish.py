"""Publication under fire (rows 14, 19, 21, 25, 27, 28): readers see one whole generation, the old one or the new."""

from __future__ import annotations

import itertools
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from include.kernel.errors import TerminalError, TransientError
from include.kernel.references import SnapshotKey
from include.publish.generations import Generation, generations, publish, rollback
from include.store.ledger import Lease, Ledger
from include.store.warehouse import create_engine, reading
from tests.faults import invariants
from tests.faults.conftest import Measured, Seeds
from tests.faults.resets import at_statement, end_session, end_session_after_commit
from tests.faults.scale import scale
from tests.publish.conftest import Tables, make_tables
from tests.publish.test_generations import current, view

D22, D23, D24 = date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24)


class Publisher:
    """Publishes small tables the way the step does; `content` stands for the digest of what is published."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.ledger = engine, Ledger(engine)
        self.snapshot_set = self.ledger.snapshot_set([["TAX_CIT", "320411", "2026-11-23", "a1"]])

    def lease(self, holder: str = "task") -> Lease:
        return self.ledger.acquire("publish", holder, 600)

    def put(self, as_of: date, content: str, *, lease: Lease | None = None, tables: Tables | None = None) -> Generation:
        return publish(
            self.engine,
            lease=lease or self.lease(),
            as_of=as_of,
            scheme_id="changzhou_v1",
            scheme_version="1",
            snapshot_set=self.snapshot_set,
            content_sha=content,
            points={},
            tables=tables or make_tables(4, indicators=5),
            reason="",
        )


@pytest.fixture
def publisher(warehouse: Engine) -> Publisher:
    return Publisher(warehouse)


# --- row 21: the result database fails


def test_a_session_lost_at_any_statement_leaves_the_old_generation_and_a_retry_succeeds(
    publisher: Publisher, measured: Measured
) -> None:
    engine, lease = publisher.engine, publisher.lease()
    publisher.put(D22, "old", lease=lease)
    with at_statement(None, end_session, engine) as clean:
        before = publisher.put(D22, "older content", lease=lease).id
    assert "COMMIT" in clean
    lost = 0
    for n in range(1, len(clean) + 1):
        try:
            with at_statement(n, end_session, engine):
                before = publisher.put(D23, f"content {n}", lease=lease).id
        except TransientError:
            lost += 1
            assert current(engine) == before
    assert lost >= len(clean) - (0 if engine.dialect.name == "postgresql" else 6)  # BEGIN and COMMIT are too short
    done = publisher.put(D23, "after all that", lease=lease)
    assert current(engine) == done.id
    invariants.of_publications(engine)
    measured(21, f"{engine.dialect.name}: lost at {lost} of {len(clean)} statements, 0 half published, retry succeeds")


@contextmanager
def _read_only(engine: Engine) -> Iterator[None]:
    if engine.dialect.name == "sqlite":
        only = lambda connection, _: connection.execute("PRAGMA query_only = ON")  # noqa: E731
        sa.event.listen(engine, "connect", only)
        engine.dispose()
        yield
        sa.event.remove(engine, "connect", only)
    else:
        name = engine.url.database
        with psycopg.connect(_dsn(engine), autocommit=True) as other:
            other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
            engine.dispose()
            yield
            other.execute("SET default_transaction_read_only = off")
            other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    engine.dispose()


def _dsn(engine: Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_read_only_database_needs_a_person_and_stays_readable(publisher: Publisher) -> None:
    lease = publisher.lease()
    old = publisher.put(D22, "old", lease=lease)
    with _read_only(publisher.engine):
        with pytest.raises(TerminalError, match=r"SQLITE_READONLY|25006"):
            publisher.put(D23, "new", lease=lease)
        assert current(publisher.engine) == old.id
    assert publisher.put(D23, "new", lease=lease).status == "current"
    invariants.of_publications(publisher.engine)


def test_a_full_disk_needs_a_person_and_stays_readable(tmp_path: Any, measured: Measured) -> None:
    """SQLite at a growing number of pages it may have: every place at which a disk can be full."""
    from include.store.warehouse import migrate

    engine = create_engine(f"sqlite:///{tmp_path / 'warehouse.sqlite'}")
    migrate(engine)
    publisher = Publisher(engine)
    lease = publisher.lease()
    publisher.put(D22, "old", lease=lease)
    with reading(engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    tables, refused = make_tables(60, indicators=20), 0
    for more in itertools.count():
        limit = lambda connection, _, most=pages + more: connection.execute(f"PRAGMA max_page_count = {most}")  # noqa: E731
        sa.event.listen(engine, "connect", limit)
        engine.dispose()
        try:
            made = publisher.put(D23, "new", lease=lease, tables=tables)
            break
        except TerminalError as full:
            if "SQLITE_FULL" not in str(full):
                raise
            refused += 1
            assert current(engine) == 1
        finally:
            sa.event.remove(engine, "connect", limit)
    assert refused > 10
    assert current(engine) == made.id
    invariants.of_publications(engine)
    measured(23, f"warehouse full at {refused} places: 0 half published")


@pytest.fixture
def on_postgresql(new_postgresql_database: Callable[[], str]) -> Iterator[Publisher]:
    from include.store.warehouse import migrate

    engine = create_engine(new_postgresql_database())
    migrate(engine)
    yield Publisher(engine)
    engine.dispose()


@pytest.mark.services
def test_a_commit_whose_answer_is_lost_is_found_by_the_retry(on_postgresql: Publisher) -> None:
    engine, lease = on_postgresql.engine, on_postgresql.lease()
    on_postgresql.put(D22, "old", lease=lease)
    with at_statement(None, end_session, engine) as clean:
        on_postgresql.put(D22, "other", lease=lease)
    with at_statement(len(clean), end_session_after_commit, engine) as reached, pytest.raises(TransientError):
        on_postgresql.put(D23, "new", lease=lease)
    assert reached[-1] == "COMMIT"
    made = on_postgresql.put(D23, "new", lease=lease)
    assert current(engine) == made.id
    assert len(generations(engine)) == 3
    invariants.of_publications(engine)


@pytest.mark.services
def test_of_two_in_a_deadlock_the_publication_starts_over(on_postgresql: Publisher) -> None:
    """Another session has the pointer and then wants our lock, which we hold until we have the pointer."""
    engine, lease = on_postgresql.engine, on_postgresql.lease()
    old = on_postgresql.put(D22, "old", lease=lease)
    at_pointer = threading.Event()

    def other() -> None:
        with psycopg.connect(_dsn(engine)) as session:
            session.execute("SET deadlock_timeout = '60s'")  # so that the publication is the one that notices
            session.execute("UPDATE publish.pointer SET version = version")
            at_pointer.set()
            session.execute("UPDATE run_lease SET holder = holder")

    with ThreadPoolExecutor(1) as pool:
        waiting = []

        def begin(connection: Any) -> None:
            waiting.append(pool.submit(other))
            assert at_pointer.wait(10)

        with at_statement(3, begin, engine), pytest.raises(TransientError, match="40P01"):
            on_postgresql.put(D23, "new", lease=lease)
        waiting[0].result(10)
    assert current(engine) == old.id
    assert on_postgresql.put(D23, "new", lease=lease).status == "current"
    invariants.of_publications(engine)


@pytest.mark.services
def test_a_statement_that_waits_too_long_is_tried_again(on_postgresql: Publisher) -> None:
    engine, lease = on_postgresql.engine, on_postgresql.lease()
    old = on_postgresql.put(D22, "old", lease=lease)
    with psycopg.connect(_dsn(engine), autocommit=True) as other:
        other.execute(f"ALTER DATABASE {engine.url.database} SET statement_timeout = '200ms'".encode())
    engine.dispose()
    with psycopg.connect(_dsn(engine)) as other:
        other.execute("LOCK TABLE publish.points_ledger IN SHARE MODE")
        with pytest.raises(TransientError, match="57014"):
            on_postgresql.put(D23, "new", lease=lease)
        assert current(engine) == old.id
    assert on_postgresql.put(D23, "new", lease=lease).status == "current"


# --- row 27: readers


@pytest.mark.parametrize(
    ("publishes", "reads"),
    [
        pytest.param(8, 200, id="8-publishes"),
        pytest.param(100, 10_000, id="100-publishes", marks=pytest.mark.faults),
    ],
)
def test_readers_during_publications_see_whole_generations_in_one_order(
    publisher: Publisher, publishes: int, reads: int, measured: Measured
) -> None:
    """Each generation has another number of enterprises and another shift of points, so that a mix of two shows."""
    engine, lease = publisher.engine, publisher.lease()
    tables = {size: make_tables(size, indicators=5, shift=size) for size in range(4, 14)}
    size_of = {publisher.put(D22, "0", lease=lease, tables=tables[4]).id: 4}
    done, begun = threading.Event(), itertools.count()
    views = {name: view(name) for name in ("generation", "enterprise_profile", "enterprise_points", "points_ledger")}
    counts = [sa.select(sa.func.count()).select_from(views[name]) for name in list(views)[1:]]
    total = sa.select(sa.func.sum(views["enterprise_points"].c.total))
    sums = {size: sum(made["enterprise_points"]["total"].to_pylist()) for size, made in tables.items()}

    def read() -> tuple[list[int], list[float]]:
        history, took = [], []
        while next(begun) < reads or not done.is_set():
            started = time.perf_counter()
            with reading(engine) as connection:
                generation_id = connection.scalar(sa.select(views["generation"].c.generation_id))
                held = [connection.scalar(count) for count in counts]
                points = connection.scalar(total)
            took.append(time.perf_counter() - started)
            history.append((generation_id, *held, points))
        return history, took

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for i in range(1, publishes + 1):
                size = 4 + i % 10
                size_of[publisher.put(D23, str(i), lease=lease, tables=tables[size]).id] = size
        finally:
            done.set()
        results = [reader.result() for reader in readers]
    histories = [history for history, _ in results]
    for generation_id, profiles, firms, in_ledger, points in itertools.chain(*histories):
        size = size_of[generation_id]
        assert (profiles, firms, in_ledger, points) == (size, size, size * 5, sums[size])
    invariants.explained_by_one_order([[row[0] for row in history] for history in histories])
    made = sum(map(len, histories))
    assert made >= reads
    slowest = statistics.quantiles(itertools.chain(*(took for _, took in results)), n=100)[98] * 1000
    assert slowest <= 200
    measured(
        27,
        f"{engine.dialect.name}: {made} reads during {publishes} publications, 0 mixed, 0 errors, p99 {slowest:.0f} ms",
    )


# --- row 28: roll-back


@pytest.mark.parametrize("enterprises", [300, pytest.param(2791, marks=pytest.mark.faults)])
def test_a_roll_back_of_a_whole_city_takes_less_than_ten_seconds(
    publisher: Publisher, enterprises: int, measured: Measured
) -> None:
    engine, lease = publisher.engine, publisher.lease()
    tables = make_tables(enterprises, indicators=20)
    first = publisher.put(D22, "old", lease=lease, tables=tables)
    publisher.put(D23, "new", lease=lease, tables=tables)
    started = time.monotonic()
    rollback(engine, first.id, by="王", reason="wrong list")
    took = time.monotonic() - started
    assert current(engine) == first.id
    assert took <= 10
    measured(28, f"{engine.dialect.name}: {took:.2f} s for {enterprises} enterprises")


# --- row 19: zombies


@scale(10, 100)
def test_a_zombie_that_wakes_after_the_new_attempt_is_refused_and_the_refusal_is_logged(
    publisher: Publisher, seeds: Seeds, count: int, measured: Measured, caplog: pytest.LogCaptureFixture
) -> None:
    """Its attempt is replaced at a random moment before it begins to write; whatever it then tries is refused."""
    engine, ledger = publisher.engine, publisher.ledger

    def check(seed: int) -> None:
        draw = random.Random(seed)
        key = SnapshotKey("TAX_CIT", "320411", D22 + timedelta(days=seed))
        zombie = publisher.lease()
        newer = publisher.lease()  # the same task, tried again
        made = publisher.put(D23 + timedelta(days=seed), f"by the new attempt {seed}", lease=newer)
        caplog.clear()
        late = draw.choice(
            [
                lambda: publisher.put(D24 + timedelta(days=seed), f"by the zombie {seed}", lease=zombie),
                lambda: publisher.put(
                    D24 + timedelta(days=seed), f"broken {seed}", lease=zombie, tables={"honours": pa.table({})}
                ),
                lambda: ledger.record_landed(
                    key, lease=zombie, contract_version=1, declared=1, received=1, landing_sha="late"
                ),
                zombie.renew,
            ]
        )
        with pytest.raises(TerminalError, match="fenced"):
            late()
        assert [record.levelname for record in caplog.records if "fenced" in record.message] == ["WARNING"]
        zombie.release()
        assert current(engine) == made.id
        assert ledger.snapshot(key) is None
        newer.renew()  # a zombie that gives its lock back gives away nothing

    seeds.each(count, check)
    invariants.of_publications(engine)
    measured(19, f"{engine.dialect.name}: 0 of {count} late writes accepted, each refusal logged")


# --- row 25: nightly and back-fill overlap

Actor = Iterator[None]


class Night:
    """One task after the other of a night, each a step of an actor; a step is what one transaction does."""

    def __init__(self, publisher: Publisher, name: str, as_of: date, content: str, draw: random.Random) -> None:
        self.publisher, self.name, self.as_of, self.content = publisher, name, as_of, content
        self.key = SnapshotKey("TAX_CIT", "320411", as_of)
        self.waits: list[str] = []
        self.fenced = False
        self.made: Generation | None = None
        self._rows = draw.randint(1, 9)

    def run(self) -> Actor:
        try:
            yield from self._steps()
        except TerminalError as error:
            if "fenced" not in str(error):
                raise
            self.fenced = True

    def _steps(self) -> Actor:
        ledger = self.publisher.ledger
        lease = yield from self._locked("snapshot/TAX_CIT/320411")
        if (held := ledger.snapshot(self.key)) is None or held.verdict is not None:
            ledger.record_landed(
                self.key, lease=lease, contract_version=1, declared=None, received=self._rows, landing_sha=self.name
            )
            yield
        with_counts = ledger.snapshot(self.key)
        assert with_counts is not None
        counts = {"rows_in": with_counts.received, "duplicates": 0, "accepted": with_counts.received, "quarantined": 0}
        if with_counts.verdict is None:
            ledger.record_verdict(
                self.key, lease=lease, verdict="accepted", reason=None, checks=[], accepted_sha=self.name, **counts
            )
        yield
        lease.release()
        yield
        lease = yield from self._locked("publish")
        self.made = self.publisher.put(self.as_of, self.content, lease=lease)
        yield
        lease.release()

    def _locked(self, lock: str) -> Any:
        while True:
            try:
                lease = self.publisher.ledger.acquire(lock, self.name, 600)
                yield
                return lease
            except TransientError as error:
                self.waits.append(str(error))
                yield


@scale(6, 200)
def test_a_nightly_run_and_back_fills_that_overlap_lose_nothing(
    publisher: Publisher, seeds: Seeds, count: int, measured: Measured
) -> None:
    """Three runs and a second attempt of one of them, a step at a time in an order drawn from the seed."""
    waits = fenced = 0

    def check(seed: int) -> None:
        nonlocal waits, fenced
        draw = random.Random(seed)
        day = D22 + timedelta(days=10 * seed)
        nights = [
            Night(publisher, f"nightly/{seed}", day + timedelta(days=2), f"nightly {seed}", draw),
            Night(publisher, f"backfill/{seed}", day + timedelta(days=1), f"backfill {seed}", draw),
            Night(publisher, f"other backfill/{seed}", day + timedelta(days=1), f"backfill {seed}", draw),
        ]
        again = draw.choice(nights)
        nights.append(Night(publisher, again.name, again.as_of, again.content, draw))
        running = {night.name + str(i): night.run() for i, night in enumerate(nights)}
        retried = list(running)[-1]
        begins = draw.randint(0, 12)  # the second attempt starts once the first has gone some way
        for step in itertools.count():
            ready = [name for name in running if name != retried or step >= begins or len(running) == 1]
            if not ready:
                break
            name = draw.choice(ready)
            if next(running[name], running) is running:
                del running[name]
            assert step < 2000, "nobody gets on"
        latest = generations(publisher.engine)
        in_force = next(row for row in latest if row.status == "current")
        assert in_force.as_of == day + timedelta(days=2)
        assert {night.made.as_of for night in nights if night.made} >= {
            day + timedelta(days=1),
            day + timedelta(days=2),
        }
        for night in nights:
            for line in night.waits:
                assert "held by " in line
                assert any(f"held by {other.name} until" in line for other in nights if other.name != night.name)
        waits += sum(len(night.waits) for night in nights)
        fenced += sum(night.fenced for night in nights)

    seeds.each(count, check)
    invariants.of_publications(publisher.engine)
    invariants.no_step_skipped(publisher.engine)
    assert waits
    kind = publisher.engine.dialect.name
    measured(25, f"{kind}: {count} interleavings, 0 lost updates; {waits} waits named the holder, {fenced} were fenced")
