"""Which records a number stands on: found by leaving records out, proved by measuring again from the found ones alone.

Nothing about it is declared and nothing is believed. Every number depends on the enterprise's own rows alone (a law of
the measures), so many variants of one enterprise, each without one row or with one column blank, are measured side by
side as if they were a city. A row whose absence changes the number is needed. Where the needed rows alone do not give
the number (two certificates of the same highest level: either would do), the first further rows that complete it are
taken, in the order of the tables. A column is used when the number changes once it is blank in all of these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import pyarrow as pa

Key = TypeVar("Key", bound=Hashable)
Row = tuple[str, int]
"""A conformed row: its table and its place in it."""
Measure = Callable[[Mapping[str, pa.Table]], pa.Table]
"""Conformed tables in, the wide table of measures out."""

ENTERPRISES = "enterprises"
ROWS_AT_ONCE = 150_000
"""So many rows of variants are measured together; more would only cost memory."""
PREFIXES_AT_ONCE = 16
AT_MOST_ADDED = 32
"""After so many rows taken one by one, all that complete the number are taken: sufficient, but perhaps not minimal."""
_PLACE = ("_page", "_ordinal")


@dataclass(frozen=True)
class Support:
    """What gives a measure its value. `rows` alone, with the enterprise's registration, give exactly the value; without
    any of them it would differ, unless `is_minimal` is false. `columns`: by table, those that matter; registration
    counts as table `enterprises`. A value that needs no row is a register that names nobody, or an unknown.
    """

    value: Decimal | int | None
    rows: tuple[Row, ...]
    columns: dict[str, tuple[str, ...]]
    is_minimal: bool


@dataclass(frozen=True)
class Variant:
    """The enterprise with only `rows`, and one column (table, name) blank."""

    rows: frozenset[Row]
    blank: tuple[str, str] | None = None


def supports(
    tables: Mapping[str, pa.Table], measure: Measure, reads: Mapping[str, frozenset[str]]
) -> dict[str, Support]:
    """The support of every measure in `reads`, whose value names the tables that it reads.

    `tables`: `enterprises` with the one enterprise, and its conformed rows by dataset.
    """
    city, read_by_any = City(tables, measure), frozenset[str]().union(*reads.values()) - {ENTERPRISES}
    every = frozenset(
        (name, place) for name, table in tables.items() if name in read_by_any for place in range(table.num_rows)
    )
    own = {name: frozenset(row for row in every if row[0] in read) for name, read in reads.items()}
    values = city.measured(Variant(every))

    without = city.measured_each({row: Variant(_beside(every, row, reads) - {row}) for row in sorted(every)})
    needed = {name: frozenset(row for row in own[name] if without[row][name] != values[name]) for name in reads}
    enough, is_minimal = _completed(city, own, needed, values)

    blanks = {
        (enough[name], table, column)
        for name, read in reads.items()
        for table in sorted({row[0] for row in enough[name]} | ({ENTERPRISES} & read))
        for column in tables[table].column_names
        if column not in ("uscc", *_PLACE)
    }
    blanked = city.measured_each({key: Variant(key[0], (key[1], key[2])) for key in sorted(blanks, key=_order)})
    used: dict[str, dict[str, list[str]]] = {name: {} for name in reads}
    for (rows, table, column), found in blanked.items():
        for name, read in reads.items():
            if enough[name] == rows and table in read and found[name] != values[name]:
                used[name].setdefault(table, []).append(column)
    return {
        name: Support(
            value=values[name],
            rows=tuple(sorted(enough[name])),
            columns={
                table: tuple(c for c in tables[table].column_names if c in columns)
                for table, columns in sorted(used[name].items())
            },
            is_minimal=is_minimal[name],
        )
        for name in reads
    }


def _beside(every: frozenset[Row], row: Row, reads: Mapping[str, frozenset[str]]) -> frozenset[Row]:
    """The rows that are measured together with `row`: a variant need not carry what no such measure reads."""
    beside = frozenset[str]().union(*(read for read in reads.values() if row[0] in read))
    return frozenset(one for one in every if one[0] in beside)


def _completed(
    city: City, own: Mapping[str, frozenset[Row]], needed: Mapping[str, frozenset[Row]], values: Mapping[str, object]
) -> tuple[dict[str, frozenset[Row]], dict[str, bool]]:
    """The needed rows of each measure with the first further ones that it takes to reach its value."""
    enough = dict(needed)
    is_minimal = dict.fromkeys(needed, True)
    spare = {name: sorted(own[name] - needed[name]) for name in needed}
    added = dict.fromkeys(needed, 0)
    while lacking := _lacking(city, enough, values):
        shortest = _shortest_prefixes(city, {name: (enough[name], spare[name]) for name in lacking}, values)
        for name, length in shortest.items():
            prefix = spare[name][:length]
            added[name] += 1
            if added[name] > AT_MOST_ADDED:
                enough[name] |= frozenset(prefix)
                is_minimal[name] = False
            else:
                enough[name] |= {prefix[-1]}
                spare[name] = prefix[:-1]
    return enough, is_minimal


def _lacking(city: City, enough: Mapping[str, frozenset[Row]], values: Mapping[str, object]) -> list[str]:
    found = city.measured_each({rows: Variant(rows) for rows in enough.values()})
    return [name for name, rows in enough.items() if found[rows][name] != values[name]]


def _shortest_prefixes(
    city: City, asked: Mapping[str, tuple[frozenset[Row], list[Row]]], values: Mapping[str, object]
) -> dict[str, int]:
    """By measure, how many of its spare rows complete its value: a length that does while one less does not."""
    between = {name: (0, len(spare)) for name, (_, spare) in asked.items()}  # too few, enough
    while open_ends := {name: ends for name, ends in between.items() if ends[1] - ends[0] > 1}:
        trials = {
            (name, length): Variant(asked[name][0] | frozenset(asked[name][1][:length]))
            for name, (low, high) in open_ends.items()
            for length in sorted({low + (high - low) * step // PREFIXES_AT_ONCE for step in range(1, PREFIXES_AT_ONCE)})
            if low < length < high
        }
        found = city.measured_each(trials)
        for name, (low, high) in open_ends.items():
            lengths = [length for asked_name, length in trials if asked_name == name]
            reached = [length for length in lengths if found[name, length][name] == values[name]]
            high = min(reached, default=high)
            between[name] = (max([length for length in lengths if length < high], default=low), high)
    return {name: high for name, (_, high) in between.items()}


class City:
    """Variants of one enterprise, measured side by side."""

    def __init__(self, tables: Mapping[str, pa.Table], measure: Measure) -> None:
        self._tables, self._measure = tables, measure
        self.schema = pa.schema([])
        """The schema of what was measured last."""

    def measured(self, variant: Variant) -> dict[str, Any]:
        """The measures of one variant."""
        return self.measured_each({variant: variant})[variant]

    def measured_each(self, variants: Mapping[Key, Variant]) -> dict[Key, dict[str, Any]]:
        """The measures of each variant, in as few runs as memory allows."""
        found: dict[Key, dict[str, Any]] = {}
        together: dict[Key, Variant] = {}
        rows = 0
        for key, variant in variants.items():
            together[key] = variant
            rows += len(variant.rows) + 1
            if rows >= ROWS_AT_ONCE:
                found |= self._run(together)
                together, rows = {}, 0
        return found | (self._run(together) if together else {})

    def _run(self, variants: Mapping[Key, Variant]) -> dict[Key, dict[str, Any]]:
        codes = {key: f"{number:09}" for number, key in enumerate(variants)}
        parts: dict[str, list[pa.Table]] = {name: [] for name in self._tables}
        by_blank: dict[tuple[str, str] | None, list[tuple[str, Variant]]] = {}
        for key, variant in variants.items():
            by_blank.setdefault(variant.blank, []).append((codes[key], variant))
        for blank, group in by_blank.items():
            places: dict[str, list[int]] = {name: [] for name in self._tables}
            owners: dict[str, list[str]] = {name: [] for name in self._tables}
            for code, variant in group:
                for name, place in (*sorted(variant.rows), (ENTERPRISES, 0)):
                    places[name].append(place)
                    owners[name].append(code)
            for name, table in self._tables.items():
                if not places[name]:
                    continue
                part = table.take(pa.array(places[name], pa.int64()))
                part = part.set_column(part.column_names.index("uscc"), "uscc", pa.array(owners[name], pa.string()))
                if blank and blank[0] == name:
                    column = part.schema.get_field_index(blank[1])
                    part = part.set_column(column, blank[1], pa.nulls(part.num_rows, part.schema.field(column).type))
                parts[name].append(part)
        empty = {name: [table.slice(0, 0)] for name, table in self._tables.items()}  # delivered, and nothing of it
        measured = self._measure({name: pa.concat_tables(pieces or empty[name]) for name, pieces in parts.items()})
        self.schema = measured.schema
        by_code = {line["uscc"]: line for line in measured.to_pylist()}
        return {key: by_code[code] for key, code in codes.items()}


def _order(blank: tuple[frozenset[Row], str, str]) -> tuple[list[Row], str, str]:
    return sorted(blank[0]), blank[1], blank[2]
