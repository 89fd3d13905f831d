"""Accepted rows to conformed rows: the enterprise resolved, void and superseded filings dropped, nothing aggregated."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from include.conformed.enterprises import Directory
from include.contracts import Contract

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
        linked, tiers = _link_names(contract, _current(contract, accepted), directory)
    elif contract.entity.roles:
        linked, tiers = _link_roles(contract, _current(contract, accepted), directory)
    else:
        linked, tiers = _link(contract, accepted, directory)
    counted = {tier: n for tier, n in tiers.items() if contract.scope == "district" or tier == "ambiguous"}
    unresolved = pa.Table.from_pylist(
        [{"dataset": contract.dataset, "tier": tier, "rows": n} for tier, n in sorted(counted.items())], UNRESOLVED
    )
    taking_part = pc.is_in(linked["uscc"], value_set=pa.array(sorted(participating), pa.string()))
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
    return _with_uscc(contract, accepted, resolved), tiers


def _resolved(
    accepted: pa.Table, codes: list[str], name: str | None, directory: Directory
) -> tuple[list[str | None], dict[str, int]]:
    """Row by row the enterprise that these columns name, and how many name none, per tier."""
    columns = [accepted[code].to_pylist() for code in codes]
    names = accepted[name].to_pylist() if name else [None] * accepted.num_rows
    known: dict[tuple, tuple[str | None, str]] = {}
    resolved: list[str | None] = []
    tiers: dict[str, int] = {}
    for i, text in enumerate(names):
        identifiers = (*(column[i] for column in columns), text)
        if identifiers not in known:
            known[identifiers] = directory.resolve(identifiers[:-1], text)
        uscc, tier = known[identifiers]
        resolved.append(uscc)
        if uscc is None:
            tiers[tier] = tiers.get(tier, 0) + 1
    return resolved, tiers


def _link_roles(contract: Contract, accepted: pa.Table, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    """One row per party that is an enterprise here; who deals with itself has a row in each role."""
    parts = []
    tiers: dict[str, int] = {}
    for role, party in contract.entity.roles.items():
        resolved, unknown = _resolved(accepted, party.codes, party.name, directory)
        linked = _with_uscc(contract, accepted, resolved)
        parts.append(linked.append_column("role", pa.array([role] * accepted.num_rows, pa.string())))
        tiers = {tier: tiers.get(tier, 0) + unknown.get(tier, 0) for tier in {*tiers, *unknown}}
    return pa.concat_tables(parts), tiers


def _link_names(contract: Contract, accepted: pa.Table, directory: Directory) -> tuple[pa.Table, dict[str, int]]:
    assert contract.entity.names
    take: list[int] = []
    resolved: list[str | None] = []
    owners: list[int] = []
    tiers: dict[str, int] = {}
    for i, text in enumerate(accepted[contract.entity.names].to_pylist()):
        parts = {part.strip() for part in _SEPARATORS.split(text or "") if part.strip()}
        for part in sorted(parts):
            uscc, tier = directory.by_name(part)
            if uscc is None:
                tiers[tier] = tiers.get(tier, 0) + 1
            else:
                take.append(i)
                resolved.append(uscc)
                owners.append(len(parts))
    table = _with_uscc(contract, accepted.take(pa.array(take, pa.int64())), resolved)
    return table.append_column("owners", pa.array(owners, pa.int64())), tiers


def _with_uscc(contract: Contract, table: pa.Table, resolved: list[str | None]) -> pa.Table:
    rest = table.drop_columns(["uscc"]) if "uscc" in table.column_names else table
    return rest.add_column(0, "uscc", pa.array(resolved, pa.string()))


def _current(contract: Contract, accepted: pa.Table) -> pa.Table:
    """The latest version of each record, before names are linked: whom only an older one names owns it no longer."""
    if contract.versions is None:
        return accepted
    latest = ", ".join(f"{name} DESC NULLS LAST" for name in [*contract.versions.latest_by, "_page", "_ordinal"])
    window = f"OVER (PARTITION BY {', '.join(contract.versions.group)} ORDER BY {latest})"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("accepted", accepted)
        newest = f"SELECT * FROM accepted QUALIFY row_number() {window} = 1 ORDER BY _page, _ordinal"
        return connection.sql(newest).to_arrow_table().cast(accepted.schema)


def _last_editions(contract: Contract, accepted: pa.Table) -> pa.Table:
    """Of deliveries that list everybody anew, the rows of the last one."""
    if contract.editions is None:
        return accepted
    latest = ", ".join(f"{name} DESC NULLS LAST" for name in contract.editions.latest_by)
    window = f"OVER (PARTITION BY {', '.join(contract.editions.of)} ORDER BY {latest})"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("accepted", accepted)
        last = f"SELECT * FROM accepted QUALIFY rank() {window} = 1 ORDER BY _page, _ordinal"
        return connection.sql(last).to_arrow_table().cast(accepted.schema)


def _latest(contract: Contract, table: pa.Table) -> pa.Table:
    """Drop void rows, then keep per group the latest filing whole (or the latest row), in a total order."""
    role = ["role"] if contract.entity.roles else []
    order = ", ".join(dict.fromkeys(["uscc", *contract.key, *role, "_page", "_ordinal"]))
    where, qualify, first = "", "", ""
    if versions := contract.versions:
        void = [f"{name} NOT IN ({', '.join(map(_text, texts))})" for name, texts in versions.void.items()]
        where = f"WHERE {' AND '.join(void)}" if void else ""
        latest = ", ".join(f"{name} DESC NULLS LAST" for name in [*versions.latest_by, "_page", "_ordinal"])
        group = ", ".join(dict.fromkeys(["uscc", *role, *versions.group]))
        window = f"OVER (PARTITION BY {group} ORDER BY {latest})"
        if versions.first:
            first = f", min({versions.first}) OVER (PARTITION BY {group}) AS first_{versions.first}"
        if versions.filing:
            qualify = f"QUALIFY {versions.filing} = first_value({versions.filing}) {window}"
        else:
            qualify = f"QUALIFY row_number() {window} = 1"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("linked", table)
        latest_rows = connection.sql(f"SELECT *{first} FROM linked {where} {qualify} ORDER BY {order}").to_arrow_table()
    return latest_rows.cast(contract.conformed_schema())


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
