"""What a task made, for the links in Airflow: any night's snapshot with its report, quarantine and manifests, published
or refused, and the manifests of a night's result. Whose districts these are decides here as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response

from include.contracts import contracts
from include.kernel.areas import CITY, areas
from include.kernel.references import ResultKey, SnapshotKey
from include.portal.desk import MOST_EXPORTED, PAGE_ROWS, Desk, Exported, Language, Page, Sheet, Size, Sorry, Text, Who
from include.portal.pages import csv_answer
from include.portal.published import Reader
from include.portal.quarantine import held_back
from include.portal.show import Show
from include.schemes.model import schemes
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
    def report(
        request: Request, reader: Who, dataset: Dataset, scope: Scope, as_of: date, lang: Language = "zh"
    ) -> HTMLResponse:
        found = held(reader, dataset, scope, as_of)
        checks = sorted(found.checks or [], key=lambda check: check["passed"])
        return Show(request, lang, None).page("snapshot", snapshot=found, checks=checks)

    @routes.get(SNAPSHOT + "/manifest")
    def snapshot_manifest(
        request: Request, reader: Who, dataset: Dataset, scope: Scope, as_of: date, lang: Language = "zh"
    ) -> HTMLResponse:
        key = held(reader, dataset, scope, as_of).key
        named = [places.landing(key), places.quarantine(key), places.accepted(key)]
        about = f"{dataset}/{scope}/{as_of}"
        return Show(request, lang, None).page("manifests", about=about, manifests=_manifests(desk, named))

    @routes.get(SNAPSHOT + "/quarantine.csv")
    def quarantine_csv(
        reader: Who,
        dataset: Dataset,
        scope: Scope,
        as_of: date,
        page: Page = 1,
        size: Exported = MOST_EXPORTED,
    ) -> Response:
        rows = held_back(desk.lake, held(reader, dataset, scope, as_of))
        return csv_answer("quarantine", [one._asdict() for one in Sheet.of(rows, page, size).rows])

    @routes.get(SNAPSHOT + "/quarantine")
    def quarantine(
        request: Request,
        reader: Who,
        dataset: Dataset,
        scope: Scope,
        as_of: date,
        page: Page = 1,
        size: Size = PAGE_ROWS,
        lang: Language = "zh",
    ) -> HTMLResponse:
        found = held(reader, dataset, scope, as_of)
        rows = held_back(desk.lake, found) if found.quarantined is not None else []
        return Show(request, lang, None).page("snapshot_rows", source=found, sheet=Sheet.of(rows, page, size))

    @routes.get("/results/{scope}/{as_of}/manifest")
    def result_manifest(
        request: Request, reader: Who, scope: Scope, as_of: date, scheme: Text = "", lang: Language = "zh"
    ) -> HTMLResponse:
        _require_scope(reader, scope)
        known = not scheme or scheme in schemes()
        manifests = _manifests(desk, _rooms(scope, as_of, scheme)) if known else []
        if not manifests:
            raise Sorry(404, "unknown_snapshot")
        about = f"{scope}/{as_of} {scheme}"
        return Show(request, lang, None).page("manifests", about=about, manifests=manifests)

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


def _manifests(desk: Desk, named: Sequence[str]) -> list[tuple[Manifest, dict[str, Any]]]:
    """Those that are committed, each with its facts in one line; a list is told by its length."""
    found = [manifest for place in named if (manifest := desk.lake.manifest(place)) is not None]
    return [
        (one, {name: len(fact) if isinstance(fact, (list, dict)) else fact for name, fact in one.facts.items()})
        for one in found
    ]
