"""Reading the published views: one transaction per request, which sees one generation from beginning to end."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Row

from include.kernel.areas import CITY
from include.kernel.settings import settings
from include.publish.generations import Generation
from include.store.warehouse import PUBLISHED, SCHEMA, generation, reading

# Stage → per cent of the enterprises as Changzhou announced it in 2021; the stand-in world is tuned to it.
EXPECTED_SHARES = {"初创期": 55, "成长期": 16, "发展期": 22, "成熟期": 7}

LISTS = {"honours": "honour", "project_recommendation": "programme", "credit_list": "product"}
"""Published table → the column that names the list."""

_views = sa.MetaData()
VIEWS = {
    table.name: sa.Table(
        f"current_{table.name}", _views, *(sa.Column(c.name, c.type) for c in table.columns), schema=SCHEMA
    )
    for table in (generation, *PUBLISHED.values())
}


Act = Literal["roll_back", "release", "waive", "decide"]
"""What a person may do from a page, each with a reason and under their name."""


@dataclass(frozen=True)
class Reader:
    """Who asks, which districts' enterprises they may see (None: the whole city), and what they may do. `session` is
    what nobody but their own browser holds, so that a form can prove that it is one of theirs.
    """

    name: str
    districts: frozenset[str] | None = None
    acts: frozenset[Act] = frozenset()
    session: str = field(default="", repr=False)

    @classmethod
    def named(cls, name: str, acts: Iterable[Act] = (), session: str = "") -> Reader:
        """The reader of this name: of the whole city as long as `INNOPOINTS_READERS` names nobody, else as it says."""
        readers, allowed = settings().readers, frozenset(acts)
        if not readers:
            return cls(name, None, allowed, session)
        districts = readers.get(name, [])
        return cls(name, None if "*" in districts else frozenset(districts), allowed, session)

    @property
    def proof(self) -> str:
        """What a form of this session carries; empty, and good for nothing, where there is no session."""
        return hmac.new(self.session.encode(), b"innopoints form", "sha256").hexdigest() if self.session else ""

    def may_see(self, district: str) -> bool:
        return self.districts is None or district in self.districts

    def may(self, act: Act, scope: str = CITY) -> bool:
        """May they do this where it concerns a district, or (`city`) everybody? Nobody acts on what they do not see."""
        return act in self.acts and self.may_see(scope)


class Portrait(NamedTuple):
    """Everything that is published of one enterprise; `lines` are its ledger, `lists` the rows of the three lists."""

    profile: Row
    points: Row
    lines: Sequence[Row]
    lists: list[tuple[str, Row]]
    ladder: Sequence[Row]


class Reading:
    """One transaction over the generation that is current; every figure of a page comes from it. Whatever else a
    request reads of the warehouse it reads through the same connection. When it is closed, it still says of which
    generation it was.
    """

    def __init__(self, connection: Connection, current: Generation) -> None:
        self.generation = current
        self.connection = connection

    def rows(self, query: sa.Select) -> Sequence[Row]:
        return self.connection.execute(query).all()

    def sources(self, reader: Reader) -> Sequence[Row]:
        """How each dataset arrived for the city and for the reader's districts."""
        quality = VIEWS["source_quality"].c
        found = self.rows(sa.select(VIEWS["source_quality"]).order_by(quality.dataset, quality.scope))
        return [row for row in found if row.scope == CITY or reader.may_see(row.scope)]

    def stages(self, reader: Reader) -> list[tuple[str, int, Decimal]]:
        """Stage, enterprises, per cent of all; of the reader's districts together."""
        counted: dict[str, int] = defaultdict(int)
        for row in self.rows(sa.select(VIEWS["stage_distribution"])):
            if reader.may_see(row.district):
                counted[row.stage] += row.enterprises
        total = sum(counted.values())
        order = [*EXPECTED_SHARES, *sorted(counted.keys() - EXPECTED_SHARES.keys())]
        return [(stage, counted[stage], Decimal(100 * counted[stage]) / total) for stage in order if counted[stage]]

    def portrait(self, uscc: str) -> Portrait | None:
        """One enterprise, or None where this generation does not know the code."""
        profile = self._of("enterprise_profile", uscc)
        points = self._of("enterprise_points", uscc)
        if not profile or not points:
            return None
        return Portrait(
            profile[0],
            points[0],
            self._of("points_ledger", uscc, "indicator"),
            [(table, row) for table, name in LISTS.items() for row in self._of(table, uscc, name)],
            self._of("ladder", uscc, "rung"),
        )

    def listed(self, table: str, name: str) -> Sequence[Row]:
        """One list of `LISTS`, in its order."""
        view, profile = VIEWS[table], VIEWS["enterprise_profile"]
        named = view.c[LISTS[table]]
        place = view.c.place if "place" in view.c else view.c.stage_percentile.desc()
        return self.rows(
            sa.select(view, profile.c.name, profile.c.district, profile.c.stage)
            .join(profile, profile.c.uscc == view.c.uscc)
            .where(named == name)
            .order_by(place, profile.c.stage, view.c.uscc)
        )

    def list_names(self, table: str) -> list[str]:
        """The names of the lists in one of `LISTS`."""
        name = VIEWS[table].c[LISTS[table]]
        return [row[0] for row in self.rows(sa.select(name).distinct().order_by(name))]

    def stage_medians(self) -> dict[tuple[str, str], Decimal]:
        """(stage, category) → the median of its enterprises' points; of an even number, the mean of the middle two."""
        profile, held = VIEWS["enterprise_profile"].c, VIEWS["category_points"].c
        group = (profile.stage, held.category)
        place = sa.func.row_number().over(partition_by=group, order_by=held.points).label("place")
        size = sa.func.count().over(partition_by=group).label("size")
        ranked = (
            sa.select(profile.stage, held.category, held.points, place, size)
            .where(profile.uscc == held.uscc)
            .subquery()
        )
        middle = sa.select(ranked.c.stage, ranked.c.category, ranked.c.points).where(
            (2 * ranked.c.place).between(ranked.c.size, ranked.c.size + 2)
        )
        found: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
        for row in self.rows(middle):
            found[row.stage, row.category].append(row.points)
        return {
            key: sorted(points)[len(points) // 2] if len(points) % 2 else sum(points, Decimal()) / 2
            for key, points in found.items()
        }

    def _of(self, table: str, uscc: str, order: str = "uscc") -> Sequence[Row]:
        view = VIEWS[table]
        return self.rows(sa.select(view).where(view.c.uscc == uscc).order_by(view.c[order]))


@contextmanager
def read(engine: Engine) -> Iterator[Reading | None]:
    """A reading of the current generation, or None as long as nothing is published."""
    with reading(engine) as connection:
        schema = None if engine.dialect.name == "sqlite" else SCHEMA
        made = sa.inspect(connection).has_table("current_generation", schema=schema)
        row = connection.execute(sa.select(VIEWS["generation"])).one_or_none() if made else None
        yield Reading(connection, Generation(*row)) if row else None


def whole(row: Row) -> dict[str, Any]:
    """A published row without its generation, as JSON shows it."""
    return {name: value for name, value in row._mapping.items() if name != "generation_id"}
