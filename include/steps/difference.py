"""`scheme diff`: what two schemes say differently, and who moves and why on the measures that are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from include.kernel.areas import areas
from include.kernel.errors import BadInput
from include.kernel.exact import from_scaled, ratio_half_up
from include.points.movement import Cause, Group, Move, Movement
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.difference import Change, differences, tree_differences
from include.schemes.model import POINT_DECIMALS, Scheme, has_tree, load_scheme, require_scheme
from include.schemes.tree import TreeScheme, load_tree, tree_schemes
from include.steps.results import gatherer, moved_away
from include.steps.stores import open_stores
from include.store.lake import Lake
from include.store.ledger import Result

TOP = 10
CAUSES = 3
SHARE_DECIMALS = 6
NO_MEASURES = "no measures are stored; refresh a night to see who moves"


def difference(before: str, after: str, as_of: date | None, today: date) -> dict[str, Any]:
    """Two installed schemes or directories: their rules and, where measures are stored, every enterprise's move on the
    last night of each district.
    """

    def last() -> tuple[Lake, list[Result]]:
        stores = open_stores()
        found = [stores.ledger.last_scored(district, None, as_of or today) for district in areas()]
        return stores.lake, [row for row in found if row is not None]

    found = difference_on(before, after, last)
    if as_of is not None and found.get("why_no_movement") == NO_MEASURES:
        raise BadInput(
            "no measures are stored",
            where=f"as of {as_of}",
            kept="nothing was changed",
            todo="refresh a night first, or leave --as-of out to compare the rules alone",
        )
    return found


def difference_on(before: str, after: str, stored: Callable[[], tuple[Lake, Sequence[Result]]]) -> dict[str, Any]:
    """The same on the very results that `stored` gives, if it is asked for them, with the lake that keeps them."""
    old, new = _scheme(before), _scheme(after)
    found = _rules(old, new)
    if isinstance(old, TreeScheme) or isinstance(new, TreeScheme):
        return found | {"why_no_movement": "schemes with a tree score supplied measures only"}
    if own := [scheme.id for scheme in (old, new) if scheme.measures]:
        return found | {"why_no_movement": f"{own[0]} brings measures of its own, which no night stores"}
    lake, results = stored()
    if not results:
        return found | {"why_no_movement": NO_MEASURES}
    return found | {"movement": _movement(lake, old, new, results)}


def rule_difference(before: str, after: str) -> dict[str, Any]:
    """The rules alone, for whoever may not see who moves."""
    return _rules(_scheme(before), _scheme(after))


def _rules(old: Scheme | TreeScheme, new: Scheme | TreeScheme) -> dict[str, Any]:
    if isinstance(old, TreeScheme) and isinstance(new, TreeScheme):
        changes = tree_differences(old, new)
    elif isinstance(old, TreeScheme) or isinstance(new, TreeScheme):
        raise BadInput(
            f"only one of {old.id} and {new.id} has a tree: there is nothing to compare rule by rule",
            kept="nothing was changed",
            todo="compare two schemes of one kind",
        )
    else:
        changes = differences(old, new)
    both = {"before": _identity(old), "after": _identity(new), "movement": None}
    return both | {"rules": [_change(change) for change in changes]}


def _scheme(name: str) -> Scheme | TreeScheme:
    directory = Path(name).resolve()
    if directory.is_dir():
        return load_tree(directory) if has_tree(directory) else load_scheme(directory)
    return tree_schemes()[name] if name in tree_schemes() else require_scheme(name)


def _identity(scheme: Scheme | TreeScheme) -> dict[str, str]:
    return {"id": scheme.id, "version": scheme.version, "title": scheme.title_zh}


def _change(change: Change) -> dict[str, Any]:
    return {
        "subject": change.subject,
        "what": change.what,
        "from": change.since.isoformat() if change.since else None,
        "before": change.before,
        "after": change.after,
        "text": str(change),
    }


def _movement(lake: Lake, old: Scheme, new: Scheme, results: Sequence[Result]) -> dict[str, Any]:
    from include.indicators.evaluate import evaluate
    from include.points.movement import movement

    nights = {row.result.district: row.result.as_of for row in results}
    night = max(nights.values())
    gather = gatherer(lake, results, moved_away(lake, results))
    measures = gather("measures", "measures")
    quarantined, enterprises = gather("conformed", "quarantined"), gather("conformed", "enterprises")
    before, after = _in_force(old, night), _in_force(new, night)
    values = evaluate(before, measures, quarantined), evaluate(after, measures, quarantined)
    moved = movement(before, after, values, measures, enterprises)
    show = _Shown(moved.maxima)
    return {
        "as_of": night.isoformat(),
        "older_districts": {district: on.isoformat() for district, on in nights.items() if on != night},
        "rules_of": {"before": before.as_of.isoformat(), "after": after.as_of.isoformat()},
        "unit": show.unit,
        "maxima": show.maxima,
        "enterprises": len(moved.moves),
        "winners": sum(move.change > 0 for move in moved.moves),
        "losers": sum(move.change < 0 for move in moved.moves),
        "rank_correlation": None if moved.rank_correlation is None else str(moved.rank_correlation),
        "stages": [{"before": b, "after": a, "enterprises": n} for (b, a), n in moved.stage_changes.items()],
        "by_stage": [show.group(group) for group in moved.by_stage],
        "by_district": [show.group(group) for group in moved.by_district],
        "top_winners": [show.with_causes(moved, move) for move in moved.winners(TOP)],
        "top_losers": [show.with_causes(moved, move) for move in moved.losers(TOP)],
        "moves": [show.move(move) for move in moved.moves],
    }


def _in_force(scheme: Scheme, night: date) -> Compiled:
    """The scheme on the night, or on the nearest day of its validity: next year's rules on this year's facts."""
    from include.measures.registry import measures

    valid = scheme.identity.valid
    day = max(night, valid.since)
    return compile_scheme(scheme, min(day, valid.until) if valid.until else day, measures())


class _Shown:
    """Effects as text: points where both maxima are equal, else exact fractions of the maximum; each also rounded."""

    def __init__(self, maxima: tuple[int, int]) -> None:
        self.points_of = maxima[0] if maxima[0] == maxima[1] else None
        self.maxima = [str(from_scaled(maximum, POINT_DECIMALS)) for maximum in maxima]
        of_both = f"{self.maxima[0]} before, {self.maxima[1]} after"
        self.unit = "points" if self.points_of else f"share of the maximum ({of_both})"

    def effect(self, share: Fraction) -> str:
        """Exact: a decimal of points, or a fraction in lowest terms."""
        if self.points_of is None:
            return str(share)
        points = share * self.points_of
        if points.denominator == 1:
            return str(from_scaled(int(points), POINT_DECIMALS))
        return str(points / 10**POINT_DECIMALS)

    def rounded(self, share: Fraction) -> str:
        """Half up: a mean has no shorter exact form, and nobody reads a fraction of a million."""
        shown = share * self.points_of / 10**POINT_DECIMALS if self.points_of else share
        decimals = POINT_DECIMALS if self.points_of else SHARE_DECIMALS
        return str(from_scaled(ratio_half_up(shown.numerator, shown.denominator, decimals), decimals))

    def group(self, group: Group) -> dict[str, Any]:
        return {
            "name": group.name,
            "enterprises": group.enterprises,
            "winners": group.winners,
            "losers": group.losers,
            "unchanged": group.unchanged,
            "mean_change": self.rounded(group.mean_change),
        }

    def move(self, move: Move) -> dict[str, Any]:
        return {
            "uscc": move.uscc,
            "district": move.district,
            "stage_before": move.stages[0],
            "stage_after": move.stages[1],
            "total_before": str(move.totals[0]),
            "total_after": str(move.totals[1]),
            "rank_before": move.ranks[0],
            "rank_after": move.ranks[1],
            "stage_effect": self.effect(move.stage_effect),
            "rule_effect": self.effect(move.rule_effect),
            "change": self.effect(move.change),
            "stage_effect_shown": self.rounded(move.stage_effect),
            "rule_effect_shown": self.rounded(move.rule_effect),
            "change_shown": self.rounded(move.change),
        }

    def with_causes(self, moved: Movement, move: Move) -> dict[str, Any]:
        return self.move(move) | {"causes": [self.cause(cause) for cause in moved.causes(move)]}

    def cause(self, cause: Cause) -> dict[str, str]:
        return {
            "indicator": cause.indicator,
            "stage_effect": self.effect(cause.stage_effect),
            "rule_effect": self.effect(cause.rule_effect),
            "shown": self.rounded(cause.stage_effect + cause.rule_effect),
        }


def render(found: dict[str, Any]) -> str:
    """The difference for reading."""
    return "\n".join(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    before, after = found["before"], found["after"]
    yield f"{before['id']} {before['version']} {before['title']}"
    yield f"-> {after['id']} {after['version']} {after['title']}"
    yield f"\nrules: {len(found['rules'])} differences"
    for change in found["rules"]:
        yield f"  {change['text']}"
    moved = found["movement"]
    if moved is None:
        yield f"\nwho moves: {found['why_no_movement']}"
        return
    unchanged = moved["enterprises"] - moved["winners"] - moved["losers"]
    yield f"\nwho moves, as of {moved['as_of']}, in {moved['unit']}; first the stage, then the rules"
    if moved["older_districts"]:
        yield f"  older night of {', '.join(f'{d} ({on})' for d, on in moved['older_districts'].items())}"
    for side, on in moved["rules_of"].items():
        if on != moved["as_of"]:
            yield f"  the rules {side} are those of {on}: the scheme is not valid on the night itself"
    yield (
        f"  {moved['enterprises']} enterprises: {moved['winners']} gain, {moved['losers']} lose, "
        f"{unchanged} unchanged; rank correlation {moved['rank_correlation'] or 'undefined'}"
    )
    for stage in moved["stages"]:
        yield f"  stage {stage['before']} -> {stage['after']}: {stage['enterprises']}"
    for name in ("stage", "district"):
        yield f"  by {name}"
        for group in moved[f"by_{name}"]:
            yield (
                f"    {group['name']}: {group['enterprises']}, {group['winners']} gain, {group['losers']} lose, "
                f"{group['unchanged']} unchanged, mean {group['mean_change']}"
            )
    for title, moves in (("largest gains", moved["top_winners"]), ("largest losses", moved["top_losers"])):
        yield f"  {title}"
        for move in moves:
            yield (
                f"    {move['uscc']} {move['district']} {move['stage_before']} -> {move['stage_after']}: "
                f"{move['total_before']} -> {move['total_after']}, rank {move['rank_before']} -> {move['rank_after']}, "
                f"{move['change_shown']} = stage {move['stage_effect_shown']} + rules {move['rule_effect_shown']}"
            )
            causes = [f"{cause['indicator']} {cause['shown']}" for cause in move["causes"]]
            more = f"; {len(causes) - CAUSES} more, see --json" if len(causes) > CAUSES else ""
            if causes:
                yield f"      {'; '.join(causes[:CAUSES])}{more}"
