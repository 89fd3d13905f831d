"""The page of a year's honours: where they stand, who is on the roll, what froze, and the errata beside it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from include.portal.asked import AskedFor
from include.portal.city import LONGEST_QUERY
from include.portal.desk import Desk, Sorry
from include.portal.published import Reader
from include.store import honours as store
from include.store.honours import Year

YearNumber = Annotated[int, Path(ge=2021, le=2100, description="Year of the honours.")]
SchemeId = Annotated[str, Query(alias="scheme", max_length=LONGEST_QUERY, description="Scheme id.")]
DEFAULT_SCHEME = "changzhou_v1"


def honours_of(desk: Desk, reader: Reader, year: int, scheme: str) -> Year:
    """The honours of a year in the reader's districts."""
    found = store.year_of(desk.engine, year, scheme)
    if found is None:
        raise Sorry(404, "unknown_year")
    entries = [one for one in found.entries if reader.may_see(one.district)]
    return Year(found.roll, entries, [one for one in found.errata if reader.may_see(one.district)])


def honour_routes(desk: Desk) -> APIRouter:
    """One page for each year."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/honours/{year}")
    def year(asked: AskedFor, year: YearNumber, scheme: SchemeId = DEFAULT_SCHEME) -> Response:
        with desk.reading() as reading:
            held = honours_of(desk, asked.reader, year, scheme)
            return asked.page(
                reading, "honours_of_year", held=held, in_force=held.in_force(), years=store.years(desk.engine)
            )

    return routes
