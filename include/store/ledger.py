"""The ledger of runs: who holds which lock, what landed, how it was judged, what is scored, what was published.

It is the one place that decides what happens next, so every entry is fenced: the writer's lease is checked in the same
transaction, and a writer that was replaced meanwhile is refused however late it wakes. Moments live here and nowhere in
the data.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Connection, Engine, ForeignKey, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import JSON, Date, Integer, Text

from include.kernel.areas import CITY
from include.kernel.errors import TerminalError, TransientError
from include.kernel.periods import SHANGHAI
from include.kernel.references import ResultKey, SnapshotKey
from include.kernel.shell import has_ended
from include.store.warehouse import Moment, Warehouse, clock, generation, metadata, reading, writing

log = logging.getLogger("innopoints")

run_lease = Table(
    "run_lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", Integer, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

run_snapshot = Table(
    "run_snapshot",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("contract_version", Integer, nullable=False),
    Column("declared", Integer),
    Column("received", Integer, nullable=False),
    Column("landing_sha", Text, nullable=False),
    Column("landed_at", Moment, nullable=False),
    Column("landed_by", Text, nullable=False),
    Column("verdict", Text),
    Column("rows_in", Integer),
    Column("duplicates", Integer),
    Column("accepted", Integer),
    Column("quarantined", Integer),
    Column("reason", Text),
    Column("checks", JSON(none_as_null=True)),
    Column("accepted_sha", Text),
    Column("judged_at", Moment),
    Column("judged_by", Text),
    CheckConstraint("verdict IN ('accepted', 'rejected')", name="verdict"),
    CheckConstraint("rows_in = duplicates + accepted + quarantined", name="every_row_is_somewhere"),
    CheckConstraint("rows_in = received", name="all_that_landed_is_judged"),
    CheckConstraint(
        "verdict IS NULL OR (rows_in IS NOT NULL AND duplicates IS NOT NULL AND accepted IS NOT NULL"
        " AND quarantined IS NOT NULL)",
        name="a_verdict_has_counts",
    ),
    CheckConstraint("verdict <> 'accepted' OR accepted_sha IS NOT NULL", name="accepted_names_its_snapshot"),
)

# Who let a blocked landing pass, and why. It speaks of one landing: what lands anew is judged anew.
run_release = Table(
    "run_release",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("as_of", Date, primary_key=True),
    Column("landing_sha", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("blocked_by", Text, nullable=False),
    Column("released_at", Moment, nullable=False),
    Column("released_through", Text, nullable=False),
    CheckConstraint("person <> '' AND reason <> ''", name="somebody_for_a_reason"),
)

# Who had a department asked again for a past date, what came of it, and what was in use before and after.
run_repull = Table(
    "run_repull",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("before_sha", Text),
    Column("after_sha", Text),
    Column("rejected_by", Text),
    Column("repulled_at", Moment, nullable=False),
    Column("repulled_by", Text, nullable=False),
    CheckConstraint("outcome IN ('replaced', 'same', 'rejected')", name="outcome"),
)

run_snapshot_set = Table(
    "run_snapshot_set", metadata, Column("id", Text, primary_key=True), Column("members", JSON, nullable=False)
)

run_result = Table(
    "run_result",
    metadata,
    Column("as_of", Date, primary_key=True),
    Column("district", Text, primary_key=True),
    Column("scheme", Text, primary_key=True),
    Column("snapshot_set", ForeignKey(run_snapshot_set.c.id), nullable=False),
    Column("enterprises", Integer, nullable=False),
    Column("points_sha", Text, nullable=False),
    Column("scored_at", Moment, nullable=False),
    Column("scored_by", Text, nullable=False),
)

# One row per generation, kept when the generation itself is pruned: a date once published is not due again. `points`:
# district → digest of the points that it shows of it, which may be those of an older date.
run_publication = Table(
    "run_publication",
    metadata,
    Column("generation_id", Integer, primary_key=True, autoincrement=False),
    Column("as_of", Date, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("snapshot_set", ForeignKey(run_snapshot_set.c.id), nullable=False),
    Column("content_sha", Text, nullable=False),
    Column("published_by", Text, nullable=False),
    Column("covers_until", Moment, nullable=False),
    Column("points", JSON, nullable=False, server_default="{}"),
)

# Who moved the pointer back, and why. Kept when the generations are pruned, so neither number is a foreign key.
run_rollback = Table(
    "run_rollback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("from_generation", Integer),
    Column("to_generation", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
    CheckConstraint("decided_by <> ''", name="says_who"),
)

Member = list[str]
"""One accepted snapshot in use: dataset, scope, as_of, SHA-256 of its manifest."""


@dataclass(frozen=True)
class SnapshotRow:
    """What the ledger knows of one snapshot. The counts are None until it is judged."""

    dataset: str
    scope: str
    as_of: date
    contract_version: int
    declared: int | None
    received: int
    landing_sha: str
    landed_at: datetime
    landed_by: str
    verdict: str | None
    rows_in: int | None
    duplicates: int | None
    accepted: int | None
    quarantined: int | None
    reason: str | None
    checks: Any
    accepted_sha: str | None
    judged_at: datetime | None
    judged_by: str | None

    @property
    def key(self) -> SnapshotKey:
        """Which snapshot this is."""
        return SnapshotKey(self.dataset, self.scope, self.as_of)


@dataclass(frozen=True)
class ReleaseRow:
    """Who released a blocked landing and why; `blocked_by` is the verdict that stood against it."""

    dataset: str
    scope: str
    as_of: date
    landing_sha: str
    person: str
    reason: str
    blocked_by: str
    released_at: datetime
    released_through: str


@dataclass(frozen=True)
class RepullRow:
    """A department that was asked again for a past date, and what came of it."""

    dataset: str
    scope: str
    as_of: date
    outcome: str


@dataclass(frozen=True)
class PublicationRow:
    """A publication; `status` is that of its generation now, None when that is not kept any more."""

    generation_id: int
    as_of: date
    scheme: str
    status: str | None


@dataclass(frozen=True)
class Result:
    """The scored points of one district by their digest, and the accepted snapshots they stand on."""

    result: ResultKey
    points_sha: str
    members: list[Member]

    @property
    def snapshot_set(self) -> str:
        """The id of these snapshots."""
        return _set_id(self.members)

    @property
    def own_members(self) -> list[Member]:
        """The district's own snapshots and the city's: without the registries of other districts, by which it knows
        who is registered elsewhere."""
        return [member for member in self.members if member[1] in (CITY, self.result.district)]


@dataclass(frozen=True)
class ResultRow(Result):
    """The result that a district has now: what was scored last of its date under its scheme."""

    enterprises: int
    scored_at: datetime


@dataclass(frozen=True)
class Made:
    """What one run of a DAG made, as far as no later run has made it anew."""

    snapshots: list[SnapshotRow]
    repulls: list[RepullRow]
    releases: list[ReleaseRow]
    results: list[ResultRow]
    publications: list[PublicationRow]


class Held(TransientError):
    """Somebody else has the lock."""


@dataclass(frozen=True)
class Lease:
    """A held lock. `token` grows with each holder: whoever carries a lower one has been replaced."""

    engine: Engine
    name: str
    holder: str
    token: int
    seconds: float

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.release()

    def renew(self) -> None:
        """Hold it for its full time from now; a writer that was replaced is refused."""
        with self.fence() as connection:
            connection.execute(self._mine().values(expires_at=clock() + timedelta(seconds=self.seconds)))

    @contextmanager
    def fence(self) -> Iterator[Connection]:
        """A transaction until whose end nobody takes the lock over; a writer that was replaced is refused."""
        with writing(self.engine) as connection:
            self.assert_held(connection)
            yield connection

    def assert_held(self, connection: Connection) -> None:
        """Fence: refuse the transaction of a writer that was replaced. Keeps others out until the transaction ends."""
        token = connection.scalar(sa.select(run_lease.c.token).where(run_lease.c.name == self.name).with_for_update())
        if token != self.token:
            fenced = TerminalError(
                f"fenced: {self.holder} (token {self.token}) has been replaced by token {token}",
                where=f"lock {self.name}",
                kept="the work of the newer holder; nothing of this one is in use",
                todo="nothing: the newer attempt carries on",
            )
            log.warning("%s", fenced)  # nobody may be left who would see a zombie's exception
            raise fenced

    def release(self) -> None:
        """Let the next one in. Releasing a lock that was taken over changes nothing."""
        with writing(self.engine) as connection:
            connection.execute(self._mine().values(expires_at=clock()))

    def _mine(self) -> sa.Update:
        return sa.update(run_lease).where(run_lease.c.name == self.name, run_lease.c.token == self.token)


class Ledger:
    """Reads and writes the ledger in the warehouse's database; what it writes is a transaction of its own always."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse, self.engine = warehouse, warehouse.engine

    def acquire(self, name: str, holder: str, seconds: float) -> Lease:
        """Take the lock `name`; as a context manager the lease releases it.

        Held by somebody else and not expired: `Held` says by whom and until when. The same holder is a retry
        of the same task and takes over at once; its earlier attempt is fenced off by the higher token. From a process
        at the shell of this machine that was killed anybody takes over at once.
        """
        now = clock()
        with writing(self.engine) as connection:
            insert_missing(connection, run_lease, {"name": name, "holder": "", "token": 0, "expires_at": now})
            held = connection.execute(sa.select(run_lease).where(run_lease.c.name == name).with_for_update()).one()
            if held.holder != holder and held.expires_at > now and not has_ended(held.holder):
                until = held.expires_at.astimezone(SHANGHAI)
                raise Held(
                    f"held by {held.holder} until {until:%Y-%m-%d %H:%M:%S} Beijing time",
                    where=f"lock {name}",
                    kept="the work of the holder",
                    todo="wait for it",
                )
            token = held.token + 1
            connection.execute(
                sa.update(run_lease)
                .where(run_lease.c.name == name)
                .values(holder=holder, token=token, expires_at=now + timedelta(seconds=seconds))
            )
        return Lease(self.engine, name, holder, token, seconds)

    def record_landed(
        self,
        key: SnapshotKey,
        *,
        lease: Lease,
        contract_version: int,
        declared: int | None,
        received: int,
        landing_sha: str,
    ) -> None:
        """A landing is committed. One that lands again (the department repaired it) waits for a new verdict."""
        entry = {
            "contract_version": contract_version,
            "declared": declared,
            "received": received,
            "landing_sha": landing_sha,
            "landed_at": clock(),
            "landed_by": lease.holder,
        }
        with lease.fence() as connection:
            _replace(connection, run_snapshot, _identity(key), entry)

    def record_verdict(
        self,
        key: SnapshotKey,
        *,
        lease: Lease,
        verdict: str,
        rows_in: int,
        duplicates: int,
        accepted: int,
        quarantined: int,
        reason: str | None,
        checks: Any,
        accepted_sha: str | None,
    ) -> None:
        """A landing is judged, once. The database refuses counts that do not add up to what landed."""
        judged = sa.update(run_snapshot).where(
            *_matches(run_snapshot, _identity(key)), run_snapshot.c.verdict.is_(None)
        )
        with lease.fence() as connection:
            done = connection.execute(
                judged.values(
                    verdict=verdict,
                    rows_in=rows_in,
                    duplicates=duplicates,
                    accepted=accepted,
                    quarantined=quarantined,
                    reason=reason,
                    checks=checks,
                    accepted_sha=accepted_sha,
                    judged_at=clock(),
                    judged_by=lease.holder,
                )
            )
            if done.rowcount != 1:
                raise TerminalError("no landing waits for a verdict", where=str(key), todo="run its land step first")

    def record_repull(
        self,
        key: SnapshotKey,
        *,
        lease: Lease,
        outcome: str,
        reason: str,
        before_sha: str | None,
        landing: dict[str, Any] | None = None,
        verdict: dict[str, Any] | None = None,
        rejected_by: str | None = None,
    ) -> None:
        """A department was asked again. Where that `landing` was accepted, it and its `verdict` take the place of what
        was known of the key, at once: there is no moment at which the key has no accepted snapshot.
        """
        now = clock()
        with lease.fence() as connection:
            after_sha = before_sha
            if landing is not None and verdict is not None:
                after_sha = verdict["accepted_sha"]
                moments: dict[str, Any] = {"landed_at": now, "judged_at": now}
                moments |= {"landed_by": lease.holder, "judged_by": lease.holder}
                _replace(connection, run_snapshot, _identity(key), landing | verdict | moments)
            entry: dict[str, Any] = {
                "outcome": outcome,
                "reason": reason,
                "before_sha": before_sha,
                "after_sha": after_sha,
            }
            entry |= {"rejected_by": rejected_by, "repulled_at": now, "repulled_by": lease.holder}
            connection.execute(sa.insert(run_repull).values(_identity(key) | entry))

    def record_release(self, key: SnapshotKey, *, lease: Lease, landing_sha: str, person: str, reason: str) -> None:
        """A person lets a rejected landing pass: it waits for its verdict again, and the release is kept beside it."""
        of_landing = sa.and_(*_matches(run_snapshot, _identity(key)), run_snapshot.c.landing_sha == landing_sha)
        unjudged = ("verdict", "rows_in", "duplicates", "accepted", "quarantined", "reason", "checks", "accepted_sha")
        with lease.fence() as connection:
            held = connection.execute(
                sa.select(run_snapshot).where(of_landing, run_snapshot.c.verdict == "rejected")
            ).one_or_none()
            if held is None:
                raise TerminalError(
                    "no rejected landing to release", where=str(key), todo="look at `innopoints blocked`"
                )
            entry = {
                "person": person,
                "reason": reason,
                "blocked_by": held.reason or "",
                "released_at": clock(),
                "released_through": lease.holder,
            }
            _replace(connection, run_release, _identity(key) | {"landing_sha": landing_sha}, entry)
            connection.execute(
                sa.update(run_snapshot)
                .where(of_landing)
                .values(**dict.fromkeys([*unjudged, "judged_at", "judged_by"], sa.null()))
            )

    def release_of(self, key: SnapshotKey, landing_sha: str) -> ReleaseRow | None:
        """The release of exactly this landing."""
        wanted = _matches(run_release, _identity(key) | {"landing_sha": landing_sha})
        with reading(self._warehouse) as connection:
            row = connection.execute(sa.select(run_release).where(*wanted)).one_or_none()
        return ReleaseRow(**row._mapping) if row else None

    def blocked(self) -> list[SnapshotRow]:
        """Rejected snapshots that no later accepted one of their dataset and scope has replaced, oldest first."""
        later = run_snapshot.alias()
        replaced = (
            sa.select(sa.literal(1))
            .where(
                later.c.dataset == run_snapshot.c.dataset,
                later.c.scope == run_snapshot.c.scope,
                later.c.as_of > run_snapshot.c.as_of,
                later.c.verdict == "accepted",
            )
            .exists()
        )
        query = (
            sa.select(run_snapshot)
            .where(run_snapshot.c.verdict == "rejected", ~replaced)
            .order_by(run_snapshot.c.as_of, run_snapshot.c.dataset, run_snapshot.c.scope)
        )
        with reading(self._warehouse) as connection:
            return [SnapshotRow(**row._mapping) for row in connection.execute(query)]

    def snapshot(self, key: SnapshotKey) -> SnapshotRow | None:
        """What is known of a snapshot; None when it never landed."""
        return self._snapshot(sa.select(run_snapshot).where(*_matches(run_snapshot, _identity(key))))

    def snapshots(self, first: date, last: date) -> list[SnapshotRow]:
        """Every snapshot of a business date from `first` to `last`, by date, dataset and scope."""
        query = (
            sa.select(run_snapshot)
            .where(run_snapshot.c.as_of.between(first, last))
            .order_by(run_snapshot.c.as_of, run_snapshot.c.dataset, run_snapshot.c.scope)
        )
        with reading(self._warehouse) as connection:
            return [SnapshotRow(**row._mapping) for row in connection.execute(query)]

    def last_accepted(self, dataset: str, scope: str, on_or_before: date) -> SnapshotRow | None:
        """The newest accepted snapshot with a business date not after `on_or_before`."""
        return self._snapshot(
            sa.select(run_snapshot)
            .where(
                run_snapshot.c.dataset == dataset,
                run_snapshot.c.scope == scope,
                run_snapshot.c.as_of <= on_or_before,
                run_snapshot.c.verdict == "accepted",
            )
            .order_by(run_snapshot.c.as_of.desc())
            .limit(1)
        )

    def snapshot_set(self, members: list[Member]) -> str:
        """The id of a set of accepted snapshots, whatever order they are given in; the set is kept under it."""
        with writing(self.engine) as connection:
            return _keep_set(connection, members)

    def members(self, set_id: str) -> list[Member]:
        """The accepted snapshots of a set."""
        with reading(self._warehouse) as connection:
            members = connection.scalar(sa.select(run_snapshot_set.c.members).where(run_snapshot_set.c.id == set_id))
        if members is None:
            raise TerminalError(f"snapshot set {set_id:.16} is not known", todo="choose a generation of this warehouse")
        return members

    def record_scored(
        self, result: ResultKey, *, lease: Lease, snapshot_set: list[Member], enterprises: int, points_sha: str
    ) -> None:
        """A district is scored. Scoring it again to the same bytes changes nothing, so it is not due again either."""
        with lease.fence() as connection:
            set_id = _keep_set(connection, snapshot_set)
            held = connection.execute(
                sa.select(run_result).where(*_matches(run_result, _identity(result)))
            ).one_or_none()
            if held and (held.points_sha, held.snapshot_set) == (points_sha, set_id):
                return
            entry = {
                "snapshot_set": set_id,
                "enterprises": enterprises,
                "points_sha": points_sha,
                "scored_at": clock(),
                "scored_by": lease.holder,
            }
            _replace(connection, run_result, _identity(result), entry)

    def result(self, result: ResultKey) -> ResultRow | None:
        """The scored points of one district as of exactly this date."""
        return next(iter(self._results(*_matches(run_result, _identity(result)))), None)

    def last_scored(self, district: str, scheme: str | None, on_or_before: date) -> ResultRow | None:
        """The newest scored result of a district, under a scheme or any (None), with a business date not after
        `on_or_before`.
        """
        of_scheme = [] if scheme is None else [run_result.c.scheme == scheme]
        within = (run_result.c.district == district, run_result.c.as_of <= on_or_before)
        return next(iter(self._results(*within, *of_scheme, newest=True)), None)

    def results_reading_otherwise(self, key: SnapshotKey, accepted_sha: str) -> list[ResultRow]:
        """The results as of the key's date or later that stand on another snapshot of its dataset and scope than one
        that is scored now would: on another one of its date, or on one of an older date.
        """
        found = self._results(run_result.c.as_of >= key.as_of)
        return [row for row in found if reads_otherwise(row.members, key, accepted_sha)]

    def scored_after(self, district: str, first: date, moment: datetime) -> bool:
        """Was a district scored after a moment, as of `first` or a later date, under any scheme?"""
        query = sa.select(sa.literal(1)).where(
            run_result.c.district == district, run_result.c.as_of >= first, run_result.c.scored_at > moment
        )
        with reading(self._warehouse) as connection:
            return connection.execute(query.limit(1)).one_or_none() is not None

    def snapshots_before(self, limit: date) -> list[SnapshotKey]:
        """Every snapshot of a business date before `limit` that also landed before it: a back-fill is not old."""
        named = sa.select(run_snapshot.c.dataset, run_snapshot.c.scope, run_snapshot.c.as_of).where(
            run_snapshot.c.as_of < limit, run_snapshot.c.landed_at < _midnight(limit)
        )
        with reading(self._warehouse) as connection:
            return [SnapshotKey(*row) for row in connection.execute(named)]

    def results(self, *, before: date | None = None) -> list[ResultRow]:
        """Every result, or those of a business date before `before` that were also scored before it."""
        if before is None:
            return self._results()
        return self._results(run_result.c.as_of < before, run_result.c.scored_at < _midnight(before))

    def members_published(self) -> list[Member]:
        """The snapshots that the generations in the warehouse stand on."""
        sets = sa.select(run_snapshot_set.c.members).where(
            run_snapshot_set.c.id.in_(sa.select(generation.c.snapshot_set))
        )
        with reading(self._warehouse) as connection:
            return [member for row in connection.execute(sets) for member in row.members]

    def published_content(self, generation_id: int) -> str | None:
        """The digest of what a generation published, as the lake knows it; None for one that no publication made."""
        query = sa.select(run_publication.c.content_sha).where(run_publication.c.generation_id == generation_id)
        with reading(self._warehouse) as connection:
            return connection.scalar(query)

    def forget(self, key: SnapshotKey | ResultKey, *, lease: Lease) -> None:
        """A snapshot or a result is erased: asked for again, its date is brought in or scored anew."""
        table = run_snapshot if isinstance(key, SnapshotKey) else run_result
        with lease.fence() as connection:
            connection.execute(sa.delete(table).where(*_matches(table, _identity(key))))

    def made_by(self, dag_id: str, run_id: str) -> Made:
        """What the tasks of a run landed or judged, asked again, released, scored and published."""
        run = f"{dag_id}/{run_id}"
        snapshots = (
            sa.select(run_snapshot)
            .where(sa.or_(_is_task_of(run, run_snapshot.c.landed_by), _is_task_of(run, run_snapshot.c.judged_by)))
            .order_by(run_snapshot.c.as_of, run_snapshot.c.dataset, run_snapshot.c.scope)
        )
        repulls = (
            sa.select(*(run_repull.c[name] for name in RepullRow.__dataclass_fields__))
            .where(_is_task_of(run, run_repull.c.repulled_by))
            .order_by(run_repull.c.id)
        )
        releases = (
            sa.select(run_release)
            .where(_is_task_of(run, run_release.c.released_through))
            .order_by(run_release.c.released_at)
        )
        of_generation = run_publication.c.generation_id == generation.c.generation_id
        publications = (
            sa.select(*(run_publication.c[name] for name in ("generation_id", "as_of", "scheme")), generation.c.status)
            .select_from(run_publication.outerjoin(generation, of_generation))
            .where(_is_task_of(run, run_publication.c.published_by))
            .order_by(run_publication.c.generation_id)
        )
        results = self._results(_is_task_of(run, run_result.c.scored_by))
        with reading(self._warehouse) as connection:
            return Made(
                [SnapshotRow(**row._mapping) for row in connection.execute(snapshots)],
                [RepullRow(**row._mapping) for row in connection.execute(repulls)],
                [ReleaseRow(**row._mapping) for row in connection.execute(releases)],
                results,
                [PublicationRow(**row._mapping) for row in connection.execute(publications)],
            )

    def due(self, *, districts: list[str], today: date, sweep: bool) -> list[tuple[date, str]]:
        """The (as_of, scheme) with a result that no publication of theirs covers, oldest first.

        A publication covers the points that it holds. One that its audit blocked covers too: the same results would be
        blocked again. Today waits for its last district, unless the sweep is asking.
        """
        scored: dict[tuple[date, str], list[ResultRow]] = defaultdict(list)
        for row in self._results(run_result.c.district.in_(districts)):
            scored[row.result.as_of, row.result.scheme].append(row)
        covered = self._covered()
        return [
            (as_of, scheme)
            for (as_of, scheme), rows in sorted(scored.items())
            if (sweep or as_of != today or len(rows) == len(districts))
            and any(covered.get((as_of, scheme), {}).get(row.result.district) != row.points_sha for row in rows)
        ]

    def _covered(self) -> dict[tuple[date, str], dict[str, str]]:
        """(as_of, scheme) → the points that its latest publication holds, by district."""
        columns = (run_publication.c[name] for name in ("as_of", "scheme", "points"))
        order = (run_publication.c.covers_until, run_publication.c.generation_id)
        with reading(self._warehouse) as connection:
            rows = connection.execute(sa.select(*columns).order_by(*order)).all()
        return {(row.as_of, row.scheme): row.points for row in rows}

    def _snapshot(self, query: sa.Select) -> SnapshotRow | None:
        with reading(self._warehouse) as connection:
            row = connection.execute(query).one_or_none()
        return SnapshotRow(**row._mapping) if row else None

    def _results(self, *conditions: sa.ColumnElement[bool], newest: bool = False) -> list[ResultRow]:
        """Those of these conditions in the order of their date, or the newest alone: each carries its whole set."""
        order = (run_result.c.as_of, run_result.c.district, run_result.c.scheme)
        query = sa.select(run_result, run_snapshot_set.c.members).join(run_snapshot_set).where(*conditions)
        query = query.order_by(*(one.desc() for one in order)).limit(1) if newest else query.order_by(*order)
        with reading(self._warehouse) as connection:
            rows = connection.execute(query).all()
        return [
            ResultRow(
                ResultKey(row.as_of, row.district, row.scheme),
                row.points_sha,
                row.members,
                row.enterprises,
                row.scored_at,
            )
            for row in rows
        ]


def reads_otherwise(members: list[Member], key: SnapshotKey, accepted_sha: str) -> bool:
    """Is among these another snapshot of the key's dataset and scope than its accepted one: of its day, or older?"""
    ours = [(day, sha256) for dataset, scope, day, sha256 in members if (dataset, scope) == (key.dataset, key.scope)]
    of_key = key.as_of.isoformat()
    return any(day < of_key or (day == of_key and sha256 != accepted_sha) for day, sha256 in ours)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def _identity(key: SnapshotKey | ResultKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in key.__dataclass_fields__}


def _matches(table: Table, identity: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in identity.items()]


def _is_task_of(run: str, holder: Column) -> sa.ColumnElement[bool]:
    """Whether a holder is `run`/task/number. Compared as text and not by LIKE, so that whatever an id holds stands for
    itself; a run whose id goes on behind a slash is another one.
    """
    own, task = sa.func.substr(holder, 1, len(run) + 1), sa.func.substr(holder, len(run) + 2)
    slashes = sa.func.length(task) - sa.func.length(sa.func.replace(task, "/", ""))
    return sa.and_(own == f"{run}/", slashes == 1)


def _set_id(members: list[Member]) -> str:
    return hashlib.sha256(json.dumps(sorted(members), ensure_ascii=False).encode("utf-8")).hexdigest()[:16]


def _keep_set(connection: Connection, members: list[Member]) -> str:
    ordered = sorted(list(member) for member in members)
    set_id = _set_id(ordered)
    insert_missing(connection, run_snapshot_set, {"id": set_id, "members": ordered})
    return set_id


def insert_missing(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert, unless its key is there: two writers who both find it missing do not collide."""
    dialect = {"postgresql": postgresql, "sqlite": sqlite}[connection.dialect.name]
    connection.execute(dialect.insert(table).values(row).on_conflict_do_nothing())


def _replace(connection: Connection, table: Table, identity: dict[str, Any], entry: dict[str, Any]) -> None:
    """The row of this key, as given; whatever it said before is gone. The caller holds the key's lease."""
    connection.execute(sa.delete(table).where(*_matches(table, identity)))
    connection.execute(sa.insert(table).values(identity | entry))
