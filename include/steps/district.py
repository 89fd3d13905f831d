"""From accepted snapshots to the points of one district: conform, measure, compute, score."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from include.contracts import contracts
from include.kernel.areas import CITY, require_area
from include.kernel.errors import TerminalError
from include.kernel.references import ResultKey
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.model import require_scheme
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.ledger import SnapshotRow

REGISTRY = "REG_ENT"


def conform(district: str, as_of: date, *, holder: str) -> dict[str, Any]:
    """Conform the newest accepted snapshot of every dataset; refuse when one is missing or older than allowed."""
    from include.conformed.conform import conform as conform_dataset
    from include.conformed.conform import quarantined_pairs
    from include.conformed.enterprises import Directory, participants

    stores = open_stores()
    chosen = _snapshot_set(stores, require_area(district), as_of)
    registry = stores.lake.read(places.accepted(chosen[REGISTRY].key))
    enterprises = participants(registry, district, as_of)
    directory, taking_part = Directory.of(registry), frozenset(enterprises["uscc"].to_pylist())
    tables: dict[str, pa.Table] = {"enterprises": enterprises}
    unresolved: list[pa.Table] = []
    quarantined: set[tuple[str, str]] = set()
    for dataset, snapshot in chosen.items():
        contract = contracts()[dataset]
        conformed = conform_dataset(contract, stores.lake.read(places.accepted(snapshot.key)), directory, taking_part)
        tables[dataset.lower()] = conformed.table
        unresolved.append(conformed.unresolved)
        held_back = stores.lake.read(places.quarantine(snapshot.key), columns=["entity"])
        quarantined |= quarantined_pairs(contract, held_back, directory)
    tables["unresolved"] = pa.concat_tables(unresolved)
    tables["quarantined"] = pa.table(
        {
            "uscc": pa.array([uscc for uscc, _ in sorted(quarantined)], pa.string()),
            "dataset": pa.array([dataset for _, dataset in sorted(quarantined)], pa.string()),
        }
    )
    members = [[s.dataset, s.scope, s.as_of.isoformat(), s.accepted_sha] for s in chosen.values()]
    stores.lake.commit(places.conformed(district, as_of), tables, {"snapshot_set": members})
    older = sum(snapshot.as_of < as_of for snapshot in chosen.values())
    return {
        "district": district,
        "as_of": as_of.isoformat(),
        "enterprises": enterprises.num_rows,
        "datasets": len(chosen),
        "older_snapshots": older,
        "unresolved_rows": sum(tables["unresolved"]["rows"].to_pylist()),
    }


def measure(district: str, as_of: date, *, holder: str) -> dict[str, Any]:
    """One exact number per enterprise and measure, from the conformed tables."""
    from include.measures.run import measure as run_measures

    stores = open_stores()
    conformed = stores.lake.require(places.conformed(district, as_of))
    tables = {name: stores.lake.read(places.conformed(district, as_of), name) for name in conformed.tables}
    measures = run_measures(tables, as_of)
    facts = {"conformed": conformed.sha256, "snapshot_set": conformed.facts["snapshot_set"]}
    stores.lake.commit(places.measures(district, as_of), {"measures": measures}, facts)
    return {
        "district": district,
        "as_of": as_of.isoformat(),
        "enterprises": measures.num_rows,
        "measures": measures.num_columns - 1,
    }


def compute(district: str, as_of: date, scheme: str, *, holder: str) -> dict[str, Any]:
    """Indicator values under a scheme."""
    from include.indicators.evaluate import evaluate

    stores, result = open_stores(), ResultKey(as_of, require_area(district), scheme)
    measured = stores.lake.require(places.measures(district, as_of))
    measures = stores.lake.read(places.measures(district, as_of), "measures")
    quarantined = stores.lake.read(places.conformed(district, as_of), "quarantined")
    values = evaluate(compiled(scheme, as_of), measures, quarantined)
    facts = {"measures": measured.sha256, "snapshot_set": measured.facts["snapshot_set"]}
    stores.lake.commit(places.values(result), {"values": values}, facts)
    return {**result.to_json(), "values": values.num_rows}


def score(district: str, as_of: date, scheme: str, *, holder: str) -> dict[str, Any]:
    """Stage, points and the ledger of one district; recorded as scored, so that the city can publish it."""
    from include.points.score import score as score_points

    stores, result = open_stores(), ResultKey(as_of, require_area(district), scheme)
    computed = stores.lake.require(places.values(result))
    scored = score_points(
        compiled(scheme, as_of),
        stores.lake.read(places.values(result), "values"),
        stores.lake.read(places.measures(district, as_of), "measures"),
        stores.lake.read(places.conformed(district, as_of), "enterprises"),
    )
    facts = {"values": computed.sha256, "snapshot_set": computed.facts["snapshot_set"]}
    manifest = stores.lake.commit(places.points(result), scored.tables(), facts)
    with stores.lease(f"result/{result}", holder) as lease:
        stores.ledger.record_scored(
            result,
            lease=lease,
            snapshot_set=facts["snapshot_set"],
            enterprises=scored.profile.num_rows,
            points_sha=manifest.sha256,
        )
    return {**result.to_json(), "enterprises": scored.profile.num_rows, "ledger_lines": scored.ledger.num_rows}


def compiled(scheme: str, as_of: date) -> Compiled:
    """The scheme as it is in force on `as_of`, compiled against the measures that exist."""
    from include.measures.registry import measures

    return compile_scheme(require_scheme(scheme), as_of, measures())


def _snapshot_set(stores: Stores, district: str, as_of: date) -> dict[str, SnapshotRow]:
    """The newest accepted snapshot of every dataset, at most as old as its contract allows."""
    chosen: dict[str, SnapshotRow] = {}
    for dataset, contract in contracts().items():
        scope = CITY if contract.scope == "city" else district
        snapshot = stores.ledger.last_accepted(dataset, scope, as_of)
        if snapshot is None or (as_of - snapshot.as_of).days > contract.max_age_days:
            found = "no accepted snapshot" if snapshot is None else f"the last accepted snapshot is of {snapshot.as_of}"
            raise TerminalError(
                f"{found}; the contract allows {contract.max_age_days} days",
                where=f"{dataset}/{scope} as of {as_of}",
                kept="the district's last published points",
                todo=f"ask {contract.owner} why it did not deliver, then clear the dataset's land task and this one",
            )
        chosen[dataset] = snapshot
    return chosen
