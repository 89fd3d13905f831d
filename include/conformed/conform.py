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


def conform(contract: Contract, accepted: pa.Table, directory: Directory, participating: frozenset[str]) -> Conformed:
    """Conform one dataset for one district.

    `accepted` holds rows of that district or of the whole city; enterprises that do not take part are left out.
    A city dataset names mostly enterprises of other districts, so only its ambiguous names are counted as unresolved.
    """
    accepted = _last_editions(contract, accepted)
    if contract.entity.names:
        linked, tiers = _link_names(contract, accepted, directory)
    elif contract.entity.roles:
        linked, tiers = _link_roles(contract, accepted.take(_current(contract, accepted)), directory)
    else:
        linked, tiers = _link(contract, accepted, directory)
    counted = {tier: n for tier, n in tiers.items() if contract.scope == "district" or tier == "ambiguous"}
    unresolved = pa.Table.from_pylist(
        [{"dataset": contract.dataset, "tier": tier, "rows": n} for tier, n in sorted(counted.items())], UNRESOLVED
    )
    taking_part = pc.is_in(linked["uscc"], value_set=pa.array(list(participating), pa.string()))
    return Conformed(_latest(contract, linked.filter(taking_part)), unresolved)


def quarantined_pairs(contract: Contract, quarantine: pa.Table, directory: Directory) -> set[tuple[str, str]]:
    """(uscc, dataset) of enterprises that have rows in quarantine, as far as those rows can be read."""
    found: set[tuple[str, str]] = set()
    for text in quarantine["entity"].to_pylist():
        for part in _SEPARATORS.split(text or ""):
            uscc, _ = directory.resolve((part,), part)
            if uscc:
                found.add((uscc, contract.dataset))
    return found


def _link(contract: Contract, accepted: pa.Table, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    resolved, tiers = _resolved(accepted, contract.entity.codes, contract.entity.name, directory)
    return _with_uscc(accepted, resolved), tiers


def _resolved(
    accepted: pa.Table, codes: list[str], name: str | None, directory: Directory
) -> tuple[pa.Array, dict[str, int]]:
    """The enterprise that these columns name in each row, and how many name none, per tier.

    Codes in their one spelling are decided by the column, and so are names where no code is given; whatever is left, as
    a code spelt otherwise, one by one.
    """
    registered = directory.registered
    at = pa.nulls(accepted.num_rows, pa.int32())
    elsewhere = pa.repeat(pa.scalar(False), accepted.num_rows)
    undecided = pa.repeat(pa.scalar(True), accepted.num_rows)
    for column in codes:  # a code is tried where all before it are empty
        code = accepted[column].combine_chunks()
        at = pc.if_else(undecided, pc.index_in(code, value_set=registered), at)
        plain = pc.fill_null(pc.match_substring_regex(code, f"^{CODE_SHAPE}$"), False)
        elsewhere = pc.or_(elsewhere, pc.and_(undecided, pc.and_(plain, pc.is_null(at))))
        undecided = pc.and_(undecided, pc.is_null(code))
    resolved, tiers = registered.take(at), Counter({NOT_REGISTERED_HERE: pc.sum(elsewhere).as_py() or 0})
    left = pc.and_not(pc.is_null(at), elsewhere)
    if name:
        text = accepted[name].combine_chunks()
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
    accepted: pa.Table, codes: list[str], name: str | None, directory: Directory
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


def _link_roles(contract: Contract, accepted: pa.Table, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    """One row per party that is an enterprise here; who deals with itself has a row in each role."""
    parts = []
    tiers: dict[str, int] = {}
    for role, party in contract.entity.roles.items():
        resolved, unknown = _resolved(accepted, party.codes, party.name, directory)
        linked = _with_uscc(accepted, resolved)
        parts.append(linked.append_column("role", pa.array([role] * accepted.num_rows, pa.string())))
        tiers = {tier: tiers.get(tier, 0) + unknown.get(tier, 0) for tier in {*tiers, *unknown}}
    return pa.concat_tables(parts), tiers


def _link_names(contract: Contract, accepted: pa.Table, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    """Each current row once per enterprise among its names; every different name is looked up once."""
    assert contract.entity.names
    current = _current(contract, accepted)
    texts = accepted[contract.entity.names].take(current).combine_chunks()
    lists = pc.split_pattern_regex(texts, _SEPARATORS.pattern)
    parts = pc.utf8_trim_whitespace(pc.list_flatten(lists)).dictionary_encode()
    names = parts.dictionary
    row, name = pc.list_parent_indices(lists).to_numpy(), parts.indices.to_numpy()
    said = pc.greater(pc.utf8_length(names), 0).to_numpy(zero_copy_only=False)[name]
    pairs = np.sort(row[said].astype(np.int64) * len(names) + name[said], kind="stable")  # in order but for a few
    row, name = np.divmod(pairs[np.diff(pairs, prepend=-1) != 0], max(len(names), 1))
    owners = np.bincount(row, minlength=len(current))
    uscc, tiers = directory.by_names(names)
    linked = uscc.is_valid().to_numpy(zero_copy_only=False)[name]
    unlinked = Counter(tiers.take(pa.array(name[~linked])).to_pylist())
    table = _with_uscc(accepted.take(current.take(pa.array(row[linked]))), uscc.take(pa.array(name[linked])))
    return table.append_column("owners", pa.array(owners[row[linked]])), dict(unlinked)


def _with_uscc(table: pa.Table, uscc: pa.Array) -> pa.Table:
    rest = table.drop_columns(["uscc"]) if "uscc" in table.column_names else table
    return rest.add_column(0, "uscc", uscc)


def _current(contract: Contract, accepted: pa.Table) -> pa.ChunkedArray:
    """The places of the latest version of each record, before names are linked: whom only an older one names owns it no
    longer."""
    if contract.versions is None:
        return pa.chunked_array([np.arange(accepted.num_rows)])
    window = f"OVER (PARTITION BY {', '.join(contract.versions.group)} ORDER BY {_latest_first(contract.versions)})"
    read = [*contract.versions.group, *contract.versions.latest_by]
    newest = f"SELECT _row FROM rows QUALIFY row_number() {window} = 1 ORDER BY _page, _ordinal"
    return _chosen(accepted, read, newest)["_row"]


def _last_editions(contract: Contract, accepted: pa.Table) -> pa.Table:
    """Of deliveries that list everybody anew, the rows of the last one."""
    if contract.editions is None:
        return accepted
    latest = ", ".join(f"{name} DESC NULLS LAST" for name in contract.editions.latest_by)
    window = f"OVER (PARTITION BY {', '.join(contract.editions.of)} ORDER BY {latest})"
    last = f"SELECT _row FROM rows QUALIFY rank() {window} = 1 ORDER BY _page, _ordinal"
    return _taken(accepted, [*contract.editions.of, *contract.editions.latest_by], last)


def _latest(contract: Contract, table: pa.Table) -> pa.Table:
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
    ordered = ", ".join(dict.fromkeys([*order, "_page", "_ordinal"]))
    rows = _taken(table, read, f"SELECT _row{first} FROM rows {where} {qualify} ORDER BY {ordered}")
    return rows.cast(contract.conformed_schema())


def _latest_first(versions: Versions) -> str:
    return ", ".join(f"{name} DESC NULLS LAST" for name in [*versions.latest_by, "_page", "_ordinal"])


@cache
def _engine(process: int) -> duckdb.DuckDBPyConnection:
    """One in-memory engine per process: to start one costs more than most datasets. A forked process starts its own."""
    return duckdb.connect(config={"threads": 2})


def _taken(table: pa.Table, read: list[str], query: str) -> pa.Table:
    """The rows that a query over a few columns chooses, whole: windows would carry every column through every sort."""
    chosen = _chosen(table, read, query)
    rows = table.take(chosen["_row"])
    for name in chosen.column_names[1:]:
        rows = rows.append_column(name, chosen[name])
    return rows


def _chosen(table: pa.Table, read: list[str], query: str) -> pa.Table:
    """The places (`_row`) that a query over a few columns chooses, and what else it gives of them."""
    narrow = table.select(list(dict.fromkeys([*read, "_page", "_ordinal"])))
    with _engine(os.getpid()).cursor() as connection:
        connection.register("rows", narrow.append_column("_row", pa.array(np.arange(table.num_rows))))
        return connection.sql(query).to_arrow_table()


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
