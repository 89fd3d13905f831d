"""From accepted snapshots to conformed tables: the city's once for all districts, then each district's own.

One register stands behind both: the registries of all districts together, so that a record of an enterprise next door
is known as such, and a name that two districts know links to neither.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import include.conformed
from include.conformed.conform import Conformed, quarantined_pairs
from include.conformed.conform import conform as conform_dataset
from include.conformed.correct import correct, corrections, corrections_in_force
from include.conformed.enterprises import participants, rule
from include.conformed.register import Register
from include.conformed.unresolved import REVIEWED, UNRESOLVED, Decided, number_of
from include.contracts import Contract, contracts
from include.kernel.areas import CITY, areas, require_area
from include.kernel.errors import TerminalError
from include.kernel.periods import arrival_cutoff
from include.kernel.references import SnapshotKey
from include.kernel.whole import THREADS
from include.sources.declaration import REGISTRY
from include.steps.corrections import FACT
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.decisions import decisions, in_force
from include.store.lake import Manifest
from include.store.ledger import Member, SnapshotRow

log = logging.getLogger("innopoints")


@dataclass(frozen=True)
class Frozen:
    """One accepted snapshot, read in the very version that was chosen, however often it was replaced since."""

    key: SnapshotKey
    sha256: str

    @classmethod
    def of(cls, member: Member) -> Frozen:
        """A member of a snapshot set."""
        dataset, scope, as_of, sha256 = member
        return cls(SnapshotKey(dataset, scope, date.fromisoformat(as_of)), sha256)

    @classmethod
    def of_row(cls, row: SnapshotRow) -> Frozen:
        """An accepted snapshot as the ledger knows it."""
        assert row.accepted_sha is not None
        return cls(row.key, row.accepted_sha)

    @property
    def member(self) -> Member:
        """As snapshot sets name it."""
        return [self.key.dataset, self.key.scope, self.key.as_of.isoformat(), self.sha256]

    @property
    def contract(self) -> Contract:
        """What its dataset must be."""
        return contracts()[self.key.dataset]

    def accepted(self, stores: Stores) -> pa.Table:
        """The rows that passed, in the shape of today's contract: a column it has gained since is empty."""
        rows, schema = stores.lake.read(places.accepted(self.key), version=self.sha256), self.contract.accepted_schema()
        if rows.schema == schema:
            return rows
        held = {field.name: rows[field.name] for field in schema if field.name in rows.column_names}
        gained = {field.name: pa.nulls(rows.num_rows, field.type) for field in schema if field.name not in held}
        return pa.table([{**held, **gained}[name] for name in schema.names], schema.names).cast(schema)

    def corrected(self, stores: Stores, as_of: date) -> pa.Table:
        """The rows that passed, with the corrections that are declared for the night: what conforming begins with. A
        correction that no longer fits its source is not applied, and said (`include.steps.corrections`).
        """
        rows, outcomes = correct(self.contract, self.key.scope, self.accepted(stores), as_of)
        for outcome in outcomes:
            if outcome.state != "applied":
                log.warning("%s: %s", self.key, outcome.text)
        return rows

    def held_back(self, stores: Stores) -> pa.Table:
        """What the rows in quarantine say about their enterprises (column `entity`)."""
        facts = stores.lake.require(places.accepted(self.key), self.sha256).facts
        return stores.lake.read(places.quarantine(self.key), columns=["entity"], version=facts.get("quarantine"))

    def landing_version(self, stores: Stores) -> str:
        """Which version of its landing was validated."""
        return stores.lake.require(places.accepted(self.key), self.sha256).facts["landing"]


@dataclass(frozen=True)
class Registries:
    """Who is registered (`codes`) and takes part (`enterprises`) in each district as of one date, and who is who."""

    codes: dict[str, pa.Array]
    enterprises: dict[str, pa.Table]
    register: Register

    @classmethod
    def of(cls, registries: Mapping[str, pa.Table], as_of: date, dates: Mapping[str, date] | None = None) -> Registries:
        """From the accepted registry of each district; `dates`: of which day each is, if not all of one.

        Who stands in two registries, having moved, is registered where the newer one says.
        """
        if not registries:
            raise TerminalError(
                "no district has an accepted registry",
                where=f"{REGISTRY} as of {as_of}",
                kept="the last published points",
                todo="land a district's registry, then clear this task",
            )
        codes = {district: rows["uscc"].combine_chunks().unique() for district, rows in registries.items()}
        enterprises = {district: participants(rows, district, as_of) for district, rows in registries.items()}
        register = Register.of(pa.concat_tables(registries.values()), rule("name_lag_days", as_of))
        if sum(map(len, codes.values())) > len(register.codes):
            newest_first = sorted(registries, key=lambda district: (dates or {}).get(district, as_of), reverse=True)
            seen = pa.array([], pa.string())
            for district in newest_first:
                codes[district] = codes[district].filter(pc.invert(pc.is_in(codes[district], seen)))
                held = pc.is_in(enterprises[district]["uscc"], codes[district])
                enterprises[district] = enterprises[district].filter(held)
                seen = pa.concat_arrays([seen, codes[district]])
        return cls(codes, enterprises, register)

    @classmethod
    def read(cls, stores: Stores, registries: Iterable[Frozen], as_of: date) -> Registries:
        """From the registries of a snapshot set."""
        chosen = {frozen.key.scope: frozen for frozen in registries}
        dates = {district: frozen.key.as_of for district, frozen in chosen.items()}
        rows = {district: frozen.corrected(stores, as_of) for district, frozen in chosen.items()}
        return cls.of(rows, as_of, dates)

    def within(self, district: str) -> Register:
        """The city seen by one district: only its own registered enterprises are linked."""
        return self.register.within(self.codes[district])

    def participating(self, *districts: str) -> pa.Array:
        """The codes of those who take part in these districts, in all without an argument."""
        chosen = [self.enterprises[district]["uscc"] for district in districts or self.enterprises]
        return pa.chunked_array([chunk for codes in chosen for chunk in codes.chunks], pa.string()).combine_chunks()


def conform_city(as_of: date, *, holder: str) -> dict[str, Any]:
    """Conform the newest accepted snapshot of every dataset that is kept for the city, for all districts at once."""
    stores = open_stores()
    city = _conformed_city(stores, as_of, holder, again=True)
    members = city.facts["snapshot_set"]
    unresolved = stores.lake.read(places.conformed_city(as_of), "unresolved", version=city.sha256)
    return {
        "as_of": as_of.isoformat(),
        "snapshots": _ages(map(Frozen.of, members), as_of),
        "older_snapshots": sum(day != as_of.isoformat() for _, _, day, _ in members),
        "rows": sum(table.rows for name, table in city.tables.items() if name.upper() in contracts()),
        "unresolved_rows": number_of(unresolved),
        "rows_for_review": number_of(unresolved, *REVIEWED),
    }


def conform(district: str, as_of: date, *, holder: str) -> dict[str, Any]:
    """Conform a district's own datasets and take its share of the city's; refuse when one is missing or too old.

    The city's are conformed on the way, unless they already are from the same snapshots.
    """
    stores, place = open_stores(), places.conformed(require_area(district), as_of)
    with stores.lease(place, holder) as lease:
        datasets = [contract for contract in contracts().values() if contract.scope == "district"]
        own = [newest(stores, contract, district, as_of) for contract in datasets]
        city = _conformed_city(stores, as_of, holder, again=False)
        members = [Frozen.of(member) for member in city.facts["snapshot_set"]]
        registries = [frozen for frozen in members if frozen.key.dataset == REGISTRY]
        own = [frozen for frozen in own if frozen.key.dataset != REGISTRY]
        own += [frozen for frozen in registries if frozen.key.scope == district]
        known = Registries.read(stores, registries, as_of)
        register, taking_part = known.within(district), known.participating(district)
        tables = conformed(stores, own, register, taking_part, decided(stores, as_of), as_of)
        for name in city.tables:
            rows = stores.lake.read(places.conformed_city(as_of), name, version=city.sha256)
            if name == "quarantined":
                held_back = pa.concat_tables([tables[name], rows.filter(pc.is_in(rows["uscc"], known.codes[district]))])
                tables[name] = held_back.sort_by([("uscc", "ascending"), ("dataset", "ascending")])
            elif name != "unresolved":
                tables[name] = rows.filter(pc.is_in(rows["uscc"], taking_part))
        tables["enterprises"] = known.enterprises[district]
        used = sorted({*own, *members}, key=lambda frozen: frozen.key)
        facts = {"snapshot_set": sorted(frozen.member for frozen in used), FACT: _outcomes(stores, own, as_of)}
        stores.lake.commit(place, tables, facts, fence=lease.fence)
    return {
        "district": district,
        "as_of": as_of.isoformat(),
        "enterprises": tables["enterprises"].num_rows,
        "datasets": len(contracts()),
        "snapshots": _ages(used, as_of),
        "older_snapshots": sum(frozen.key.as_of < as_of for frozen in used),
        "unresolved_rows": number_of(tables["unresolved"]),
        "rows_for_review": number_of(tables["unresolved"], *REVIEWED),
    }


def _ages(used: Iterable[Frozen], as_of: date) -> dict[str, int]:
    """Snapshot (`dataset/scope`) → days between it and the night that stands on it."""
    return {f"{one.key.dataset}/{one.key.scope}": (as_of - one.key.as_of).days for one in used}


def decided(stores: Stores, as_of: date) -> dict[str, dict[tuple[str, str], str | None]]:
    """What people had decided before `as_of` began, by dataset: the same however often the date is run again."""
    taken = in_force(decisions(stores.engine, before=arrival_cutoff(as_of)))
    return {dataset: {at: one.uscc for at, one in held.items()} for dataset, held in taken.items()}


def conformed(
    stores: Stores,
    snapshots: Iterable[Frozen],
    register: Register,
    participating: pa.Array,
    decided: Mapping[str, Decided],
    as_of: date,
) -> dict[str, pa.Table]:
    """Each snapshot's conformed rows by lower-case dataset; beside them what links to nobody (`unresolved`, listed
    and counted) and which enterprises have rows in quarantine (`quarantined`).
    """
    chosen = sorted(snapshots, key=lambda frozen: frozen.key)

    def of_one(frozen: Frozen) -> tuple[Conformed, set[tuple[str, str]]]:
        rows, people = frozen.corrected(stores, as_of), decided.get(frozen.key.dataset, {})
        found = conform_dataset(frozen.contract, rows, register, participating, people)
        return found, quarantined_pairs(frozen.contract, frozen.held_back(stores), register)

    with ThreadPoolExecutor(THREADS) as pool:
        found = dict(zip(chosen, pool.map(of_one, chosen), strict=True))
    tables = {frozen.key.dataset.lower(): one.table for frozen, (one, _) in found.items()}
    quarantined = set().union(*(pairs for _, pairs in found.values()))
    pairs = sorted(quarantined)
    tables["unresolved"] = pa.concat_tables([UNRESOLVED.empty_table(), *(one.unresolved for one, _ in found.values())])
    tables["quarantined"] = pa.table(
        {name: pa.array([pair[i] for pair in pairs], pa.string()) for i, name in enumerate(("uscc", "dataset"))}
    )
    return tables


def newest(stores: Stores, contract: Contract, scope: str, as_of: date) -> Frozen:
    """The newest accepted snapshot of a dataset, at most as old as its contract allows."""
    held = stores.ledger.last_accepted(contract.dataset, scope, as_of)
    if held is None or (as_of - held.as_of).days > contract.max_age_days:
        found = "no accepted snapshot" if held is None else f"the last accepted snapshot is of {held.as_of}"
        raise TerminalError(
            f"{found}; the contract allows {contract.max_age_days} days",
            where=f"{contract.dataset}/{scope} as of {as_of}",
            kept="the district's last published points",
            todo=f"ask {contract.owner} why it did not deliver, then clear the dataset's land task and this one",
        )
    return Frozen.of_row(held)


def _outcomes(stores: Stores, snapshots: Iterable[Frozen], as_of: date) -> list[list[str]]:
    """What becomes of the corrections of these snapshots; those of most datasets are none, and nothing is read."""
    found = []
    for frozen in snapshots:
        if any(one.holds(frozen.key.scope, as_of) for one in corrections().get(frozen.key.dataset, ())):
            _, outcomes = correct(frozen.contract, frozen.key.scope, frozen.accepted(stores), as_of)
            found += [[one.dataset, one.id, frozen.key.scope, one.state] for one in outcomes]
    return sorted(found)


def _conformed_city(stores: Stores, as_of: date, holder: str, *, again: bool) -> Manifest:
    """The city's conformed tables. Whoever comes first makes them, the others wait and take them as they are."""
    place = places.conformed_city(as_of)
    with stores.lease(place, holder) as lease:
        datasets = [
            newest(stores, contract, CITY, as_of) for contract in contracts().values() if contract.scope == CITY
        ]
        registries = [
            Frozen.of_row(row) for area in areas() if (row := stores.ledger.last_accepted(REGISTRY, area, as_of))
        ]  # of a district that did not deliver the last one known, however old: only its own night minds
        chosen = [*datasets, *registries]
        facts = {
            "snapshot_set": sorted(frozen.member for frozen in chosen),
            "corrections": sorted(line for scope in (CITY, *areas()) for line in corrections_in_force(scope, as_of)),
            "rules": _rules({frozen.key.dataset for frozen in chosen}),
            FACT: _outcomes(stores, datasets, as_of),
        }
        held = None if again or not stores.lake.is_whole(place) else stores.lake.manifest(place)
        if held is None or held.facts != facts:
            known = Registries.read(stores, registries, as_of)
            people = decided(stores, as_of)
            tables = conformed(stores, datasets, known.register, known.participating(), people, as_of)
            held = stores.lake.commit(place, tables, facts, fence=lease.fence)
        return held


def _rules(datasets: Iterable[str]) -> str:
    """A digest of all that decides what conforming makes of the same snapshots: code, rules and contracts."""
    digest = hashlib.sha256()
    for path in sorted(Path(include.conformed.__path__[0]).iterdir()):
        if path.suffix in (".py", ".yaml"):
            digest.update(path.read_bytes())
    for dataset in sorted(datasets):
        digest.update(contracts()[dataset].model_dump_json().encode("utf-8"))
    return digest.hexdigest()
