"""A year's honours: the rolls that were proposed, what froze of one, what people objected, and the errata.

A roll is proposed, stands in public, freezes; one that a newer roll replaces is superseded. What froze never changes:
the database itself refuses (`0008`). Objections and errata are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Connection, Engine, ForeignKey, Index, Table
from sqlalchemy.types import Boolean, Date, Integer, Text

from include.store.decisions import add
from include.store.ledger import Lease
from include.store.warehouse import SCHEMA, Moment, Warehouse, clock, metadata, reading, writing

PROPOSED, NOTICE, FROZEN, SUPERSEDED = "proposed", "notice", "frozen", "superseded"
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
    CheckConstraint("status IN ('proposed', 'notice', 'frozen', 'superseded')", name="status"),
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
    """One proposal of a year's honours, from one generation."""

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
    """The honours of a year under one scheme: the roll that counts, its entries (frozen: what froze), the errata."""

    roll: Roll
    entries: list[Entry]
    errata: list[Erratum]

    def in_force(self) -> set[tuple[str, str]]:
        """(uscc, honour) that hold after all errata."""
        holding = {(one.uscc, one.honour) for one in self.entries}
        for one in self.errata:
            (holding.discard if one.what == WITHDRAWN else holding.add)((one.uscc, one.honour))
        return holding


def years(warehouse: Warehouse) -> list[Roll]:
    """Of every year and scheme the roll that counts, newest year first: the frozen one, else the newest."""
    found: dict[tuple[int, str], Roll] = {}
    for roll in rolls(warehouse):
        key = roll.year, roll.scheme_id
        if key not in found or roll.status == FROZEN:
            found[key] = roll
    return [found[key] for key in sorted(found, key=lambda key: (-key[0], key[1]))]


def year_of(warehouse: Warehouse, year: int, scheme_id: str) -> Year | None:
    """The honours of a year; None where none were ever proposed."""
    for roll in years(warehouse):
        if (roll.year, roll.scheme_id) == (year, scheme_id):
            if roll.status == FROZEN:
                return Year(roll, frozen(warehouse, year, scheme_id), errata(warehouse, year, scheme_id))
            return Year(roll, candidates(warehouse, roll.roll_id), [])
    return None


def rolls(warehouse: Warehouse, year: int | None = None, scheme_id: str | None = None) -> list[Roll]:
    """Every roll, or those of a year or a scheme; newest first."""
    query = sa.select(honour_roll).order_by(honour_roll.c.roll_id.desc())
    if year is not None:
        query = query.where(honour_roll.c.year == year)
    if scheme_id is not None:
        query = query.where(honour_roll.c.scheme_id == scheme_id)
    with reading(warehouse) as connection:
        return [Roll(**row._mapping) for row in connection.execute(query)]


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


def objections(warehouse: Warehouse, roll_id: int) -> list[Objection]:
    """What was objected against a roll and how it was settled, in its order."""
    held = run_honour_objection.c
    query = sa.select(run_honour_objection).where(held.roll_id == roll_id).order_by(held.id)
    with reading(warehouse) as connection:
        return [Objection(**row._mapping) for row in connection.execute(query)]


def held_back(said: Sequence[Objection]) -> set[tuple[str, str]]:
    """(uscc, honour) that an objection keeps from freezing: it was upheld, or nobody has settled it."""
    outcomes = {one.settles: one.outcome for one in said if one.settles}
    raised = (one for one in said if one.settles is None)
    return {(one.uscc, one.honour) for one in raised if outcomes.get(one.id) != DISMISSED}


def propose(engine: Engine, lease: Lease, roll: dict[str, Any], entries: Sequence[Entry]) -> Roll:
    """Add a roll; an earlier proposal of its year and scheme is superseded. A retry of a run finds its own roll."""
    of_year = sa.and_(honour_roll.c.year == roll["year"], honour_roll.c.scheme_id == roll["scheme_id"])
    with writing(engine) as connection:
        lease.assert_held(connection)
        waiting = sa.and_(of_year, honour_roll.c.status == PROPOSED)
        for held in connection.execute(sa.select(honour_roll).where(waiting)).all():
            if all(held._mapping[name] == value for name, value in roll.items()):
                return Roll(**held._mapping)
        connection.execute(sa.update(honour_roll).where(waiting).values(status=SUPERSEDED))
        made = sa.insert(honour_roll).values(**roll, proposed_at=clock(), status=PROPOSED)
        roll_id = connection.execute(made.returning(honour_roll.c.roll_id)).scalar_one()
        connection.execute(sa.insert(honour_candidate), [{"roll_id": roll_id, **asdict(one)} for one in entries])
        return _roll(connection, roll_id)


def announce(engine: Engine, lease: Lease, roll: Roll, until: date) -> Roll:
    """The roll stands in public until a day; the one of its year that stood there is superseded."""
    of_year = sa.and_(honour_roll.c.year == roll.year, honour_roll.c.scheme_id == roll.scheme_id)
    with writing(engine) as connection:
        lease.assert_held(connection)
        connection.execute(
            sa.update(honour_roll).where(of_year, honour_roll.c.status == NOTICE).values(status=SUPERSEDED)
        )
        return _move(connection, roll, status=NOTICE, notice_until=until)


def freeze(engine: Engine, lease: Lease, roll: Roll, entries: Sequence[Entry], frozen_sha: str) -> Roll:
    """What is left of a roll is frozen, once and for all."""
    of_year = {"year": roll.year, "scheme_id": roll.scheme_id, "roll_id": roll.roll_id}
    with writing(engine) as connection:
        lease.assert_held(connection)
        connection.execute(sa.insert(frozen_honours), [of_year | asdict(one) for one in entries])
        return _move(connection, roll, status=FROZEN, frozen_at=clock(), frozen_sha=frozen_sha)


def object_to(engine: Engine, roll_id: int, uscc: str, honour: str, *, evidence: str, by: str) -> Objection:
    """Somebody objects to an honour of a roll."""
    said = {"roll_id": roll_id, "uscc": uscc, "honour": honour, "settles": None, "outcome": None}
    said |= {"evidence": evidence, "decided_by": by}
    return Objection(**add(engine, run_honour_objection, said, kept=_KEPT))


def settle(engine: Engine, objection: Objection, outcome: str, *, evidence: str, by: str) -> Objection:
    """An objection is upheld or dismissed."""
    said = {name: getattr(objection, name) for name in ("roll_id", "uscc", "honour")}
    said |= {"settles": objection.id, "outcome": outcome, "evidence": evidence, "decided_by": by}
    return Objection(**add(engine, run_honour_objection, said, kept=_KEPT))


def correct(engine: Engine, said: dict[str, Any]) -> Erratum:
    """Add an erratum."""
    return Erratum(**add(engine, honour_erratum, said, kept=_KEPT))


def _entries(warehouse: Warehouse, table: Table, *conditions: sa.ColumnElement[bool]) -> list[Entry]:
    columns = [table.c[name] for name in Entry.__dataclass_fields__]
    query = sa.select(*columns).where(*conditions).order_by(table.c.honour, table.c.place, table.c.stage, table.c.uscc)
    with reading(warehouse) as connection:
        return [Entry(**row._mapping) for row in connection.execute(query)]


def _move(connection: Connection, roll: Roll, **values: object) -> Roll:
    moved = sa.update(honour_roll).where(honour_roll.c.roll_id == roll.roll_id, honour_roll.c.status == roll.status)
    done = connection.execute(moved.values(**values))
    assert done.rowcount == 1  # the lease keeps others out
    return _roll(connection, roll.roll_id)


def _roll(connection: Connection, roll_id: int) -> Roll:
    row = connection.execute(sa.select(honour_roll).where(honour_roll.c.roll_id == roll_id)).one()
    return Roll(**row._mapping)
