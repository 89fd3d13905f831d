"""Which way a formula moves as one thing that it reads grows: up, down, either, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from include.schemes.expression import Arithmetic, Case, Choice, Irrational, Measure, Node, Ratio, walk
from include.schemes.reach import NOTHING_KNOWN, Reach, reach

Ways = frozenset[int]
"""Some of 1 (up) and -1 (down)."""

STILL, EITHER = Ways(), Ways({1, -1})


def slope(node: Node, name: str, known: Mapping[str, Reach] = NOTHING_KNOWN) -> Ways:
    """The ways in which the node may move as `name` grows, all measures being within what is `known` of them. A way
    that is not among them is sure never to be taken; one that is may be never taken too.
    """

    def of(part: Node) -> Ways:
        return slope(part, name, known)

    match node:
        case Measure(name=read) if read == name:
            return Ways({1})
        case _ if all(part.name != name for part in walk(node) if isinstance(part, Measure)):
            return STILL
        case Arithmetic(sign="*", left=left, right=right):
            return _turned(of(left), _signs(right, known)) | _turned(of(right), _signs(left, known))
        case Arithmetic(sign=sign, left=left, right=right):
            return of(left) | _turned(of(right), Ways({1 if sign == "+" else -1}))
        case Ratio(numerator=above, denominator=below) if _signs(below, known) != EITHER:
            back = _turned(_signs(above, known), Ways({-1}))
            return _turned(of(above), _signs(below, known)) | _turned(of(below), back)
        case Choice(options=options):
            return _either(of(option) for option in options)
        case Case(whens=whens, otherwise=otherwise) if not any(of(when) for when, _ in whens):
            return _either(of(outcome) for outcome in (*(outcome for _, outcome in whens), otherwise))
        case Irrational(function="ln" | "exp" | "sqrt", arguments=[base]):
            return of(base)
    return EITHER


def _signs(node: Node, known: Mapping[str, Reach]) -> Ways:
    """Where the node's values may lie: above 0 (1), below it (-1)."""
    span = reach(node, known)
    above, below = span.high is None or span.high > 0, span.low is None or span.low < 0
    return Ways({1} if above else ()) | Ways({-1} if below else ())


def _turned(ways: Ways, signs: Ways) -> Ways:
    return Ways(way * sign for way in ways for sign in signs)


def _either(found: Iterable[Ways]) -> Ways:
    return frozenset().union(*found)
