"""Whether a formula's answer is final although something that it reads is not known yet."""

from __future__ import annotations

from collections.abc import Mapping, Set
from fractions import Fraction

from include.kernel.irrational import TooLarge
from include.schemes.expression import (
    Absolute,
    Arithmetic,
    Cagr,
    Case,
    Choice,
    Comparison,
    Irrational,
    Logic,
    Measure,
    Node,
    Ratio,
    Value,
    walk,
)
from include.schemes.formula_exact import node_value


def is_decided(node: Node, measures: Mapping[str, Fraction | None], open_ones: Set[str], *, computed: bool) -> bool:
    """No value of the `open_ones` would change what the node gives: a fallback behind what is held, the other side of
    an `or` that holds, a division by zero, or whatever stands on nothing else. A no may be too careful: 0 x anything is
    not looked through. `computed`: as the formula says of itself.
    """
    if all(part.name not in open_ones for part in walk(node) if isinstance(part, Measure)):
        return True

    def answer(part: Node) -> tuple[bool, Value]:
        if not is_decided(part, measures, open_ones, computed=computed):
            return False, None
        try:
            return True, node_value(part, measures, exact=True, computed=computed)
        except TooLarge:  # refused, if it is ever asked for
            return False, None

    match node:
        case Measure():
            return False
        case Logic(word=word, left=left, right=right):
            answers = [answer(left), answer(right)]
            decisive = any(final and value is (word == "or") for final, value in answers)
            return decisive or all(final for final, _ in answers)
        case Case(whens=whens, otherwise=otherwise):
            for when, then in whens:
                final, met = answer(when)
                if not final or met is None:
                    return final
                if met:
                    return answer(then)[0]
            return answer(otherwise)[0]
        case Choice(function="coalesce", options=options):
            for option in options:
                final, value = answer(option)
                if not final or value is not None:
                    return final
            return True
        case Ratio() | Arithmetic() | Comparison() | Cagr() | Irrational() | Absolute():
            answers = [answer(part) for part in node.children()]
            by_zero = isinstance(node, Ratio) and answers[1] == (True, 0)
            return by_zero or (True, None) in answers or all(final for final, _ in answers)
    return all(is_decided(part, measures, open_ones, computed=computed) for part in node.children())
