"""Ranks of supplied enterprises by the scheme's rule: rounded or exact totals, ties, merit cascade, scopes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import groupby

from include.kernel.irrational import settled
from include.points.tree import Scored
from include.schemes.tree import RankRule

Key = tuple[Fraction, ...]


def standings(scored: Mapping[str, Scored], rule: RankRule) -> dict[str, dict[str, str]]:
    """Enterprise → `rank` and, where the rule asks for it, `rank:stage`. Who has no total has no rank; totals that are
    equal to forty digits are equal, by whatever logarithms they came.
    """
    found: dict[str, dict[str, str]] = {uscc: {} for uscc in scored}
    ranked = {uscc: one for uscc, one in scored.items() if one.total.points is not None}
    keys = {uscc: _key(one, rule) for uscc, one in ranked.items()}
    if "all" in rule.scopes:
        for uscc, place in places(keys, rule.ties).items():
            found[uscc]["rank"] = place
    if "stage" in rule.scopes:
        for stage in {one.stage for one in ranked.values()}:
            of_stage = {uscc: key for uscc, key in keys.items() if ranked[uscc].stage == stage}
            for uscc, place in places(of_stage, rule.ties).items():
                found[uscc]["rank:stage"] = place
    return found


def places(keys: Mapping[str, Key], ties: str) -> dict[str, str]:
    """Each one's place, the largest key first. Equal keys share it whatever their order in the file.

    >>> places({"a": (2,), "b": (1,), "c": (2,), "d": (0,)}, "dense")
    {'a': '1', 'c': '1', 'b': '2', 'd': '3'}
    """
    order = sorted(keys, key=lambda one: (tuple(-part for part in keys[one]), one))
    found: dict[str, str] = {}
    for group, (_, members) in enumerate(groupby(order, key=lambda one: keys[one]), start=1):
        tied, first = list(members), len(found) + 1
        found |= dict.fromkeys(tied, _PLACE[ties](first, group, len(tied)))
    return found


def _average(first: int, group: int, tied: int) -> str:
    twice = 2 * first + tied - 1
    return str(twice // 2) if twice % 2 == 0 else f"{twice // 2}.5"


_PLACE: dict[str, Callable[[int, int, int], str]] = {
    "competition": lambda first, group, tied: str(first),
    "ordinal": lambda first, group, tied: str(first),  # its cascade is part of the key; who is still equal shares
    "dense": lambda first, group, tied: str(group),
    "average": _average,
}


def _key(one: Scored, rule: RankRule) -> Key:
    total = one.total.points if rule.ranked == "shown" else one.total.exact
    assert total is not None
    merits = [(one.nodes.get(name) or one.lines[name]).points for name in rule.cascade]
    known = [(Fraction(0), Fraction(0)) if merit is None else (Fraction(1), merit) for merit in merits]
    key = (total if rule.first == "highest" else -total, *(part for pair in known for part in pair))
    return tuple(map(settled, key))
