"""What an incoming snapshot is held against: the accepted snapshots before it, and where each enterprise belongs."""

from __future__ import annotations

from datetime import date, timedelta

from include.contracts import Contract
from include.kernel.areas import CITY, areas
from include.kernel.identity import normal_name
from include.kernel.references import SnapshotKey
from include.sources.declaration import REGISTRY
from include.steps.stores import Stores
from include.store import lake as places
from include.store.ledger import SnapshotRow
from include.validation.drift import SEASON_MAX_AGE, Before, Earlier, season_day


def before(stores: Stores, contract: Contract, key: SnapshotKey) -> Before:
    """The last accepted snapshot before `key`, and the one at the same place of the calendar if there is one.

    A snapshot of other columns (the contract has changed since) is not compared.
    """
    held = stores.ledger.last_accepted(key.dataset, key.scope, key.as_of - timedelta(days=1))
    last = _earlier(stores, contract, held, held.as_of) if held else None
    if held is None or last is None:
        return Before()
    landing = stores.lake.manifest(places.landing(held.key), held.landing_sha)
    return Before(
        last=last,
        season=_season(stores, contract, key),
        fields=tuple(landing.facts.get("fields", [])) if landing else (),
        district_of=_district_of(stores, key.as_of) if key.scope == CITY else {},
    )


def _season(stores: Stores, contract: Contract, key: SnapshotKey) -> Earlier | None:
    wanted = season_day(contract, key.as_of)
    if wanted is None:
        return None
    same_place, not_after = wanted
    held = stores.ledger.last_accepted(key.dataset, key.scope, not_after)
    if held is None or not_after - held.as_of > SEASON_MAX_AGE:
        return None
    return _earlier(stores, contract, held, same_place)


def _earlier(stores: Stores, contract: Contract, held: SnapshotRow, counted_from: date) -> Earlier | None:
    rows = stores.lake.read(places.accepted(held.key), version=held.accepted_sha)
    return Earlier(counted_from, rows) if rows.column_names == contract.accepted_schema().names else None


def _district_of(stores: Stores, as_of: date) -> dict[str, str]:
    """Code and normal name → management area, as far as the registry has been accepted."""
    found: dict[str, str] = {}
    for area in areas():
        registry = stores.ledger.last_accepted(REGISTRY, area, as_of)
        if registry is None:
            continue
        place, version = places.accepted(registry.key), registry.accepted_sha
        rows = stores.lake.read(place, columns=["uscc", "name"], version=version)
        found |= {normal_name(name): area for name in rows["name"].to_pylist()}
        found |= dict.fromkeys(rows["uscc"].to_pylist(), area)
    return found
