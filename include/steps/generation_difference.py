"""`difference`: who has other points in one generation than in another, and by which record.

The published lines say who and what; the frozen snapshots of both generations, conformed again, say which records came,
went or read differently. A line is laid at the records of the datasets that its indicator reads; where none of them
changed, at the enterprise's stage, at the rules, or at the day itself (a certificate runs out by the calendar).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include.conformed.correct import corrections_in_force
from include.contracts import contracts
from include.evidence.account import RecordChange
from include.evidence.change import record_changes
from include.kernel.errors import BadInput
from include.publish.generations import Generation, generations
from include.schemes.engine import session
from include.sources.declaration import REGISTRY
from include.steps.conforming import Frozen, Registries, conformed, decided
from include.steps.district import compiled
from include.steps.stores import Stores, open_stores
from include.store.warehouse import PUBLISHED, reading

TOP = 10
_FIGURES = ("value", "status", "points")


def generation_difference(before: int, after: int) -> dict[str, Any]:
    """Two generations of one scheme: every enterprise that has other points or lines, with the records behind it."""
    stores = open_stores()
    old, new = (_generation(stores, one) for one in (before, after))
    if old.scheme_id != new.scheme_id:
        raise BadInput(
            f"generation {old.id} is of {old.scheme_id}, {new.id} of {new.scheme_id}",
            kept="nothing was changed",
            todo="compare two of one scheme; `innopoints scheme diff` compares schemes",
        )
    lines = _lines(stores, old.id, new.id)
    totals = _totals(stores, old.id, new.id)
    records = _records(stores, old, new)
    reads = _datasets(old) | _datasets(new)
    moved = sorted(lines.keys() | {uscc for uscc, sides in totals.items() if len(sides) < 2})
    moves = [_move(uscc, totals[uscc], lines.get(uscc, {}), records.get(uscc, []), reads, old, new) for uscc in moved]
    causes = sorted({line["cause"] for move in moves for line in move["lines"]})
    return {
        "before": _identity(old),
        "after": _identity(new),
        "enterprises": len(totals),
        "moved": len(moves),
        "by_cause": {cause: sum(line["cause"] == cause for m in moves for line in m["lines"]) for cause in causes},
        "records_without_effect": len(records.keys() - set(moved)),
        "moves": moves,
    }


def _generation(stores: Stores, number: int) -> Generation:
    found = next((one for one in generations(stores.engine) if one.id == number), None)
    if found is None or found.status == "blocked":
        raise BadInput(
            f"generation {number} {'was blocked by its audit' if found else 'is not kept'}",
            kept="nothing was changed",
            todo="choose two from `innopoints generations`",
        )
    return found


def _identity(one: Generation) -> dict[str, Any]:
    told = {"generation": one.id, "as_of": one.as_of.isoformat()}
    return {**told, "scheme": one.scheme_id, "version": one.scheme_version}


def _lines(stores: Stores, old: int, new: int) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Enterprise → indicator → side (`before`, `after`) → the ledger line's figures, of the lines that differ."""
    ledger = PUBLISHED["points_ledger"]
    wanted = [ledger.c[name] for name in ("uscc", "indicator", *_FIGURES)]
    found: dict[str, dict[str, dict[str, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
    with reading(stores.engine) as connection:
        for side, mine, theirs in (("before", old, new), ("after", new, old)):
            only = sa.select(*wanted).where(ledger.c.generation_id == mine)
            other = sa.select(*wanted).where(ledger.c.generation_id == theirs)
            for row in connection.execute(only.except_(other)):
                figures = {name: _text(getattr(row, name)) for name in _FIGURES}
                found[row.uscc][row.indicator][side] = figures
    return found


def _totals(stores: Stores, old: int, new: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Enterprise → side → total, stage and district, of every enterprise of either generation."""
    points, profile = PUBLISHED["enterprise_points"], PUBLISHED["enterprise_profile"]
    both = sa.and_(points.c.uscc == profile.c.uscc, points.c.generation_id == profile.c.generation_id)
    query = sa.select(points.c.generation_id, points.c.uscc, points.c.total, points.c.stage, profile.c.district)
    query = query.select_from(points.join(profile, both)).where(points.c.generation_id.in_([old, new]))
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    with reading(stores.engine) as connection:
        for row in connection.execute(query):
            told = {"total": row.total, "stage": row.stage, "district": row.district}
            found[row.uscc] |= {
                side: told for side, one in (("before", old), ("after", new)) if row.generation_id == one
            }
    return found


@dataclass(frozen=True)
class _Side:
    """The frozen snapshots of one generation: the newest of each dataset and scope."""

    as_of: date
    members: dict[tuple[str, str], Frozen]

    @classmethod
    def of(cls, stores: Stores, one: Generation) -> _Side:
        frozen = [Frozen.of(member) for member in stores.ledger.members(one.snapshot_set)]
        newest = sorted(frozen, key=lambda member: member.key.as_of)
        return cls(one.as_of, {(member.key.dataset, member.key.scope): member for member in newest})

    def conformed(self, stores: Stores, chosen: Iterable[tuple[str, str]]) -> dict[str, pa.Table]:
        """The chosen members as they conform under this side's own register."""
        registries = [member for (dataset, _), member in self.members.items() if dataset == REGISTRY]
        known, people = Registries.read(stores, registries, self.as_of), decided(stores, self.as_of)
        found: dict[str, list[pa.Table]] = defaultdict(list)
        for place in chosen:
            if place in self.members:
                everybody, member = known.participating(), [self.members[place]]
                tables = conformed(stores, member, known.register, everybody, people, self.as_of)
                found[place[0]].append(tables[place[0].lower()])
        return {dataset: pa.concat_tables(parts) for dataset, parts in found.items()}


def _records(stores: Stores, old: Generation, new: Generation) -> dict[str, list[RecordChange]]:
    """Enterprise → its conformed records that differ. Snapshots that both generations stand on are not read."""
    sides = _Side.of(stores, old), _Side.of(stores, new)
    places = sides[0].members.keys() | sides[1].members.keys()
    other = sorted(place for place in places if _made_of(sides[0], place) != _made_of(sides[1], place))
    tables = [side.conformed(stores, other) for side in sides]
    found: dict[str, list[RecordChange]] = defaultdict(list)
    for dataset in sorted({dataset for dataset, _ in other}):
        contract = contracts()[dataset]
        empty = contract.conformed_schema().empty_table()
        pair = [one.get(dataset, empty) for one in tables]
        concerned = _who_differs(*pair)
        of_whom = [_by_enterprise(table.filter(pc.is_in(table["uscc"], concerned))) for table in pair]
        for uscc in concerned.to_pylist():
            found[uscc] += record_changes(contract, *(one.get(uscc, empty) for one in of_whom))
    return found


def _made_of(side: _Side, place: tuple[str, str]) -> tuple[str | None, list[str]]:
    """The digest of a member, and the corrections that are declared for it on that side's night."""
    dataset, scope = place
    corrected = [line for line in corrections_in_force(scope, side.as_of) if line.startswith(f"{dataset}/")]
    return side.members[place].sha256 if place in side.members else None, corrected


def _who_differs(before: pa.Table, after: pa.Table) -> pa.Array:
    """The enterprises with a record on one side only; where it stood in the reply does not count."""
    columns = ", ".join(f'"{name}"' for name in before.column_names if name not in ("_page", "_ordinal"))
    with session() as engine:
        _register(engine, before=before, after=after)
        return (
            engine.sql(
                f"""
                SELECT DISTINCT uscc FROM (
                  (SELECT {columns} FROM before EXCEPT ALL SELECT {columns} FROM after)
                  UNION ALL (SELECT {columns} FROM after EXCEPT ALL SELECT {columns} FROM before)
                ) ORDER BY uscc
                """
            )
            .to_arrow_table()["uscc"]
            .combine_chunks()
        )


def _register(engine: duckdb.DuckDBPyConnection, **tables: pa.Table) -> None:
    for name, table in tables.items():
        engine.register(name, table)


def _by_enterprise(table: pa.Table) -> dict[str, pa.Table]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, uscc in enumerate(table["uscc"].to_pylist()):
        places[uscc].append(place)
    return {uscc: table.take(pa.array(rows)) for uscc, rows in places.items()}


def _datasets(one: Generation) -> dict[str, set[str]]:
    """Indicator → the datasets that its measures are made of, under the rules of the generation."""
    from include.measures.registry import measures

    known = measures()
    return {
        name: {dataset for measure in rule.inputs for dataset in known[measure].datasets}
        for name, rule in compiled(one.scheme_id, one.as_of).indicators.items()
    }


def _move(
    uscc: str,
    sides: dict[str, dict[str, Any]],
    lines: dict[str, dict[str, dict[str, Any]]],
    records: list[RecordChange],
    reads: dict[str, set[str]],
    old: Generation,
    new: Generation,
) -> dict[str, Any]:
    """One enterprise: totals, the lines that differ with what each is laid at, and its records that differ."""
    before, after = sides.get("before"), sides.get("after")
    stage_moved = bool(before and after and before["stage"] != after["stage"])
    told = []
    for indicator, figures in sorted(lines.items()):
        own = [_named(one) for one in records if one.dataset in reads.get(indicator, set())]
        if own:
            cause = "records"
        elif stage_moved or before is None or after is None:
            cause = "stage" if stage_moved else "enterprise"
        elif old.scheme_version != new.scheme_version:
            cause = "rules"
        else:
            cause = "day" if old.as_of != new.as_of else "unknown"
        told.append({"indicator": indicator, **figures, "cause": cause, "records": own})
    return {
        "uscc": uscc,
        "district": (after or before or {})["district"],
        "change": str((after["total"] if after else Decimal(0)) - (before["total"] if before else Decimal(0))),
        "total_before": str(before["total"]) if before else None,
        "total_after": str(after["total"]) if after else None,
        "stage_before": before["stage"] if before else None,
        "stage_after": after["stage"] if after else None,
        "lines": told,
        "records": [one.model_dump() for one in records],
    }


def _named(one: RecordChange) -> str:
    """A record by its key, and for a changed one the names of its fields: which record, and no figure of it."""
    fields = f" ({', '.join(field.column for field in one.fields)})" if one.change == "changed" else ""
    return f"{one.dataset} {'/'.join(one.key.values())} {one.change}{fields}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def render(found: dict[str, Any]) -> str:
    """The difference for reading: the largest moves; all of them stand in the JSON."""
    return "\n".join(_told(found))


def _told(found: dict[str, Any]) -> Iterator[str]:
    before, after = found["before"], found["after"]
    for arrow, one in (("", before), ("-> ", after)):
        yield f"{arrow}generation {one['generation']} as of {one['as_of']}, {one['scheme']} {one['version']}"
    yield (
        f"{found['moved']} of {found['enterprises']} enterprises have other lines; "
        f"{found['records_without_effect']} more have other records and the same points"
    )
    yield "lines by cause: " + (", ".join(f"{name} {n}" for name, n in found["by_cause"].items()) or "none")
    largest = sorted(found["moves"], key=lambda move: (-abs(Decimal(move["change"])), move["uscc"]))
    for move in largest[:TOP]:
        there = [move["total_before"] or "not there", move["total_after"] or "not there"]
        yield f"  {move['uscc']} {move['district']}: {there[0]} -> {there[1]}"
        for line in move["lines"]:
            points = [line[side]["points"] if side in line else "none" for side in ("before", "after")]
            why = "; ".join(line["records"]) or line["cause"]
            yield f"    {line['indicator']} {points[0]} -> {points[1]}: {why}"
    if len(largest) > TOP:
        yield f"  {len(largest) - TOP} more, see --json"
