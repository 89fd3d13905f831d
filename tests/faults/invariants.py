"""What must hold after every fault, whatever it was: I1 to I10, each checked on the stores as they are.

The checks read the tables and files themselves and use none of the pipeline's own audits.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from include.contracts import contracts
from include.kernel.references import ResultKey, SnapshotKey
from include.store import lake as places
from include.store.lake import MANIFEST, Lake
from include.store.ledger import run_lease, run_publication, run_result, run_snapshot, run_snapshot_set
from include.store.warehouse import PUBLISHED, Moment, create_engine, generation, metadata, pointer, reading

NEVER_EMPTY = ("enterprise_profile", "enterprise_points", "points_ledger", "stage_distribution", "source_quality")
LISTS = ("honours", "project_recommendation", "credit_list", "ladder", "once_only_gap")


def of_home(home: Path) -> None:
    """I1 to I6 and I10 of the stores under `home`."""
    lake, engine = _stores(home)
    no_step_skipped(engine)
    of_publications(engine, lake)
    with reading(engine) as connection:
        for row in connection.execute(sa.select(run_snapshot)):
            if row.verdict:
                every_row_is_in_one_place(lake, row)
    engine.dispose()


def nothing_half_visible(home: Path) -> None:
    """What is committed can be read, whatever was interrupted: every table of every place, and one generation."""
    lake, engine = _stores(home)
    for place in _committed(lake):
        for table in lake.require(place).tables:
            lake.read(place, table)
    of_publications(engine, lake)
    engine.dispose()


def content(home: Path) -> dict[str, str]:
    """I7: what the stores say, without the moments at which it was written and the locks: equal for equal inputs."""
    lake, engine = _stores(home)
    held = {place: lake.require(place).sha256 for place in _committed(lake)}
    held["raw replies kept"] = str(sorted(path.name for path in Path(str(lake.root)).glob("raw/**/*.gz")))
    with reading(engine) as connection:
        for table in metadata.sorted_tables:
            columns = [column for column in table.c if not isinstance(column.type, Moment)]
            if table is not run_lease:
                held[table.name] = str(sorted(map(str, connection.execute(sa.select(*columns)))))
    engine.dispose()
    return held


def every_row_is_in_one_place(lake: Lake, row: sa.Row) -> None:
    """I1 to I3: each landed row is accepted, in quarantine as it came, or an exact repetition of one that is."""
    key, contract = SnapshotKey(row.dataset, row.scope, row.as_of), contracts()[row.dataset]
    natives = [column.native for column in contract.columns.values()]
    landed = _by_place(lake.read(places.landing(key), version=row.landing_sha), natives)
    accepted = lake.require(places.accepted(key), row.accepted_sha) if row.verdict == "accepted" else None
    quarantine = accepted.facts["quarantine"] if accepted else None  # of a refused one the last
    waiting = _by_place(lake.read(places.quarantine(key), version=quarantine), natives)
    passed = set(_by_place(lake.read(accepted.place, version=accepted.sha256), [])) if accepted else None
    assert len(landed) == row.received
    assert len(waiting) == row.quarantined
    assert all(landed[at] == text for at, text in waiting.items()), f"{key}: a quarantined row is not as it came"
    if passed is None:
        return
    assert len(passed) == row.accepted
    assert not passed & set(waiting), f"{key}: a row is accepted and in quarantine"
    kept = {landed[at] for at in passed | set(waiting)}
    gone = set(landed) - passed - set(waiting)
    assert len(gone) == row.duplicates
    assert all(landed[at] in kept for at in gone), f"{key}: a row is nowhere"


def of_publications(engine: Engine, lake: Lake | None = None) -> None:
    """I4, I5 and I6 of every generation that is kept; with the lake, which districts stand on what."""
    with reading(engine) as connection:
        kept = connection.execute(sa.select(generation)).all()
        one_pointer(connection)
        for row in kept:
            if row.status == "blocked":
                nothing_is_kept_of(connection, row.generation_id)
            else:
                whole(connection, row.generation_id)
                points_add_up(connection, row.generation_id)
                lists_are_of_the_city(connection, row.generation_id)
                one_snapshot_per_source(connection, row, lake)


def one_pointer(connection: Connection) -> None:
    """I5: one generation is current, the one pointed at, and none newer of its scheme was left but by a roll-back."""
    at = connection.execute(sa.select(pointer)).one()
    rows = {row.generation_id: row for row in connection.execute(sa.select(generation))}
    current = [one.generation_id for one in rows.values() if one.status == "current"]
    assert current == ([at.generation_id] if at.generation_id else []), (current, at)
    if at.generation_id:
        here = rows[at.generation_id]
        for row in rows.values():
            if row.scheme_id == here.scheme_id and row.published_at and row.as_of > here.as_of:
                assert row.status == "rolled_back", f"generation {row.generation_id} of {row.as_of} was replaced"


def whole(connection: Connection, generation_id: int) -> None:
    """I5: every table has the generation."""
    for name in NEVER_EMPTY:
        assert _count(connection, name, generation_id), f"{name} has nothing of generation {generation_id}"


def nothing_is_kept_of(connection: Connection, generation_id: int) -> None:
    """I5: a blocked generation is an entry with a reason and no rows."""
    for name in PUBLISHED:
        assert not _count(connection, name, generation_id), f"{name} holds rows of the blocked {generation_id}"


def points_add_up(connection: Connection, generation_id: int) -> None:
    """I4: the lines of an enterprise are its total."""
    lines: dict[str, Decimal] = defaultdict(Decimal)
    ledger, points = PUBLISHED["points_ledger"], PUBLISHED["enterprise_points"]
    for uscc, value in connection.execute(
        sa.select(ledger.c.uscc, ledger.c.points).where(ledger.c.generation_id == generation_id)
    ):
        lines[uscc] += value
    totals = dict(
        connection.execute(
            sa.select(points.c.uscc, points.c.total).where(points.c.generation_id == generation_id)
        ).all()
    )
    assert lines == totals, f"generation {generation_id}: lines and totals differ"


def lists_are_of_the_city(connection: Connection, generation_id: int) -> None:
    """I6: profiles and ranked points are of the same enterprises; whoever is on a list has a profile."""

    def firms(name: str) -> list[str]:
        table = PUBLISHED[name]
        return list(connection.scalars(sa.select(table.c.uscc).where(table.c.generation_id == generation_id)))

    profiles = firms("enterprise_profile")
    assert sorted(firms("enterprise_points")) == sorted(profiles)
    for name in LISTS:
        assert set(firms(name)) <= set(profiles), f"{name} names an enterprise without a profile"


def one_snapshot_per_source(connection: Connection, one: sa.Row, lake: Lake | None) -> None:
    """I5: a generation stands on exactly one snapshot of each dataset and scope, and on none that had been replaced
    before it was scored, but for the districts of which its reason says that they stand on a last good result or on
    another snapshot.
    """
    members = _members(connection, one.snapshot_set)
    districts = _districts(connection, one, lake) if lake else {}
    assert not districts or members == set().union(*districts.values())
    told = {area for area in districts if re.search(rf"{area} (\(|stands on )", one.reason or "")}
    silent = [held for area, held in districts.items() if area not in told] if districts else [members]
    held = Counter((dataset, scope) for dataset, scope, *_ in set().union(*silent))
    twice = [key for key, n in held.items() if n > 1]
    assert not twice, f"generation {one.generation_id} has two snapshots of {twice}: {one.reason}"
    for area in districts.keys() - told:
        late = _replaced_before_it_was_scored(connection, one, area, districts[area])
        assert not late, f"generation {one.generation_id}: {area} was scored on {late} after it had been replaced"


def _replaced_before_it_was_scored(
    connection: Connection, one: sa.Row, area: str, members: set[tuple[str, ...]]
) -> list[str]:
    """Of the snapshots behind a district's result, those in whose place another stood when it was scored: whoever
    replaced them could not be told of the result. One that was scored again from others says nothing any more.
    """
    scored = sa.select(run_result.c.scored_at, run_result.c.snapshot_set).where(
        run_result.c.district == area, run_result.c.scheme == one.scheme_id, run_result.c.as_of == one.as_of
    )
    row = connection.execute(scored).one_or_none()
    if row is None or _members(connection, row.snapshot_set) != members:
        return []
    found = []
    for dataset, scope, day, sha256 in sorted(members):
        snapshot = connection.execute(
            sa.select(run_snapshot).where(
                run_snapshot.c.dataset == dataset,
                run_snapshot.c.scope == scope,
                run_snapshot.c.as_of == date.fromisoformat(day),
            )
        ).one_or_none()
        if (
            snapshot
            and snapshot.accepted_sha not in (None, sha256)
            and snapshot.judged_at < min(row.scored_at, one.created_at)
        ):
            found.append(f"{dataset}/{scope} of {day}")
    return found


def _members(connection: Connection, set_id: str) -> set[tuple[str, ...]]:
    kept = connection.scalar(sa.select(run_snapshot_set.c.members).where(run_snapshot_set.c.id == set_id))
    assert kept, f"the snapshot set {set_id} is not kept"
    return set(map(tuple, kept))


def _districts(connection: Connection, one: sa.Row, lake: Lake) -> dict[str, set[tuple[str, ...]]]:
    """District → the snapshots behind the points that the generation published of it."""
    by_id = run_publication.c.generation_id == one.generation_id
    content = connection.scalar(sa.select(run_publication.c.content_sha).where(by_id))
    ranked, found = lake.require(places.ranked(one.as_of, one.scheme_id), content), {}
    for area, points in ranked.facts["districts"].items():
        day = date.fromisoformat(ranked.facts["last_good"].get(area, one.as_of.isoformat()))
        scored = lake.require(places.points(ResultKey(day, area, one.scheme_id)), points)
        found[area] = set(map(tuple, scored.facts["snapshot_set"]))
    return found


def no_step_skipped(engine: Engine) -> None:
    """I1 and I10 in the ledger: what is judged had landed, by a named attempt, and its counts make up what came."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(run_snapshot)).all()
        published = connection.execute(sa.select(run_publication)).all()
    for row in rows:
        assert row.landed_by
        assert row.landing_sha
        if row.verdict:
            assert row.judged_by
            assert row.judged_at >= row.landed_at
            assert row.rows_in == row.received == row.duplicates + row.accepted + row.quarantined
            assert (row.accepted_sha is not None) == (row.verdict == "accepted")
    assert all(row.published_by and row.content_sha for row in published)


def explained_by_one_order(seen: list[list[int]]) -> None:
    """I9: each reader saw whole generations in the order in which they were published."""
    for history in seen:
        assert history == sorted(history), json.dumps(history)


def _count(connection: Connection, name: str, generation_id: int) -> int:
    table = PUBLISHED[name]
    return connection.scalar(
        sa.select(sa.func.count()).select_from(table).where(table.c.generation_id == generation_id)
    )


def _stores(home: Path) -> tuple[Lake, Engine]:
    return Lake(str(home / "lake")), create_engine(f"sqlite:///{home / 'warehouse.sqlite'}")


def _committed(lake: Lake) -> list[str]:
    root = Path(str(lake.root))
    return sorted(str(path.parent.relative_to(root)) for path in root.rglob(MANIFEST))


def _by_place(rows: pa.Table, natives: list[str]) -> dict[tuple[int, int], tuple]:
    at = zip(rows["_page"].to_pylist(), rows["_ordinal"].to_pylist(), strict=True)
    texts = zip(*(rows[name].to_pylist() for name in natives), strict=True) if natives else ((),) * rows.num_rows
    found = dict(zip(at, texts, strict=True))
    assert len(found) == rows.num_rows
    return found
