"""Why an enterprise has its points: from the total down to the source records, re-derived and held against the ledger.

Nothing here is believed: the measures are run again from the frozen accepted snapshots and scored again, the formula
and the curve are worked out by the exact reference in Python too (the nightly works by columns), the records named
under a measure give its number alone, each of them reads as it landed, and each figure must equal the ledger's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.conformed.correct import Correction, correct, corrections, corrections_in_force
from include.conformed.unresolved import subjects
from include.contracts import Contract, contracts
from include.evidence.account import (
    Account,
    CategoryAccount,
    Change,
    CurveAccount,
    FormulaAccount,
    LineAccount,
    MeasureAccount,
    MeasureUse,
    Record,
    SegmentAccount,
    Side,
    SnapshotAccount,
    SourceField,
    Use,
)
from include.evidence.change import ORDER, Night, added, category_changes, line_changes, record_changes
from include.evidence.derive import Derived, derive, ends, next_edge, weighted, with_numbers
from include.evidence.support import ENTERPRISES, Support, supports
from include.indicators.evaluate import evaluate
from include.kernel.areas import areas
from include.kernel.errors import BadInput, TerminalError
from include.kernel.exact import from_scaled, ratio_half_up
from include.kernel.identity import normal_code
from include.kernel.periods import arrival_cutoff
from include.points.score import Scored, score
from include.schemes.compile import COVERAGE_DECIMALS, Compiled, CompiledIndicator
from include.schemes.model import POINT_DECIMALS, require_scheme
from include.schemes.reading import nearest
from include.schemes.status import IN_QUARANTINE, NOT_APPLICABLE, NOT_HELD, VALUE
from include.sources.declaration import REGISTRY, place_of
from include.steps.again import Nights
from include.steps.conforming import Frozen
from include.steps.stores import Stores, open_stores
from include.store import decisions, waivers
from include.store import lake as places
from include.store.ledger import Result
from include.store.waivers import Waiver
from include.validation.waiver import row_id

PROVED = [
    "the accepted snapshots are the ones that were scored (digests)",
    "the measures, run again on the enterprise's records in them, give its stage, coverage, interval and every line",
    "the ends of the lines that are still open add up to the interval",
    "the records named under a measure give its number alone",
    "each of these records, read again from the text that landed, is the accepted one, but for corrections it names",
    "lines add up to categories, categories to the total",
]
PROVED_OF_CHANGE = [
    "both nights were derived again from their frozen snapshots and equal their ledgers",
    "facts + stage + rules = after - before, for every line, category and the total",
]


@dataclass(frozen=True)
class _Scored:
    """One enterprise in one scored result, measured again."""

    row: Result
    rules: Compiled
    snapshots: dict[str, Frozen]
    tables: dict[str, pa.Table]
    quarantined: frozenset[str]
    measured: dict[str, Any]
    profile: dict[str, Any]
    points: dict[str, Any]
    lines: dict[str, Derived]
    ledger: dict[str, dict[str, Any]]


def explain(
    uscc: str,
    scheme: str,
    *,
    indicator: str | None = None,
    as_of: date | Result | None = None,
    nights: Nights | None = None,
) -> Account:
    """The whole account of one enterprise, as of the last scored date or the last one not after `as_of`, or in that
    very result. `nights` keeps what many accounts of the same night have in common.

    Raises when a re-derived figure differs from the ledger: then either a snapshot or the code is not what it was.
    """
    from include.measures.registry import measures, subjects
    from include.measures.run import measure

    stores, code = open_stores(), normal_code(uscc)
    require_scheme(scheme)
    scored = _scored(stores, code, scheme, as_of, nights or Nights(), indicator)
    rules, row = scored.rules, scored.row
    asked = [rules.indicators[name] for name in rules.indicators if indicator in (None, name)]
    tables = frozenset({ENTERPRISES, *(dataset.lower() for dataset in contracts())})
    reads = {
        name: tables.intersection(subjects()[measures()[name].subject].inputs)
        for name in dict.fromkeys(name for rule in asked for name in rule.inputs)
    }
    found = supports(scored.tables, partial(measure, as_of=row.result.as_of, only=reads), reads)
    records = _Records(stores, scored)
    of_measure = {name: _measure_account(scored, records, name, support) for name, support in found.items()}
    lines = [_line_account(scored, rule, of_measure) for rule in asked]
    caps = _caps(scored)
    return Account(
        uscc=code,
        name=scored.profile["name"],
        district=scored.profile["district"],
        as_of=row.result.as_of,
        scheme=scheme,
        scheme_version=rules.version,
        snapshot_set=row.snapshot_set,
        stage=scored.profile["stage"],
        stage_reason=scored.profile["stage_reason"],
        **{name: scored.points[name] for name in ("total", "total_low", "total_high", "coverage")},
        of=from_scaled(rules.total, POINT_DECIMALS),
        categories=[
            CategoryAccount(category=c.id, name_zh=c.name.zh, points=scored.points[c.id], of=caps[c.id])
            for c in rules.scheme.identity.categories
        ],
        indicators=lines,
        records=records.used(),
        snapshots=[_snapshot_account(scored, frozen) for _, frozen in sorted(scored.snapshots.items())],
        proved=PROVED,
    )


def explain_change(
    uscc: str,
    scheme: str,
    *,
    since: date,
    as_of: date | Result | None = None,
    since_scheme: str | None = None,
    nights: Nights | None = None,
) -> Change:
    """Why the enterprise's points differ from those of the last night not after `since` (perhaps under another scheme).

    `since` and `as_of` name results as `explain` does.
    """
    stores, code = open_stores(), normal_code(uscc)
    for asked in (scheme, since_scheme or scheme):
        require_scheme(asked)
    nights = nights or Nights()
    before = _scored(stores, code, since_scheme or scheme, since, nights)
    after = _scored(stores, code, scheme, as_of, nights)
    if before.row.result == after.row.result:
        raise BadInput(
            f"both nights are the result of {after.row.result.as_of}",
            todo="choose an earlier --since: a night that was scored, or another scheme",
        )
    lines = line_changes(_night(before), _night(after))
    total = added(lines)
    if (total.before, total.after) != (before.points["total"], after.points["total"]):
        raise TerminalError("the lines do not add up to the totals", where=code)
    for line in lines:
        effects = line.effects
        if effects.before + effects.facts + effects.stage + effects.rules != effects.after:
            raise TerminalError(f"the effects of {line.indicator} do not add up", where=code)
    return Change(
        uscc=code,
        name=after.profile["name"],
        before=_side(before),
        after=_side(after),
        order=ORDER,
        total=total,
        categories=category_changes(lines),
        indicators=lines,
        records=[
            change
            for dataset in sorted(before.snapshots.keys() | after.snapshots.keys())
            for change in _record_changes(dataset, before, after)
        ],
        proved=PROVED_OF_CHANGE,
    )


def _scored(
    stores: Stores, code: str, scheme: str, as_of: date | Result | None, nights: Nights, indicator: str | None = None
) -> _Scored:
    row = as_of if isinstance(as_of, Result) else _result_of(stores, code, scheme, as_of)
    rules = nights.rules(scheme, row.result.as_of)
    if indicator is not None and indicator not in rules.indicators:
        near = nearest(indicator, list(rules.indicators))
        raise BadInput(
            f"unknown indicator {indicator!r:.40}" + (f" (did you mean {near}?)" if near else ""),
            todo=f"use an id of {scheme}, such as {next(iter(rules.indicators))}",
        )
    return nights.enterprise(row, code, lambda: _scored_again(stores, row, rules, code, nights))


def _scored_again(stores: Stores, row: Result, rules: Compiled, code: str, nights: Nights) -> _Scored:
    from include.measures.run import measure

    snapshots = {member[0]: Frozen.of(member) for member in row.own_members}
    tables, quarantined = nights.conformed(stores, row).of(code)
    measures = measure(tables, row.result.as_of)
    measured = measures.to_pylist()[0]
    profile = _only(stores, row, "profile", code)[0]
    scored = _Scored(
        row=row,
        rules=rules,
        snapshots=snapshots,
        tables=tables,
        quarantined=quarantined,
        measured=measured,
        profile=profile,
        points=_only(stores, row, "points", code)[0],
        lines={name: derive(rules, name, measured, profile["stage"]) for name in rules.indicators},
        ledger={line["indicator"]: line for line in _only(stores, row, "ledger", code)},
    )
    datasets = pa.array(sorted(quarantined), pa.string())
    held_back = pa.table({"uscc": pa.array([code] * len(datasets), pa.string()), "dataset": datasets})
    _hold(scored, score(rules, evaluate(rules, measures, held_back), measures, tables[ENTERPRISES]))
    return scored


def _result_of(stores: Stores, code: str, scheme: str, as_of: date | None) -> Result:
    """The newest result that has the enterprise: after a move its old district may still show it for a night."""
    rows = [stores.ledger.last_scored(district, scheme, as_of or date.max) for district in areas()]
    for row in sorted((row for row in rows if row), key=lambda row: row.result.as_of, reverse=True):
        if (
            code
            in stores.lake.read(places.points(row.result), "points", ["uscc"], version=row.points_sha)[
                "uscc"
            ].to_pylist()
        ):
            return row
    raise BadInput(
        f"no enterprise {code!r:.40} is scored under {scheme}",
        where=f"as of {as_of}" if as_of else "",
        todo="check the code; enterprises registered for less than a year take no part, and old nights are erased",
    )


def _only(stores: Stores, row: Result, table: str, code: str) -> list[dict[str, Any]]:
    found = stores.lake.read(places.points(row.result), table, version=row.points_sha)
    return found.filter(pc.equal(found["uscc"].cast(pa.string()), code)).to_pylist()


def _hold(scored: _Scored, again: Scored) -> None:
    """What was scored beside what the nightly engine (`again`) and the exact reference make of it, and the sums; any
    difference raises.
    """
    rules, code = scored.rules, scored.points["uscc"]
    _hold_figures(scored, "", scored.profile, again.profile.to_pylist()[0])
    _hold_figures(scored, "", scored.points, again.points.to_pylist()[0])
    for line in again.ledger.to_pylist():
        _hold_figures(scored, f" of {line['indicator']}", scored.ledger[line["indicator"]], line)
    for name, derived in scored.lines.items():
        reference = {
            "value": derived.value,
            "status": _status(scored, rules.indicators[name], derived),
            "raw_points": derived.hit.raw_points if derived.hit else None,
            "points": derived.points,
        }
        _hold_figures(scored, f" of {name}", scored.ledger[name], reference)
    _hold_figures(scored, "", scored.points, _interval(scored))
    for category in rules.scheme.category_ids:
        lines = [line["points"] for line in scored.ledger.values() if line["category"] == category]
        if sum(lines, Decimal(0)) != scored.points[category]:
            raise TerminalError(f"the lines of {category} do not add up to it", where=code)
    if sum((scored.points[category] for category in rules.scheme.category_ids), Decimal(0)) != scored.points["total"]:
        raise TerminalError("the categories do not add up to the total", where=code)


def _ends(scored: _Scored, rule: CompiledIndicator) -> tuple[Decimal, Decimal]:
    return ends(rule, scored.lines[rule.indicator.id], bool(scored.quarantined.intersection(rule.datasets)))


def _interval(scored: _Scored) -> dict[str, Decimal]:
    """Coverage and interval of the total by the exact reference, line by line."""
    rules, stage = scored.rules.indicators.values(), scored.profile["stage"]
    low, high, held, applicable = Decimal(0), Decimal(0), 0, 0
    for rule in rules:
        least, most = _ends(scored, rule)
        low, high = low + least, high + most
        line, weight = scored.lines[rule.indicator.id], scored.rules.weights[stage][rule.indicator.id]
        if line.applies and not rule.indicator.is_penalty:
            held, applicable = held + weight * (line.value is not None), applicable + weight
    coverage = from_scaled(ratio_half_up(held, max(applicable, 1), COVERAGE_DECIMALS), COVERAGE_DECIMALS)
    return {"coverage": coverage, "total_low": low, "total_high": high}


def _hold_figures(scored: _Scored, of_line: str, held: Mapping[str, Any], again: Mapping[str, Any]) -> None:
    for figure, value in again.items():
        if held[figure] != value:
            raise TerminalError(
                f"{figure}{of_line} derived again differs from the ledger",
                where=f"{scored.points['uscc']} under {scored.rules.scheme.id}",
                kept="the ledger as published",
                todo="compare the code's version with the one that scored; report it",
            )


def _status(scored: _Scored, rule: CompiledIndicator, line: Derived) -> str:
    if not line.applies:
        return NOT_APPLICABLE
    if line.value is not None:
        return VALUE
    return IN_QUARANTINE if scored.quarantined.intersection(rule.datasets) else NOT_HELD


def _one_line(condition: str | None) -> str | None:
    return " ".join(condition.split()) if condition else None


def _caps(scored: _Scored) -> dict[str, Decimal]:
    """What each category can give in the enterprise's stage."""
    caps = dict.fromkeys(scored.rules.scheme.category_ids, Decimal("0.000"))
    for name, rule in scored.rules.indicators.items():
        weight = scored.rules.weights[scored.profile["stage"]][name]
        caps[rule.indicator.category] += weighted(from_scaled(max(rule.curve.cap, 0), POINT_DECIMALS), weight)
    return caps


def _line_account(scored: _Scored, rule: CompiledIndicator, of_measure: Mapping[str, MeasureAccount]) -> LineAccount:
    indicator, derived = rule.indicator, scored.lines[rule.indicator.id]
    status = scored.ledger[indicator.id]["status"]
    deciding = _deciding(scored, rule)
    used = [MeasureUse(**dict(of_measure[name]), decides=name in deciding) for name in rule.inputs]
    held_back = sorted(scored.quarantined.intersection(rule.datasets))
    missing = sorted({dataset for one in used if one.value is None for dataset in one.datasets})
    low, high = _ends(scored, rule)
    formula = None
    if rule.formula_rule:
        expression = " ".join(rule.formula_rule.expression.split())
        formula = FormulaAccount(
            expression=expression,
            with_numbers=with_numbers(expression, {name: scored.measured[name] for name in rule.inputs}),
            applicable_when=_one_line(rule.formula_rule.applicable_when),
            provisional_when=_one_line(rule.formula_rule.provisional_when),
            since=rule.formula_rule.since,
            reference=rule.formula_rule.reference,
        )
    return LineAccount(
        indicator=indicator.id,
        national=indicator.national,
        name_zh=indicator.name.zh,
        category=indicator.category,
        unit=indicator.unit,
        status=status,
        because=_because(status, rule, missing, held_back),
        missing=(missing or list(indicator.sources)) if status in (NOT_HELD, IN_QUARANTINE) else [],
        held_back=held_back,
        formula=formula,
        value=derived.value,
        provisional=derived.provisional,
        curve=_curve_account(rule, derived, scored.rules.weights[scored.profile["stage"]][indicator.id]),
        raw_points=derived.hit.raw_points if derived.hit else None,
        weight=derived.weight,
        points=derived.points,
        points_low=low,
        points_high=high,
        measures=used,
    )


def _deciding(scored: _Scored, rule: CompiledIndicator) -> frozenset[str]:
    """The measures that suffice for the line's value, and for whether the indicator applies; of a line without a
    value, those that are missing. A source that stands ready behind another one is not among them.
    """
    line, measured = scored.lines[rule.indicator.id], scored.measured
    if line.applies and line.value is None:
        return frozenset(name for name in rule.inputs if measured[name] is None)

    def suffices(kept: frozenset[str]) -> bool:
        hidden = {name: None for name in rule.inputs if name not in kept}
        found = derive(scored.rules, rule.indicator.id, {**measured, **hidden}, scored.profile["stage"])
        return (found.applies, found.value) == (line.applies, line.value)

    every = frozenset(rule.inputs)
    deciding = frozenset(name for name in rule.inputs if not suffices(every - {name}))
    for name in rule.inputs:
        if suffices(deciding):
            break
        deciding |= {name}
    return deciding


def _because(status: str, rule: CompiledIndicator, missing: list[str], held_back: list[str]) -> str | None:
    if status == VALUE:
        return None
    if status == NOT_APPLICABLE:
        return "the scheme's rule says that it does not concern this enterprise"
    if status == IN_QUARANTINE:
        return f"validation holds records back: {', '.join(held_back)}"
    if rule.formula is None:
        return rule.indicator.not_held
    if missing:
        return f"no record in {', '.join(missing)}"
    return "the records give no value, as when a denominator is zero"


def _curve_account(rule: CompiledIndicator, derived: Derived, weight: int) -> CurveAccount:
    curve, hit = rule.curve, derived.hit
    segment = edge = None
    if hit and derived.value is not None:
        piece = hit.segment
        segment = SegmentAccount(
            number=piece.number,
            lower=None if piece.lower is None else from_scaled(piece.lower, curve.decimals),
            upper=None if piece.upper is None else from_scaled(piece.upper, curve.decimals),
            raw_at_lower=from_scaled(piece.start, POINT_DECIMALS),
            raw_at_upper=from_scaled(piece.end, POINT_DECIMALS),
        )
        edge = next_edge(hit, derived.value, derived.points, weight)
    rule_of_curve = rule.curve_rule
    return CurveAccount(
        form=rule_of_curve.form,
        since=rule_of_curve.since,
        reference=rule_of_curve.reference,
        segment=segment,
        next_edge=edge,
    )


def _measure_account(scored: _Scored, records: _Records, name: str, support: Support) -> MeasureAccount:
    from include.measures.registry import measures

    declared = measures()[name]
    if support.value != scored.measured[name]:
        raise TerminalError(f"measure {name} alone differs from the measured one", where=scored.points["uscc"])
    uses = records.uses(support)
    if uses:
        proof = "these_records_alone"
    elif support.value is None:
        proof = "unknown"
    else:
        proof = "nobody_named" if declared.datasets else "constant"
    read = {ENTERPRISES if dataset == REGISTRY else dataset.lower() for dataset in declared.datasets}
    read |= {*support.columns, *(table for table, _ in support.rows)}
    return MeasureAccount(
        measure=name,
        zh=declared.zh,
        unit=declared.unit,
        value=support.value,
        datasets=list(declared.datasets),
        proof=proof,
        is_minimal=support.is_minimal,
        held=sum(scored.tables[table].num_rows for table in read),
        uses=uses,
    )


_Placed = dict[tuple[int, int], dict[str, Any]]
"""Rows by the page and the line on which they came."""


class _Records:
    """The source records of one account: where each stood in the reply and what it says, held against what landed."""

    def __init__(self, stores: Stores, scored: _Scored) -> None:
        self._stores, self._scored = stores, scored
        self._rows = {name: table.to_pylist() for name, table in scored.tables.items()}
        self._found: dict[tuple[str, int], Record] = {}
        self._landed: dict[str, tuple[list[str], _Placed, _Placed]] = {}
        self._corrected: dict[str, dict[tuple[int, int], dict[str, Correction]]] = {}
        self._waivers: dict[date, dict[str, dict[str, Waiver]]] = {}
        known = decisions.decisions(stores.engine, before=arrival_cutoff(scored.row.result.as_of))
        self._decisions = decisions.in_force(known)

    def uses(self, support: Support) -> list[Use]:
        """The records that a measure stands on, registration first, each with the columns that matter."""
        uses = []
        if columns := support.columns.get(ENTERPRISES):
            place = self._registration()
            uses.append(self._use(REGISTRY, place, columns))
        for table, place in support.rows:
            uses.append(self._use(table.upper(), place, support.columns.get(table, ())))
        return uses

    def used(self) -> list[Record]:
        """Every record named so far, by dataset and place."""
        return [self._found[key] for key in sorted(self._found)]

    def _registration(self) -> int:
        code = self._scored.points["uscc"]
        return next(place for place, row in enumerate(self._rows[REGISTRY.lower()]) if row["uscc"] == code)

    def _use(self, dataset: str, place: int, columns: Iterable[str]) -> Use:
        contract = contracts()[dataset]
        if (dataset, place) not in self._found:
            self._found[dataset, place] = self._record(contract, place)
        return Use(
            record=self._found[dataset, place].record, columns=[c for c in columns if c in contract.conformed_columns()]
        )

    def _record(self, contract: Contract, place: int) -> Record:
        dataset, row = contract.dataset, self._rows[contract.dataset.lower()][place]
        snapshot, at = self._scored.snapshots[dataset].key, (row["_page"], row["_ordinal"])
        labels, landed, read = self._landing(contract)
        corrected = self._corrections(contract).get(at, {})
        _hold_landed(contract, read[at], row, corrected)
        fields = []
        for name, described in contract.conformed_columns().items():
            withheld = contract.withholds(name)
            native = described.native if name in contract.columns else None
            fields.append(
                SourceField(
                    column=name,
                    native=native,
                    zh=described.zh,
                    as_sent=None if withheld or native is None else landed[at][native],
                    value=None if withheld or row[name] is None else str(row[name]),
                    withheld=withheld,
                    correction=corrected[name].id if name in corrected else None,
                )
            )
        page = labels[row["_page"] - 1]
        counted, line = place_of(contract, page, row["_ordinal"])
        return Record(
            record=f"{snapshot}#{page}:{line}",
            dataset=dataset,
            snapshot=str(snapshot),
            page=page,
            counted=counted,
            line=line,
            key={contract.columns[name].native: str(row[name]) for name in contract.key},
            fields=fields,
            waiver=self._waiver(contract, snapshot.as_of, landed[at]),
            decision=self._decision(contract, landed[at], corrected),
        )

    def _waiver(self, contract: Contract, as_of: date, landed: dict[str, str | None]) -> int | None:
        """The waiver without which this record would have stayed in quarantine on the night of its snapshot."""
        if as_of not in self._waivers:
            self._waivers[as_of] = waivers.in_force(waivers.waivers(self._stores.engine, before=arrival_cutoff(as_of)))
        given = self._waivers[as_of].get(contract.dataset, {})
        waiver = given.get(row_id(contract, landed)) if given else None
        return waiver.id if waiver else None

    def _decision(
        self, contract: Contract, landed: dict[str, str | None], corrected: Mapping[str, Correction]
    ) -> int | None:
        """The decision about a name or code that made this record the enterprise's: about what it says once corrected,
        as conforming reads it.
        """

        def said(name: str) -> str | None:
            return corrected[name].becomes if name in corrected else landed[contract.columns[name].native]

        taken = self._decisions.get(contract.dataset, {})
        found = (taken.get(at) for at in subjects(contract.entity, said))
        return next((one.id for one in found if one and one.uscc == self._scored.points["uscc"]), None)

    def _corrections(self, contract: Contract) -> dict[tuple[int, int], dict[str, Correction]]:
        """Place of a record → its fields that a declared correction changed, and the correction."""
        dataset = contract.dataset
        if dataset not in self._corrected:
            frozen, of_place = self._scored.snapshots[dataset], self._corrected.setdefault(dataset, {})
            as_of = self._scored.row.result.as_of
            if any(line.startswith(f"{dataset}/") for line in corrections_in_force(frozen.key.scope, as_of)):
                declared = {one.id: one for one in corrections()[dataset]}
                _, outcomes = correct(contract, frozen.key.scope, frozen.accepted(self._stores), as_of)
                for outcome in outcomes:
                    for place in outcome.places:
                        of_place.setdefault(place, {})[outcome.field] = declared[outcome.id]
        return self._corrected[dataset]

    def _landing(self, contract: Contract) -> tuple[list[str], _Placed, _Placed]:
        """The pages of a dataset's landing, and the enterprise's rows in it as the department wrote them, and as they
        are read.
        """
        dataset = contract.dataset
        if dataset not in self._landed:
            frozen = self._scored.snapshots[dataset]
            place, version = places.landing(frozen.key), frozen.landing_version(self._stores)
            manifest = self._stores.lake.require(place, version)
            table = self._stores.lake.read(place, version=version)
            own = [(row["_page"], row["_ordinal"]) for row in self._rows[dataset.lower()]]
            pages = pc.is_in(table["_page"], value_set=pa.array(sorted({page for page, _ in own}), pa.int32()))
            lines = pc.is_in(table["_ordinal"], value_set=pa.array(sorted({line for _, line in own}), pa.int32()))
            kept = table.filter(pc.and_(pages, lines)).to_pylist()
            landed = {(row["_page"], row["_ordinal"]): row for row in kept}
            read = dict(zip(landed, _read_again(contract, kept), strict=True))
            self._landed[dataset] = (manifest.facts["pages"], landed, read)
        return self._landed[dataset]


def _read_again(contract: Contract, landed: Sequence[dict[str, str | None]]) -> list[dict[str, Any]]:
    """What validation reads from the texts of some landed rows: each column of all of them at once."""
    from include.validation.cast import cast

    def sent(native: str) -> pa.Array:
        return pa.array([row[native] for row in landed], pa.string())

    values = {
        name: cast(
            column, sent(column.native), sent(contract.columns[column.unit_in].native) if column.unit_in else None
        )
        for name, column in contract.columns.items()
    }
    read = {name: one.value.to_pylist() for name, one in values.items()}
    return [{name: held[place] for name, held in read.items()} for place in range(len(landed))]


def _hold_landed(
    contract: Contract, read: dict[str, Any], row: dict[str, Any], corrected: Mapping[str, Correction]
) -> None:
    """The accepted record is what validation reads from the landed text (`read`), column by column; but for declared
    corrections and codes that the contract discards.
    """
    for name, column in contract.columns.items():
        if name == "uscc" or name in corrected:
            continue  # conforming resolved it, or put it right
        if row[name] is None and column.allowed and contract.drift.codes == "discard_value":
            continue
        if read[name] != row[name]:
            raise TerminalError(f"{name} read again from the landed text differs", where=contract.dataset)


def _snapshot_account(scored: _Scored, frozen: Frozen) -> SnapshotAccount:
    contract, key = frozen.contract, frozen.key
    return SnapshotAccount(
        dataset=contract.dataset,
        title_zh=contract.title_zh,
        owner=contract.owner,
        scope=key.scope,
        as_of=key.as_of,
        age_days=(scored.row.result.as_of - key.as_of).days,
        sha256=frozen.sha256,
    )


def _night(scored: _Scored) -> Night:
    return Night(scored.rules, scored.measured, scored.profile["stage"])


def _side(scored: _Scored) -> Side:
    return Side(
        as_of=scored.row.result.as_of,
        district=scored.profile["district"],
        scheme=scored.rules.scheme.id,
        scheme_version=scored.rules.version,
        snapshot_set=scored.row.snapshot_set,
        stage=scored.profile["stage"],
        total=scored.points["total"],
    )


def _record_changes(dataset: str, before: _Scored, after: _Scored) -> list[Any]:
    contract = contracts()[dataset]
    nothing = contract.conformed_schema().empty_table()
    name = dataset.lower()
    return record_changes(contract, before.tables.get(name, nothing), after.tables.get(name, nothing))
