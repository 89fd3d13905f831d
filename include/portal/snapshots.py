"""What a task made, for the links in Airflow: any night's snapshot with its report, quarantine and manifests, published
or refused, and the manifests of a night's result. Whose districts these are decides here as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response

from include.contracts import contracts
from include.kernel.areas import CITY, areas
from include.kernel.references import ResultKey, SnapshotKey
from include.portal.asked import AskedFor
from include.portal.desk import Desk, Sorry, Text
from include.portal.pages import rows_held_back
from include.portal.published import Reader
from include.schemes.model import schemes
from include.steps.held_back import quarantine_version
from include.store import lake as places
from include.store.lake import Manifest
from include.store.ledger import Ledger, SnapshotRow

SNAPSHOT = "/snapshots/{dataset}/{scope}/{as_of}"
Dataset = Annotated[str, Path(max_length=40)]
Scope = Annotated[str, Path(max_length=10)]


def snapshot_routes(desk: Desk) -> APIRouter:
    """All pages that a task links to."""
    routes = APIRouter(include_in_schema=False)

    def held(reader: Reader, dataset: str, scope: str, as_of: date) -> SnapshotRow:
        """What the ledger knows of it; what is not there and what is not the reader's are answered alike."""
        _require_scope(reader, scope)
        found = Ledger(desk.engine).snapshot(SnapshotKey(dataset, scope, as_of)) if dataset in contracts() else None
        if found is None:
            raise Sorry(404, "unknown_snapshot")
        return found

    @routes.get(SNAPSHOT)
    def report(asked: AskedFor, dataset: Dataset, scope: Scope, as_of: date) -> Response:
        found = held(asked.reader, dataset, scope, as_of)
        checks = sorted(found.checks or [], key=lambda check: check["passed"])
        return asked.page(None, "snapshot", snapshot=found, checks=checks)

    @routes.get(SNAPSHOT + "/manifest")
    def snapshot_manifest(asked: AskedFor, dataset: Dataset, scope: Scope, as_of: date) -> Response:
        found = held(asked.reader, dataset, scope, as_of)
        named: dict[str, str | None] = {places.landing(found.key): found.landing_sha}
        if found.verdict:
            named[places.quarantine(found.key)] = quarantine_version(desk.lake, found)
        if found.accepted_sha:
            named[places.accepted(found.key)] = found.accepted_sha
        about = f"{dataset}/{scope}/{as_of}"
        return asked.page(None, "manifests", about=about, manifests=_manifests(desk, named))

    @routes.get(SNAPSHOT + "/quarantine")
    @routes.get(SNAPSHOT + "/quarantine.{ending}")
    def quarantine(
        asked: AskedFor, dataset: Dataset, scope: Scope, as_of: date, reason: Text = "", q: Text = ""
    ) -> Response:
        found, here = held(asked.reader, dataset, scope, as_of), f"/snapshots/{dataset}/{scope}/{as_of}/quarantine"
        return rows_held_back(asked, None, desk, found, here, reason, q)

    @routes.get("/results/{scope}/{as_of}/manifest")
    def result_manifest(asked: AskedFor, scope: Scope, as_of: date, scheme: Text = "") -> Response:
        _require_scope(asked.reader, scope)
        known = not scheme or scheme in schemes()
        manifests = _manifests(desk, dict.fromkeys(_rooms(scope, as_of, scheme))) if known else []
        if not manifests:
            raise Sorry(404, "unknown_snapshot")
        return asked.page(None, "manifests", about=f"{scope}/{as_of} {scheme}", manifests=manifests)

    return routes


def _require_scope(reader: Reader, scope: str) -> None:
    if scope not in (CITY, *areas()) or not reader.may_see(scope):
        raise Sorry(404, "unknown_snapshot")


def _rooms(scope: str, as_of: date, scheme: str) -> Sequence[str]:
    """Where a result is kept, in the order in which it came about."""
    if scope == CITY:
        return [places.conformed_city(as_of), *([places.ranked(as_of, scheme)] if scheme else [])]
    result = ResultKey(as_of, scope, scheme)
    scored = [places.values(result), places.points(result)] if scheme else []
    return [places.conformed(scope, as_of), places.measures(scope, as_of), *scored]


def _manifests(desk: Desk, named: Mapping[str, str | None]) -> list[tuple[Manifest, dict[str, Any]]]:
    """Those that are committed, in the version named or the last one, each with its facts in one line; a list is told
    by its length.
    """
    held = (desk.lake.manifest(place, version) for place, version in named.items())
    found = [manifest for manifest in held if manifest is not None]
    return [
        (one, {name: len(fact) if isinstance(fact, (list, dict)) else fact for name, fact in one.facts.items()})
        for one in found
    ]
