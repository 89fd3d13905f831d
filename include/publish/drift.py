"""Has the city changed more than a night explains? Then the generation waits for a person.

Compared are the generation to be published and the one in force, in the districts that both hold: how many enterprises
a district has, its mean coverage, and by the population stability index the stages and the totals. The limits are
dated, in `drift.yaml`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from include.kernel.documents import read_yaml
from include.kernel.errors import TerminalError
from include.store.warehouse import PUBLISHED

BINS = 10
_EMPTY = 0.5  # an empty bin counts as half an enterprise: the index of a stage that dies out is large, not infinite


@dataclass(frozen=True)
class Standing:
    """Where one enterprise stands."""

    stage: str
    total: Decimal
    coverage: Decimal


City = dict[str, list[Standing]]
"""The enterprises of each district."""


def findings(connection: Connection, generation_id: int, in_force: int, as_of: date) -> list[str]:
    """One line per limit that is broken: shares and counts, never an enterprise."""
    return list(differences(_city(connection, in_force), _city(connection, generation_id), as_of))


def differences(before: City, after: City, as_of: date) -> Iterator[str]:
    """What has moved beyond its limit, in the city and in each district. Of few enterprises nothing is said but that
    none is left; a district that is new is no change.
    """
    least = _limit("enterprises_at_least", as_of)
    both = sorted(before.keys() & after.keys())
    city = [row for district in both for row in before[district]], [row for district in both for row in after[district]]
    districts = {district: (then, after.get(district, [])) for district, then in sorted(before.items())}
    for scope, (then, now) in {"city": city, **districts}.items():
        if len(then) < least and (now or not then):
            continue
        if abs(len(now) - len(then)) > len(then) * _limit("enterprises_changed", as_of):
            yield f"{scope}: {len(now)} enterprises, {len(then)} before"
        elif _coverage(then) - _coverage(now) > _limit("coverage_lost", as_of):
            yield f"{scope}: mean coverage {_coverage(now):.3f}, {_coverage(then):.3f} before"
        if len(now) < least:
            continue
        yield from _moved(f"{scope}: stages", [row.stage for row in then], [row.stage for row in now], as_of)
        edges = _edges([row.total for row in then])
        tenths_then, tenths_now = ([bisect_right(edges, row.total) for row in rows] for rows in (then, now))
        yield from _moved(f"{scope}: totals", tenths_then, tenths_now, as_of)


def stability_index(before: Sequence[Hashable], after: Sequence[Hashable]) -> float:
    """Population stability index of two samples of bins: the sum of (q - p) ln(q / p) over their shares p and q.

    >>> round(stability_index("aabb", "aaab"), 4)  # 0.25 ln(0.75 / 0.5) - 0.25 ln(0.25 / 0.5)
    0.2747
    """
    then, now = Counter(before), Counter(after)
    shares = [
        (max(then[bin_], _EMPTY) / len(before), max(now[bin_], _EMPTY) / len(after))
        for bin_ in then.keys() | now.keys()
    ]
    return math.fsum((q - p) * math.log(q / p) for p, q in shares)


def _moved(what: str, before: Sequence[Hashable], after: Sequence[Hashable], as_of: date) -> Iterator[str]:
    index, limit = stability_index(before, after), _limit("stability_index", as_of)
    if index > limit:
        yield f"{what} moved, stability index {index:.2f} of at most {limit}"


def _edges(totals: list[Decimal]) -> list[Decimal]:
    """Where the tenths of the earlier totals part; equal ones are one edge."""
    ordered = sorted(totals)
    return sorted({ordered[len(ordered) * part // BINS] for part in range(1, BINS)})


def _coverage(rows: list[Standing]) -> Decimal:
    return sum((row.coverage for row in rows), Decimal(0)) / len(rows)


def _city(connection: Connection, generation_id: int) -> City:
    profile, points = PUBLISHED["enterprise_profile"], PUBLISHED["enterprise_points"]
    rows = connection.execute(
        sa.select(profile.c.district, points.c.stage, points.c.total, points.c.coverage)
        .join(points, sa.and_(points.c.uscc == profile.c.uscc, points.c.generation_id == profile.c.generation_id))
        .where(profile.c.generation_id == generation_id)
    )
    city: City = defaultdict(list)
    for district, *standing in rows:
        city[district].append(Standing(*standing))
    return dict(city)


@cache
def _limits() -> dict[str, list[dict[str, Any]]]:
    return read_yaml(Path(__file__).with_name("drift.yaml"))


def _limit(name: str, as_of: date) -> Decimal:
    """The limit in force; before the first date it is undefined, which is an error and never a default."""
    held = [entry["value"] for entry in _limits()[name] if entry["from"] <= as_of]
    if not held:
        raise TerminalError(
            f"the drift limit {name} is undefined as of {as_of}", todo="add a dated entry to drift.yaml"
        )
    return Decimal(held[-1])
