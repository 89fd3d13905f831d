"""Why points changed: data, stage and rule effects, in a fixed order, adding up exactly.

Facts first: the old rules in the old stage on the new facts. Then the stage: the old rules in the new stage. Then the
rules: what is left, which is what the new rules make of the same facts in the same stage. A stage or an indicator that
one of the two schemes does not know has no effect of its own: what it brings is the rules' doing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from include.contracts import Contract
from include.evidence.account import CategoryChange, Effects, FieldChange, LineChange, RecordChange
from include.evidence.derive import Measured, derive
from include.schemes.compile import Compiled

ORDER = [
    "facts: the old rules, in the old stage, on the new facts",
    "stage: the old rules, in the new stage, on the new facts",
    "rules: the new rules, in the new stage, on the new facts",
]
_ZERO = Decimal("0.000")


@dataclass(frozen=True)
class Night:
    """What one night knew of the enterprise, and by which rules it was scored."""

    rules: Compiled
    measured: Measured
    stage: str


def line_changes(before: Night, after: Night) -> list[LineChange]:
    """Every indicator of either scheme, in catalogue order, those that only the old one knows last."""
    known = dict.fromkeys([*after.rules.indicators, *before.rules.indicators])
    return [_line_change(before, after, indicator) for indicator in known]


def category_changes(lines: Iterable[LineChange]) -> list[CategoryChange]:
    """The lines of each category, added up."""
    by_category: dict[str, list[LineChange]] = {}
    for line in lines:
        by_category.setdefault(line.category, []).append(line)
    return [CategoryChange(category=name, effects=added(lines)) for name, lines in by_category.items()]


def added(lines: Iterable[LineChange]) -> Effects:
    """The sum of the lines' effects."""
    every = list(lines)
    return Effects(
        **{name: sum((getattr(line.effects, name) for line in every), _ZERO) for name in Effects.model_fields}
    )


def _line_change(before: Night, after: Night, indicator: str) -> LineChange:
    old_knows, new_knows = indicator in before.rules.indicators, indicator in after.rules.indicators
    named = (after if new_knows else before).rules.indicators[indicator].indicator
    start = end = on_new_facts = in_new_stage = _ZERO
    value_before = value_after = None
    if old_knows:
        found = derive(before.rules, indicator, before.measured, before.stage)
        start, value_before = found.points, found.value
        on_new_facts = derive(before.rules, indicator, after.measured, before.stage).points
        stage = after.stage if after.stage in before.rules.weights else before.stage
        in_new_stage = derive(before.rules, indicator, after.measured, stage).points
    if new_knows:
        found = derive(after.rules, indicator, after.measured, after.stage)
        end, value_after = found.points, found.value
    return LineChange(
        indicator=indicator,
        name_zh=named.name.zh,
        category=named.category,
        value_before=value_before,
        value_after=value_after,
        effects=Effects(
            before=start,
            after=end,
            facts=on_new_facts - start,
            stage=in_new_stage - on_new_facts,
            rules=end - in_new_stage,
        ),
    )


def record_changes(contract: Contract, before: pa.Table, after: pa.Table) -> list[RecordChange]:
    """The enterprise's conformed records of one dataset that differ, by key. Persons' fields say only that they do."""
    old, new = _by_key(contract, before), _by_key(contract, after)
    changes = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key, {}), new.get(key, {})
        if was == now:
            continue
        fields = [
            _field_change(contract, name, was.get(name), now.get(name))
            for name in contract.conformed_columns()
            if was.get(name) != now.get(name)
        ]
        kind = "changed" if was and now else "added" if now else "removed"
        natives = [contract.columns[name].native for name in contract.key] + _part(contract)
        changes.append(
            RecordChange(dataset=contract.dataset, change=kind, key=dict(zip(natives, key, strict=True)), fields=fields)
        )
    return changes


def _by_key(contract: Contract, table: pa.Table) -> dict[tuple[str, ...], dict[str, object]]:
    names = dict.fromkeys(["uscc", *contract.conformed_columns()])
    rows = table.select(list(names)).to_pylist()
    return {tuple(str(row[name]) for name in [*contract.key, *_part(contract)]): row for row in rows}


def _part(contract: Contract) -> list[str]:
    """Of a deal with itself an enterprise holds a record for each of its parts."""
    return ["role"] if contract.entity.roles else []


def _field_change(contract: Contract, name: str, was: object, now: object) -> FieldChange:
    column = contract.conformed_columns()[name]
    withheld = contract.withholds(name)
    before, after = (None if withheld or value is None else str(value) for value in (was, now))
    return FieldChange(column=name, zh=column.zh, before=before, after=after, withheld=withheld)
