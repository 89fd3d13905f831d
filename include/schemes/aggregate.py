"""What a node of a tree makes of its members: sums, means and choices, in exact fractions."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from include.kernel.exact import ratio_half_up
from include.kernel.irrational import DIGITS, decimal_of, kept, recognised
from include.schemes.tree import NodeRule, Round


def aggregate(rule: NodeRule, points: Mapping[str, Fraction], weights: Mapping[str, Fraction]) -> Fraction | None:
    """The points of a node from its members', before cap, floor and rounding. None: it has no result."""
    if rule.kind == "sum":
        return sum((weights[m] * p for m, p in points.items()), Fraction(0))
    if rule.kind in ("best_of", "least_of"):
        weighed = [weights[m] * p for m, p in points.items()]
        return max(weighed) if rule.kind == "best_of" else min(weighed)
    total = sum(weights[m] for m in points)
    if not total:
        return None
    if rule.kind == "mean":
        return sum((weights[m] * p for m, p in points.items()), Fraction(0)) / total
    counted = {m: p for m, p in points.items() if weights[m]}
    if any(p < 0 for p in counted.values()):
        raise ValueError(f"a {rule.kind} of a negative number")
    if any(p == 0 for p in counted.values()):
        if rule.zero == "refused":
            raise ValueError(f"a {rule.kind} of a member with 0 points, which the scheme refuses")
        return Fraction(0) if rule.zero == "gives_zero" else None
    if rule.kind == "harmonic_mean":
        return total / sum(weights[m] / p for m, p in counted.items())
    if len(set(counted.values())) == 1:
        return next(iter(counted.values()))
    terms = (DIGITS.multiply(decimal_of(weights[m] / total), DIGITS.ln(decimal_of(p))) for m, p in counted.items())
    exponent = next(terms)
    for term in terms:
        exponent = DIGITS.add(exponent, term)
    return recognised(kept(DIGITS.exp(exponent)))


def bounded(rule: NodeRule, points: Fraction) -> Fraction:
    """Cap and floor of a node."""
    capped = points if rule.cap is None else min(points, rule.cap)
    return capped if rule.floor is None else max(capped, rule.floor)


def rounded(value: Fraction, rule: Round | None) -> Fraction:
    """A result at its declared places; without a rule it stays as it is."""
    if rule is None:
        return value
    if rule.mode == "half_up":
        return Fraction(ratio_half_up(value.numerator, value.denominator, rule.decimals), 10**rule.decimals)
    return Fraction(round(value * 10**rule.decimals), 10**rule.decimals)  # a Fraction rounds half to even
