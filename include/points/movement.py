"""Who moves between two schemes on the same facts, and why: a stage effect and a rule effect that add up exactly.

The order is fixed and the facts are the same, so: first the stage (the first scheme's rules in the stage that the
second one assigns), then the rules (the second scheme in that stage). A stage that the first scheme does not have
cannot be put into it; then the whole difference is the rules'. Schemes of different maxima are compared by the share of
the maximum, as exact fractions. Points depend on nobody else's, so every line here stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import pyarrow as pa
import pyarrow.compute as pc

from include.kernel.exact import from_scaled, ratio_half_up, to_scaled
from include.points.rank import rank
from include.points.score import Scored, score
from include.schemes.compile import Compiled
from include.schemes.difference import pairs
from include.schemes.model import POINT_DECIMALS

CORRELATION_DECIMALS = 6


@dataclass(frozen=True)
class Move:
    """One enterprise under both schemes. Effects are shares of the maximum; they add up to the change exactly."""

    uscc: str
    district: str
    stages: tuple[str, str]
    totals: tuple[Decimal, Decimal]
    ranks: tuple[int, int]
    stage_effect: Fraction
    rule_effect: Fraction

    @property
    def change(self) -> Fraction:
        return self.stage_effect + self.rule_effect


@dataclass(frozen=True)
class Group:
    """Those of one stage (of the first scheme) or of one district."""

    name: str
    enterprises: int
    winners: int
    losers: int
    mean_change: Fraction

    @property
    def unchanged(self) -> int:
        return self.enterprises - self.winners - self.losers


@dataclass(frozen=True)
class Cause:
    """What one indicator adds to an enterprise's change."""

    indicator: str
    stage_effect: Fraction
    rule_effect: Fraction


@dataclass(frozen=True)
class Movement:
    """All moves, sorted by uscc; the stages, lowest first; the ledgers from which an enterprise's causes are read."""

    moves: list[Move]
    maxima: tuple[int, int]
    stages: list[str]
    _names: Mapping[str, tuple[str | None, str | None]]
    _ledgers: tuple[pa.Table, pa.Table, pa.Table]

    @property
    def by_stage(self) -> list[Group]:
        groups = _groups(self.moves, lambda move: move.stages[0])
        return sorted(groups, key=lambda group: self.stages.index(group.name))

    @property
    def by_district(self) -> list[Group]:
        return _groups(self.moves, lambda move: move.district)

    @property
    def stage_changes(self) -> dict[tuple[str, str], int]:
        """(stage before, stage after) → enterprises."""
        found: dict[tuple[str, str], int] = {}
        for move in self.moves:
            found[move.stages] = found.get(move.stages, 0) + 1
        return dict(sorted(found.items(), key=lambda item: [self.stages.index(stage) for stage in item[0]]))

    def winners(self, most: int) -> list[Move]:
        return sorted((m for m in self.moves if m.change > 0), key=lambda m: (-m.change, m.uscc))[:most]

    def losers(self, most: int) -> list[Move]:
        return sorted((m for m in self.moves if m.change < 0), key=lambda m: (m.change, m.uscc))[:most]

    @property
    def rank_correlation(self) -> Decimal | None:
        """Spearman's, on mean ranks; None where one side has only ties."""
        return spearman([m.totals[0] for m in self.moves], [m.totals[1] for m in self.moves])

    def causes(self, move: Move) -> list[Cause]:
        """The indicators that moved the enterprise, largest first; with nothing left over, for points are sums."""
        before, between, after = (_points_of(ledger, move.uscc) for ledger in self._ledgers)
        found = []
        for name, (old, new) in self._names.items():
            was, stayed = (Fraction(side[old] if old else 0, self.maxima[0]) for side in (before, between))
            now = Fraction(after[new] if new else 0, self.maxima[1])
            if was != stayed or stayed != now:
                found.append(Cause(name, stayed - was, now - stayed))
        return sorted(found, key=lambda cause: (-abs(cause.stage_effect + cause.rule_effect), cause.indicator))


def movement(
    before: Compiled, after: Compiled, values: tuple[pa.Table, pa.Table], measures: pa.Table, enterprises: pa.Table
) -> Movement:
    """Score the same measures, and the values of each scheme from them; take each enterprise's difference apart."""
    old = score(before, values[0], measures, enterprises)
    new = score(after, values[1], measures, enterprises)
    between = score(before, values[0], measures, stages=_stages_between(before, old, new))
    columns = {
        "old": rank(old.points, old.profile).to_pydict(),
        "between": between.points.to_pydict(),
        "new": rank(new.points, new.profile).to_pydict(),
    }
    districts = dict(zip(*(old.profile[name].to_pylist() for name in ("uscc", "district")), strict=True))
    moves = []
    for place, uscc in enumerate(columns["old"]["uscc"]):
        totals = {side: columns[side]["total"][place] for side in columns}
        shares = {
            side: Fraction(to_scaled(total, POINT_DECIMALS), after.total if side == "new" else before.total)
            for side, total in totals.items()
        }
        moves.append(
            Move(
                uscc=uscc,
                district=districts[uscc],
                stages=(columns["old"]["stage"][place], columns["new"]["stage"][place]),
                totals=(totals["old"], totals["new"]),
                ranks=(columns["old"]["rank_all"][place], columns["new"]["rank_all"][place]),
                stage_effect=shares["between"] - shares["old"],
                rule_effect=shares["new"] - shares["between"],
            )
        )
    ledgers = old.ledger, between.ledger, new.ledger
    stages = list(dict.fromkeys([*before.scheme.stage_ids, *after.scheme.stage_ids]))
    return Movement(moves, (before.total, after.total), stages, _names(before, after), ledgers)


def _stages_between(before: Compiled, old: Scored, new: Scored) -> pa.Table:
    """The second scheme's stages as far as the first one has them, else the first one's own."""
    known = pc.is_in(new.profile["stage"], value_set=pa.array(before.scheme.stage_ids))
    return pa.table(
        {
            "uscc": old.profile["uscc"],
            "stage": pc.if_else(known, new.profile["stage"], old.profile["stage"]),
            "stage_reason": old.profile["stage_reason"],
        }
    )


def _names(before: Compiled, after: Compiled) -> dict[str, tuple[str | None, str | None]]:
    """Every indicator of either scheme under one name, with its id in each."""
    both = pairs(before.scheme, after.scheme)
    found: dict[str, tuple[str | None, str | None]] = {pair.name: (pair.before.id, pair.after.id) for pair in both}
    paired = {pair.before.id for pair in both}, {pair.after.id for pair in both}
    found |= {name: (name, None) for name in before.indicators if name not in paired[0]}
    return found | {name: (None, name) for name in after.indicators if name not in paired[1]}


def _points_of(ledger: pa.Table, uscc: str) -> dict[str, int]:
    """Thousandths of a point per indicator of one enterprise."""
    lines = ledger.filter(pc.equal(ledger["uscc"], uscc))
    return {
        indicator: to_scaled(points, POINT_DECIMALS)
        for indicator, points in zip(lines["indicator"].to_pylist(), lines["points"].to_pylist(), strict=True)
    }


def _groups(moves: Iterable[Move], key: Callable[[Move], str]) -> list[Group]:
    members: dict[str, list[Move]] = {}
    for move in moves:
        members.setdefault(key(move), []).append(move)
    return [
        Group(
            name=name,
            enterprises=len(found),
            winners=sum(move.change > 0 for move in found),
            losers=sum(move.change < 0 for move in found),
            mean_change=sum((move.change for move in found), Fraction(0)) / len(found),
        )
        for name, found in sorted(members.items())
    ]


def spearman(one: list[Decimal], other: list[Decimal]) -> Decimal | None:
    """Spearman's rank correlation: exact sums of mean ranks, one square root in forty digits, half up at six places."""
    left, right = _centred(one), _centred(other)
    product = sum(a * b for a, b in zip(left, right, strict=True))
    squares = sum(a * a for a in left) * sum(b * b for b in right)
    if squares == 0:
        return None
    context = Context(prec=40)
    exact = Fraction(product) / Fraction(context.sqrt(Decimal(squares)))
    return from_scaled(ratio_half_up(exact.numerator, exact.denominator, CORRELATION_DECIMALS), CORRELATION_DECIMALS)


def _centred(totals: list[Decimal]) -> list[int]:
    """Twice the mean rank of each, less their mean: n + 1 - 2 x mean rank, whole numbers, highest total first."""
    places: dict[Decimal, tuple[int, int]] = {}
    for place, total in enumerate(sorted(totals, reverse=True), start=1):
        first, _ = places.get(total, (place, place))
        places[total] = first, place
    return [len(totals) + 1 - sum(places[total]) for total in totals]
