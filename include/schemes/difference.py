"""What two schemes (or two versions of one) say differently, rule by rule, with the day from which it holds.

Indicators are the same when their ids are, or else their national codes; an indicator of one side only is one line.
Rules are compared from the first day on which both schemes are valid.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import BaseModel

from include.schemes.model import Indicator, Scheme, Validity
from include.schemes.reading import Dated
from include.schemes.tree import TreeRule, TreeScheme, shown

_WITHOUT_EFFECT = {"since", "reference"}
_STATED = ("category", "unit", "decimals", "direction", "sources", "not_held", "flags")
_STATED_UNDER_A_TREE = ("unit", "decimals", "direction", "full")


@dataclass(frozen=True)
class Change:
    """One rule that differs. `since` is None where the rule has no date; None before or after: not there."""

    subject: str
    what: str
    since: datetime.date | None
    before: str | None
    after: str | None

    def __str__(self) -> str:
        when = f" from {self.since}" if self.since else ""
        if self.before is None or self.after is None:
            state, text = ("removed", self.before) if self.after is None else ("added", self.after)
            return f"{self.subject}: {self.what}{when} {state}: {text}"
        return f"{self.subject}: {self.what}{when}: {self.before} -> {self.after}"


@dataclass(frozen=True)
class Pair:
    """The same indicator in both schemes."""

    before: Indicator
    after: Indicator

    @property
    def name(self) -> str:
        return self.before.id if self.before.id == self.after.id else f"{self.before.id} -> {self.after.id}"


def pairs(before: Scheme, after: Scheme) -> list[Pair]:
    """The indicators that both have, in the order of the first."""
    by_national = {i.national: i for i in after.indicators.values() if i.national and i.id not in before.indicators}
    found = []
    for indicator in before.indicators.values():
        twin = after.indicators.get(indicator.id) or (
            by_national.get(indicator.national) if indicator.national else None
        )
        if twin:
            found.append(Pair(indicator, twin))
    return found


def first_common_day(before: Scheme | TreeScheme, after: Scheme | TreeScheme) -> datetime.date:
    """The day from which both are valid."""
    return max(before.identity.valid.since, after.identity.valid.since)


def differences(before: Scheme, after: Scheme) -> list[Change]:
    """Every difference that can change a point or a list, in reading order."""
    start = first_common_day(before, after)
    found = list(_of_identity(before, after, start))
    both = pairs(before, after)
    kept = {pair.before.id for pair in both}, {pair.after.id for pair in both}
    for scheme, paired, added in ((before, kept[0], False), (after, kept[1], True)):
        for indicator in scheme.indicators.values():
            if indicator.id not in paired:
                text = f"{indicator.name.zh} ({indicator.category})"
                found.append(Change(indicator.id, "indicator", None, *((None, text) if added else (text, None))))
    for pair in both:
        found += _of_pair(pair, start)
        found += _of_weights(before, after, pair, start)
    if before.lists or after.lists:
        found += _of_lists(before, after, start)
    return found


def tree_differences(before: TreeScheme, after: TreeScheme) -> list[Change]:
    """The same for two schemes with a tree: node by node, gates, ranks, indicators by their ids."""
    start = first_common_day(before, after)
    found = list(_of_validity(before, after))
    rules = before.identity.tree, after.identity.tree
    old, new = ([rule.model_copy(update={"nodes": {}}) for rule in side] for side in rules)
    found += _dated("tree", "root and absence", old, new, start)
    for name in dict.fromkeys(name for side in rules for rule in side for name in rule.nodes):
        found += _steps(f"node {name}", "rule", _node(rules[0], name), _node(rules[1], name), start)
    for name in ("gates", "ranks"):
        found += _dated("scheme", name, getattr(before.identity, name), getattr(after.identity, name), start)
    stages = [scheme.stages.rule if scheme.stages else [] for scheme in (before, after)]
    found += _dated("stages", "rule", stages[0], stages[1], start)
    for name in dict.fromkeys([*before.indicators, *after.indicators]):
        was, now = before.indicators.get(name), after.indicators.get(name)
        if was is None or now is None:
            texts = (side.name.zh if side else None for side in (was, now))
            found.append(Change(name, "indicator", None, *texts))
        else:
            found += _stated(name, was, now, _STATED_UNDER_A_TREE)
            found += _dated(name, "formula", was.formula, now.formula, start)
            found += _dated(name, "curve", was.curve, now.curve, start)
    return found


def _node(rules: Sequence[TreeRule], name: str) -> list[tuple[datetime.date, str | None]]:
    return [(rule.since, _text(rule.nodes[name]) if name in rule.nodes else None) for rule in rules]


def _of_validity(before: Scheme | TreeScheme, after: Scheme | TreeScheme) -> Iterator[Change]:
    validity = _text(before.identity.valid), _text(after.identity.valid)
    if validity[0] != validity[1]:
        yield Change("scheme", "valid", None, *validity)


def _stated(name: str, before: BaseModel, after: BaseModel, fields: Iterable[str]) -> Iterator[Change]:
    """What an indicator says without a date."""
    for field in fields:
        stated = getattr(before, field), getattr(after, field)
        if stated[0] != stated[1]:
            yield Change(name, field, None, *(None if value in (None, []) else _text(value) for value in stated))


def _of_identity(before: Scheme, after: Scheme, start: datetime.date) -> Iterator[Change]:
    yield from _of_validity(before, after)
    for name in (name for name, value in before.identity if _is_dated(value)):
        rules = getattr(before.identity, name), getattr(after.identity, name)
        if name != "maxima":
            yield from _dated("scheme", name, *rules, start)
    for stage in sorted({*before.stage_ids, *after.stage_ids}, key=[*before.stage_ids, *after.stage_ids].index):
        if stage not in before.stage_ids:
            yield Change(stage, "stage", None, None, _maxima_text(after, stage))
        elif stage not in after.stage_ids:
            yield Change(stage, "stage", None, _maxima_text(before, stage), None)
        else:
            yield from _steps(
                stage,
                "category maxima",
                [(rule.since, _text(rule.stages[stage])) for rule in before.identity.maxima],
                [(rule.since, _text(rule.stages[stage])) for rule in after.identity.maxima],
                start,
            )
    yield from _dated("stages", "rule", before.stages.rule, after.stages.rule, start)


def _maxima_text(scheme: Scheme, stage: str) -> str:
    return _text(scheme.identity.maxima[-1].stages[stage])


def _of_pair(pair: Pair, start: datetime.date) -> Iterator[Change]:
    yield from _stated(pair.name, pair.before, pair.after, _STATED)
    yield from _dated(pair.name, "formula", pair.before.formula, pair.after.formula, start)
    yield from _dated(pair.name, "curve", pair.before.curve, pair.after.curve, start)


def _of_weights(before: Scheme, after: Scheme, pair: Pair, start: datetime.date) -> Iterator[Change]:
    for stage in before.stage_ids:
        if stage in after.stage_ids:
            yield from _steps(
                pair.name,
                f"weight in {stage}",
                _weights(before, stage, pair.before),
                _weights(after, stage, pair.after),
                start,
            )


def _weights(scheme: Scheme, stage: str, indicator: Indicator) -> list[tuple[datetime.date, str | None]]:
    return [
        (rule.since, _text(rule.stages[stage][indicator.category][indicator.id])) for rule in scheme.weights.weights
    ]


def _of_lists(before: Scheme, after: Scheme, start: datetime.date) -> Iterator[Change]:
    """Rules of the lists by their name: thresholds and vetoes, then each honour, product, programme and rung."""
    named = _list_rules(before), _list_rules(after)
    for name in dict.fromkeys([*named[0], *named[1]]):
        yield from _dated("lists", name, named[0].get(name, []), named[1].get(name, []), start)


def _list_rules(scheme: Scheme) -> dict[str, Sequence[Dated]]:
    found: dict[str, Sequence[Dated]] = {}
    for name, value in scheme.lists or ():
        if _is_dated(value):
            found[name] = value
        else:
            for member in value:
                fields = dict(member)
                found[str(next(iter(fields.values())))] = fields["rule"]
    return found


def _is_dated(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Dated)


def _dated(
    subject: str, what: str, before: Sequence[Dated], after: Sequence[Dated], start: datetime.date
) -> Iterator[Change]:
    old, new = ([(rule.since, _text(rule)) for rule in rules] for rules in (before, after))
    yield from _steps(subject, what, old, new, start)


def _steps(
    subject: str,
    what: str,
    before: Sequence[tuple[datetime.date, str | None]],
    after: Sequence[tuple[datetime.date, str | None]],
    start: datetime.date,
) -> Iterator[Change]:
    """The first day, and the days on which the two sides begin to differ in another way than the day before."""
    said: tuple[str | None, str | None] = (None, None)
    for day in sorted({start, *(since for since, _ in [*before, *after] if since > start)}):
        now = _on(before, day), _on(after, day)
        if now[0] != now[1] and now != said:
            yield Change(subject, what, day, *now)
        said = now


def _on(rules: Sequence[tuple[datetime.date, str | None]], day: datetime.date) -> str | None:
    return next((text for since, text in reversed(rules) if since <= day), None)


def _text(value: Any) -> str:
    """A rule as one line, without its date and its reference; a rule of one field is that field."""
    if isinstance(value, Validity):
        return f"from {value.since} to {value.until or 'further notice'}"
    if isinstance(value, BaseModel):
        told = {name: part for name, part in value if name not in _WITHOUT_EFFECT and part not in (None, [])}
        return _text(next(iter(told.values()))) if len(told) == 1 else _text(told)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(_text(part) for part in value) or "none"
    if isinstance(value, Fraction):
        return shown(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return " ".join(str(value).split()) or "none"
