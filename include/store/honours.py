"""A year's honours: the rolls that were proposed, what froze of one, what people objected, and the errata.

A roll is proposed, stands in public, freezes; one that a newer roll replaces is superseded, one that somebody says no
to is rejected. What froze never changes: the database itself refuses (`0008`, `0011`). Objections and errata are only
ever added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Connection, Engine, ForeignKey, Index, Table
from sqlalchemy.types import Boolean, Date, Integer, Text

from include.kernel.errors import TerminalError
from include.store.decisions import add
from include.store.ledger import Lease
from include.store.warehouse import SCHEMA, Moment, Warehouse, clock, metadata, reading, writing

PROPOSED, NOTICE, FROZEN = "proposed", "notice", "frozen"
SUPERSEDED, REJECTED = "superseded", "rejected"
UPHELD, DISMISSED = "upheld", "dismissed"
WITHDRAWN, GRANTED, CORRECTED = "withdrawn", "granted", "corrected"


def _entry_columns() -> list[Column]:
    return [
        Column("uscc", Text, primary_key=True),
        Column("honour", Text, primary_key=True),
        Column("place", Integer, nullable=False),
        Column("name", Text, nullable=False),
        Column("district", Text, nullable=False),
        Column("stage", Text, nullable=False),
        Column("reason", Text),
        Column("robust", Boolean),
    ]


honour_roll = Table(
    "honour_roll",
    metadata,
    Column("roll_id", Integer, primary_key=True),
    Column("year", Integer, nullable=False),
    Column("scheme_id", Text, nullable=False),
    Column("scheme_version", Text, nullable=False),
    # No reference: a generation is pruned after a while, a year's honours never.
    Column("generation_id", Integer, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("content_sha", Text, nullable=False),
    Column("proposed_at", Moment, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("notice_until", Date),
    Column("frozen_at", Moment),
    Column("frozen_sha", Text),
    Column("notice_days", Integer, nullable=False),
    CheckConstraint("status IN ('proposed', 'notice', 'frozen', 'superseded', 'rejected')", name="status"),
    CheckConstraint("status NOT IN ('notice', 'frozen') OR notice_until IS NOT NULL", name="stood_in_public"),
    CheckConstraint("status <> 'frozen' OR (frozen_at IS NOT NULL AND frozen_sha IS NOT NULL)", name="frozen_whole"),
    schema=SCHEMA,
    sqlite_autoincrement=True,
)
for _status in (NOTICE, FROZEN):
    _one = honour_roll.c.status == sa.literal_column(f"'{_status}'")
    Index(
        f"honour_roll_one_{_status}",
        honour_roll.c.year,
        honour_roll.c.scheme_id,
        unique=True,
        postgresql_where=_one,
        sqlite_where=_one,
    )

honour_candidate = Table(
    "honour_candidate",
    metadata,
    Column("roll_id", ForeignKey(honour_roll.c.roll_id), primary_key=True),
    *_entry_columns(),
    schema=SCHEMA,
)

frozen_honours = Table(
    "frozen_honours",
    metadata,
    Column("year", Integer, primary_key=True),
    Column("scheme_id", Text, primary_key=True),
    *_entry_columns(),
    Column("roll_id", ForeignKey(honour_roll.c.roll_id), nullable=False),
    schema=SCHEMA,
)

honour_erratum = Table(
    "honour_erratum",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("year", Integer, nullable=False),
    Column("scheme_id", Text, nullable=False),
    Column("uscc", Text, nullable=False),
    Column("honour", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("district", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
    CheckConstraint("what IN ('withdrawn', 'granted', 'corrected')", name="what"),
    CheckConstraint("evidence <> '' AND decided_by <> '' AND reference <> ''", name="says_who_and_why"),
    schema=SCHEMA,
)

# Who objects is nobody's business but the office's: a table of the ledger.
run_honour_objection = Table(
    "run_honour_objection",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("roll_id", ForeignKey(honour_roll.c.roll_id), nullable=False),
    Column("uscc", Text, nullable=False),
    Column("honour", Text, nullable=False),
    Column("settles", ForeignKey("run_honour_objection.id")),
    Column("outcome", Text),
    Column("evidence", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
    CheckConstraint("outcome IN ('upheld', 'dismissed')", name="outcome"),
    CheckConstraint("(settles IS NULL) = (outcome IS NULL)", name="a_settlement_has_an_outcome"),
    CheckConstraint("evidence <> '' AND decided_by <> ''", name="says_who_and_why"),
)
_KEPT = "what was said before; no honour changed"


@dataclass(frozen=True)
class Entry:
    """One enterprise and the honour it is to have, as the roll froze it: its name and stage of that day."""

    uscc: str
    honour: str
    place: int
    name: str
    district: str
    stage: str
    reason: str | None
    robust: bool | None


@dataclass(frozen=True)
class Roll:
    """One proposal of a year's honours, from one generation, to stand in public for `notice_days`."""

    roll_id: int
    year: int
    scheme_id: str
    scheme_version: str
    generation_id: int
    as_of: date
    content_sha: str
    proposed_at: datetime
    proposed_by: str
    status: str
    notice_until: date | None
    frozen_at: datetime | None
    frozen_sha: str | None
    notice_days: int


@dataclass(frozen=True)
class Objection:
    """What somebody holds against an honour of a roll, or with `settles` what became of that objection."""

    id: int
    roll_id: int
    uscc: str
    honour: str
    settles: int | None
    outcome: str | None
    evidence: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Erratum:
    """A correction of frozen honours: what happened to one, why, who says so, when, and what document decides it."""

    id: int
    year: int
    scheme_id: str
    uscc: str
    honour: str
    name: str
    district: str
    what: str
    reference: str
    evidence: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Year:
    """The honours of a year under one scheme: a roll, its entries (frozen: what froze), those of them that an objection
    keeps from freezing, the errata, and which rolls stand or wait beside it.
    """

    roll: Roll
    entries: list[Entry]
    held_back: list[Entry]
    errata: list[Erratum]
    beside: list[Roll]

    def in_force(self) -> set[tuple[str, str]]:
        """(uscc, honour) that hold after all errata."""
        holding = {(one.uscc, one.honour) for one in self.entries}
        for one in self.errata:
            (holding.discard if one.what == WITHDRAWN else holding.add)((one.uscc, one.honour))
        return holding


def years(warehouse: Warehouse) -> list[list[Roll]]:
    """Of every year and scheme, newest year first, the roll that stands and, if any, the proposal that waits beside it.

    What froze stands, else what is in public, else the newest proposal; where all came to nothing, the newest roll.
    """
    found: dict[tuple[int, str], list[Roll]] = {}
    for roll in rolls(warehouse):
        found.setdefault((roll.year, roll.scheme_id), []).append(roll)
    return [_standing(found[key]) for key in sorted(found, key=lambda key: (-key[0], key[1]))]


def _standing(newest_first: list[Roll]) -> list[Roll]:
    order = {FROZEN: 0, NOTICE: 1, PROPOSED: 2}
    stands = min(newest_first, key=lambda roll: order.get(roll.status, len(order)))
    waits = [roll for roll in newest_first if roll.status == PROPOSED and roll is not stands]
    return [stands, *waits]


def year_of(warehouse: Warehouse, year: int, scheme_id: str, roll_id: int | None = None) -> Year | None:
    """The honours of a year: those that stand, or a certain roll's; None where there are none."""
    with reading(warehouse) as connection:
        found = rolls(connection, year, scheme_id)
        standing = _standing(found) if found else []
        roll = next((one for one in (*standing, *found) if roll_id in (None, one.roll_id)), None)
        if roll is None:
            return None
        beside = [one for one in standing if one.roll_id != roll.roll_id]
        if roll.status == FROZEN:
            return Year(roll, frozen(connection, year, scheme_id), [], errata(connection, year, scheme_id), beside)
        entries = candidates(connection, roll.roll_id)
        back = held_back(connection, roll, entries) if roll.status in (PROPOSED, NOTICE) else []
        return Year(roll, entries, back, [], beside)


def rolls(warehouse: Warehouse, year: int | None = None, scheme_id: str | None = None) -> list[Roll]:
    """Every roll, or those of a year or a scheme; newest first."""
    query = sa.select(honour_roll).order_by(honour_roll.c.roll_id.desc())
    if year is not None:
        query = query.where(honour_roll.c.year == year)
    if scheme_id is not None:
        query = query.where(honour_roll.c.scheme_id == scheme_id)
    with reading(warehouse) as connection:
        return [Roll(**row._mapping) for row in connection.execute(query)]


def stood_on(warehouse: Warehouse) -> set[int]:
    """The generations of rolls that may still freeze."""
    query = sa.select(honour_roll.c.generation_id).where(honour_roll.c.status.in_((PROPOSED, NOTICE)))
    with reading(warehouse) as connection:
        return set(connection.scalars(query))


def candidates(warehouse: Warehouse, roll_id: int) -> list[Entry]:
    """Who is on a roll, in the order of honour and place."""
    return _entries(warehouse, honour_candidate, honour_candidate.c.roll_id == roll_id)


def frozen(warehouse: Warehouse, year: int, scheme_id: str) -> list[Entry]:
    """What froze of a year, in the order of honour and place. Errata stand beside it."""
    held = frozen_honours.c
    return _entries(warehouse, frozen_honours, held.year == year, held.scheme_id == scheme_id)


def errata(warehouse: Warehouse, year: int, scheme_id: str) -> list[Erratum]:
    """The corrections of a year's frozen honours, in their order."""
    held = honour_erratum.c
    query = sa.select(honour_erratum).where(held.year == year, held.scheme_id == scheme_id).order_by(held.id)
    with reading(warehouse) as connection:
        return [Erratum(**row._mapping) for row in connection.execute(query)]


def objections(warehouse: Warehouse, roll: Roll) -> list[Objection]:
    """What was objected to any roll of a roll's year and scheme, and how it was settled, in its order."""
    query = (
        sa.select(run_honour_objection)
        .join(honour_roll)
        .where(honour_roll.c.year == roll.year, honour_roll.c.scheme_id == roll.scheme_id)
        .order_by(run_honour_objection.c.id)
    )
    with reading(warehouse) as connection:
        return [Objection(**row._mapping) for row in connection.execute(query)]


def held_back(warehouse: Warehouse, roll: Roll, entries: Sequence[Entry]) -> list[Entry]:
    """Of a roll's entries those that an objection of the year keeps from freezing: it was upheld, or nobody has settled
    it. Against which roll of the year it was raised makes no difference.
    """
    said = objections(warehouse, roll)
    dismissed = {one.settles for one in said if one.outcome == DISMISSED}
    standing = {(one.uscc, one.honour) for one in said if one.settles is None and one.id not in dismissed}
    return [one for one in entries if (one.uscc, one.honour) in standing]


def propose(engine: Engine, lease: Lease, roll: dict[str, Any], entries: Sequence[Entry]) -> Roll:
    """Add a roll; an earlier proposal of its year and scheme is superseded. A retry of a run finds its own."""
    of_year = sa.and_(honour_roll.c.year == roll["year"], honour_roll.c.scheme_id == roll["scheme_id"])
    with writing(engine) as connection:
        lease.assert_held(connection)
        for held in rolls(connection, roll["year"], roll["scheme_id"]):
            if held.status == PROPOSED and roll.items() <= vars(held).items():
                return held
        _supersede(connection, sa.and_(of_year, honour_roll.c.status == PROPOSED))
        made = sa.insert(honour_roll).values(**roll, proposed_at=clock(), status=PROPOSED)
        roll_id = connection.execute(made.returning(honour_roll.c.roll_id)).scalar_one()
        connection.execute(sa.insert(honour_candidate), [{"roll_id": roll_id, **asdict(one)} for one in entries])
        return _roll(connection, roll_id)


def announce(engine: Engine, lease: Lease, roll: Roll, until: date) -> Roll:
    """The roll stands in public until a day; the one of its year that stood there is superseded."""
    of_year = sa.and_(honour_roll.c.year == roll.year, honour_roll.c.scheme_id == roll.scheme_id)
    with writing(engine) as connection:
        lease.assert_held(connection)
        _supersede(connection, sa.and_(of_year, honour_roll.c.status == NOTICE))
        return _move(connection, roll, status=NOTICE, notice_until=until)


def freeze(engine: Engine, lease: Lease, roll: Roll, entries: Sequence[Entry], frozen_sha: str) -> Roll:
    """What is left of a roll is frozen, once and for all; a proposal of the year that still waits has come too late.
    The roll is moved last: from then on the database takes nothing more for the year. A row that stood there before is
    refused here, where nothing is committed yet.
    """
    of_year = {"year": roll.year, "scheme_id": roll.scheme_id, "roll_id": roll.roll_id}
    waiting = [honour_roll.c[name] == of_year[name] for name in ("year", "scheme_id")]
    with writing(engine) as connection:
        lease.assert_held(connection)
        connection.execute(sa.insert(frozen_honours), [of_year | asdict(one) for one in entries])
        if frozen(connection, roll.year, roll.scheme_id) != list(entries):
            raise TerminalError(
                "frozen_honours holds rows that are not of this roll",
                where=f"honours of {roll.year}, {roll.scheme_id}, roll {roll.roll_id}",
                kept="the roll in public; nothing is frozen",
                todo="let the owner of the database lift its trigger and remove them, then clear `freeze`",
            )
        _supersede(connection, sa.and_(*waiting, honour_roll.c.status == PROPOSED))
        return _move(connection, roll, status=FROZEN, frozen_at=clock(), frozen_sha=frozen_sha)


def reject(engine: Engine, roll: Roll) -> None:
    """A person says no: the roll is not announced, or stands in public no longer. What froze stays."""
    open_yet = honour_roll.c.status.in_((PROPOSED, NOTICE))
    with writing(engine) as connection:
        rejected = sa.update(honour_roll).where(honour_roll.c.roll_id == roll.roll_id, open_yet)
        connection.execute(rejected.values(status=REJECTED))


@contextmanager
def deciding(engine: Engine, roll_id: int) -> Iterator[Connection]:
    """One transaction in which nobody else decides about a roll: what is looked up in it still holds when it adds."""
    with writing(engine) as connection:
        connection.execute(sa.select(honour_roll.c.roll_id).where(honour_roll.c.roll_id == roll_id).with_for_update())
        yield connection


def object_to(warehouse: Warehouse, roll_id: int, uscc: str, honour: str, *, evidence: str, by: str) -> Objection:
    """Somebody objects to an honour of a roll."""
    said = {"roll_id": roll_id, "uscc": uscc, "honour": honour, "settles": None, "outcome": None}
    said |= {"evidence": evidence, "decided_by": by}
    return Objection(**add(warehouse, run_honour_objection, said, kept=_KEPT))


def settle(warehouse: Warehouse, objection: Objection, outcome: str, *, evidence: str, by: str) -> Objection:
    """An objection is upheld or dismissed."""
    said = {name: getattr(objection, name) for name in ("roll_id", "uscc", "honour")}
    said |= {"settles": objection.id, "outcome": outcome, "evidence": evidence, "decided_by": by}
    return Objection(**add(warehouse, run_honour_objection, said, kept=_KEPT))


def correct(warehouse: Warehouse, said: dict[str, Any]) -> Erratum:
    """Add an erratum."""
    return Erratum(**add(warehouse, honour_erratum, said, kept=_KEPT))


def _entries(warehouse: Warehouse, table: Table, *conditions: sa.ColumnElement[bool]) -> list[Entry]:
    columns = [table.c[name] for name in Entry.__dataclass_fields__]
    query = sa.select(*columns).where(*conditions).order_by(table.c.honour, table.c.place, table.c.stage, table.c.uscc)
    with reading(warehouse) as connection:
        return [Entry(**row._mapping) for row in connection.execute(query)]


def _supersede(connection: Connection, which: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.update(honour_roll).where(which).values(status=SUPERSEDED))


def _move(connection: Connection, roll: Roll, **values: object) -> Roll:
    moved = sa.update(honour_roll).where(honour_roll.c.roll_id == roll.roll_id, honour_roll.c.status == roll.status)
    if connection.execute(moved.values(**values)).rowcount != 1:
        raise TerminalError("it was rejected just now", where=f"roll {roll.roll_id}", kept=_KEPT)
    return _roll(connection, roll.roll_id)


def _roll(connection: Connection, roll_id: int) -> Roll:
    row = connection.execute(sa.select(honour_roll).where(honour_roll.c.roll_id == roll_id)).one()
    return Roll(**row._mapping)
