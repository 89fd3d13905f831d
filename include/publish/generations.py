"""Publications: a generation is written beside the one being read, audited, and then pointed at, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from include.kernel.errors import BadInput, TerminalError, TransientError, one_line
from include.publish import drift
from include.publish.audit import findings
from include.publish.tables import conforming
from include.store.bulk import fill
from include.store.honours import stood_on
from include.store.ledger import Lease, run_publication, run_rollback
from include.store.warehouse import PUBLISHED, Warehouse, clock, generation, pointer, reading, writing


@dataclass(frozen=True)
class Generation:
    """One publication, as the warehouse's `generation` table tells it."""

    id: int
    as_of: date
    scheme_id: str
    scheme_version: str
    snapshot_set: str
    created_at: datetime
    published_at: datetime | None
    status: str
    reason: str | None


class _Blocked(TerminalError):
    """The audit found something: the generation must not be read."""


def publish(
    engine: Engine,
    *,
    lease: Lease,
    as_of: date,
    scheme_id: str,
    scheme_version: str,
    snapshot_set: str,
    content_sha: str,
    points: Mapping[str, str],
    tables: Mapping[str, pa.Table],
    reason: str,
    drift_accepted_by: str = "",
) -> Generation:
    """Write the tables as a new generation, audit them, and point at them; readers see the old one until the end.
    `points`: the results that the tables were made of, district → digest; these are not due any more.

    A generation of an older business date than the current one, or of another scheme, is kept as `superseded` and never
    pointed at by itself: what-ifs and back-fills change nothing that banks read; `rollback` can point at it. The same
    content is not published twice: the generation that holds it is returned, unless other content of its date has
    replaced it meanwhile. When the audit fails nothing is kept but a `blocked` entry with the reason; so it is with a
    generation that has drifted from the one it would replace, unless somebody accepts that by name.
    """
    entry = {
        "as_of": as_of,
        "scheme_id": scheme_id,
        "scheme_version": scheme_version,
        "snapshot_set": snapshot_set,
        "reason": one_line(reason) or None,
    }
    note = {"content_sha": content_sha, "points": dict(points), "published_by": lease.holder, "covers_until": clock()}
    try:
        with writing(engine) as connection:
            lease.assert_held(connection)
            current, version = _pointed_at(connection)
            stays = _why_it_stays(current, as_of, scheme_id)
            held = _same_content(connection, entry, content_sha, blocked=False)
            if held and (held.status in ("current", "rolled_back") or stays):
                _record(connection, held.id, entry, note)
                return held
            new = _write(connection, entry, tables)
            if current and not stays:
                _weigh_drift(connection, new, current, as_of, drift_accepted_by)
            _record(connection, new, entry, note)
            if stays:
                _annotate(connection, new, stays)
            else:
                _point_at(connection, new, version)
                if current:
                    _set_status(connection, current.id, "superseded")
                _set_status(connection, new, "current", published_at=clock())
            return _generation(connection, new)
    except _Blocked as blocked:
        with writing(engine) as connection:
            lease.assert_held(connection)
            _record_blocked(connection, entry, note, blocked.what)
        raise


def rollback(engine: Engine, to: int, *, by: str, reason: str = "", leaving: int | None = None) -> Generation:
    """Point at an earlier generation again; the one that is left says `rolled_back`, where to, by whom and why.

    Who asks for it on seeing a generation names it as `leaving`: when another has become current meanwhile, nothing
    moves. Every roll-back stands in the ledger too, where no generation's removal takes it along.
    """
    by, reason = one_line(by), one_line(reason)
    if not by:
        raise BadInput("nobody's name", kept="the generation now published", todo="say who rolls back")
    with writing(engine) as connection:
        current, version = _pointed_at(connection)
        if leaving is not None and (current is None or current.id != leaving):
            raise BadInput(
                f"generation {leaving} is no longer current",
                kept=f"generation {current.id} stays current" if current else "nothing is published",
                todo="look at the generations again",
            )
        target = _find(connection, to)
        if target is None or target.status == "blocked":
            raise BadInput(
                f"generation {to} {'was blocked by its audit' if target else 'does not exist'}",
                kept=f"generation {current.id} stays current" if current else "nothing is published",
                todo="choose one from the list of generations",
            )
        if current and current.id == to:
            return target
        _point_at(connection, to, version)
        said = {"decided_by": by, "reason": reason, "decided_at": clock()}
        left = current.id if current else None
        connection.execute(sa.insert(run_rollback).values(from_generation=left, to_generation=to, **said))
        if current:
            why = f": {reason}" if reason else ""
            _annotate(connection, current.id, f"rolled back to generation {to} by {by}{why}")
            _set_status(connection, current.id, "rolled_back")
        _set_status(connection, to, "current", published_at=target.published_at or clock())
        return _generation(connection, to)


def generations(warehouse: Warehouse) -> list[Generation]:
    """Every generation that is kept, newest first."""
    with reading(warehouse) as connection:
        rows = connection.execute(sa.select(generation).order_by(generation.c.generation_id.desc())).all()
    return [Generation(*row) for row in rows]


def prune(engine: Engine, *, now: datetime, keep_days: int = 90) -> list[int]:
    """Remove generations made more than `keep_days` before `now`, each in its transaction; the current one stays, and
    one that a year's honours may still freeze from: whether it was rolled back is asked until then.
    """
    needed = stood_on(engine)
    old = [
        row.id
        for row in generations(engine)
        if row.status != "current" and row.created_at < now - timedelta(keep_days) and row.id not in needed
    ]
    for generation_id in sorted(old):
        with writing(engine) as connection:
            for table in (*PUBLISHED.values(), generation):
                connection.execute(sa.delete(table).where(table.c.generation_id == generation_id))
    return sorted(old)


def _write(connection: Connection, entry: Mapping[str, object], tables: Mapping[str, pa.Table]) -> int:
    """Insert the generation and its rows, and let the audit look at them; `superseded` until it is pointed at."""
    try:
        rows = conforming(tables)
    except TerminalError as error:
        raise _blocked([str(error)]) from None
    new = _insert(connection, entry, status="superseded")
    for name, table in PUBLISHED.items():
        numbered = rows[name].add_column(0, "generation_id", pa.array([new] * rows[name].num_rows, pa.int64()))
        fill(connection, table, numbered)
    if broken := findings(connection, new, {name: table.num_rows for name, table in rows.items()}):
        raise _blocked(broken)
    return new


def _weigh_drift(connection: Connection, new: int, in_force: Generation, as_of: date, accepted_by: str) -> None:
    """Hold back a generation that has drifted too far, or note who accepts how far it has."""
    if not (moved := drift.findings(connection, new, in_force.id, as_of)):
        return
    said = f"drift from generation {in_force.id} of {in_force.as_of}: " + "; ".join(moved)
    if not accepted_by:
        raise _Blocked(
            said,
            kept="the generation now published",
            todo="find the cause; if the figures are right: innopoints publish --accept-drift PERSON --reason TEXT",
        )
    _annotate(connection, new, f"{accepted_by} accepted the {said}")


def _insert(connection: Connection, entry: Mapping[str, object], *, status: str) -> int:
    made = sa.insert(generation).values(**entry, created_at=clock(), status=status)
    return connection.execute(made.returning(generation.c.generation_id)).scalar_one()


def _blocked(broken: list[str]) -> _Blocked:
    return _Blocked(
        "the audit before publication failed: " + "; ".join(broken),
        kept="the generation now published",
        todo="correct the step that made these tables, then publish again",
    )


def _why_it_stays(current: Generation | None, as_of: date, scheme_id: str) -> str | None:
    """Why the current generation is not replaced; None when it is."""
    if current is not None and current.scheme_id != scheme_id:
        return f"generation {current.id} of scheme {current.scheme_id} is in force and stays current"
    if current is not None and current.as_of > as_of:
        return f"generation {current.id} of {current.as_of} is newer and stays current"
    return None


def _pointed_at(connection: Connection) -> tuple[Generation | None, int]:
    """The current generation, and the version that a move of the pointer must still find."""
    row = connection.execute(sa.select(pointer)).one()
    return (_generation(connection, row.generation_id) if row.generation_id else None), row.version


def _point_at(connection: Connection, generation_id: int, expected_version: int) -> None:
    """Move the pointer if nobody has moved it since it was read."""
    moved = connection.execute(
        sa.update(pointer)
        .where(pointer.c.version == expected_version)
        .values(generation_id=generation_id, version=expected_version + 1)
    )
    if moved.rowcount != 1:
        raise TransientError(
            "another publication or roll-back came first", kept="what it published", todo="the next retry follows it"
        )


def _set_status(connection: Connection, generation_id: int, status: str, **values: object) -> None:
    connection.execute(
        sa.update(generation).where(generation.c.generation_id == generation_id).values(status=status, **values)
    )


def _annotate(connection: Connection, generation_id: int, note: str) -> None:
    """Add to the reason, which keeps what it said before."""
    before, note = _generation(connection, generation_id).reason, one_line(note)
    connection.execute(
        sa.update(generation)
        .where(generation.c.generation_id == generation_id)
        .values(reason=f"{before}; {note}" if before else note)
    )


def _generation(connection: Connection, generation_id: int) -> Generation:
    found = _find(connection, generation_id)
    assert found is not None
    return found


def _find(connection: Connection, generation_id: int) -> Generation | None:
    if generation_id >= 2**31:  # more than a database can look for
        return None
    row = connection.execute(sa.select(generation).where(generation.c.generation_id == generation_id)).one_or_none()
    return Generation(*row) if row else None


def _same_content(
    connection: Connection, entry: Mapping[str, object], content_sha: str, *, blocked: bool
) -> Generation | None:
    """The newest generation made (or blocked) from exactly this content of this date, scheme and snapshot set."""
    row = connection.execute(
        sa.select(generation)
        .join(run_publication, run_publication.c.generation_id == generation.c.generation_id)
        .where(
            *(generation.c[name] == entry[name] for name in ("as_of", "scheme_id", "snapshot_set")),
            run_publication.c.content_sha == content_sha,
            (generation.c.status == "blocked") == sa.literal(blocked),
        )
        .order_by(generation.c.generation_id.desc())
        .limit(1)
    ).one_or_none()
    return Generation(*row) if row else None


def _record(
    connection: Connection, generation_id: int, entry: Mapping[str, object], note: Mapping[str, object]
) -> None:
    """Tell the ledger which points need no further publication."""
    row = {"as_of": entry["as_of"], "scheme": entry["scheme_id"], "snapshot_set": entry["snapshot_set"], **note}
    connection.execute(sa.delete(run_publication).where(run_publication.c.generation_id == generation_id))
    connection.execute(sa.insert(run_publication).values(generation_id=generation_id, **row))


def _record_blocked(connection: Connection, entry: Mapping[str, object], note: Mapping[str, object], why: str) -> None:
    """Leave an entry without rows that says why; a retry of the same content finds it and adds no other."""
    held = _same_content(connection, entry, str(note["content_sha"]), blocked=True)
    blocked_id = held.id if held else _insert(connection, entry, status="blocked")
    if not held:
        _annotate(connection, blocked_id, why)
    _record(connection, blocked_id, entry, note)
