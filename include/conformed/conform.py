"""Accepted rows to conformed rows: the enterprise resolved, void and superseded filings dropped, nothing aggregated."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.conformed.enterprises import NOT_REGISTERED_HERE, Directory
from include.contracts import Contract, Versions
from include.kernel.identity import CODE_SHAPE

UNRESOLVED = pa.schema([pa.field("dataset", pa.string()), pa.field("tier", pa.string()), pa.field("rows", pa.int64())])
_SEPARATORS = re.compile("[;；]")


@dataclass(frozen=True)
class Conformed:
    """`table`: the contract's columns with `uscc` resolved (and `owners` for name lists), sorted by uscc and key.
    `unresolved`: rows of this dataset that link to no enterprise of the district, counted per tier (`UNRESOLVED`).
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


def conform(contract: Contract, accepted: pa.Table, directory: Directory, participating: pa.Array) -> Conformed:
    """Conform one dataset: a district's rows for that district, the city's for the whole city.

    `directory` knows who is meant; enterprises that are not among `participating` (codes) are left out. Until the last
    step a row is its place in `accepted`; then each row that stays is copied once, whole.
    """
    rows = _last_editions(contract, _Rows(accepted))
    if contract.entity.names:
        links, tiers = _link_names(contract, rows, directory)
    elif contract.entity.roles:
        links, tiers = _link_roles(contract, rows, directory)
    else:
        links, tiers = _link(contract, rows, directory)
    unresolved = pa.Table.from_pylist(
        [{"dataset": contract.dataset, "tier": tier, "rows": n} for tier, n in sorted(tiers.items())], UNRESOLVED
    )
    taking_part = links.filter(pc.is_in(links["uscc"], value_set=participating))
    return Conformed(_latest(contract, accepted, taking_part), unresolved)


def quarantined_pairs(contract: Contract, quarantine: pa.Table, directory: Directory) -> set[tuple[str, str]]:
    """(uscc, dataset) of enterprises that have rows in quarantine, as far as those rows can be read."""
    found: set[tuple[str, str]] = set()
    for text in quarantine["entity"].to_pylist():
        for part in _SEPARATORS.split(text or ""):
            uscc, _ = directory.resolve((part,), part)
            if uscc:
                found.add((uscc, contract.dataset))
    return found


def _link(contract: Contract, rows: _Rows, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    """Which row (`_row`) is whose (`uscc`, null: nobody's here); so do `_link_roles` and `_link_names`."""
    resolved, tiers = _resolved(rows, contract.entity.codes, contract.entity.name, directory)
    return pa.table({"_row": rows.places, "uscc": resolved}), tiers


def _resolved(
    accepted: _Rows, codes: list[str], name: str | None, directory: Directory
) -> tuple[pa.Array, dict[str, int]]:
    """The enterprise that these columns name in each row, and how many name none, per tier.

    Codes in their one spelling are decided by the column, and so are names where no code is given; whatever is left, as
    a code spelt otherwise, one by one.
    """
    registered = directory.codes
    at = pa.nulls(accepted.num_rows, pa.int32())
    elsewhere = pa.repeat(pa.scalar(False), accepted.num_rows)
    undecided = pa.repeat(pa.scalar(True), accepted.num_rows)
    for column in codes:  # a code is tried where all before it are empty
        code = accepted[column]
        at = pc.if_else(undecided, pc.index_in(code, value_set=registered), at)
        plain = pc.fill_null(pc.match_substring_regex(code, f"^{CODE_SHAPE}$"), False)
        elsewhere = pc.or_(elsewhere, pc.and_(undecided, pc.and_(plain, pc.is_null(at))))
        undecided = pc.and_(undecided, pc.is_null(code))
    resolved, tiers = registered.take(at), Counter({NOT_REGISTERED_HERE: pc.sum(elsewhere).as_py() or 0})
    left = pc.and_not(pc.is_null(at), elsewhere)
    if name:
        text = accepted[name]
        named = pc.and_(undecided, pc.greater(pc.fill_null(pc.binary_length(text), 0), 0))
        found, unknown = _by_name(text.filter(named), directory)
        resolved, tiers, left = pc.replace_with_mask(resolved, named, found), tiers + unknown, pc.and_not(left, named)
    found, unknown = _one_by_one(accepted.filter(left), codes, name, directory)
    return pc.replace_with_mask(resolved, left, found), dict(tiers + unknown)


def _by_name(texts: pa.Array, directory: Directory) -> tuple[pa.Array, Counter[str]]:
    """Every different name is looked up once."""
    coded = texts.dictionary_encode()
    uscc, tiers = directory.by_names(coded.dictionary)
    resolved = uscc.take(coded.indices)
    unlinked = tiers.take(coded.indices).filter(resolved.is_null())
    return resolved, Counter(unlinked.to_pylist())


def _one_by_one(
    accepted: _Rows, codes: list[str], name: str | None, directory: Directory
) -> tuple[pa.Array, Counter[str]]:
    columns = [accepted[code].to_pylist() for code in codes]
    names = accepted[name].to_pylist() if name else [None] * accepted.num_rows
    known: dict[tuple, tuple[str | None, str]] = {}
    resolved: list[str | None] = []
    tiers: Counter[str] = Counter()
    for i, text in enumerate(names):
        identifiers = (*(column[i] for column in columns), text)
        if identifiers not in known:
            known[identifiers] = directory.resolve(identifiers[:-1], text)
        uscc, tier = known[identifiers]
        resolved.append(uscc)
        if uscc is None:
            tiers[tier] += 1
    return pa.array(resolved, pa.string()), tiers


def _link_roles(contract: Contract, rows: _Rows, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    """One link per party that is an enterprise here; who deals with itself has one in each role."""
    current = _current(contract, rows)
    parts = []
    tiers: Counter[str] = Counter()
    for role, party in contract.entity.roles.items():
        resolved, unknown = _resolved(current, party.codes, party.name, directory)
        of_role = pa.array([role] * current.num_rows, pa.string())
        parts.append(pa.table({"_row": current.places, "uscc": resolved, "role": of_role}))
        tiers.update(unknown)
    return pa.concat_tables(parts), dict(tiers)


def _link_names(contract: Contract, rows: _Rows, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    """Each current row once per enterprise among its names; every different name is looked up once."""
    assert contract.entity.names
    current = _current(contract, rows)
    lists = pc.split_pattern_regex(current[contract.entity.names], _SEPARATORS.pattern)
    parts = pc.utf8_trim_whitespace(pc.list_flatten(lists)).dictionary_encode()
    names = parts.dictionary
    row, name = pc.list_parent_indices(lists).to_numpy(), parts.indices.to_numpy()
    said = pc.greater(pc.utf8_length(names), 0).to_numpy(zero_copy_only=False)[name]
    pairs = np.sort(row[said].astype(np.int64) * len(names) + name[said], kind="stable")  # in order but for a few
    row, name = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], max(len(names), 1))
    owners = np.bincount(row, minlength=current.num_rows)
    uscc, tiers = directory.by_names(names)
    linked = uscc.is_valid().to_numpy(zero_copy_only=False)[name]
    unlinked = Counter(tiers.take(pa.array(name[~linked])).to_pylist())
    places, whose = current.places.take(pa.array(row[linked])), uscc.take(pa.array(name[linked]))
    return pa.table({"_row": places, "uscc": whose, "owners": owners[row[linked]]}), dict(unlinked)


def _current(contract: Contract, rows: _Rows) -> _Rows:
    """The latest version of each record, before names are linked: whom only an older one names owns it no longer."""
    if contract.versions is None:
        return rows
    window = f"OVER (PARTITION BY {', '.join(contract.versions.group)} ORDER BY {_latest_first(contract.versions)})"
    newest = f"SELECT _row FROM rows QUALIFY row_number() {window} = 1 ORDER BY _page, _ordinal"
    chosen = _chosen(rows.narrow([*contract.versions.group, *contract.versions.latest_by]), newest)
    return _Rows(rows.table, chosen["_row"].combine_chunks())


def _last_editions(contract: Contract, rows: _Rows) -> _Rows:
    """Of deliveries that list everybody anew, the rows of the last one."""
    if contract.editions is None:
        return rows
    latest = ", ".join(f"{name} DESC NULLS LAST" for name in contract.editions.latest_by)
    window = f"OVER (PARTITION BY {', '.join(contract.editions.of)} ORDER BY {latest})"
    last = f"SELECT _row FROM rows QUALIFY rank() {window} = 1 ORDER BY _page, _ordinal"
    chosen = _chosen(rows.narrow([*contract.editions.of, *contract.editions.latest_by]), last)
    return _Rows(rows.table, chosen["_row"].combine_chunks())


def _latest(contract: Contract, accepted: pa.Table, links: pa.Table) -> pa.Table:
    """Drop void rows, then keep per group the latest filing whole (or the latest row), in a total order."""
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
    schema, told = contract.conformed_schema(), chosen.drop_columns(["_row"])
    rest = accepted.select([name for name in schema.names if name not in told.column_names]).take(chosen["_row"])
    columns = [(told if name in told.column_names else rest)[name] for name in schema.names]
    return pa.table(columns, schema.names).cast(schema)


def _latest_first(versions: Versions) -> str:
    return ", ".join(f"{name} DESC NULLS LAST" for name in [*versions.latest_by, "_page", "_ordinal"])


@cache
def _engine(process: int) -> duckdb.DuckDBPyConnection:
    """One in-memory engine per process: to start one costs more than most datasets. A forked process starts its own."""
    return duckdb.connect(config={"threads": 2})


def _chosen(narrow: pa.Table, query: str) -> pa.Table:
    """What a query gives of the narrow table `rows`."""
    with _engine(os.getpid()).cursor() as connection:
        connection.register("rows", narrow)
        return connection.sql(query).to_arrow_table()


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
