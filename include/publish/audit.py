"""What must hold of a generation before anybody may read it, checked on the rows as the warehouse holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy import BigInteger, ColumnElement, Connection, Select, cast, func

from include.store.warehouse import CATEGORY_COLUMNS, PUBLISHED, ExactDecimal

NEVER_EMPTY = (
    "enterprise_profile",
    "enterprise_points",
    "category_points",
    "points_ledger",
    "stage_distribution",
    "source_quality",
)
LISTS = ("honours", "project_recommendation", "credit_list", "ladder")


def findings(connection: Connection, generation_id: int, given: Mapping[str, int]) -> list[str]:
    """One line per rule that is broken, with the number of offenders and never their names or figures.

    `given` is the number of rows that each table must hold. No rule is written for a key that occurs twice or a
    required figure that is absent: the tables themselves refuse it.
    """
    broken = []
    for name, table in PUBLISHED.items():
        of_generation = sa.select(func.count()).select_from(table).where(table.c.generation_id == generation_id)
        if (held := connection.scalar(of_generation)) != given[name]:
            broken.append(f"{name} holds {held} rows of {given[name]} given")
    for rule, offenders in _rules(generation_id):
        count = connection.scalar(sa.select(func.count()).select_from(offenders.subquery()))
        if count:
            broken.append(f"{rule} ({count})")
    return broken


def _rules(generation_id: int) -> Iterator[tuple[str, Select]]:
    """(what is wrong, its offenders). Tables are read as `rows` of this generation only."""
    rows = {
        name: sa.select(table).where(table.c.generation_id == generation_id).subquery(name)
        for name, table in PUBLISHED.items()
    }
    profile, points, ledger = rows["enterprise_profile"], rows["enterprise_points"], rows["points_ledger"]

    for name in NEVER_EMPTY:
        yield f"{name} is empty", sa.select(sa.literal(1)).where(~sa.exists().select_from(rows[name]))

    for name in ("enterprise_points", "category_points", "points_ledger", *LISTS):
        yield f"{name}: enterprises without a profile", _absent(rows[name], profile)
    for name in ("enterprise_points", "category_points", "points_ledger"):
        yield f"enterprises without {name}", _absent(profile, rows[name])
    yield (
        "enterprises whose stage differs between profile and points",
        sa.select(points.c.uscc)
        .join(profile, profile.c.uscc == points.c.uscc)
        .where(profile.c.stage != points.c.stage),
    )

    indicators = sa.select(func.count(sa.distinct(ledger.c.indicator))).scalar_subquery()
    yield (
        "enterprises that lack the ledger line of an indicator",
        sa.select(ledger.c.uscc).group_by(ledger.c.uscc).having(func.count() != indicators),
    )
    categories = rows["category_points"]
    yield (
        "ledger lines of an unknown category",
        sa.select(ledger.c.uscc)
        .join(categories, _same(ledger, categories, "category"), isouter=True)
        .where(categories.c.uscc.is_(None)),
    )
    lines = (
        sa.select(ledger.c.uscc, ledger.c.category, func.sum(_units(ledger.c.points)).label("points"))
        .group_by(ledger.c.uscc, ledger.c.category)
        .subquery("lines")
    )
    yield (
        "enterprises whose ledger lines do not sum to their categories",
        sa.select(categories.c.uscc)
        .join(lines, _same(lines, categories, "category"), isouter=True)
        .where(func.coalesce(lines.c.points, 0) != _units(categories.c.points)),
    )
    sums = (
        sa.select(categories.c.uscc, func.sum(_units(categories.c.points)).label("points"))
        .group_by(categories.c.uscc)
        .subquery("sums")
    )
    yield (
        "enterprises whose categories do not sum to their total",
        sa.select(points.c.uscc)
        .join(sums, sums.c.uscc == points.c.uscc, isouter=True)
        .where(func.coalesce(sums.c.points, 0) != _units(points.c.total)),
    )
    for category in CATEGORY_COLUMNS:
        same = sa.and_(points.c.uscc == categories.c.uscc, categories.c.category == category)
        yield (
            f"enterprises whose column {category} is not their category's points",
            sa.select(points.c.uscc)
            .join(categories, same, isouter=True)
            .where(_units(points.c[category]).is_distinct_from(_units(categories.c.points))),
        )
    yield (
        "enterprises whose total is outside its interval, or whose coverage is no fraction",
        sa.select(points.c.uscc).where(
            sa.or_(
                _units(points.c.total) < _units(points.c.total_low),
                _units(points.c.total) > _units(points.c.total_high),
                ~_units(points.c.coverage).between(0, 10**6),
            )
        ),
    )

    placed = (
        sa.select(
            points.c.rank_all,
            points.c.rank_stage,
            points.c.rank_district,
            _place(points).label("all"),
            _place(points, points.c.stage).label("stage"),
            _place(points, profile.c.district).label("district"),
        )
        .join(profile, profile.c.uscc == points.c.uscc)
        .subquery("placed")
    )
    yield (
        "enterprises whose rank is not 1 + the number of higher totals",
        sa.select(placed.c.rank_all).where(
            sa.or_(
                placed.c.rank_all != placed.c.all,
                placed.c.rank_stage != placed.c.stage,
                placed.c.rank_district != placed.c.district,
            )
        ),
    )

    yield from _once_only(rows)

    distribution = rows["stage_distribution"]
    counted = (
        sa.select(profile.c.district, profile.c.stage, func.count().label("enterprises"))
        .group_by(profile.c.district, profile.c.stage)
        .subquery("counted")
    )
    same_place = sa.and_(distribution.c.district == counted.c.district, distribution.c.stage == counted.c.stage)
    yield (
        "district and stage pairs whose number of enterprises differs from the profiles",
        sa.select(counted.c.district)
        .join(distribution, same_place, isouter=True)
        .where(sa.func.coalesce(distribution.c.enterprises, 0) != counted.c.enterprises),
    )
    yield (
        "enterprises in the stage distribution that no profile holds",
        sa.select(distribution.c.district)
        .join(counted, same_place, isouter=True)
        .where(distribution.c.enterprises > 0, counted.c.enterprises.is_(None)),
    )


def _once_only(rows: Mapping[str, sa.Subquery]) -> Iterator[tuple[str, Select]]:
    """Every pair that applies is from records or is a gap with one reason, however one counts."""
    profile, ledger, gap, reason = (
        rows[name] for name in ("enterprise_profile", "points_ledger", "once_only_gap", "once_only_reason")
    )
    applies = ledger.c.status != "not_applicable"
    yield (
        "gaps of pairs that the ledger does not have, or that do not apply",
        sa.select(gap.c.uscc)
        .join(ledger, sa.and_(_same(gap, ledger, "indicator"), applies), isouter=True)
        .where(ledger.c.uscc.is_(None)),
    )
    yield (
        "pairs without a value that are no gap",
        sa.select(ledger.c.uscc)
        .join(gap, _same(gap, ledger, "indicator"), isouter=True)
        .where(applies, ledger.c.status != "value", gap.c.uscc.is_(None)),
    )
    pairs = (
        sa.select(profile.c.district, ledger.c.indicator, gap.c.reason)
        .join(profile, profile.c.uscc == ledger.c.uscc)
        .join(gap, _same(gap, ledger, "indicator"), isouter=True)
        .where(applies)
        .subquery("pairs")
    )
    for name, key in (("once_only", "district"), ("once_only_indicator", "indicator")):
        table = rows[name]
        counted = (
            sa.select(
                pairs.c[key],
                func.count().label("applicable"),
                (func.count() - func.count(pairs.c.reason)).label("from_records"),
            )
            .group_by(pairs.c[key])
            .subquery("counted")
        )
        yield (
            f"{name}: counts that differ from the ledger's pairs less the gaps",
            sa.select(counted.c[key])
            .join(table, table.c[key] == counted.c[key], isouter=True)
            .where(
                sa.or_(
                    func.coalesce(table.c.applicable_pairs, -1) != counted.c.applicable,
                    func.coalesce(table.c.from_records_pairs, -1) != counted.c.from_records,
                )
            ),
        )
    counted = (
        sa.select(pairs.c.district, pairs.c.indicator, pairs.c.reason, func.count().label("pairs"))
        .where(pairs.c.reason.is_not(None))
        .group_by(pairs.c.district, pairs.c.indicator, pairs.c.reason)
        .subquery("counted")
    )
    keys = [counted.c[key] == reason.c[key] for key in ("district", "indicator", "reason")]
    yield (
        "once_only_reason: counts that differ from the gaps",
        sa.select(counted.c.district)
        .join(reason, sa.and_(*keys), isouter=True)
        .where(func.coalesce(reason.c.pairs, -1) != counted.c.pairs),
    )


def _absent(some: sa.Subquery, there: sa.Subquery) -> Select:
    """Enterprises of `some` that are not in `there`."""
    return sa.select(some.c.uscc).where(some.c.uscc.not_in(sa.select(there.c.uscc))).distinct()


def _same(some: sa.Subquery, other: sa.Subquery, name: str) -> ColumnElement[bool]:
    """The same enterprise, and the same `name` of it."""
    return sa.and_(some.c.uscc == other.c.uscc, some.c[name] == other.c[name])


def _units(figure: ColumnElement) -> ColumnElement[int]:
    """An exact figure as a whole number of its last decimals: sums and comparisons are exact on every store."""
    assert isinstance(figure.type, ExactDecimal)
    units = sa.literal_column(str(10**figure.type.scale), sa.Integer)
    return cast(func.round(figure * units, type_=sa.Numeric), BigInteger)


def _place(points: sa.Subquery, scope: ColumnElement | None = None) -> ColumnElement[int]:
    """Competition rank (1, 2, 2, 4) by total, highest first."""
    return func.rank().over(partition_by=scope, order_by=_units(points.c.total).desc())
