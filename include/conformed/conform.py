"""Accepted rows to conformed rows: the enterprise resolved, void and superseded filings dropped, nothing aggregated."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.conformed.names import SEPARATORS, split
from include.conformed.register import Links, Register
from include.conformed.unresolved import Decided, settled, unresolved
from include.contracts import Contract, Versions

MANY_ROWS = 100_000
_NOTHING_DECIDED: Decided = MappingProxyType({})


@dataclass(frozen=True)
class Conformed:
    """`table`: the contract's columns with `uscc` resolved, sorted by uscc and key; `owners`, `is_filer` in lists.
    `unresolved`: its rows that link to no enterprise, or in doubt, listed and counted per tier (`UNRESOLVED`).
    """

    table: pa.Table
    unresolved: pa.Table


class _Rows:
    """Some rows of a table, by their places in it (at first all), read a column at a time."""

    def __init__(self, table: pa.Table, places: pa.Array | None = None) -> None:
        self.table, self._chosen = table, places

    @property
    def num_rows(self) -> int:
        return self.table.num_rows if self._chosen is None else len(self._chosen)

    @property
    def places(self) -> pa.Array:
        return pa.array(np.arange(self.table.num_rows)) if self._chosen is None else self._chosen

    def __getitem__(self, name: str) -> pa.Array:
        column = self.table[name].combine_chunks()
        return column if self._chosen is None else column.take(self._chosen)

    def filter(self, mask: pa.Array) -> _Rows:
        return _Rows(self.table, self.places.filter(mask))

    def narrow(self, read: list[str]) -> pa.Table:
        """The few columns that a query reads, with the place of each row (`_row`): windows would carry every column
        through every sort."""
        table = self.table.select(list(dict.fromkeys([*read, "_page", "_ordinal"])))
        chosen = table if self._chosen is None else table.take(self._chosen)
        return chosen.append_column("_row", self.places)


def conform(
    contract: Contract,
    accepted: pa.Table,
    register: Register,
    participating: pa.Array,
    decided: Decided = _NOTHING_DECIDED,
) -> Conformed:
    """Conform one dataset: a district's rows for that district, the city's for the whole city.

    `register` knows who is meant, `decided` what people said of this dataset where equality left it open; enterprises
    that are not among `participating` (codes) are left out. Until the last step a row is its place in `accepted`; then
    each row that stays is copied once, whole.
    """
    rows = _last_editions(contract, _Rows(accepted))
    link = _link_names if contract.entity.names else _link_roles if contract.entity.roles else _link
    links, open_ = link(contract, rows, register, decided)
    codes, places = _ranked(links["uscc"].combine_chunks())
    takes_part = pc.fill_null(pc.is_in(codes, value_set=participating).take(places), False)
    ranked = links.set_column(links.column_names.index("uscc"), "uscc", places).filter(takes_part)
    return Conformed(_latest(contract, accepted, ranked, codes), open_)


def quarantined_pairs(contract: Contract, quarantine: pa.Table, register: Register) -> set[tuple[str, str]]:
    """(uscc, dataset) of enterprises that have rows in quarantine, as far as those rows can be read."""
    texts = [part for text in quarantine["entity"].to_pylist() for part in split(text or "")]
    parts = pa.array(texts, pa.string())
    uscc, _ = register.resolve([parts], parts, pa.nulls(len(parts), pa.date32()))
    return {(code, contract.dataset) for code in uscc.drop_null().to_pylist()}


def _link(contract: Contract, rows: _Rows, register: Register, decided: Decided) -> tuple[pa.Table, pa.Table]:
    """Which row (`_row`) is whose (`uscc`, null: nobody's here), and what is unresolved; so do the other two."""
    uscc, open_ = _resolved(contract, rows, contract.entity.codes, contract.entity.name, register, decided)
    return pa.table({"_row": rows.places, "uscc": uscc}), open_


def _link_roles(contract: Contract, rows: _Rows, register: Register, decided: Decided) -> tuple[pa.Table, pa.Table]:
    """One link per party that is an enterprise here; who deals with itself has one in each role."""
    current = _current(contract, rows)
    links, open_ = [], []
    for role, party in contract.entity.roles.items():
        uscc, left = _resolved(contract, current, party.codes, party.name, register, decided)
        of_role = pa.array([role] * current.num_rows, pa.string())
        links.append(pa.table({"_row": current.places, "uscc": uscc, "role": of_role}))
        open_.append(left)
    return pa.concat_tables(links), pa.concat_tables(open_)


def _link_names(contract: Contract, rows: _Rows, register: Register, decided: Decided) -> tuple[pa.Table, pa.Table]:
    """Each current row once per enterprise among its names."""
    assert contract.entity.names
    current = _current(contract, rows)
    row, written, links = _listed(contract, current, contract.entity.names, register, decided)
    uscc, open_ = links[0], unresolved(contract.dataset, links, pa.nulls(len(row), pa.string()), written, register)
    owners = np.bincount(row, minlength=current.num_rows)[row]
    table = pa.table({"_row": current.places.take(pa.array(row)), "uscc": uscc, "owners": owners})
    if contract.entity.filed_by:
        filed, _, (filer, _) = _listed(contract, current, contract.entity.filed_by, register, decided)
        is_filer = pc.is_in(_pairs(row, uscc, register), value_set=_pairs(filed, filer, register))
        table = table.append_column("is_filer", is_filer.cast(pa.int64()))
    return table.filter(uscc.is_valid()), open_


def _listed(
    contract: Contract, current: _Rows, column: str, register: Register, decided: Decided
) -> tuple[np.ndarray, pa.Array, Links]:
    """Of every name in a column of lists, once per row: the row, the name as written, and the links."""
    lists = pc.split_pattern_regex(current[column], SEPARATORS.pattern)
    parts = pc.utf8_trim_whitespace(pc.list_flatten(lists)).dictionary_encode()
    names = parts.dictionary
    row, name = pc.list_parent_indices(lists).to_numpy(), parts.indices.to_numpy()
    said = pc.greater(pc.utf8_length(names), 0).to_numpy(zero_copy_only=False)[name]
    row, name = row[said].astype(np.int64), name[said]
    pairs = row * len(names) + name
    order = np.argsort(pairs, kind="stable")  # in order but for a few
    once = order[np.diff(pairs[order], prepend=-1) != 0]
    row, name = row[once], name[once]
    written = pa.DictionaryArray.from_arrays(pa.array(name.astype(np.int32)), names)
    links = register.by_names(written, _days(contract, current).take(pa.array(row)))
    return row, written, settled(links, pa.nulls(len(row), pa.string()), written, decided, register)


def _pairs(row: np.ndarray, uscc: pa.Array, register: Register) -> pa.Array:
    """Row and enterprise as one number, -1 where there is no enterprise."""
    at = pc.index_in(uscc, value_set=register.codes).fill_null(-1).to_numpy()
    return pa.array(np.where(at < 0, -1, row * len(register.codes) + at))


def _resolved(
    contract: Contract, rows: _Rows, codes: list[str], name: str | None, register: Register, decided: Decided
) -> tuple[pa.Array, pa.Table]:
    """The enterprise that these columns name in each row, and what is unresolved."""
    given = [rows[code] for code in codes]
    names = rows[name] if name else pa.nulls(rows.num_rows, pa.string())
    links = register.resolve(given, names, _days(contract, rows))
    first = pc.coalesce(*given) if given else pa.nulls(rows.num_rows, pa.string())
    return _left_open(contract, links, first, names, register, decided)


def _left_open(
    contract: Contract, links: Links, codes: pa.Array, names: pa.Array, register: Register, decided: Decided
) -> tuple[pa.Array, pa.Table]:
    links = settled(links, codes, names, decided, register)
    return links[0], unresolved(contract.dataset, links, codes, names, register)


def _days(contract: Contract, rows: _Rows) -> pa.Array:
    """The day on which each record named its enterprise."""
    arrival = rows[contract.arrival].cast(pa.date32())
    named_on = contract.entity.named_on
    return pc.coalesce(rows[named_on].cast(pa.date32()), arrival) if named_on else arrival


def _current(contract: Contract, rows: _Rows) -> _Rows:
    """The latest version of each record, before names are linked: whom only an older one names owns it no longer."""
    if contract.versions is None:
        return rows
    window = f"OVER (PARTITION BY {', '.join(contract.versions.group)} ORDER BY {_latest_first(contract.versions)})"
    newest = f"SELECT _row FROM rows QUALIFY row_number() {window} = 1 ORDER BY _page, _ordinal"
    chosen = _chosen(rows.narrow([*contract.versions.group, *contract.versions.latest_by]), newest)
    return rows if chosen.num_rows == rows.num_rows else _Rows(rows.table, chosen["_row"].combine_chunks())


def _last_editions(contract: Contract, rows: _Rows) -> _Rows:
    """Of deliveries that list everybody anew, the rows of the last one."""
    if contract.editions is None:
        return rows
    latest = ", ".join(f"{name} DESC NULLS LAST" for name in contract.editions.latest_by)
    window = f"OVER (PARTITION BY {', '.join(contract.editions.of)} ORDER BY {latest})"
    last = f"SELECT _row FROM rows QUALIFY rank() {window} = 1 ORDER BY _page, _ordinal"
    chosen = _chosen(rows.narrow([*contract.editions.of, *contract.editions.latest_by]), last)
    return _Rows(rows.table, chosen["_row"].combine_chunks())


def _latest(contract: Contract, accepted: pa.Table, links: pa.Table, codes: pa.Array) -> pa.Table:
    """Drop void rows, then keep per group the latest filing whole (or the latest row), in a total order. `uscc` of the
    links is a place in `codes`.
    """
    role = ["role"] if contract.entity.roles else []
    order = ["uscc", *contract.key, *role]
    read, where, qualify, first = order, "", "", ""
    if versions := contract.versions:
        void = [f"{name} NOT IN ({', '.join(map(_text, texts))})" for name, texts in versions.void.items()]
        where = f"WHERE {' AND '.join(void)}" if void else ""
        group = ", ".join(dict.fromkeys(["uscc", *role, *versions.group]))
        window = f"OVER (PARTITION BY {group} ORDER BY {_latest_first(versions)})"
        read = [*order, *versions.group, *versions.latest_by, *versions.void]
        if versions.first:
            first = f", min({versions.first}) OVER (PARTITION BY {group}) AS first_{versions.first}"
            read.append(versions.first)
        if versions.filing:
            qualify = f"QUALIFY {versions.filing} = first_value({versions.filing}) {window}"
            read.append(versions.filing)
        else:
            qualify = f"QUALIFY row_number() {window} = 1"
    added = [name for name in links.column_names if name != "_row"]  # uscc, and owners or role
    linked = _Rows(accepted, links["_row"].combine_chunks())
    narrow = linked.narrow([name for name in read if name not in added])
    for name in added:
        narrow = narrow.append_column(name, links[name])
    ordered = ", ".join(dict.fromkeys([*order, "_page", "_ordinal"]))
    query = f"SELECT _row, {', '.join(added)}{first} FROM rows {where} {qualify} ORDER BY {ordered}"
    chosen = _chosen(narrow, query)
    told = chosen.drop_columns(["_row", "uscc"]).append_column("uscc", codes.take(chosen["uscc"]))
    schema = contract.conformed_schema()
    rest = accepted.select([name for name in schema.names if name not in told.column_names]).take(chosen["_row"])
    columns = [(told if name in told.column_names else rest)[name] for name in schema.names]
    return pa.table(columns, schema.names).cast(schema)


def _ranked(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Each text once, in their order, and which of them each is (null for null): a window is quicker over numbers than
    over texts.
    """
    coded = texts.dictionary_encode()
    order = pc.array_sort_indices(coded.dictionary)
    rank: np.ndarray = np.empty(len(order), np.int32)
    rank[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    return coded.dictionary.take(order), pa.array(rank).take(coded.indices)


def _latest_first(versions: Versions) -> str:
    return ", ".join(f"{name} DESC NULLS LAST" for name in [*versions.latest_by, "_page", "_ordinal"])


@cache
def _engine(process: int) -> duckdb.DuckDBPyConnection:
    """One in-memory engine per process: to start one costs more than most datasets. A forked process starts its own."""
    return _new_engine()


def _new_engine() -> duckdb.DuckDBPyConnection:
    """Each caller's thread does its own query."""
    return duckdb.connect(config={"threads": 1})


def _chosen(narrow: pa.Table, query: str) -> pa.Table:
    """What a query gives of the narrow table `rows`; many are asked of an engine of their own, which gives back what it
    held."""
    engine = _engine(os.getpid()).cursor() if narrow.num_rows < MANY_ROWS else _new_engine()
    with engine as connection:
        connection.register("rows", narrow)
        return connection.sql(query).to_arrow_table()


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
