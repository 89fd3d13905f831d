"""Why an enterprise has its points: from the total down to the source records, re-derived and held against the ledger.

Nothing here is believed: the measures are run again from the frozen accepted snapshots, the formula and the curve are
worked out by the exact reference in Python (the nightly runs SQL), and each figure must equal the ledger's line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import contracts
from include.kernel.areas import areas
from include.kernel.errors import BadInput, TerminalError
from include.kernel.exact import from_scaled, ratio_half_up, to_scaled
from include.kernel.identity import normal_code
from include.kernel.references import SnapshotKey
from include.schemes.compile import Compiled, CompiledIndicator
from include.schemes.model import POINT_DECIMALS, require_scheme
from include.steps.district import REGISTRY, compiled
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.ledger import ResultRow

HELD_ELSEWHERE = 20
"""So many records of one dataset are printed as text; JSON has them all."""


def explain(uscc: str, scheme: str, *, indicator: str | None = None, as_of: date | None = None) -> dict[str, Any]:
    """The whole account of one enterprise, as of the last scored date or the last one not after `as_of`.

    Raises when a re-derived figure differs from the ledger: then either a snapshot or the code is not what it was.
    """
    from include.measures.registry import measures as catalogue
    from include.measures.run import measure as run_measures

    stores, code = open_stores(), normal_code(uscc)
    row = _result_of(stores, code, scheme, as_of)
    rules = compiled(scheme, row.result.as_of)
    if indicator is not None and indicator not in rules.indicators:
        raise BadInput(f"unknown indicator {indicator!r:.40}", todo=f"use one of {', '.join(rules.indicators)}")
    snapshots = {member[0]: SnapshotKey(member[0], member[1], date.fromisoformat(member[2])) for member in row.members}
    tables = _conformed_again(stores, snapshots, row, code)
    measured = run_measures(tables, row.result.as_of).to_pylist()[0]
    profile = _only(stores, row, "profile", code)[0]
    points = _only(stores, row, "points", code)[0]
    asked = [i for i in rules.indicators if indicator in (None, i)]
    ledger = {line["indicator"]: line for line in _only(stores, row, "ledger", code)}
    lines = []
    for name in asked:
        rule = rules.indicators[name]
        line = _line(rules, rule, ledger[name], measured, profile["stage"])
        line["measures"] = [
            {"measure": m, "zh": catalogue()[m].zh, "value": measured[m], "unit": catalogue()[m].unit}
            for m in rule.inputs
        ]
        line["records"] = list(_records(stores, snapshots, tables, rule.datasets))
        lines.append(line)
    _add_up(points, ledger, rules)
    return {
        "uscc": code,
        "name": profile["name"],
        "district": profile["district"],
        "as_of": row.result.as_of.isoformat(),
        "scheme": scheme,
        "scheme_version": rules.version,
        "snapshot_set": row.snapshot_set,
        "stage": profile["stage"],
        "stage_reason": profile["stage_reason"],
        "total": points["total"],
        "total_low": points["total_low"],
        "total_high": points["total_high"],
        "coverage": points["coverage"],
        "categories": {category: points[category] for category in rules.scheme.category_ids},
        "indicators": lines,
        "proved": "every value, raw point, point, category and total was derived again and equals the ledger",
    }


def render(found: dict[str, Any]) -> str:
    """The account as text, for a terminal or a letter."""
    out = [
        f"{found['name']} {found['uscc']} · {found['district']} · as of {found['as_of']}",
        f"{found['scheme']} {found['scheme_version']} · {found['stage']} ({found['stage_reason']})",
        f"total {found['total']} (between {found['total_low']} and {found['total_high']} once all is held), "
        f"coverage {found['coverage']}",
        "  " + " · ".join(f"{category} {value}" for category, value in found["categories"].items()),
    ]
    for line in found["indicators"]:
        out.append(f"\n{line['indicator']} {line['name_zh']}: {line['points']} of {line['weight']} points")
        if line["status"] != "value":
            out.append(f"  {line['status']}" + (f": {line['not_held']}" if line["not_held"] else ""))
        if line["formula"]:
            out.append(f"  formula {line['formula']}   [from {line['formula_from']}, {line['reference']}]")
        out += [f"    {m['measure']} = {m['value']} {m['unit']}  {m['zh']}" for m in line["measures"]]
        if line["value"] is not None:
            out.append(f"  value {line['value']} {line['unit']} → {line['curve']}, segment {line['segment']}")
            out.append(f"  raw {line['raw_points']} x weight {line['weight']} / 100 = {line['points']}")
        if line["to_next"] is not None:
            out.append(f"  next edge in {line['to_next']}: {line['gain_at_next']} raw points more")
        out += _record_lines(line["records"])
    out.append(f"\nproved: {found['proved']} (snapshot set {found['snapshot_set']})")
    return "\n".join(out)


def _record_lines(records: list[dict[str, Any]]) -> Iterator[str]:
    by_snapshot: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_snapshot.setdefault(f"{record['dataset']} snapshot {record['snapshot']}", []).append(record)
    for snapshot, held in by_snapshot.items():
        yield f"  from {snapshot}: {len(held)} records"
        for record in held[:HELD_ELSEWHERE]:
            key = " ".join(f"{name}={value}" for name, value in record["key"].items())
            yield f"    {record['page']} line {record['ordinal'] + 1}: {key}"
        if len(held) > HELD_ELSEWHERE:
            yield f"    … {len(held) - HELD_ELSEWHERE} more, see --json"


def _result_of(stores: Stores, code: str, scheme: str, as_of: date | None) -> ResultRow:
    """The newest result that has the enterprise: after a move its old district may still show it for a night."""
    require_scheme(scheme)
    rows = [stores.ledger.last_scored(district, scheme, as_of or date.max) for district in areas()]
    for row in sorted((row for row in rows if row), key=lambda row: row.result.as_of, reverse=True):
        if code in stores.lake.read(places.points(row.result), "points", ["uscc"])["uscc"].to_pylist():
            return row
    raise BadInput(
        f"no enterprise {code!r:.40} is scored under {scheme}",
        where=f"as of {as_of}" if as_of else "",
        todo="check the code; enterprises registered for less than a year take no part",
    )


def _only(stores: Stores, row: ResultRow, table: str, code: str) -> list[dict[str, Any]]:
    found = stores.lake.read(places.points(row.result), table)
    return found.filter(pc.equal(found["uscc"].cast(pa.string()), code)).to_pylist()


def _conformed_again(
    stores: Stores, snapshots: dict[str, SnapshotKey], row: ResultRow, code: str
) -> dict[str, pa.Table]:
    """The enterprise's conformed rows, from the frozen accepted snapshots that the points stand on."""
    from include.conformed.conform import conform
    from include.conformed.enterprises import Directory, participants

    for member in row.members:
        if stores.lake.require(places.accepted(snapshots[member[0]])).sha256 != member[3]:
            raise TerminalError("the snapshot is not the one that was scored", where=str(snapshots[member[0]]))
    registry = stores.lake.read(places.accepted(snapshots[REGISTRY]))
    enterprises = participants(registry, row.result.district, row.result.as_of)
    directory = Directory.of(registry)
    tables = {"enterprises": enterprises.filter(pc.equal(enterprises["uscc"], code))}
    for dataset, key in snapshots.items():
        accepted = stores.lake.read(places.accepted(key))
        tables[dataset.lower()] = conform(contracts()[dataset], accepted, directory, frozenset({code})).table
    return tables


def _line(
    rules: Compiled, rule: CompiledIndicator, held: dict[str, Any], measured: dict[str, Any], stage: str
) -> dict[str, Any]:
    """The ledger's line beside the same line worked out by the Python reference; a difference raises."""
    indicator, weight = rule.indicator, rules.weights[stage][rule.indicator.id]
    applicable = rule.applicable is None or rule.applicable.evaluate(measured) is not False
    again = rule.formula.evaluate(measured) if rule.formula and applicable else None
    value = None if again is None else Decimal(again)
    hit = None if value is None else rule.curve.segment_of(value)
    raw = to_scaled(hit.raw_points, POINT_DECIMALS) if hit else 0
    points = from_scaled(ratio_half_up(raw * weight, 100 * 10**POINT_DECIMALS, 0), POINT_DECIMALS)
    for name, derived in (("value", value), ("points", points)):
        if held[name] != derived:
            raise TerminalError(
                f"{name} of {indicator.id} derived again differs from the ledger",
                where=f"{held['uscc']} under {rules.scheme.id}",
                kept="the ledger as published",
                todo="compare the code's version with the one that scored; report it",
            )
    return {
        "indicator": indicator.id,
        "name_zh": indicator.name.zh,
        "category": indicator.category,
        "unit": indicator.unit,
        "status": held["status"],
        "not_held": indicator.not_held,
        "formula": " ".join(rule.formula_rule.expression.split()) if rule.formula_rule else None,
        "formula_from": rule.formula_rule.since.isoformat() if rule.formula_rule else None,
        "reference": rule.formula_rule.reference if rule.formula_rule else None,
        "value": value,
        "curve": rule.curve_rule.form,
        "segment": hit.segment.number if hit else None,
        "raw_points": held["raw_points"],
        "weight": from_scaled(weight, POINT_DECIMALS),
        "points": points,
        "to_next": hit.to_next if hit else None,
        "gain_at_next": hit.gain_at_next if hit else None,
    }


def _records(
    stores: Stores, snapshots: dict[str, SnapshotKey], tables: dict[str, pa.Table], datasets: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """The source records behind an indicator: where each stood in the reply, its key, and its fields."""
    for dataset in datasets:
        contract, key = contracts()[dataset], snapshots[dataset]
        pages = stores.lake.require(places.landing(key)).facts["pages"]
        for record in tables[dataset.lower()].to_pylist():
            fields = {name: record[name] for name in contract.columns if record[name] is not None}
            yield {
                "dataset": dataset,
                "snapshot": str(key),
                "page": pages[record["_page"] - 1],
                "ordinal": record["_ordinal"],
                "key": {contract.columns[name].native: str(record[name]) for name in contract.key},
                "fields": {name: str(value) for name, value in fields.items() if name not in contract.people},
            }


def _add_up(points: dict[str, Any], ledger: dict[str, dict[str, Any]], rules: Compiled) -> None:
    for category in rules.scheme.category_ids:
        lines = [line["points"] for line in ledger.values() if line["category"] == category]
        if sum(lines, Decimal(0)) != points[category]:
            raise TerminalError(f"the lines of {category} do not add up to it", where=points["uscc"])
    if sum((points[category] for category in rules.scheme.category_ids), Decimal(0)) != points["total"]:
        raise TerminalError("the categories do not add up to the total", where=points["uscc"])
