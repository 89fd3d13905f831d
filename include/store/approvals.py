"""What a form of Airflow asked and what a person answered, by the run that asked.

The asking task writes it, with Airflow's own word for who answered. A task that somebody marks as success writes
nothing, and nor does an XCom. Asked again, a run has a row more: the newest counts, what was answered before stays
written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Engine, Table
from sqlalchemy.types import Integer, Text

from include.store.warehouse import Moment, Warehouse, clock, metadata, reading, writing

run_approval = Table(
    "run_approval",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("answer", Text),
    Column("person", Text),
    Column("reason", Text),
    Column("answered_at", Moment),
    CheckConstraint("(answer IS NULL) = (answered_at IS NULL)", name="an_answer_has_its_moment"),
)


@dataclass(frozen=True)
class Approval:
    """What the form of `run` asked about (a digest of what it showed), and the answer; `person` is None where nobody
    answered in time."""

    id: int
    run: str
    about: str
    asked_at: datetime
    answer: str | None
    person: str | None
    reason: str | None
    answered_at: datetime | None


def ask(engine: Engine, run: str, about: str) -> None:
    """The form is put up; whatever was answered before is no answer to it."""
    with writing(engine) as connection:
        connection.execute(sa.insert(run_approval).values(run=run, about=about, asked_at=clock()))


def answer(engine: Engine, run: str, option: str, person: str | None, reason: str) -> None:
    """Somebody answered, or nobody did in time."""
    said = {"answer": option, "person": person, "reason": reason, "answered_at": clock()}
    newest = sa.select(sa.func.max(run_approval.c.id)).where(run_approval.c.run == run).scalar_subquery()
    with writing(engine) as connection:
        connection.execute(sa.update(run_approval).where(run_approval.c.id == newest).values(said))


def approval(warehouse: Warehouse, run: str) -> Approval | None:
    """What is known of the form of a run as it was put up last; None when it never asked."""
    query = sa.select(run_approval).where(run_approval.c.run == run).order_by(run_approval.c.id.desc()).limit(1)
    with reading(warehouse) as connection:
        row = connection.execute(query).one_or_none()
    return Approval(**row._mapping) if row else None
