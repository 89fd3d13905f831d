"""One ledger line worked out again, by the exact reference in Python: what explanations and comparisons stand on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from include.evidence.account import NextEdge
from include.kernel.exact import from_scaled, ratio_half_up, to_scaled
from include.schemes.compile import Compiled, CompiledIndicator
from include.schemes.curves import FULL, Hit
from include.schemes.model import POINT_DECIMALS

Measured = Mapping[str, Decimal | int | None]
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Derived:
    """An indicator of one enterprise. `hit` is None where there is no value; points are what the weight makes of it.

    `provisional`: the value stands in for one that is still to come.
    """

    applies: bool
    value: Decimal | None
    hit: Hit | None
    weight: Decimal
    points: Decimal
    provisional: bool


def derive(rules: Compiled, indicator: str, measured: Measured, stage: str) -> Derived:
    """The line of an indicator from the enterprise's measures, in a stage."""
    rule, weight = rules.indicators[indicator], rules.weights[stage][indicator]
    applies = True if rule.applicable is None else rule.applicable.evaluate(measured)
    found = rule.value(measured) if applies else None
    value = None if found is None else Decimal(found)
    hit = None if value is None else rule.curve.segment_of(value)
    points = weighted(hit.raw_points if hit else Decimal(0), weight)
    provisional = value is not None and rule.is_provisional(measured)
    return Derived(applies is not False, value, hit, from_scaled(weight, POINT_DECIMALS), points, provisional)


def ends(rule: CompiledIndicator, line: Derived, is_held_back: bool) -> tuple[Decimal, Decimal]:
    """The fewest and the most points that the line will have, in this stage, once all is known: its own where it is
    final. `is_held_back`: validation holds records of the enterprise in a dataset that the formula reads.
    """
    is_final = line.value is not None and not line.provisional and not is_held_back
    if is_final or not line.applies:
        return line.points, line.points
    weight = to_scaled(line.weight, POINT_DECIMALS)
    worst, best = (rule.curve.floor, 0) if rule.indicator.is_penalty else (0, rule.curve.cap)
    low, high = (weighted(from_scaled(raw, POINT_DECIMALS), weight) for raw in (worst, best))
    return low, high


def weighted(raw_points: Decimal, weight: int) -> Decimal:
    """Raw points times a weight in thousandths / 100, half up at three places."""
    return from_scaled(ratio_half_up(to_scaled(raw_points, POINT_DECIMALS) * weight, FULL, 0), POINT_DECIMALS)


def next_edge(hit: Hit, value: Decimal, points: Decimal, weight: int) -> NextEdge | None:
    """What it takes from `value` to the nearest edge that gives more, above or below; None where nothing gives more."""
    if hit.next_at is None or hit.gain_at_next is None:
        return None
    return NextEdge(
        at=hit.next_at,
        distance=abs(hit.next_at - value),
        raw_points_gain=hit.gain_at_next,
        points_gain=weighted(hit.raw_points + hit.gain_at_next, weight) - points,
    )


def with_numbers(expression: str, measured: Measured) -> str:
    """A formula with each measure's number in its place; `null` where nothing is held.

    >>> with_numbers("ratio(rd_yuan, revenue_yuan)", {"rd_yuan": Decimal("5.00"), "revenue_yuan": None})
    'ratio(5.00, null)'
    """

    def number(match: re.Match[str]) -> str:
        name = match.group()
        if name not in measured:
            return name
        value = measured[name]
        return "null" if value is None else f"{value}"

    return _WORD.sub(number, expression)
