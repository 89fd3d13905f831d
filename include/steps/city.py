"""What needs every district: ranks, lists, and the publication of a generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from include.contracts import contracts
from include.kernel.areas import CITY, areas
from include.kernel.errors import TerminalError
from include.kernel.references import SnapshotKey
from include.schemes.paper_form import paper_form
from include.steps.conforming import Frozen
from include.steps.district import compiled
from include.steps.lineage import publishing_work, traced
from include.steps.results import gatherer, moved_away
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.ledger import Member, ResultRow

if TYPE_CHECKING:
    from include.publish.generations import Generation


def due_publications(today: date, *, sweep: bool) -> list[dict[str, str]]:
    """The (as_of, scheme) whose scored districts are not yet published, oldest first.

    Tonight waits until every district is scored, or until the sweep publishes with the last good result of the missing.
    """
    due = open_stores().ledger.due(districts=list(areas()), today=today, sweep=sweep)
    return [{"as_of": as_of.isoformat(), "scheme": scheme} for as_of, scheme in due]


def rank(as_of: date, scheme: str, *, holder: str) -> dict[str, Any]:
    """Rank the city, draw up the lists, and commit the tables to be published."""
    from include.measures.registry import measures as catalogue
    from include.points.lists import lists, stage_distribution
    from include.points.once_only import once_only
    from include.points.rank import rank as rank_points
    from include.publish.tables import category_points, with_category_columns

    stores, rules, place = open_stores(), compiled(scheme, as_of), places.ranked(as_of, scheme)
    with stores.lease(place, holder) as lease:
        results, city = _results(stores, as_of, scheme), stores.lake.manifest(places.conformed_city(as_of))
        moved = moved_away(stores.lake, results)
        gather = gatherer(stores.lake, results, moved)
        profile, ledger = gather("points", "profile"), gather("points", "ledger")
        points = rank_points(gather("points", "points"), profile)
        values, measures = gather("values", "values"), gather("measures", "measures")
        tables = {
            "enterprise_profile": profile,
            "enterprise_points": with_category_columns(points, rules.scheme.category_ids),
            "category_points": category_points(points, rules.scheme.category_ids),
            "points_ledger": ledger,
            **lists(rules, points=points, profile=profile, values=values, measures=measures, ledger=ledger),
            "stage_distribution": stage_distribution(profile),
            **once_only(
                rules,
                profile=profile,
                values=values,
                measures=measures,
                quarantined=gather("conformed", "quarantined"),
                stale=_stale(results, as_of),
                datasets_of={name: measure.datasets for name, measure in catalogue().items()},
                form=paper_form(rules.scheme, as_of),
            ),
            "source_quality": _source_quality(stores, results, as_of),
        }
        members = sorted({tuple(member) for row in results for member in row.members})
        older = {row.result.district: row.result.as_of.isoformat() for row in results if row.result.as_of != as_of}
        facts = {
            "scheme_version": rules.version,
            "snapshot_set": [list(member) for member in members],
            "districts": {row.result.district: row.points_sha for row in results},
            "last_good": older,
            "without_result": sorted(set(areas()) - {row.result.district for row in results}),
            "moved": sum(len(left) for left in moved.values()),
            "behind": _behind(results, city.facts["snapshot_set"] if city else [], _replaced(stores, members), as_of),
        }
        stores.lake.commit(place, tables, facts, fence=lease.fence)
    return {
        "as_of": as_of.isoformat(),
        "scheme": scheme,
        "enterprises": points.num_rows,
        "districts_on_last_good": len(older),
        **{name: tables[name].num_rows for name in ("honours", "project_recommendation", "credit_list")},
    }


@traced(publishing_work)
def publish(as_of: date, scheme: str, *, holder: str, reason: str = "", drift_accepted_by: str = "") -> dict[str, Any]:
    """Write the ranked tables as a new generation, audit it, and move the pointer, in one transaction."""
    from include.publish.generations import prune
    from include.publish.generations import publish as publish_generation

    stores, place = open_stores(), places.ranked(as_of, scheme)
    with stores.lease("publish", holder) as lease:
        ranked = stores.lake.require(place)
        generation = publish_generation(
            stores.engine,
            lease=lease,
            as_of=as_of,
            scheme_id=scheme,
            scheme_version=ranked.facts["scheme_version"],
            snapshot_set=stores.ledger.snapshot_set(ranked.facts["snapshot_set"]),
            content_sha=ranked.sha256,
            points=ranked.facts["districts"],
            tables={name: stores.lake.read(place, name, version=ranked.sha256) for name in ranked.tables},
            reason="; ".join([*([reason] if reason else []), *_notes(ranked.facts)]),
            drift_accepted_by=drift_accepted_by,
        )
    pruned = prune(stores.engine, now=datetime.now(UTC))
    rows = {name: table.rows for name, table in ranked.tables.items()}
    counts = {"generation": generation.id, "status": generation.status, "tables": rows, "pruned": len(pruned)}
    return {"as_of": as_of.isoformat(), "scheme": scheme, **counts}


def require_published(as_of: date, scheme: str) -> dict[str, Any]:
    """Which generation holds the night's points; refuses when none does."""
    held = published(open_stores(), as_of, scheme)
    if held is None:
        raise TerminalError(
            "not published",
            where=f"{scheme} as of {as_of}",
            kept="the generation now published",
            todo="see why no district is scored, or what blocked the publication; the next bell publishes it",
        )
    return {"as_of": as_of.isoformat(), "scheme": scheme, "generation": held.id, "status": held.status}


def published(stores: Stores, as_of: date, scheme: str) -> Generation | None:
    """The newest generation of a night that was not blocked."""
    from include.publish.generations import generations

    found = (one for one in generations(stores.engine) if (one.as_of, one.scheme_id) == (as_of, scheme))
    return next((one for one in found if one.status != "blocked"), None)


def _notes(facts: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the results that were ranked: which are older, and which stand on others."""
    notes = []
    if facts["last_good"]:
        notes.append("last good result of " + ", ".join(f"{area} ({on})" for area, on in facts["last_good"].items()))
    if facts["without_result"]:
        notes.append("no result of " + ", ".join(facts["without_result"]))
    return notes + [f"{area} stands on {which}" for area, which in facts.get("behind", {}).items()]


def _results(stores: Stores, as_of: date, scheme: str) -> list[ResultRow]:
    """Each district's result as of the date, else its last good one before."""
    found = [stores.ledger.last_scored(district, scheme, as_of) for district in areas()]
    results = [row for row in found if row is not None]
    if not results:
        raise TerminalError(
            "no district is scored",
            where=f"{scheme} as of {as_of}",
            kept="the generation now published",
            todo="run a district's refresh first",
        )
    return results


def _behind(
    results: list[ResultRow], city: list[Member], replaced: set[tuple[str, ...]], as_of: date
) -> dict[str, str]:
    """Of the districts those that stand on a snapshot that was `replaced` since; and of those scored for the date those
    that took one of another day, of what all share, than the `city` was last conformed from.

    A department that answered again during the night, or a dataset landed anew, leaves districts on different grounds:
    the publication says so, and clearing the district's `conform` mends it.
    """
    newest = {(dataset, scope): day for dataset, scope, day, _ in city}
    behind = {}
    for row in results:
        others = []
        for dataset, scope, day, sha256 in row.members:
            snapshot = f"{dataset if scope == CITY else f'{dataset}/{scope}'} of {day}"
            if (dataset, scope, day, sha256) in replaced:
                others.append(f"{snapshot} before it was replaced")
            elif row.result.as_of == as_of and newest.get((dataset, scope), day) != day:
                others.append(snapshot)
        if others:
            behind[row.result.district] = ", ".join(others)
    return behind


def _replaced(stores: Stores, members: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Those in whose place another accepted snapshot of the same day stands now."""
    found = set()
    for member in members:
        held = stores.ledger.snapshot(Frozen.of([*member]).key)
        if held is not None and held.accepted_sha not in (None, member[3]):
            found.add(member)
    return found


def _stale(results: list[ResultRow], as_of: date) -> pa.Table:
    """The datasets of a district whose snapshot is older on the day of publication than its contract allows.

    A district's own night refuses such a snapshot; the district's last good result may have grown too old since.
    """
    from include.points.once_only import STALE_DATASETS

    found = [
        {"district": row.result.district, "dataset": dataset}
        for row in results
        for dataset, _, day, _ in row.own_members
        if (as_of - date.fromisoformat(day)).days > contracts()[dataset].max_age_days
    ]
    return pa.Table.from_pylist(found, STALE_DATASETS)


def _source_quality(stores: Stores, results: list[ResultRow], as_of: date) -> pa.Table:
    """One line per dataset and scope: the snapshot that the points stand on, and what came tonight."""
    from include.validation.quality import InUse, source_quality

    newest: dict[tuple[str, str], date] = {}
    for dataset, scope, day, _ in (member for row in results for member in row.own_members):
        newest[dataset, scope] = max(newest.get((dataset, scope), date.min), date.fromisoformat(day))
    in_use = []
    for (dataset, scope), on in newest.items():
        held = stores.ledger.snapshot(SnapshotKey(dataset, scope, on))
        tonight = stores.ledger.snapshot(SnapshotKey(dataset, scope, as_of))
        assert held is not None
        counts = {name: getattr(held, name) for name in ("rows_in", "duplicates", "accepted", "quarantined")}
        in_use.append(InUse(dataset, scope, on, **counts, tonight=tonight.verdict if tonight else None))
    return source_quality(in_use, as_of)
