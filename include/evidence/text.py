"""Accounts as text, for a terminal or a letter."""

from __future__ import annotations

from collections.abc import Iterator

from include.evidence.account import (
    Account,
    Change,
    Effects,
    LineAccount,
    MeasureUse,
    Record,
    RecordChange,
    SourceField,
)

SHOWN_RECORDS = 15
"""So many records under one measure, or changes of one dataset, are printed; JSON has them all."""


def render(account: Account) -> str:
    """The whole account."""
    records = {record.record: record for record in account.records}
    out = [
        f"{account.name} {account.uscc} · {account.district} · as of {account.as_of}",
        f"{account.scheme} {account.scheme_version} · {account.stage} ({account.stage_reason})",
        f"total {account.total} of {account.of} (between {account.total_low} and {account.total_high} once all is "
        f"held), coverage {account.coverage}",
    ]
    out += [f"  {c.category:<12} {c.points:>9} of {c.of:>8}  {c.name_zh}" for c in account.categories]
    for line in account.indicators:
        out += _line(line, records)
    datasets = {record.dataset for record in account.records}
    if datasets:
        out.append("\nsnapshots")
    for held in account.snapshots:
        if held.dataset in datasets:
            out.append(
                f"  {held.dataset}/{held.scope} as of {held.as_of}, {held.age_days} days old, {held.owner} "
                f"{held.title_zh}, sha256 {held.sha256[:16]}…"
            )
    out.append(f"\nproved (snapshot set {account.snapshot_set})")
    out += [f"  {what}" for what in account.proved]
    return "\n".join(out)


def _line(line: LineAccount, records: dict[str, Record]) -> Iterator[str]:
    national = f" [{line.national}]" if line.national else ""
    yield f"\n{line.indicator}{national} {line.name_zh}: {line.points} of {line.weight} points"
    if line.points_low != line.points_high:
        yield f"  still open: between {line.points_low} and {line.points_high} once all of it is there"
    if line.because:
        yield f"  {line.status}: {line.because}"
    if line.held_back and line.status == "value":
        yield f"  the value stands on the rest: validation holds records of {', '.join(line.held_back)} back"
    if line.formula:
        yield f"  formula {line.formula.expression}   [from {line.formula.since}, {line.formula.reference}]"
        if line.formula.applicable_when:
            yield f"    applies when {line.formula.applicable_when}"
        if line.provisional:
            yield f"    provisional: {line.formula.provisional_when}"
        result = "no value" if line.value is None else f"{line.value.normalize():f} {line.unit}"
        yield f"        = {line.formula.with_numbers} = {result}"
    segment = line.curve.segment
    if segment and line.raw_points is not None:
        lower = "below" if segment.lower is None else f"from {segment.lower:f}"
        upper = "up" if segment.upper is None else f"to below {segment.upper:f}"
        ends = f"{segment.raw_at_lower}"
        if segment.raw_at_lower != segment.raw_at_upper:
            ends += f" to {segment.raw_at_upper}"
        yield f"  curve {line.curve.form}   [from {line.curve.since}, {line.curve.reference}]"
        yield f"        segment {segment.number}: {lower} {upper} gives {ends} raw points; here {line.raw_points}"
        yield f"  points {line.raw_points} x {line.weight} / 100 = {line.points}"
    if edge := line.curve.next_edge:
        yield (
            f"  next edge at {edge.at.normalize():f} {line.unit}, {edge.distance.normalize():f} away: "
            f"{edge.raw_points_gain:+} raw points, {edge.points_gain:+} points"
        )
    for measure in line.measures:
        yield from _measure(measure, records)


_WITHOUT_RECORDS = {
    "unknown": "nothing delivered says it",
    "nobody_named": "the register was delivered, and no accepted record of it names the enterprise here: zero",
    "constant": "a published figure, the same for all",
}


def _measure(measure: MeasureUse, records: dict[str, Record]) -> Iterator[str]:
    value = "unknown" if measure.value is None else f"{measure.value} {measure.unit}"
    yield f"  {measure.measure} = {value}  {measure.zh}  ({' '.join(measure.datasets)})"
    if not measure.decides:
        yield "    stands ready, does not decide: without it the value is the same (its records: --json)"
        return
    if not measure.uses:
        yield f"    {_WITHOUT_RECORDS[measure.proof]}"
        return
    fewer = "measured from this alone it is the same" + ("" if measure.is_minimal else ", though less may do")
    yield f"    {len(measure.uses)} of the {measure.held} record{'s' * (measure.held > 1)} held; {fewer}:"
    for use in measure.uses[:SHOWN_RECORDS]:
        record = records[use.record]
        fields = {field.column: field for field in record.fields}
        corrected = [field.column for field in record.fields if field.correction]  # perhaps its name or code only
        columns = dict.fromkeys([*use.columns, *corrected])
        shown = [f"{fields[c].zh} ({fields[c].native or c}) {_said(fields[c])}" for c in columns]
        key = " ".join(f"{name}={value}" for name, value in record.key.items())
        waived = f" (let pass by waiver {record.waiver})" if record.waiver else ""
        linked = f" (this enterprise's by decision {record.decision})" if record.decision else ""
        yield f"    {record.snapshot} {record.page} {record.counted} {record.line} {key}{waived}{linked}"
        if shown:
            yield f"      {'; '.join(shown)}"
    if len(measure.uses) > SHOWN_RECORDS:
        yield f"    … {len(measure.uses) - SHOWN_RECORDS} more, see --json"


def _said(field: SourceField) -> str:
    told = "withheld" if field.withheld else f"{field.value}"
    if not field.correction:
        return told
    sent = "" if field.withheld else f"sent as {field.as_sent or 'nothing'}, "
    return f"{told} ({sent}corrected by {field.correction})"


def render_change(change: Change) -> str:
    """Why the points of two nights differ."""
    before, after = change.before, change.after
    out = [f"{change.name} {change.uscc}"]
    for label, side in (("before", before), ("after ", after)):
        out.append(
            f"{label} {side.as_of} {side.scheme} {side.scheme_version} · {side.district} · {side.stage}: {side.total}"
        )
    out.append(f"change {_effects(change.total)}")
    out += [f"  {number}. {step}" for number, step in enumerate(change.order, start=1)]
    for category in change.categories:
        out.append(f"\n{category.category} {_effects(category.effects)}")
        for line in change.indicators:
            moved = line.effects.before != line.effects.after or any(
                (line.effects.facts, line.effects.stage, line.effects.rules)
            )
            if line.category == category.category and (moved or line.value_before != line.value_after):
                values = [
                    "no value" if v is None else f"{v.normalize():f}" for v in (line.value_before, line.value_after)
                ]
                out.append(f"  {line.indicator} {line.name_zh} {' → '.join(values)}: {_effects(line.effects)}")
    out.append("\nrecords that differ" if change.records else "\nno record differs")
    by_dataset: dict[str, list[RecordChange]] = {}
    for record in change.records:
        by_dataset.setdefault(record.dataset, []).append(record)
    for dataset, changes in by_dataset.items():
        out.append(f"  {dataset}: {len(changes)}")
        out += [f"    {_record_change(one)}" for one in changes[:SHOWN_RECORDS]]
        if len(changes) > SHOWN_RECORDS:
            out.append(f"    … {len(changes) - SHOWN_RECORDS} more, see --json")
    out += ["\nproved", *(f"  {what}" for what in change.proved)]
    return "\n".join(out)


def _effects(effects: Effects) -> str:
    return (
        f"{effects.before} → {effects.after}: {effects.after - effects.before:+} = facts {effects.facts:+} "
        f"stage {effects.stage:+} rules {effects.rules:+}"
    )


def _record_change(change: RecordChange) -> str:
    key = " ".join(f"{name}={value}" for name, value in change.key.items())
    if change.change != "changed":
        return f"{change.change} {key}"
    fields = [
        f"{field.zh} " + ("withheld" if field.withheld else f"{field.before} → {field.after}")
        for field in change.fields
    ]
    return f"changed {key}: {'; '.join(fields)}"
