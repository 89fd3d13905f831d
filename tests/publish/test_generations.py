"""A generation is read whole or not at all; the pointer only moves forward, or back by a person's decision."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from include.kernel.errors import BadInput, TerminalError, TransientError
from include.publish.generations import Generation, generations, prune, publish, rollback
from include.store.ledger import Lease, Ledger, run_publication, run_rollback
from include.store.warehouse import PUBLISHED, clock, generation, pointer, reading, writing

D22, D23, D24 = date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24)
Tables = dict[str, pa.Table]
Publish = Callable[..., Generation]


@pytest.fixture
def small(tables_of: Callable[..., Tables]) -> Tables:
    return tables_of(12)


@pytest.fixture
def put(warehouse: Engine) -> Publish:
    """Publishes tables the way the step does; `content` stands for the digest of what is published."""
    ledger = Ledger(warehouse)
    snapshot_set = ledger.snapshot_set([["TAX_CIT", "320411", "2026-11-23", "a1"]])

    def put(
        tables: Tables, as_of: date = D23, content: str = "content", lease: Lease | None = None, **changes: str
    ) -> Generation:
        texts = {
            "scheme_id": "changzhou_v1",
            "scheme_version": "1",
            "snapshot_set": snapshot_set,
            "reason": "",
        } | changes
        with ExitStack() as stack:
            lease = lease or stack.enter_context(ledger.acquire("publish", "test", 60))
            held = {"320411": content}
            return publish(
                warehouse, lease=lease, as_of=as_of, content_sha=content, points=held, tables=tables, **texts
            )

    return put


def view(name: str) -> sa.Table:
    """A promised view, read with the column types of its table."""
    table = generation if name == "generation" else PUBLISHED[name]
    columns = [sa.Column(column.name, column.type) for column in table.c]
    return sa.Table(f"current_{name}", sa.MetaData(), *columns, schema=table.schema)


def seen(connection: Connection) -> dict[str, set[int]]:
    """Which generations a reader sees in each view."""
    views = {name: view(name) for name in ("generation", *PUBLISHED)}
    return {name: set(connection.scalars(sa.select(v.c.generation_id).distinct())) for name, v in views.items()}


def current(engine: Engine) -> int:
    """The one generation that every view shows."""
    with reading(engine) as connection:
        ids = set.union(*seen(connection).values())
    assert len(ids) == 1
    return ids.pop()


def statuses(engine: Engine) -> dict[int, str]:
    return {row.id: row.status for row in generations(engine)}


@contextmanager
def dying_at(engine: Engine, n: int) -> Iterator[list[str]]:
    """Raise before the n-th statement; gives the statements that were sent."""
    sent: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)
        if len(sent) == n:
            raise RuntimeError("killed")

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


# --- what is published is what was given


def test_a_published_generation_holds_exactly_the_rows_given(warehouse: Engine, put: Publish, small: Tables) -> None:
    made = put(small, reason="first night")
    assert (made.as_of, made.scheme_id, made.status, made.reason) == (D23, "changzhou_v1", "current", "first night")
    assert made.published_at is not None
    assert made.created_at <= made.published_at
    assert current(warehouse) == made.id
    with reading(warehouse) as connection:
        for name, given in small.items():
            found = connection.execute(sa.select(view(name))).mappings().all()
            expected = given.to_pylist()
            if name == "ladder":
                expected[0]["failed_conditions"] = ["研发费用占比 4.2%, 需 5%"]
            rows = [{column: row[column] for column in given.column_names} for row in found]
            assert sorted(rows, key=str) == sorted(expected, key=str)


def test_figures_come_back_with_their_declared_places(warehouse: Engine, put: Publish, small: Tables) -> None:
    put(small)
    with reading(warehouse) as connection:
        line = connection.execute(sa.select(view("credit_list"))).one()
        points = connection.execute(sa.select(view("enterprise_points"))).first()
    assert str(line.suggested_limit_yuan) == "3000000.00"
    assert points is not None
    assert str(points.coverage) == "0.900000"
    assert points.total.as_tuple().exponent == -3


# --- the pointer


def test_a_newer_generation_supersedes_the_one_before(warehouse: Engine, put: Publish, small: Tables) -> None:
    first, second, third = put(small, D22), put(small, D23), put(small, D23, "restated")
    assert statuses(warehouse) == {third.id: "current", second.id: "superseded", first.id: "superseded"}
    assert current(warehouse) == third.id
    with reading(warehouse) as connection:
        assert connection.execute(sa.select(pointer)).one().version == 3


def test_an_older_business_date_never_replaces_a_newer_one(warehouse: Engine, put: Publish, small: Tables) -> None:
    newer = put(small, D24)
    older = put(small, D23, reason="backfill")
    assert (older.status, older.published_at) == ("superseded", None)
    assert older.reason == f"backfill; generation {newer.id} of 2026-11-24 is newer and stays current"
    assert current(warehouse) == newer.id


def test_another_scheme_never_replaces_the_one_in_force_by_itself(
    warehouse: Engine, put: Publish, small: Tables
) -> None:
    in_force = put(small, D23)
    what_if = put(small, D24, scheme_id="national_core")
    assert what_if.status == "superseded"
    assert what_if.reason == f"generation {in_force.id} of scheme {in_force.scheme_id} is in force and stays current"
    assert current(warehouse) == in_force.id
    assert rollback(warehouse, what_if.id, by="王").status == "current"


def test_the_same_content_is_published_once(warehouse: Engine, put: Publish, small: Tables) -> None:
    newest = put(small, D24)
    assert put(small, D24) == newest
    backfilled = put(small, D23)
    assert put(small, D23) == backfilled
    assert put(small, D23, "other").id not in (newest.id, backfilled.id)
    assert put(small, D24, scheme_id="national_core").id != newest.id
    assert len(generations(warehouse)) == 4


def test_content_that_was_replaced_is_published_anew(warehouse: Engine, put: Publish, small: Tables) -> None:
    first, restated, again = put(small, content="a"), put(small, content="b"), put(small, content="a")
    assert len({first.id, restated.id, again.id}) == 3
    assert current(warehouse) == again.id


def test_a_publication_is_noted_in_the_ledger_so_that_it_is_not_due_again(
    warehouse: Engine, put: Publish, small: Tables
) -> None:
    before = clock()
    made = put(small)
    with reading(warehouse) as connection:
        noted = connection.execute(sa.select(run_publication)).one()
    assert (noted.generation_id, noted.as_of, noted.scheme, noted.published_by) == (
        made.id,
        D23,
        made.scheme_id,
        "test",
    )
    assert noted.points == {"320411": "content"}
    assert noted.covers_until >= before
    put(small)
    with reading(warehouse) as connection:
        again = connection.execute(sa.select(run_publication)).one()
    assert again.covers_until > noted.covers_until


def test_a_fenced_publisher_changes_nothing(warehouse: Engine, put: Publish, small: Tables) -> None:
    made, ledger = put(small), Ledger(warehouse)
    zombie = ledger.acquire("publish", "task", 60)
    ledger.acquire("publish", "task", 60).release()
    with pytest.raises(TerminalError, match="fenced"):
        put(small, D24, lease=zombie)
    with pytest.raises(TerminalError, match="fenced"):
        put({}, D24, lease=zombie)
    assert statuses(warehouse) == {made.id: "current"}


# --- roll-back and retention


def test_a_roll_back_is_one_audited_move(warehouse: Engine, put: Publish, small: Tables) -> None:
    first, second = put(small, D22), put(small, D23)
    started = time.monotonic()
    assert rollback(warehouse, first.id, by="王", reason="wrong\nlist\x1b").status == "current"
    assert time.monotonic() - started < 10
    assert current(warehouse) == first.id
    left = generations(warehouse)[0]
    assert (left.id, left.status) == (second.id, "rolled_back")
    assert left.reason == f"rolled back to generation {first.id} by 王: wrong list\\x1b"
    assert rollback(warehouse, first.id, by="王") == generations(warehouse)[1]
    with reading(warehouse) as connection:
        (kept,) = connection.execute(sa.select(run_rollback))  # the second call moved nothing
    assert (kept.from_generation, kept.to_generation) == (second.id, first.id)
    assert (kept.decided_by, kept.reason) == ("王", "wrong list\\x1b")


def test_a_roll_back_without_a_name_or_from_what_is_no_longer_current_moves_nothing(
    warehouse: Engine, put: Publish, small: Tables
) -> None:
    first, second = put(small, D22), put(small, D23)
    with pytest.raises(BadInput, match=r"nobody's name \| kept: the generation now published"):
        rollback(warehouse, first.id, by=" \n")
    with pytest.raises(BadInput, match=rf"generation {first.id} is no longer current \| kept: generation {second.id}"):
        rollback(warehouse, first.id, by="王", leaving=first.id)
    assert current(warehouse) == second.id
    with reading(warehouse) as connection:
        assert connection.execute(sa.select(run_rollback)).all() == []


def test_a_roll_back_holds_until_there_is_other_content(warehouse: Engine, put: Publish, small: Tables) -> None:
    first = put(small, D22)
    put(small, D23)
    rollback(warehouse, first.id, by="王")
    assert put(small, D23).status == "rolled_back"
    assert current(warehouse) == first.id
    corrected = put(small, D23, "corrected")
    assert current(warehouse) == corrected.id
    assert statuses(warehouse)[first.id] == "superseded"


def test_a_roll_back_can_be_taken_back(warehouse: Engine, put: Publish, small: Tables) -> None:
    first, second = put(small, D22), put(small, D23)
    rollback(warehouse, first.id, by="王")
    rollback(warehouse, second.id, by="王")
    assert statuses(warehouse) == {second.id: "current", first.id: "rolled_back"}


def test_a_roll_back_to_nothing_readable_is_refused(warehouse: Engine, put: Publish, small: Tables) -> None:
    with pytest.raises(BadInput, match=r"generation 1 does not exist \| kept: nothing is published"):
        rollback(warehouse, 1, by="王")
    made = put(small)
    with pytest.raises(TerminalError):
        put(small | {"points_ledger": small["points_ledger"].slice(1)}, D24)
    blocked = generations(warehouse)[0]
    assert blocked.status == "blocked"
    with pytest.raises(BadInput, match=f"generation {blocked.id} was blocked by its audit"):
        rollback(warehouse, blocked.id, by="王")
    assert statuses(warehouse) == {blocked.id: "blocked", made.id: "current"}


def test_old_generations_are_pruned_and_their_ids_never_given_again(
    warehouse: Engine, put: Publish, small: Tables
) -> None:
    first, second = put(small, D22), put(small, D23)
    now = clock()
    assert prune(warehouse, now=now + timedelta(days=89)) == []
    rollback(warehouse, first.id, by="王")
    assert prune(warehouse, now=now + timedelta(days=91)) == [second.id]
    with reading(warehouse) as connection:
        assert connection.scalars(sa.select(run_rollback.c.from_generation)).all() == [second.id]
    assert current(warehouse) == first.id
    with reading(warehouse) as connection:
        for table in PUBLISHED.values():
            assert set(connection.scalars(sa.select(table.c.generation_id))) == {first.id}
    with pytest.raises(BadInput, match="does not exist"):
        rollback(warehouse, second.id, by="王")
    assert put(small, D24).id > second.id


# --- faults


def test_a_crash_at_any_statement_leaves_the_old_generation_and_a_retry_succeeds(
    warehouse: Engine, put: Publish, tables_of: Callable[..., Tables]
) -> None:
    old, new = tables_of(4, indicators=5), tables_of(5, indicators=5)
    lease = Ledger(warehouse).acquire("publish", "test", 600)
    first = put(old, D22, "old", lease)
    with dying_at(warehouse, 0) as sent:
        second = put(old, D22, "older content", lease)
    assert len(sent) > 30
    for n in range(1, len(sent) + 1):
        with dying_at(warehouse, n) as reached, pytest.raises(RuntimeError, match="killed"):
            put(new, D23, "new", lease)
        assert current(warehouse) == second.id, reached[-1]
    done = put(new, D23, "new", lease)
    assert current(warehouse) == done.id
    assert statuses(warehouse) == {done.id: "current", second.id: "superseded", first.id: "superseded"}
    with reading(warehouse) as connection:
        held = set(connection.scalars(sa.select(PUBLISHED["points_ledger"].c.generation_id)))
    assert held == {first.id, second.id, done.id}


def test_readers_never_see_a_mix_while_generations_are_published(
    warehouse: Engine, put: Publish, tables_of: Callable[..., Tables]
) -> None:
    """Each generation has another number of enterprises, so that a mix of two would show."""
    sizes = {put(tables_of(4, indicators=5), D22, "0").id: 4}
    stop = threading.Event()

    def read() -> tuple[int, list[int]]:
        count, order = 0, []
        while not stop.is_set():
            with reading(warehouse) as connection:
                ids = seen(connection)
                rows = connection.scalar(sa.select(sa.func.count()).select_from(view("enterprise_points")))
            assert len(set.union(*ids.values())) == 1, ids
            assert all(ids.values())
            order.append(next(iter(ids["generation"])))
            if order[-1] in sizes:
                assert rows == sizes[order[-1]]
            count += 1
        return count, order

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for i in range(1, 11):
                sizes[put(tables_of(4 + i, indicators=5), D23, str(i)).id] = 4 + i
        finally:
            stop.set()
        results = [reader.result(30) for reader in readers]
    assert sum(count for count, _ in results) > 30
    assert all(order == sorted(order) for _, order in results)  # one order of whole generations explains each reader


def test_of_two_who_move_the_pointer_the_second_starts_over(
    warehouse: Engine, put: Publish, small: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    if warehouse.dialect.name == "sqlite":
        pytest.skip("SQLite lets only one writer begin")
    first, second = put(small, D22), put(small, D23)

    def roll_back_meanwhile(*_: object) -> list[str]:
        rollback(warehouse, first.id, by="王")
        return []

    monkeypatch.setattr("include.publish.generations.findings", roll_back_meanwhile)
    with pytest.raises(TransientError, match="another publication or roll-back came first"):
        put(small, D24)
    assert statuses(warehouse) == {second.id: "rolled_back", first.id: "current"}


def test_a_whole_city_is_published_in_seconds(put: Publish, tables_of: Callable[..., Tables]) -> None:
    tables = tables_of(700, indicators=121)
    started = time.monotonic()
    put(tables)
    assert time.monotonic() - started < 15


def test_points_that_binary_floats_cannot_hold_are_summed_exactly(
    warehouse: Engine, put: Publish, small: Tables
) -> None:
    """0.1 + 0.2 is not 0.3 in binary; the audit must neither refuse right sums nor let a thousandth slip."""
    put(small)
    table = PUBLISHED["points_ledger"]
    with writing(warehouse) as connection:
        lines = connection.scalars(sa.select(table.c.points).where(table.c.generation_id == 1)).all()
    assert sum(lines) == sum(small["enterprise_points"]["total"].to_pylist())
    assert any(line % Decimal("0.125") for line in lines)
