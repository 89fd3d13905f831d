"""Curves: every form of the grammar becomes one table of segments, exact on both axes.

Forms: `linear(a; b)`, `growth(a; b)` (the same, on a growth rate), `log(s; cap)`, `step(t1:p1; t2:p2; …)`,
`band(a; b; c; d)`, `bool(1:100; 0:0)`, `penalty(n:p; …)`. Raw points run from 0 to 100, a penalty's from -100 to 0.

A segment is a half-open interval [lower, upper) of the value with the raw points at both ends, straight between.
The axis is scaled integers, so an interval closed on the other side, (a, b], is [a + 1, b + 1) in the last decimal:
one form serves both edges. `log` becomes knots computed once in 40 digits; no logarithm runs when points are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from include.kernel.exact import from_scaled, parse_decimal, ratio_half_up, to_scaled
from include.schemes.formula_sql import half_up_within_sql
from include.schemes.model import POINT_DECIMALS, Direction
from include.schemes.reading import nearest

FULL = 100 * 10**POINT_DECIMALS
"""100 raw points in thousandths."""

_FORM = re.compile(r"([a-z]+)\(([^()]*)\)")
_DIGITS = Context(prec=40)

Edge = Literal["[a,b)", "(a,b]"]


class CurveError(ValueError):
    """What is wrong with a curve; the compiler adds the file and the key."""


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

    def points(self, scaled: int) -> int:
        """Raw points in thousandths, half up."""
        if self.is_flat or self.lower is None or self.upper is None:
            return self.start
        width = self.upper - self.lower
        return ratio_half_up(self.start * width + (scaled - self.lower) * (self.end - self.start), width, 0)


@dataclass(frozen=True)
class Hit:
    """Where a value fell: its segment, the raw points, and how far the next edge above is (None: there is none)."""

    segment: Segment
    raw_points: Decimal
    to_next: Decimal | None
    gain_at_next: Decimal | None


@dataclass(frozen=True)
class Curve:
    """A compiled curve. `decimals` is the scale of the segment table; values arrive with `value_decimals` <= that."""

    form: str
    decimals: int
    value_decimals: int
    segments: tuple[Segment, ...]

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
        segment = next(s for s in self.segments if s.upper is None or scaled < s.upper)
        points = segment.points(scaled)
        if segment.upper is None:
            return Hit(segment, _points(points), None, None)
        there = self.segments[segment.number].start
        distance = from_scaled(segment.upper - scaled, self.decimals)
        return Hit(segment, _points(points), distance, _points(there - points))

    def points_at(self, value: Decimal) -> Decimal:
        """Raw points of a value; the reference that the SQL must equal."""
        return self.segment_of(value).raw_points

    def axis_sql(self, column: str, decimals: int) -> str:
        """A whole-number column in units of 10**-decimals as BIGINT, cut to just beyond the ends, where it is flat."""
        bounds = [segment.lower for segment in self.segments if segment.lower is not None]
        low, high = self._at(bounds[0], decimals) - 1, self._at(bounds[-1], decimals)
        cut = f"CASE WHEN {column} < {low} THEN {low} WHEN {column} > {high} THEN {high} ELSE {column} END"
        return f"CAST({cut} AS BIGINT)"

    def points_sql(self, x: str, decimals: int) -> str:
        """Raw points in thousandths (BIGINT) at `x`, a column made by `axis_sql`."""
        return self._tree_sql(x, decimals, lambda segment: self._segment_sql(segment, x, decimals))

    def number_sql(self, x: str, decimals: int) -> str:
        """The number of the segment hit at `x`."""
        return self._tree_sql(x, decimals, lambda segment: str(segment.number))

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

    def _at(self, place: int, decimals: int) -> int:
        return place * 10 ** (decimals - self.decimals)

    def _tree_sql(self, x: str, decimals: int, leaf: Callable[[Segment], str]) -> str:
        """A balanced CASE over the lower bounds: few comparisons per row whatever the number of segments."""

        def tree(segments: tuple[Segment, ...]) -> str:
            if len(segments) == 1:
                return leaf(segments[0])
            middle = len(segments) // 2
            lower = segments[middle].lower
            assert lower is not None, "only the first segment is without a lower end"
            below, above = tree(segments[:middle]), tree(segments[middle:])
            return f"CASE WHEN {x} < {self._at(lower, decimals)} THEN {below} ELSE {above} END"

        return f"CASE WHEN {x} IS NOT NULL THEN {tree(self.segments)} END"

    def _segment_sql(self, segment: Segment, x: str, decimals: int) -> str:
        """The straight line over one segment, in 64 bits where its own bounds prove that they suffice."""
        if segment.is_flat or segment.lower is None or segment.upper is None:
            return f"CAST({segment.start} AS BIGINT)"
        lower, upper = self._at(segment.lower, decimals), self._at(segment.upper, decimals)
        rise = Fraction(segment.end - segment.start, upper - lower)
        largest = 2 * max(abs(segment.start), abs(segment.end)) * rise.denominator + 2 * (upper - lower) * abs(
            rise.numerator
        )
        width = "BIGINT" if largest + rise.denominator < 2**63 else "HUGEINT"
        along = f"(CAST({x} AS {width}) - {lower}) * {rise.numerator} + {segment.start * rise.denominator}"
        below_zero = min(segment.start, segment.end) < 0  # curves do not cross zero: both ends have one sign
        return f"CAST({half_up_within_sql(along, rise.denominator, negative=below_zero)} AS BIGINT)"


def compile_curve(
    form: str, *, decimals: int, edge: Edge = "[a,b)", knot_every: int = 5, knot_decimals: int = 6
) -> Curve:
    """`form` as segments for values of `decimals` places.

    `edge` is the scheme's rule for step thresholds; a `log` gets a knot every `knot_every` raw points, written with
    `knot_decimals` places (or the value's, if more), so that counts of 1, 2, 3 keep their own points.
    """
    match = _FORM.fullmatch(form.strip())
    if match is None:
        raise CurveError(f"not a curve: {form!r:.80}; write name(argument; …)")
    name, arguments = match.group(1), [part.strip() for part in match.group(2).split(";")]
    if name not in _FORMS:
        near = nearest(name, list(_FORMS))
        hint = f" (did you mean {near}?)" if near else ""
        raise CurveError(f"unknown curve {name!r}{hint}; allowed are {', '.join(_FORMS)}")
    scale = max(decimals, knot_decimals) if name == "log" else decimals
    segments = _FORMS[name](arguments, _Axis(scale, edge, knot_every))
    return Curve(form, scale, decimals, segments)


@dataclass(frozen=True)
class _Axis:
    decimals: int
    edge: Edge
    knot_every: int

    def place(self, text: str) -> int:
        try:
            return to_scaled(parse_decimal(text), self.decimals)
        except ValueError as error:
            raise CurveError(f"{text!r:.40}: {error}") from None

    def threshold(self, text: str) -> int:
        """The first scaled value that belongs to the upper side of a step."""
        return self.place(text) + (self.edge == "(a,b]")


def _linear(arguments: list[str], axis: _Axis) -> tuple[Segment, ...]:
    places = _places(arguments, axis, ["a", "b"])
    return _between(list(zip(places, [0, FULL], strict=True)))


def _band(arguments: list[str], axis: _Axis) -> tuple[Segment, ...]:
    places = _places(arguments, axis, ["a", "b", "c", "d"])
    return _between(list(zip(places, [0, FULL, FULL, 0], strict=True)))


def _log(arguments: list[str], axis: _Axis) -> tuple[Segment, ...]:
    scale, cap = _places(arguments, axis, ["s", "cap"], ascending=False)
    if scale <= 0 or cap <= 0:
        raise CurveError("log needs s > 0 and cap > 0")
    if 100 % axis.knot_every:
        raise CurveError(f"knots every {axis.knot_every} raw points do not end at 100")
    count = 100 // axis.knot_every
    knots = []
    with localcontext(_DIGITS):
        growth = (1 + Decimal(cap) / Decimal(scale)).ln()
        for i in range(count + 1):
            x = Decimal(scale) * ((growth * i / count).exp() - 1)
            place = cap if i == count else int(x.to_integral_value(ROUND_HALF_UP))
            knots.append((place, FULL * i // count))
    if any(right[0] <= left[0] for left, right in pairwise(knots)):
        raise CurveError("log knots fall on one value; declare more knot decimals")
    return _between(knots)


def _step(arguments: list[str], axis: _Axis) -> tuple[Segment, ...]:
    steps = _pairs(arguments, axis)
    if any(right[0] <= left[0] for left, right in pairwise(steps)):
        raise CurveError("step thresholds must ascend")
    # Below the first threshold there are no points.
    return _flat([(None, 0), *steps])


def _rising_step(arguments: list[str], axis: _Axis) -> tuple[Segment, ...]:
    segments = _step(arguments, axis)
    if any(segment.start < 0 for segment in segments):
        raise CurveError("a step's points are not negative; deductions are a penalty(…)")
    return segments


def _bool(arguments: list[str], axis: _Axis) -> tuple[Segment, ...]:
    pairs = dict(argument.split(":", 1) for argument in arguments if ":" in argument)
    if len(arguments) != 2 or sorted(pairs) != ["0", "1"]:
        raise CurveError("bool needs the points of both answers: bool(1:100; 0:0)")
    one = 10**axis.decimals
    return _flat([(None, _raw(pairs["0"])), (one, _raw(pairs["1"]))])


def _penalty(arguments: list[str], axis: _Axis) -> tuple[Segment, ...]:
    segments = _step(arguments, axis)
    if any(not -FULL <= segment.start <= 0 for segment in segments):
        raise CurveError("a penalty's points lie between -100 and 0")
    return segments


_FORMS: dict[str, Callable[[list[str], _Axis], tuple[Segment, ...]]] = {
    "linear": _linear,
    "growth": _linear,
    "log": _log,
    "step": _rising_step,
    "band": _band,
    "bool": _bool,
    "penalty": _penalty,
}


def _places(arguments: list[str], axis: _Axis, names: list[str], *, ascending: bool = True) -> list[int]:
    if len(arguments) != len(names):
        raise CurveError(f"takes {len(names)} numbers ({'; '.join(names)}), found {len(arguments)}")
    places = [axis.place(argument) for argument in arguments]
    if ascending and any(right <= left for left, right in pairwise(places)):
        raise CurveError(f"{' < '.join(names)} must hold")
    return places


def _pairs(arguments: list[str], axis: _Axis) -> list[tuple[int, int]]:
    pairs = []
    for argument in arguments:
        threshold, colon, points = argument.partition(":")
        if not colon:
            raise CurveError(f"write threshold:points, found {argument!r:.40}")
        pairs.append((axis.threshold(threshold.strip()), _raw(points)))
    return pairs


def _raw(text: str) -> int:
    try:
        points = to_scaled(parse_decimal(text.strip()), POINT_DECIMALS)
    except ValueError as error:
        raise CurveError(f"points {text!r:.40}: {error}") from None
    if not -FULL <= points <= FULL:
        raise CurveError(f"points {text!r:.40} lie outside -100 to 100")
    return points


def _between(knots: list[tuple[int, int]]) -> tuple[Segment, ...]:
    """Straight pieces between knots, flat outside."""
    pieces = [(left[0], right[0], left[1], right[1]) for left, right in pairwise(knots)]
    (first, low), (last, high) = knots[0], knots[-1]
    rows = [(None, first, low, low), *pieces, (last, None, high, high)]
    return tuple(Segment(number, *row) for number, row in enumerate(rows, start=1))


def _flat(steps: list[tuple[int | None, int]]) -> tuple[Segment, ...]:
    """Constant pieces from each threshold to the next."""
    uppers = [threshold for threshold, _ in steps[1:]] + [None]
    rows = [(lower, upper, points, points) for (lower, points), upper in zip(steps, uppers, strict=True)]
    return tuple(Segment(number, *row) for number, row in enumerate(rows, start=1))


def _points(thousandths: int) -> Decimal:
    return from_scaled(thousandths, POINT_DECIMALS)
