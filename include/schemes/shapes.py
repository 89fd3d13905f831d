"""The curve grammar: each form is read into an exact shape, which knows the points of any exact value.

    linear(a; b)            0 at a, full at b, straight between, flat outside; b below a: less is better
    growth(a; b)            the same, on a growth rate
    log_linear(a; b)        the same on the logarithm of the value (both above 0); sqrt_linear(a; b) on its square root
    log(s; cap)             full x ln(1 + x/s) / ln(1 + cap/s), from 0 to cap
    piecewise(x:p; …)       straight between the named points, flat outside
    band(a; b; c; d)        0 at a, full from b to c, 0 at d
    step(t:p; …)            p from the threshold t on, 0 (or `below:p`, written first) under the first one
    per_item(p; cap)        p for every whole item, never more than cap
    bool(1:p; 0:q)          yes and no
    lookup(c:p; …; otherwise:q)   p exactly at the code c, q at any other
    penalty(n:p; …)         a step whose points are not positive
    given(low; high)        the value itself is the points
    chosen(t:low-high; …)   a step of bands, inside which an expert chooses the points

A threshold t belongs to its upper side (`>=t` or edge `[a,b)`) or to its lower side (`>t` or edge `(a,b]`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from include.kernel.exact import parse_decimal
from include.kernel.irrational import DIGITS, decimal_of, kept, recognised
from include.schemes.model import Edge
from include.schemes.reading import nearest

Scale = Literal["linear", "log", "sqrt"]

MOST_STEPS = 1000

_FORM = re.compile(r"([a-z_]+)\(([^()]*)\)")
_BAND = re.compile(r"(\d[\d.]*)-(\d[\d.]*)")


class CurveError(ValueError):
    """What is wrong with a curve; the compiler adds the file and the key."""


@dataclass(frozen=True)
class Threshold:
    """Where a new piece begins: at `place`, or just past it."""

    place: Fraction
    past: bool

    def reached(self, value: Fraction) -> bool:
        return value > self.place if self.past else value >= self.place


def no_room(thresholds: Iterable[Threshold], decimals: int) -> str | None:
    """Just past one place and just before the next that can be shown, a rounded value cannot be shown on its side."""
    drawn, unit = set(thresholds), Fraction(1, 10**decimals)
    for line in sorted(drawn, key=lambda one: one.place):
        if line.past and (line.place / unit).denominator == 1 and Threshold(line.place + unit, past=False) in drawn:
            here, there = (f"{decimal_of(place).normalize():f}" for place in (line.place, line.place + unit))
            return f"between {here} and {there}, which are told apart from it, lies no value of {decimals} decimals"
    return None


@dataclass(frozen=True)
class Jumps:
    """Constant pieces: `below` until the first threshold, then each piece's points until the next."""

    below: Fraction
    steps: tuple[tuple[Threshold, Fraction], ...]

    @property
    def outcomes(self) -> list[Fraction]:
        """The points from the lowest values to the highest."""
        return [self.below, *(points for _, points in self.steps)]

    def at(self, value: Fraction) -> Fraction:
        return next((points for threshold, points in reversed(self.steps) if threshold.reached(value)), self.below)


@dataclass(frozen=True)
class Line:
    """Straight pieces between knots on an axis that may be stretched (ln or square root of value + shift)."""

    knots: tuple[tuple[Fraction, Fraction], ...]
    scale: Scale = "linear"
    shift: Fraction = Fraction(0)

    @property
    def outcomes(self) -> list[Fraction]:
        return [points for _, points in self.knots]

    def at(self, value: Fraction) -> Fraction:
        if value <= self.knots[0][0]:
            return self.knots[0][1]
        for (left, low), (right, high) in pairwise(self.knots):
            if value <= right:
                return low + (high - low) * self._share(left, value, right)
        return self.knots[-1][1]

    def _share(self, left: Fraction, value: Fraction, right: Fraction) -> Fraction:
        if self.scale == "linear":
            return (value - left) / (right - left)
        if value == right:
            return Fraction(1)
        low, here, high = (_stretch(place + self.shift, self.scale) for place in (left, value, right))
        return recognised(kept(DIGITS.divide(DIGITS.subtract(here, low), DIGITS.subtract(high, low))))


@lru_cache(maxsize=1024)  # the ends of a curve are asked for with every value
def _stretch(place: Fraction, scale: Scale) -> Decimal:
    return DIGITS.sqrt(decimal_of(place)) if scale == "sqrt" else DIGITS.ln(decimal_of(place))


@dataclass(frozen=True)
class Bands:
    """What an expert may choose: an interval of points from each threshold on; `below` before the first."""

    below: tuple[Fraction, Fraction]
    steps: tuple[tuple[Threshold, tuple[Fraction, Fraction]], ...]

    @property
    def outcomes(self) -> list[Fraction]:
        """The lowest and highest points of each band, from the lowest values to the highest."""
        return [end for band in [self.below, *(band for _, band in self.steps)] for end in band]

    def at(self, value: Fraction) -> tuple[Fraction, Fraction]:
        return next((band for threshold, band in reversed(self.steps) if threshold.reached(value)), self.below)


Shape = Jumps | Line | Bands


def read_shape(
    form: str, *, full: Fraction = Fraction(100), edge: Edge | None = None, words: Mapping[str, int] | None = None
) -> Shape:
    """`form` as a shape whose best points are `full`.

    `edge` serves the thresholds that carry no sign of their own; without it they are refused. `words` are the codes
    that a lookup may name.
    """
    match = _FORM.fullmatch(form.strip())
    if match is None:
        raise CurveError(f"not a curve: {form!r:.80}; write name(argument; …)")
    name, arguments = match.group(1), [part.strip() for part in match.group(2).split(";")]
    if name not in FORMS:
        near = nearest(name, list(FORMS))
        hint = f" (did you mean {near}?)" if near else ""
        raise CurveError(f"unknown curve {name!r}{hint}; allowed are {', '.join(FORMS)}")
    return FORMS[name](_Arguments(arguments, full, edge, words or {}))


def form_name(form: str) -> str:
    """`step(1:2)` → step"""
    return form.strip().partition("(")[0]


@dataclass(frozen=True)
class _Arguments:
    given: list[str]
    full: Fraction
    edge: Edge | None
    words: Mapping[str, int]

    def numbers(self, *names: str) -> list[Fraction]:
        if len(self.given) != len(names):
            raise CurveError(f"takes {len(names)} numbers ({'; '.join(names)}), found {len(self.given)}")
        return [_number(text) for text in self.given]

    def ascending(self, *names: str) -> list[Fraction]:
        places = self.numbers(*names)
        if any(right <= left for left, right in pairwise(places)):
            raise CurveError(f"{' < '.join(names)} must hold")
        return places

    def pairs(self, of: list[str] | None = None) -> list[tuple[str, str]]:
        found = []
        for argument in self.given if of is None else of:
            left, colon, right = argument.partition(":")
            if not colon:
                raise CurveError(f"write threshold:points, found {argument!r:.40}")
            found.append((left.strip(), right.strip()))
        return found

    def threshold(self, text: str) -> Threshold:
        if text.startswith(">="):
            return Threshold(_number(text[2:].strip()), past=False)
        if text.startswith(">"):
            return Threshold(_number(text[1:].strip()), past=True)
        place = _number(text)
        if self.edge is None:
            raise CurveError(f"on which side does {text} lie? write >={text} or >{text}, or give the curve's edge")
        return Threshold(place, past=self.edge == "(a,b]")

    def points(self, text: str) -> Fraction:
        try:
            points = Fraction(parse_decimal(text))
        except ValueError as error:
            raise CurveError(f"points {text!r:.40}: {error}") from None
        if not -self.full <= points <= self.full:
            raise CurveError(f"points {text!r:.40} lie outside -{self.full} to {self.full}")
        return points


def _number(text: str) -> Fraction:
    try:
        return Fraction(parse_decimal(text))
    except ValueError as error:
        raise CurveError(f"{text!r:.40}: {error}") from None


def _linear(given: _Arguments) -> Line:
    return Line(_rise_or_fall(given))


def _growth(given: _Arguments) -> Line:
    a, b = given.ascending("a", "b")
    return Line(((a, Fraction(0)), (b, given.full)))


def _stretched(scale: Scale) -> Callable[[_Arguments], Line]:
    def read(given: _Arguments) -> Line:
        knots = _rise_or_fall(given)
        if knots[0][0] < 0 or (scale == "log" and knots[0][0] == 0):
            raise CurveError("log_linear needs a and b above 0" if scale == "log" else "sqrt_linear needs 0 <= a and b")
        return Line(knots, scale)

    return read


def _rise_or_fall(given: _Arguments) -> tuple[tuple[Fraction, Fraction], ...]:
    """Nothing at a, full at b; b may lie below a."""
    a, b = given.numbers("a", "b")
    if a == b:
        raise CurveError("a and b must differ")
    return tuple(sorted([(a, Fraction(0)), (b, given.full)]))


def _log(given: _Arguments) -> Line:
    scale, cap = given.numbers("s", "cap")
    if scale <= 0 or cap <= 0:
        raise CurveError("log needs s > 0 and cap > 0")
    return Line(((Fraction(0), Fraction(0)), (cap, given.full)), "log", scale)


def _piecewise(given: _Arguments) -> Line:
    knots = [(_number(x), given.points(points)) for x, points in given.pairs()]
    if len(knots) < 2 or any(right[0] <= left[0] for left, right in pairwise(knots)):
        raise CurveError("piecewise needs two or more knots in ascending order")
    return Line(tuple(knots))


def _band(given: _Arguments) -> Line:
    places = given.ascending("a", "b", "c", "d")
    return Line(tuple(zip(places, [Fraction(0), given.full, given.full, Fraction(0)], strict=True)))


def _step(given: _Arguments) -> Jumps:
    arguments, below = given.given, Fraction(0)
    if arguments[0].startswith("below"):
        below, arguments = given.points(given.pairs(arguments[:1])[0][1]), arguments[1:]
    steps = [(given.threshold(place), given.points(points)) for place, points in given.pairs(arguments)]
    _ascend([threshold for threshold, _ in steps])
    return Jumps(below, tuple(steps))


def _rising_step(given: _Arguments) -> Jumps:
    shape = _step(given)
    if any(points < 0 for points in shape.outcomes):
        raise CurveError("a step's points are not negative; deductions are a penalty(…)")
    return shape


def _penalty(given: _Arguments) -> Jumps:
    shape = _step(given)
    if any(points > 0 for points in shape.outcomes):
        raise CurveError(f"a penalty's points lie between -{given.full} and 0")
    return shape


def _per_item(given: _Arguments) -> Jumps:
    each, cap = given.numbers("p", "cap")
    if each <= 0 or not 0 < cap <= given.full:
        raise CurveError(f"per_item needs p > 0 and a cap between 0 and {given.full}")
    if cap / each > MOST_STEPS:
        raise CurveError(f"per_item reaches its cap after more than {MOST_STEPS} items; write linear(…)")
    items = -int(-cap // each)
    return Jumps(
        Fraction(0), tuple((Threshold(Fraction(n), past=False), min(n * each, cap)) for n in range(1, items + 1))
    )


def _bool(given: _Arguments) -> Jumps:
    pairs = dict(argument.split(":", 1) for argument in given.given if ":" in argument)
    if len(given.given) != 2 or sorted(pairs) != ["0", "1"]:
        raise CurveError("bool needs the points of both answers: bool(1:100; 0:0)")
    return Jumps(
        given.points(pairs["0"].strip()),
        ((Threshold(Fraction(1), past=False), given.points(pairs["1"].strip())),),
    )


def _lookup(given: _Arguments) -> Jumps:
    pairs = given.pairs()
    if pairs[-1][0] != "otherwise":
        raise CurveError("a lookup ends with otherwise:points, for every code it does not name")
    otherwise = given.points(pairs[-1][1])
    named: dict[Fraction, Fraction] = {}
    for text, points in pairs[:-1]:
        code = Fraction(given.words[text]) if text in given.words else _code(text, given.words)
        if code in named:
            raise CurveError(f"lookup: {text!r:.40} stands twice")
        named[code] = given.points(points)
    steps: list[tuple[Threshold, Fraction]] = []
    for code, found in sorted(named.items()):
        steps += [(Threshold(code, past=False), found), (Threshold(code, past=True), otherwise)]
    return Jumps(otherwise, tuple(steps))


def _code(text: str, words: Mapping[str, int]) -> Fraction:
    if not words:
        return _number(text)
    near = nearest(text, list(words))
    raise CurveError(f"lookup: unknown code {text!r:.40}" + (f" (did you mean {near}?)" if near else ""))


def _given(given: _Arguments) -> Line:
    low, high = given.ascending("low", "high")
    if high > given.full or low < -given.full:
        raise CurveError(f"given: {low} to {high} lies outside -{given.full} to {given.full}")
    return Line(((low, low), (high, high)))


def _chosen(given: _Arguments) -> Bands:
    bands = []
    for place, text in given.pairs():
        match = _BAND.fullmatch(text)
        if match is None:
            raise CurveError(f"write threshold:low-high, found {text!r:.40}")
        low, high = given.points(match.group(1)), given.points(match.group(2))
        if high < low:
            raise CurveError(f"a band runs from low to high, found {text!r:.40}")
        bands.append((given.threshold(place), (low, high)))
    _ascend([threshold for threshold, _ in bands])
    return Bands((Fraction(0), Fraction(0)), tuple(bands))


def _ascend(thresholds: list[Threshold]) -> None:
    """Strictly: between two thresholds there is room, or the first belongs to its upper side."""
    for left, right in pairwise(thresholds):
        if (right.place, right.past) <= (left.place, left.past):
            raise CurveError("step thresholds must ascend")


FORMS: dict[str, Callable[[_Arguments], Shape]] = {
    "linear": _linear,
    "growth": _growth,
    "log_linear": _stretched("log"),
    "sqrt_linear": _stretched("sqrt"),
    "log": _log,
    "piecewise": _piecewise,
    "band": _band,
    "step": _rising_step,
    "per_item": _per_item,
    "bool": _bool,
    "lookup": _lookup,
    "penalty": _penalty,
    "given": _given,
    "chosen": _chosen,
}
