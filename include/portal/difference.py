"""What another scheme says, and does to every enterprise, beside that of the generation: what `innopoints scheme diff`
tells, for a page and a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from include.steps.difference import difference_on, rule_difference
from include.store.lake import Lake
from include.store.ledger import Result


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
    """What the step tells, and every enterprise of it, the largest gain first; or the districts whose night, as it was
    published, is not kept any more, so that nobody can tell.
    """

    told: dict[str, Any]
    moves: Sequence[Moved] = ()
    not_kept: Sequence[str] = ()

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


def rules_alone(before: str, after: str, not_kept: Sequence[str] = ()) -> Difference:
    """For whoever may not see the enterprises of the whole city, and where it cannot be told who moves."""
    return Difference(rule_difference(before, after), not_kept=not_kept)


def whole_difference(
    before: str, after: str, lake: Lake, results: Sequence[Result], names: Mapping[str, str]
) -> Difference:
    """Rules, and who moves on these results of districts."""
    told = difference_on(before, after, lambda: (lake, results))
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
