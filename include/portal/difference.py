"""What another scheme says, and does to every enterprise, beside that of the generation: what `innopoints scheme diff`
tells, for a page and a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from include.steps.difference import difference, rule_difference


class Moved(NamedTuple):
    """One enterprise under both schemes. What it moves by is in points where both have the same maximum, else a share
    of it; rounded.
    """

    uscc: str
    name: str
    district: str
    stage_before: str
    stage_after: str
    total_before: Decimal
    total_after: Decimal
    rank_before: int
    rank_after: int
    stage_effect: Decimal
    rule_effect: Decimal
    change: Decimal


@dataclass(frozen=True)
class Difference:
    """What the step tells, and every enterprise of it, the largest gain first."""

    told: dict[str, Any]
    moves: Sequence[Moved] = ()

    @property
    def movement(self) -> dict[str, Any] | None:
        """Who moves, if that can be told and was asked for."""
        return self.told["movement"]

    @property
    def is_in_points(self) -> bool:
        return self.movement is not None and self.movement["unit"] == "points"

    def shown(self, change: Decimal | str) -> str:
        """What somebody moves by, with its sign: points, or per cent of the maximum."""
        value = Decimal(change)
        return "0" if not value else f"{value:+,.3f}" if self.is_in_points else f"{100 * value:+.4f} %"


def rules_alone(before: str, after: str) -> Difference:
    """For whoever may not see the enterprises of the whole city."""
    return Difference(rule_difference(before, after))


def whole_difference(before: str, after: str, as_of: date, names: Mapping[str, str]) -> Difference:
    """Rules, and who moves on the newest night of each district not after a date."""
    told = difference(before, after, None, as_of)
    moved = told["movement"]
    if moved is None:
        return Difference(told)
    for one in (*moved["moves"], *moved["top_winners"], *moved["top_losers"]):
        one["name"] = names.get(one["uscc"], "")
    moves = sorted(moved.pop("moves"), key=lambda one: (-Fraction(one["change"]), one["uscc"]))
    return Difference(told, [_moved(one) for one in moves])


def _moved(move: dict[str, Any]) -> Moved:
    totals = {name: Decimal(move[name]) for name in ("total_before", "total_after")}
    effects = {name: Decimal(move[f"{name}_shown"]) for name in ("stage_effect", "rule_effect", "change")}
    return Moved(**{name: move[name] for name in Moved._fields} | totals | effects)
