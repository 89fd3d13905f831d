"""What the alarms met and told: one row per key, so that however many tasks meet an incident, one of them tells of it.

Whoever meets it first may try to tell; the others find it being told, or told. A message is tried at most three times
per channel as long as the incident is open, and so is read at most three times even where a channel takes a message and
then denies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON, Column, Connection, Engine, Table
from sqlalchemy.types import Date, Integer, Text

from include.store.ledger import insert_missing
from include.store.warehouse import Moment, clock, metadata, reading, writing

MOST_TRIES = 3
MOST_IN_AN_HOUR = 15
"""A group robot takes 20 messages a minute and is silenced beyond. What comes on top is in the digest."""
DIGEST = "digest/"

run_alarm = Table(
    "run_alarm",
    metadata,
    Column("key", Text, primary_key=True),
    Column("as_of", Date, nullable=False),
    Column("title", Text, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("link", Text, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("times_seen", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("busy_until", Moment),
    Column("told_at", Moment),
    Column("over_at", Moment),
)


@dataclass(frozen=True)
class Alarm:
    """An incident, or the digest of a night: when it was met, how often it was tried to tell it, when it was told."""

    key: str
    as_of: date
    title: str
    counts: dict[str, int]
    link: str
    first_seen: datetime
    last_seen: datetime
    times_seen: int
    tries: int
    busy_until: datetime | None
    told_at: datetime | None
    over_at: datetime | None


def meet(
    engine: Engine,
    key: str,
    *,
    as_of: date,
    title: str,
    counts: dict[str, int],
    link: str,
    tries: int,
    seconds: float,
) -> int:
    """Note that it was met, and how often the caller may now try to tell it: 0 where it is told, being told within
    another's `seconds`, tried often enough, or one too many for this hour.

    One that was over begins anew.
    """
    now = clock()
    said = {"as_of": as_of, "title": title, "counts": counts, "link": link, "last_seen": now}
    fresh: dict[str, Any] = {"first_seen": now, "times_seen": 0, "tries": 0} | dict.fromkeys(
        ("busy_until", "told_at", "over_at"), sa.null()
    )
    this = run_alarm.c.key == key
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":  # SQLite has its write lock already: one at a time, so the count holds
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(run_alarm.name))))
        insert_missing(connection, run_alarm, {"key": key, **said, **fresh})
        held = connection.execute(sa.select(run_alarm).where(this)).one()
        begun = None if held.over_at else held
        tried, seen = (begun.tries, begun.times_seen) if begun else (0, 0)
        engaged = begun is not None and (begun.told_at or (begun.busy_until and begun.busy_until > now))
        free = not engaged and (key.startswith(DIGEST) or _told_lately(connection, now) < MOST_IN_AN_HOUR)
        granted = min(tries, MOST_TRIES - tried) if free else 0
        entry = said | ({} if begun else fresh) | {"times_seen": seen + 1}
        if granted:
            entry |= {"tries": tried + granted, "busy_until": now + timedelta(seconds=seconds)}
        connection.execute(sa.update(run_alarm).where(this).values(**entry))
    return granted


def told(engine: Engine, key: str) -> None:
    """Some channel took the message."""
    _set(engine, key, told_at=clock(), busy_until=sa.null())


def not_told(engine: Engine, key: str) -> None:
    """No channel took it: whoever meets it next may try again."""
    _set(engine, key, busy_until=sa.null())


def over(engine: Engine, key: str) -> None:
    """What was wrong is right again."""
    _set(engine, key, over_at=clock())


def alarms(engine: Engine) -> list[Alarm]:
    """Every incident that was ever met, without the digests, by its key."""
    query = sa.select(run_alarm).where(~run_alarm.c.key.startswith(DIGEST)).order_by(run_alarm.c.key)
    with reading(engine) as connection:
        return [Alarm(**row._mapping) for row in connection.execute(query)]


def alarm(engine: Engine, key: str) -> Alarm | None:
    """What is known of one key."""
    with reading(engine) as connection:
        row = connection.execute(sa.select(run_alarm).where(run_alarm.c.key == key)).one_or_none()
    return Alarm(**row._mapping) if row else None


def _told_lately(connection: Connection, now: datetime) -> int:
    """How many are told within the hour, or being told."""
    lately = sa.or_(run_alarm.c.told_at > now - timedelta(hours=1), run_alarm.c.busy_until > now)
    return connection.execute(sa.select(sa.func.count()).where(lately)).scalar_one()


def _set(engine: Engine, key: str, **values: Any) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(run_alarm).where(run_alarm.c.key == key).values(**values))
