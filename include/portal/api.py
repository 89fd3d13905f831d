"""The read API: the current generation as JSON. `docs/reference/openapi.json` is generated from this file."""

from __future__ import annotations

import datetime
import hashlib
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy import Row

from include.evidence.account import Account
from include.portal.city import LONGEST_QUERY, Enterprise
from include.portal.desk import AskedSpan, Desk, Since, Who, account_of, list_names, listed, portrait_of
from include.portal.honours import DEFAULT_SCHEME, RollNumber, SchemeId, YearNumber, honours_of
from include.portal.published import LISTS, Reading, whole
from include.publish.generations import generations as all_generations
from include.steps.honours import hindrance, takes_objections

Code = Annotated[str, Path(description="Unified social credit code.", examples=["91320411YY10000014"])]
IndicatorId = Annotated[str, Path(description="Indicator id.", examples=["INP-03"])]
SOUGHT = "Name, short form, former name, pinyin, initials or code."


class Failure(BaseModel):
    """Why there is no answer: a fixed word, and a sentence."""

    error: str
    message: str


class NoSuchAddress(BaseModel):
    """The server's own answer to an address that leads nowhere at all, as one with a line break in it."""

    detail: str


class Publication(BaseModel):
    """One generation. Only that with status `current` is read by the rest of this API."""

    id: int
    as_of: datetime.date
    scheme_id: str
    scheme_version: str
    status: Literal["current", "superseded", "blocked", "rolled_back"]
    published_at: datetime.datetime | None


class Line(BaseModel):
    """One indicator of one enterprise; without a value, `status` says why."""

    indicator: str
    category: str
    value: Decimal | None
    status: str
    segment: int | None
    raw_points: Decimal | None
    weight: Decimal
    points: Decimal


class PublishedAccount(Account):
    """The account of a line, and the generation that published it."""

    generation: int


class Rung(BaseModel):
    """One qualification: whether it is held, may be applied for, and what is missing."""

    rung: str
    holds: bool
    eligible: bool
    failed_conditions: list[Any] | None


class OnList(BaseModel):
    """One list that the enterprise is on."""

    name: str
    place: int | None
    reason: str | None


class Points(BaseModel):
    """One enterprise: its lines add up to `total`; missing data leaves it open within [total_low, total_high]."""

    generation: int
    as_of: datetime.date
    scheme_id: str
    uscc: str
    name: str
    district: str
    stage: str
    total: Decimal
    total_low: Decimal
    total_high: Decimal
    coverage: Decimal
    rank_all: int
    rank_stage: int
    rank_district: int
    percentile_stage: Decimal | None
    lines: list[Line]
    lists: list[OnList]
    ladder: list[Rung]


class FoundSheet(BaseModel):
    """One page of a search; `found` counts all of it, up to 1,000."""

    generation: int
    page: int
    last: int
    found: int
    rows: list[Enterprise]


class Listed(BaseModel):
    """One enterprise on a list; `place` and `robust` are of honours, the limit of banks' products."""

    uscc: str
    name: str
    district: str
    stage: str
    place: int | None = None
    reason: str | None = Field(default=None, description="Why it is listed.")
    robust: bool | None = None
    suggested_limit_yuan: Decimal | None = None
    stage_percentile: Decimal | None = None


class ListSheet(BaseModel):
    """One page of a list."""

    generation: int
    name: str
    kind: Literal["honours", "project_recommendation", "credit_list"]
    page: int
    last: int
    found: int
    rows: list[Listed]


class ListTitle(BaseModel):
    """One published list, by name."""

    name: str
    kind: Literal["honours", "project_recommendation", "credit_list"]


class Honoured(BaseModel):
    """One enterprise and its honour, with the name and stage that it had on the roll's day. `held_back`: an objection
    keeps it from freezing.
    """

    uscc: str
    honour: str
    place: int
    name: str
    district: str
    stage: str
    reason: str | None
    robust: bool | None
    held_back: bool


class Correction(BaseModel):
    """What happened to a frozen honour afterwards."""

    uscc: str
    honour: str
    name: str
    district: str
    what: Literal["withdrawn", "granted", "corrected"]
    reference: str
    decided_at: datetime.datetime


Where = Literal["proposed", "notice", "frozen", "superseded", "rejected"]


class OtherRoll(BaseModel):
    """Another roll of the year, to be asked for with `roll`."""

    roll_id: int
    status: Where


class HonourRoll(BaseModel):
    """A year's honours. Once `status` is `frozen`, `entries` never change: read `errata` beside them. `beside` is the
    proposal that waits beside what stands, or for a roll that was asked for by number, what stands. `hindrance` is what
    would keep an open roll from freezing whatever the day: its generation is `unsound` (rolled back, blocked, no longer
    kept), or it is `unapproved` (its approval is asked for anew).
    """

    roll_id: int
    year: int
    scheme_id: str
    scheme_version: str
    generation_id: int
    as_of: datetime.date
    status: Where
    notice_days: int
    notice_until: datetime.date | None
    takes_objections: bool
    hindrance: Literal["unsound", "unapproved"] | None
    frozen_at: datetime.datetime | None
    frozen_sha: str | None
    entries: list[Honoured]
    errata: list[Correction]
    beside: list[OtherRoll]


def api_routes(desk: Desk) -> APIRouter:
    """Everything below /api/."""
    refused: dict[int | str, dict[str, Any]] = {
        304: {"description": "The answer is still the one whose ETag was sent."},
        **{status: {"model": Failure} for status in (401, 403, 409, 422, 503)},
        404: {"model": Failure | NoSuchAddress},
    }
    routes = APIRouter(prefix="/api", responses=refused)

    @routes.get("/openapi.json", include_in_schema=False)
    def openapi(request: Request) -> JSONResponse:
        """This document, with the address at which the app is mounted."""
        return JSONResponse(request.app.openapi() | {"servers": [{"url": request.scope.get("root_path") or "/"}]})

    @routes.get("/generations", response_model=list[Publication])
    def generations(request: Request) -> Response:
        """Every generation that is kept, newest first."""
        with desk.reading() as reading:
            kept = [
                Publication.model_validate(one, from_attributes=True) for one in all_generations(reading.connection)
            ]
            return _tagged(request, reading, kept)

    @routes.get("/points/{uscc}", response_model=Points)
    def points(request: Request, reader: Who, uscc: Code, generation: Since = None) -> Response:
        """One enterprise from its total down to its indicators."""
        with desk.reading(generation) as reading:
            found = portrait_of(reading, reader, uscc)
            current = reading.generation
            answer = Points(
                **whole(found.profile) | whole(found.points),
                generation=current.id,
                as_of=current.as_of,
                scheme_id=current.scheme_id,
                lines=[Line(**whole(line)) for line in found.lines],
                lists=[
                    OnList(name=row._mapping[LISTS[table]], place=row._mapping.get("place"), reason=_reason(row))
                    for table, row in found.lists
                ],
                ladder=[Rung(**whole(rung)) for rung in found.ladder],
            )
            return _tagged(request, reading, answer)

    @routes.get("/points/{uscc}/{indicator}", response_model=PublishedAccount)
    def explanation(
        request: Request, reader: Who, uscc: Code, indicator: IndicatorId, generation: Since = None
    ) -> Response:
        """One indicator of one enterprise, derived again from the source records and proved equal to what is published:
        formula with its numbers, segment, distance to the next, measures, records.
        """
        reading, found = account_of(desk, generation, reader, uscc, indicator)
        return _tagged(request, reading, PublishedAccount(**dict(found), generation=reading.generation.id))

    @routes.get("/lists", response_model=list[ListTitle])
    def lists(request: Request) -> Response:
        """The names of the published lists."""
        with desk.reading() as reading:
            named = [
                ListTitle.model_validate({"name": name, "kind": kind}) for name, kind in list_names(reading).items()
            ]
            return _tagged(request, reading, named)

    @routes.get("/lists/{name}", response_model=ListSheet)
    def one_list(
        request: Request,
        reader: Who,
        name: Annotated[str, Path(description="Name of the list.", examples=["标兵企业"])],
        span: AskedSpan,
    ) -> Response:
        """One list in its order. Send the `generation` of the first page along for the others: 409 if it has passed."""
        with desk.reading(span.generation) as reading:
            kind, rows = listed(reading, reader, name[:LONGEST_QUERY])
            sheet = span.of(rows)
            answer = ListSheet.model_validate(
                {
                    "generation": reading.generation.id,
                    "name": name,
                    "kind": kind,
                    **sheet._asdict(),
                    "rows": [Listed(**whole(row) | {"reason": _reason(row)}) for row in sheet.rows],
                }
            )
            return _tagged(request, reading, answer)

    @routes.get("/honours/{year}", response_model=HonourRoll)
    def honours(
        request: Request,
        reader: Who,
        year: YearNumber,
        scheme: SchemeId = DEFAULT_SCHEME,
        number: RollNumber = None,
    ) -> Response:
        """The honours of a year: what froze, else what stands in public, else what is proposed."""
        with desk.reading() as reading:
            held = honours_of(reading, reader, year, scheme, number)
            listed = {name: [vars(one) for one in getattr(held, name)] for name in ("errata", "beside")}
            listed["entries"] = [vars(one) | {"held_back": one in held.held_back} for one in held.entries]
            today = {
                "takes_objections": takes_objections(held.roll),
                "hindrance": hindrance(reading.connection, held.roll),
            }
            return _tagged(request, reading, HonourRoll.model_validate(vars(held.roll) | listed | today))

    @routes.get("/search", response_model=FoundSheet)
    def search(
        request: Request,
        reader: Who,
        q: Annotated[str, Query(min_length=1, max_length=LONGEST_QUERY, description=SOUGHT, examples=["恒创"])],
        span: AskedSpan,
    ) -> Response:
        """Enterprises whose name, pinyin, initials or code hold the text, the closest first."""
        with desk.city(span.generation) as (reading, city):
            sheet = span.of(city.find(q, reader))
            answer = FoundSheet(generation=reading.generation.id, **sheet._asdict())
            return _tagged(request, reading, answer)

    return routes


def _reason(row: Row) -> str | None:
    return row._mapping.get("reason") or row._mapping.get("entry_reason")


def _tagged(request: Request, reading: Reading, answer: Any) -> Response:
    """JSON with an ETag that names the generation and the content; 304 where the caller holds it already."""
    plain = (
        [one.model_dump(mode="json") for one in answer] if isinstance(answer, list) else answer.model_dump(mode="json")
    )
    response = JSONResponse(plain)
    tag = f'"{reading.generation.id}-{hashlib.sha256(bytes(response.body)).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    held = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in held or "*" in held:  # RFC 9110, 13.1.2: whoever holds any, and a weak tag is as good as a strong one
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
