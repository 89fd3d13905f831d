"""Ask a department again for a past date, and put its answer in use if it is accepted.

A night never asks twice for what it has accepted. Somebody who knows that the department has repaired a past date asks
for it here. What was in use stays in use until the new answer is accepted, in one transaction; the earlier snapshot
stays in the lake under its digest, and the results that stand on it stay as they are until they are scored again.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from include.contracts import require_contract
from include.kernel.areas import CITY, areas, require_area
from include.kernel.connections import Lookup
from include.kernel.errors import BadInput, one_line
from include.kernel.references import SnapshotKey
from include.steps.snapshots import KEPT, pulled_again
from include.steps.stores import Stores, lock_of, open_stores
from include.store import lake as places
from include.store.ledger import reads_otherwise


def scopes_of(dataset: str, districts: list[str]) -> list[str]:
    """For whom a dataset is asked for again: the districts named; the city, if it is kept for the city."""
    if require_contract(dataset).scope == CITY:
        if districts:
            raise BadInput(f"{dataset} is kept for the whole city", kept=KEPT, todo="leave the districts empty")
        return [CITY]
    if not districts:
        raise BadInput(f"{dataset} is kept by district", kept=KEPT, todo=f"name some of {', '.join(areas())}")
    return [require_area(code) for code in districts]


def repull(dataset: str, scope: str, as_of: date, *, reason: str, holder: str, lookup: Lookup) -> dict[str, Any]:
    """Land and judge it anew, and say what that replaced and which results would read otherwise now.

    The same bytes again change nothing. A rejected answer is counted in the report and in the ledger, and replaces
    nothing: not even a rejected one, so that a release still speaks of what it spoke of.
    """
    contract, key, why = require_contract(dataset), SnapshotKey(dataset, scope, as_of), one_line(reason)
    if not why:
        raise BadInput("no reason", where=str(key), kept=KEPT, todo="say why the department is asked again")
    stores = open_stores()
    with stores.lease(lock_of(key), holder) as lease:
        held = stores.ledger.snapshot(key)
        if held is None or held.verdict is None:
            raise BadInput(
                "no night has brought it in", where=str(key), kept="everything", todo="back-fill that day instead"
            )
        done = pulled_again(stores, contract, held, lease, reason=why, lookup=lookup)
        otherwise = _reading_otherwise(stores, key, done["accepted_sha"])
    counts = {name: done[name] for name in ("outcome", "rows_in", "duplicates", "accepted", "quarantined")}
    return {**key.to_json(), **counts, "accepted_before": held.accepted or 0, **_span(otherwise)}


def _reading_otherwise(stores: Stores, key: SnapshotKey, accepted_sha: str) -> list[tuple[str, str]]:
    """District and date of each result that would read otherwise now, and of each night that is on its way to one: it
    has conformed another snapshot already.
    """
    results = stores.ledger.results_reading_otherwise(key, accepted_sha)
    found = [(row.result.district, row.result.as_of.isoformat()) for row in results]
    for district in areas():
        first = places.conformed(district, key.as_of)
        for place in (place for place in stores.lake.days(first.rpartition("/")[0]) if place >= first):
            night, chosen = (district, place.rpartition("=")[2]), stores.lake.manifest(place)
            if chosen and night not in found and reads_otherwise(chosen.facts["snapshot_set"], key, accepted_sha):
                found.append(night)
    return found


def _span(results: list[tuple[str, str]]) -> dict[str, Any]:
    """How many results, of which districts, from which date to which."""
    if not results:
        return {"results": 0}
    districts, days = map(set, zip(*results, strict=True))
    return {"results": len(results), "districts": sorted(districts), "date_from": min(days), "date_to": max(days)}
