"""Curves of the nightly score: every shape of the grammar (`shapes.py`) as one table of segments, exact on both axes.

Raw points run from 0 to 100, a penalty's from -100 to 0.

A segment is a half-open interval [lower, upper) of the value with the raw points at both ends, straight between.
The axis is scaled integers, so an interval closed on the other side, (a, b], is [a + 1, b + 1) in the last decimal:
one form serves both edges. A logarithm or a root becomes knots computed once; none runs when points are given.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import numpy as np

from include.kernel.exact import from_scaled, ratio_half_up, to_scaled
from include.kernel.irrational import DIGITS, decimal_of
from include.kernel.whole import LIMIT, large, narrow
from include.schemes.model import POINT_DECIMALS, Direction, Edge
from include.schemes.shapes import Bands, CurveError, Jumps, Line, Threshold, form_name, read_shape

STRETCHED = ("log", "log_linear", "sqrt_linear")
"""Forms that become knots."""

FULL = 100 * 10**POINT_DECIMALS
"""100 raw points in thousandths."""


@dataclass(frozen=True)
class Segment:
    """Raw points (thousandths) over [lower, upper) of the scaled value; None is without end. Outer ends are flat."""

    number: int
    lower: int | None
    upper: int | None
    start: int
    end: int

    @property
    def is_flat(self) -> bool:
        return self.start == self.end

    @property
    def rise(self) -> Fraction:
        """Raw points (thousandths) per unit of the scaled value."""
        if self.is_flat or self.lower is None or self.upper is None:
            return Fraction(0)
        return Fraction(self.end - self.start, self.upper - self.lower)

    def points(self, scaled: int) -> int:
        """Raw points in thousandths, half up."""
        if self.is_flat or self.lower is None or self.upper is None:
            return self.start
        width = self.upper - self.lower
        return ratio_half_up(self.start * width + (scaled - self.lower) * (self.end - self.start), width, 0)


@dataclass(frozen=True)
class Hit:
    """Where a value fell: its segment, the raw points, and the nearest place above or below it at an edge of the curve
    that gives more, with what it gives more (None: there is none).
    """

    segment: Segment
    raw_points: Decimal
    next_at: Decimal | None
    gain_at_next: Decimal | None


@dataclass(frozen=True)
class Curve:
    """A compiled curve. `decimals` is the scale of the segment table; values arrive with `value_decimals` <= that.

    `thresholds`: where the points jump; a value that rounding would carry over one stays on its own side.
    """

    form: str
    decimals: int
    value_decimals: int
    segments: tuple[Segment, ...]
    thresholds: tuple[Threshold, ...] = ()

    @property
    def cap(self) -> int:
        """The best raw points it can give, in thousandths (0 for a penalty)."""
        return max(max(segment.start, segment.end) for segment in self.segments)

    @property
    def floor(self) -> int:
        """The worst raw points it can give, in thousandths."""
        return min(min(segment.start, segment.end) for segment in self.segments)

    def segment_of(self, value: Decimal) -> Hit:
        """The segment hit by a value, for explanations."""
        scaled = self._scaled(value)
        segment = self._piece(scaled)
        points = segment.points(scaled)
        told = ((place, self._piece(place).points(place)) for place in self._places_at_edges())
        better = [(place, more) for place, more in told if more > points]
        if not better:
            return Hit(segment, _points(points), None, None)
        place, more = min(better, key=lambda edge: (abs(edge[0] - scaled), edge[0] < scaled))
        at = from_scaled(place // 10 ** (self.decimals - self.value_decimals), self.value_decimals)
        return Hit(segment, _points(points), at, _points(more - points))

    @property
    def edges(self) -> list[tuple[Segment, Segment]]:
        """The pieces that meet at each edge of the rule. The inner knots of a stretched curve (a logarithm, a root) are
        no edges of the rule, only of its arithmetic.
        """
        pairs = list(pairwise(self.segments))
        return [pairs[0], pairs[-1]] if form_name(self.form) in STRETCHED else pairs

    def _places_at_edges(self) -> Iterator[int]:
        """Places that a value may have: where the piece above an edge begins, and where a flat one below it ends."""
        unit = 10 ** (self.decimals - self.value_decimals)
        for below, above in self.edges:
            assert above.lower is not None, "only the first segment is without a lower end"
            if above.is_flat or above.lower % unit == 0:
                yield -(-above.lower // unit) * unit
            if below.is_flat:
                yield (above.lower - 1) // unit * unit

    def _piece(self, scaled: int) -> Segment:
        return self.segments[bisect_right(self._lowers, scaled)]

    @cached_property
    def _lowers(self) -> list[int]:
        return [segment.lower for segment in self.segments if segment.lower is not None]

    def points_at(self, value: Decimal) -> Decimal:
        """Raw points of a value; the reference that `hits` must equal."""
        return self.segment_of(value).raw_points

    def hits(self, values: np.ndarray, decimals: int) -> tuple[np.ndarray, np.ndarray]:
        """For whole numbers in units of 10**-decimals: the number of the segment hit, and the raw points."""
        unit = 10 ** (decimals - self.decimals)
        lowers = _whole([segment.lower * unit for segment in self.segments if segment.lower is not None])
        if lowers.dtype == object:
            values = large(values)
        x = narrow(np.clip(values, lowers[0] - 1, lowers[-1]))  # beyond the ends it is flat
        hit = np.asarray(np.searchsorted(lowers, x, side="right"))
        points = _whole([segment.start for segment in self.segments])[hit]
        rises = [segment.rise / unit for segment in self.segments]
        if any(rises):
            # Curves do not cross zero: both ends of every segment have one sign, and half up is half away from zero.
            sign = -1 if self.floor < 0 else 1
            wide = [
                2 * (s.upper - s.lower) * unit for s in self.segments if s.upper is not None and s.lower is not None
            ]
            if max(wide) * max(abs(rise.numerator) for rise in rises) > LIMIT // 2:
                x = large(x)
            above = _whole([sign * rise.numerator for rise in rises])
            below = _whole([rise.denominator for rise in rises])
            along = (x - np.concatenate([lowers[:1], lowers])[hit]) * above[hit]
            moved = (2 * along + below[hit]) // (2 * below[hit])
            points = narrow(points + sign * moved)
        return hit + 1, points

    def breaks_order(self, direction: Direction) -> Segment | None:
        """The first segment that contradicts the direction: a finite proof of monotonicity. None when it holds."""
        sign = {"higher_better": 1, "boolean": 1, "lower_better": -1, "penalty": -1, "range": 0}[direction]
        before = self.segments[0].start
        for segment in self.segments:
            if sign * (segment.start - before) < 0 or sign * (segment.end - segment.start) < 0:
                return segment
            before = segment.end
        return None

    def _scaled(self, value: Decimal) -> int:
        return to_scaled(value, self.value_decimals) * 10 ** (self.decimals - self.value_decimals)


def compile_curve(
    form: str, *, decimals: int, edge: Edge = "[a,b)", knot_every: int = 5, knot_decimals: int = 6
) -> Curve:
    """`form` as segments for values of `decimals` places.

    `edge` is the rule for step thresholds without a sign of their own; a stretched curve gets a knot every `knot_every`
    raw points, written with `knot_decimals` places (or the value's, if more), so that counts of 1, 2, 3 keep their own
    points.
    """
    shape = read_shape(form, edge=edge)
    match shape:
        case Bands():
            raise CurveError("points that an expert chooses need a scheme with a tree")
        case Jumps():
            thresholds = tuple(threshold for threshold, _ in shape.steps)
            return Curve(form, decimals, decimals, _flat(shape, decimals), thresholds)
        case Line(scale="linear"):
            return Curve(form, decimals, decimals, _straight(shape, decimals))
        case _:
            scale = max(decimals, knot_decimals)
            return Curve(form, scale, decimals, _stretched(shape, scale, knot_every))


def _straight(line: Line, decimals: int) -> tuple[Segment, ...]:
    if min(line.outcomes) < 0 < max(line.outcomes):
        raise CurveError("points of both signs need a scheme with a tree")
    return _between([(_place(place, decimals), _raw(points)) for place, points in line.knots])


def _stretched(line: Line, decimals: int, knot_every: int) -> tuple[Segment, ...]:
    """Straight pieces between knots on the stretched axis, one every so many raw points."""
    if 100 % knot_every:
        raise CurveError(f"knots every {knot_every} raw points do not end at 100")
    (first, start), (last, end) = line.knots
    low, high = _place(first, decimals), _place(last, decimals)
    count, shift = 100 // knot_every, decimal_of(line.shift)
    ends = [DIGITS.add(decimal_of(place), shift) for place in (first, last)]
    left, right = (DIGITS.sqrt(end) if line.scale == "sqrt" else DIGITS.ln(end) for end in ends)
    knots = []
    for i in range(count + 1):
        along = DIGITS.add(left, DIGITS.divide(DIGITS.multiply(DIGITS.subtract(right, left), i), count))
        back = DIGITS.multiply(along, along) if line.scale == "sqrt" else DIGITS.exp(along)
        x = DIGITS.subtract(back, shift).scaleb(decimals, DIGITS)
        place = low if i == 0 else high if i == count else int(x.to_integral_value(ROUND_HALF_UP))
        knots.append((place, _raw(start + (end - start) * Fraction(i, count))))
    if any(after[0] <= before[0] for before, after in pairwise(knots)):
        raise CurveError("log knots fall on one value; declare more knot decimals")
    return _between(knots)


def _flat(jumps: Jumps, decimals: int) -> tuple[Segment, ...]:
    """Constant pieces from each threshold to the next; just past a threshold is the next scaled value."""
    steps: list[tuple[int | None, int]] = [(None, _raw(jumps.below))]
    for threshold, points in jumps.steps:
        lower = _place(threshold.place, decimals) + threshold.past
        if steps[-1][0] == lower:  # between neighbouring codes of a lookup lies no value
            steps.pop()
        steps.append((lower, _raw(points)))
    uppers = [threshold for threshold, _ in steps[1:]] + [None]
    rows = [(lower, upper, points, points) for (lower, points), upper in zip(steps, uppers, strict=True)]
    return tuple(Segment(number, *row) for number, row in enumerate(rows, start=1))


def _between(knots: list[tuple[int, int]]) -> tuple[Segment, ...]:
    """Straight pieces between knots, flat outside."""
    pieces = [(left[0], right[0], left[1], right[1]) for left, right in pairwise(knots)]
    (first, low), (last, high) = knots[0], knots[-1]
    rows = [(None, first, low, low), *pieces, (last, None, high, high)]
    return tuple(Segment(number, *row) for number, row in enumerate(rows, start=1))


def _place(place: Fraction, decimals: int) -> int:
    scaled = place * 10**decimals
    if scaled.denominator != 1:
        raise CurveError(f"{decimal_of(place).normalize()}: more than {decimals} decimals")
    return scaled.numerator


def _raw(points: Fraction) -> int:
    scaled = points * 10**POINT_DECIMALS
    if scaled.denominator != 1:
        raise CurveError(f"points {decimal_of(points).normalize()}: more than {POINT_DECIMALS} decimals")
    return scaled.numerator


def _points(thousandths: int) -> Decimal:
    return from_scaled(thousandths, POINT_DECIMALS)


def _whole(numbers: Sequence[int]) -> np.ndarray:
    return narrow(np.array(numbers, object))
