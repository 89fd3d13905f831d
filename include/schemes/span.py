"""What a node of a tree may come to while some of its members are open: the least and the most, and whether nothing.

Sums, means and choices grow with their members, so their ends come from the members' ends; where an absent member is
left out, from those ends among which leaving it out gives less, or more. A formula lies within what it gives for
members between their ends, and within what it declares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from include.schemes.aggregate import aggregate, bounded, rounded
from include.schemes.expression import Node
from include.schemes.reach import Reach, reach
from include.schemes.status import NOT_APPLICABLE, NOT_HELD
from include.schemes.tree import Absence, NodeRule, Round

Weights = Mapping[str, Fraction]


@dataclass(frozen=True)
class Span:
    """Points from `low` to `high` (None: never any), or no points for one of the reasons in `absences`. `excusable`: it
    may be said not to apply, be it with points or without.
    """

    low: Fraction | None
    high: Fraction | None
    absences: frozenset[str] = frozenset()
    excusable: bool = False


Handling = Mapping[str, Absence]
"""What each reason of an absence does to the node."""


@dataclass(frozen=True)
class _Part:
    """A member as its node takes it: what it counts, whether it may be left out, whether it may take the result."""

    low: Fraction | None
    high: Fraction | None
    may_leave: bool
    may_break: bool


def node_span(rule: NodeRule, weights: Weights, members: Mapping[str, Span], handling: Handling) -> Span:
    """A node that is no formula, from its members, before its rounding. ValueError where a mean has no such number."""
    parts = {name: _part(span, handling) for name, span in members.items()}
    certain = sum(not span.absences for span in members.values())
    possible = sum(span.low is not None for span in members.values())
    at_least = rule.at_least or 0
    low = high = None
    if all(part.low is not None or part.may_leave for part in parts.values()) and possible >= at_least:
        low, high = (_end(rule, weights, parts, lowest=lowest) for lowest in (True, False))
    low, high = (None if end is None else bounded(rule, end) for end in (low, high))
    may_break = any(part.may_break for part in parts.values()) or all(part.may_leave for part in parts.values())
    zero = rule.zero == "no_result" and any(part.low is not None and part.low <= 0 for part in parts.values())
    lacking = may_break or certain < at_least or zero or low is None
    return Span(low, high, _reasons(members) if lacking else frozenset(), _all_excusable(members))


def as_shown(span: Span, rule: Round | None) -> Span:
    """Its ends as its points are rounded."""
    low, high = (None if end is None else rounded(end, rule) for end in (span.low, span.high))
    return replace(span, low=low, high=high)


def formula_span(
    rule: NodeRule, root: Node, known: Mapping[str, Reach], members: Mapping[str, Span], handling: Handling
) -> Span:
    """A formula node, what it reads being within what is `known`; of what else it reads it may be anything."""
    absences = _reasons(members), _all_excusable(members)
    parts = [_part(span, handling) for span in members.values()]
    if any(part.low is None and not part.may_leave for part in parts):
        return Span(None, None, *absences)
    found, (least, most) = reach(root, known), rule.declared
    low = least if found.low is None else min(max(found.low, least), most)
    high = most if found.high is None else min(max(found.high, least), most)
    return Span(bounded(rule, low), bounded(rule, high), *absences)


def decided_span(final: Span, members: Mapping[str, Span], handling: Handling) -> Span:
    """A formula node whose points are known while something it reads is open: that it does not apply may come out, and
    where all its members may be left out it may have none after all.
    """
    leaving = [{r for r in span.absences if handling[r] == "left_out"} for span in members.values()]
    absences = final.absences | _reasons(members) if final.absences else final.absences
    if leaving and all(leaving):
        absences |= {NOT_APPLICABLE} if set.union(*leaving) == {NOT_APPLICABLE} else _reasons(members)
    return replace(final, absences=absences, excusable=final.excusable or _all_excusable(members))


def counted(span: Span, handling: Handling) -> Reach:
    """What the points of a member lie between for a formula, which may read none where they are left out."""
    part = _part(span, handling)
    return Reach(part.low, part.high, lacking=part.may_leave)


def _part(span: Span, handling: Handling) -> _Part:
    ways = {handling[reason] for reason in span.absences}
    ends = [end for end in (span.low, span.high) if end is not None]
    ends += [Fraction(0)] if "no_points" in ways else []
    return _Part(min(ends, default=None), max(ends, default=None), "left_out" in ways, "no_result" in ways)


def _all_excusable(members: Mapping[str, Span]) -> bool:
    """A node does not apply where none of its members does."""
    return bool(members) and all(span.excusable for span in members.values())


def _reasons(members: Mapping[str, Span]) -> frozenset[str]:
    """Why the node may have no result."""
    return frozenset({NOT_HELD, NOT_APPLICABLE} if _all_excusable(members) else {NOT_HELD})


def _end(rule: NodeRule, weights: Weights, parts: Mapping[str, _Part], *, lowest: bool) -> Fraction | None:
    """The lowest or highest result: a member that may be left out is, unless it helps. The mean of some numbers moves
    towards each one that joins them, so they join in their order until one no longer helps.
    """
    if rule.zero:  # where a mean refuses a 0 or gives nothing with one, its members come as near 0 as you like
        rule = rule.model_copy(update={"zero": "gives_zero"})
    pick: Callable[..., Fraction] = min if lowest else max
    points = {name: part.low if lowest else part.high for name, part in parts.items()}
    joined = {name: p for name, p in points.items() if p is not None and not parts[name].may_leave}
    alone = {
        name: result
        for name, p in points.items()
        if p is not None and parts[name].may_leave and (result := aggregate(rule, {name: p}, weights)) is not None
    }
    found = aggregate(rule, joined, weights) if joined else None
    for name in sorted(alone, key=lambda name: alone[name], reverse=not lowest):
        p = points[name]
        assert p is not None
        with_it = aggregate(rule, {**joined, name: p}, weights)
        if with_it is not None and (found is None or (with_it != found and pick(with_it, found) == with_it)):
            joined[name], found = p, with_it
    return found
