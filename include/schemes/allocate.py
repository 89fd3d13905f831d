"""Weights: how `weights.yaml` was drawn up from the categories' maxima, and the exact sums that must hold in it.

Inside a category an indicator counts one unit, a national-core indicator two. The category's maximum is shared out in
thousandths of a point by largest remainder, ties in catalogue order, so that the sum is exact. A penalty stands
outside: its weight (the largest deduction) is one unit, half up.

`python -m include.schemes.allocate changzhou_v1 2021-04-30` prints the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from include.kernel.exact import from_scaled, ratio_half_up, to_scaled
from include.schemes.model import POINT_DECIMALS, ROOT, Identity, Indicator, Scheme, load_indicator
from include.schemes.reading import in_force, parse, read_yaml

NATIONAL_UNITS, LOCAL_UNITS = 2, 1


def units(indicator: Indicator) -> int:
    """How many units the indicator counts inside its category."""
    return NATIONAL_UNITS if indicator.national else LOCAL_UNITS


def allocate(maximum: int, shares: Mapping[str, int]) -> dict[str, int]:
    """`maximum` (thousandths) in proportion to whole shares, exactly: largest remainder, ties in the order given.

    >>> allocate(100, {"a": 1, "b": 1, "c": 1})
    {'a': 34, 'b': 33, 'c': 33}
    """
    whole = sum(shares.values())
    exact = {name: Fraction(maximum * share, whole) for name, share in shares.items()}
    given = {name: int(amount) for name, amount in exact.items()}
    by_remainder = sorted(shares, key=lambda name: given[name] - exact[name])  # stable: ties stay in order
    for name in by_remainder[: maximum - sum(given.values())]:
        given[name] += 1
    return given


def category_weights(maximum: Decimal, members: Iterable[Indicator]) -> dict[str, Decimal]:
    """The weights of one category in one stage."""
    indicators = list(members)
    thousandths = to_scaled(maximum, POINT_DECIMALS)
    shares = {indicator.id: units(indicator) for indicator in indicators if not indicator.is_penalty}
    given = allocate(thousandths, shares)
    one_unit = ratio_half_up(thousandths, sum(shares.values()), 0)
    return {i.id: from_scaled(given.get(i.id, one_unit), POINT_DECIMALS) for i in indicators}


def weights_text(identity: Identity, indicators: Iterable[Indicator], since: date) -> str:
    """weights.yaml as text: every stage, category and indicator written."""
    members = list(indicators)
    maxima = in_force(identity.maxima, since, "scheme.yaml")
    lines = ["weights:", f"  - from: {since}", "    reference: ours", "    stages:"]
    for stage, categories in maxima.stages.items():
        lines.append(f"      {stage}:")
        for category, maximum in categories.items():
            lines.append(f"        {category}:")
            weights = category_weights(maximum, [i for i in members if i.category == category])
            lines += [f"          {indicator}: {weight}" for indicator, weight in weights.items()]
    return "\n".join(lines) + "\n"


def weight_faults(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """Where and what does not add up, per dated table and stage: a category = its maximum = its indicators."""
    for maxima in scheme.identity.maxima:
        for stage, categories in maxima.stages.items():
            found = sum(categories.values(), Decimal(0))
            if found != maxima.total:
                what = f"maxima {stage}: the categories add up to {found}, the total is {maxima.total}"
                yield scheme.where("scheme.yaml"), what
    for rule in scheme.weights.weights:
        maxima = in_force(scheme.identity.maxima, rule.since, scheme.where("scheme.yaml"))
        for stage, categories_of in rule.stages.items():
            for category, weights in categories_of.items():
                most = maxima.stages[stage][category]
                for fault in _category_faults(scheme, f"{stage}.{category}", weights, most):
                    yield scheme.where("weights.yaml"), fault


def _category_faults(scheme: Scheme, key: str, weights: Mapping[str, Decimal], maximum: Decimal) -> Iterator[str]:
    for indicator, weight in weights.items():
        if weight < 0:
            yield f"{key}.{indicator}: {weight} is negative"
        if weight != round(weight, POINT_DECIMALS):
            yield f"{key}.{indicator}: {weight} has more than {POINT_DECIMALS} decimals"
    counted = [weight for name, weight in weights.items() if not scheme.indicators[name].is_penalty]
    found = sum(counted, Decimal(0))
    if found != maximum:
        yield f"{key}: the indicators add up to {found}, the maximum is {maximum}"


def main(scheme: str, since: str) -> None:
    """Print the table of a scheme's directory; redirect it to weights.yaml after its header."""
    directory: Path = ROOT / scheme
    identity = parse(Identity, read_yaml(directory / "scheme.yaml"), f"{scheme}/scheme.yaml")
    files = [path for c in identity.categories for path in sorted((directory / c.id).glob("*.yaml"))]
    sys.stdout.write(weights_text(identity, [load_indicator(path) for path in files], date.fromisoformat(since)))


if __name__ == "__main__":
    main(*sys.argv[1:])
