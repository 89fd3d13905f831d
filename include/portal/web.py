"""The pages as a FastAPI app that anything may mount; who may read is decided by the `admit` it is given.

Every route depends on `admit`, none but GET exists, no page has a script, and whatever goes wrong is one plain page.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

from include.kernel.areas import areas
from include.kernel.cells import harmless
from include.kernel.errors import InnopointsError
from include.kernel.identity import is_code_shape, normal_code
from include.portal.city import LONGEST_QUERY, City
from include.portal.published import LISTS, Reader, Reading, read, whole
from include.portal.show import Show

HERE = Path(__file__).parent
PAGE_ROWS, MOST_ROWS, MOST_EXPORTED = 50, 200, 5000
LIST_COLUMNS = {
    "honours": ("place", "name", "uscc", "stage", "district", "reason", "robust"),
    "project_recommendation": ("place", "name", "uscc", "stage", "district", "reason"),
    "credit_list": ("name", "uscc", "stage", "district", "suggested_limit_yuan", "stage_percentile", "entry_reason"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _admitted(request: Request) -> Reader:
    return request.state.reader


Who = Annotated[Reader, Depends(_admitted)]
Language = Annotated[Literal["zh", "en"], Query()]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
Size = Annotated[int, Query(ge=1, le=MOST_ROWS)]
Exported = Annotated[int, Query(ge=1, le=MOST_EXPORTED)]
Text = Annotated[str, Query(max_length=LONGEST_QUERY)]
Since = Annotated[int | None, Query(alias="generation", ge=1, le=2**31)]


class Sorry(Exception):
    """A request that has no answer: the word of `words.yaml` that says so, and what stands behind it."""

    def __init__(self, status: int, word: str, detail: str = "") -> None:
        super().__init__(word)
        self.status, self.word, self.detail = status, word, detail


class Sheet(NamedTuple):
    """One page of rows."""

    rows: Sequence[Any]
    page: int
    last: int
    found: int

    @classmethod
    def of(cls, rows: Sequence[Any], page: int, size: int) -> Sheet:
        last = max(-(-len(rows) // size), 1)
        if page > last:
            raise Sorry(404, "beyond_last", str(last))
        return cls(rows[(page - 1) * size : page * size], page, last, len(rows))


class Desk:
    """What the routes share: the warehouse, and everybody of the current generation in memory."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lock = engine, Lock()
        self._city: tuple[Any, City] | None = None

    @contextmanager
    def reading(self, generation: int | None = None) -> Iterator[Reading]:
        """A reading of the current generation; `generation` is the one that a link was made for."""
        with read(self._engine) as found:
            if found is None:
                raise Sorry(404, "nothing_published")
            if generation not in (None, found.generation.id):
                raise Sorry(409, "stale")
            yield found

    def city(self, reading: Reading) -> City:
        with self._lock:
            if self._city is None or self._city[0] != reading.generation:
                self._city = (reading.generation, City.of(reading))
            return self._city[1]


def make_app(engine: Engine, admit: Callable[..., Reader]) -> FastAPI:
    """The app over a warehouse. `admit` is a FastAPI dependency: it gives the reader, or raises 401 or 403."""

    def enter(request: Request, reader: Any = Depends(admit)) -> None:
        request.state.reader = reader

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(enter)])
    desk = Desk(engine)
    _plain_answers(app)

    @app.get("/portal.css")
    def style() -> FileResponse:
        return FileResponse(HERE / "portal.css", media_type="text/css")

    @app.get("/")
    def tonight(request: Request, reader: Who, lang: Language = "zh") -> HTMLResponse:
        with desk.reading() as reading:
            sources, stages = reading.sources(reader), reading.stages(reader)
            return Show(request, lang, reading.generation).page("tonight", sources=sources, stages=stages)

    @app.get("/tonight.csv")
    def tonight_csv(reader: Who) -> Response:
        with desk.reading() as reading:
            return _csv("sources", [whole(row) for row in reading.sources(reader)])

    @app.get("/enterprises")
    def enterprises(
        request: Request,
        reader: Who,
        q: Text = "",
        page: Page = 1,
        size: Size = PAGE_ROWS,
        lang: Language = "zh",
        generation: Since = None,
    ) -> HTMLResponse:
        with desk.reading(generation) as reading:
            found = desk.city(reading).find(q, reader)
            sheet = Sheet.of(found, page, size)
            return Show(request, lang, reading.generation).page("enterprises", q=q, sheet=sheet)

    @app.get("/enterprises.csv")
    def enterprises_csv(
        reader: Who, q: Text = "", page: Page = 1, size: Exported = MOST_EXPORTED, generation: Since = None
    ) -> Response:
        with desk.reading(generation) as reading:
            found = Sheet.of(desk.city(reading).find(q, reader), page, size)
            return _csv("enterprises", [one._asdict() for one in found.rows])

    @app.get("/enterprises/{uscc}.csv")
    def ledger_csv(reader: Who, uscc: str) -> Response:
        with desk.reading() as reading:
            return _csv("ledger", [whole(line) for line in _portrait(reading, reader, uscc).lines])

    @app.get("/enterprises/{uscc}")
    def portrait(request: Request, reader: Who, uscc: str, lang: Language = "zh") -> HTMLResponse:
        with desk.reading() as reading:
            found, city = _portrait(reading, reader, uscc), desk.city(reading)
            neighbours = city.neighbours(found.profile.uscc, reader)
            return Show(request, lang, reading.generation).portrait(found, city.medians, neighbours)

    @app.get("/rankings")
    def rankings(
        request: Request,
        reader: Who,
        stage: Text = "",
        district: Text = "",
        page: Page = 1,
        size: Size = PAGE_ROWS,
        lang: Language = "zh",
        generation: Since = None,
    ) -> HTMLResponse:
        with desk.reading(generation) as reading:
            city = desk.city(reading)
            sheet = Sheet.of(_ranked(city, reader, stage, district), page, size)
            return Show(request, lang, reading.generation).page(
                "rankings",
                sheet=sheet,
                stage=stage,
                district=district,
                all_stages=city.stages,
                districts=[code for code in areas() if reader.may_see(code)],
            )

    @app.get("/rankings.csv")
    def rankings_csv(
        reader: Who,
        stage: Text = "",
        district: Text = "",
        page: Page = 1,
        size: Exported = MOST_EXPORTED,
        generation: Since = None,
    ) -> Response:
        with desk.reading(generation) as reading:
            sheet = Sheet.of(_ranked(desk.city(reading), reader, stage, district), page, size)
            return _csv("rankings", [one._asdict() for one in sheet.rows])

    @app.get("/honours")
    def honours(
        request: Request,
        reader: Who,
        name: Annotated[str, Query(alias="list", max_length=LONGEST_QUERY)] = "",
        page: Page = 1,
        size: Size = PAGE_ROWS,
        lang: Language = "zh",
        generation: Since = None,
    ) -> HTMLResponse:
        with desk.reading(generation) as reading:
            names = {one: table for table in LISTS for one in reading.list_names(table)}
            chosen = name or next(iter(names), "")
            table, rows = _listed(reading, reader, names, chosen) if chosen else ("honours", [])
            return Show(request, lang, reading.generation).page(
                "honours",
                sheet=Sheet.of(rows, page, size),
                list=chosen,
                all_lists=list(names),
                columns=LIST_COLUMNS[table],
            )

    @app.get("/honours.csv")
    def honours_csv(
        reader: Who,
        name: Annotated[str, Query(alias="list", max_length=LONGEST_QUERY)],
        page: Page = 1,
        size: Exported = MOST_EXPORTED,
        generation: Since = None,
    ) -> Response:
        with desk.reading(generation) as reading:
            names = {one: table for table in LISTS for one in reading.list_names(table)}
            table, rows = _listed(reading, reader, names, name)
            found = Sheet.of(rows, page, size).rows
            return _csv("list", [{column: row._mapping[column] for column in LIST_COLUMNS[table]} for row in found])

    return app


def _portrait(reading: Reading, reader: Reader, uscc: str) -> Any:
    code = normal_code(uscc[:LONGEST_QUERY])
    found = reading.portrait(code) if is_code_shape(code) else None
    if found is None or not reader.may_see(found.profile.district):
        raise Sorry(404, "unknown_enterprise")
    return found


def _ranked(city: City, reader: Reader, stage: str, district: str) -> list[Any]:
    if stage and stage not in city.stages:
        raise Sorry(422, "bad_request", "stage")
    if district and district not in areas():
        raise Sorry(422, "bad_request", "district")
    if district and not reader.may_see(district):
        raise Sorry(403, "other_district")
    return city.ranked(reader, stage or None, district or None)


def _listed(reading: Reading, reader: Reader, names: dict[str, str], name: str) -> tuple[str, list[Any]]:
    if name not in names:
        raise Sorry(404, "unknown_list")
    return names[name], [row for row in reading.listed(names[name], name) if reader.may_see(row.district)]


def _csv(name: str, rows: Iterable[dict[str, Any]]) -> Response:
    """A CSV that spreadsheets open as UTF-8 and compute nothing of; its headings are the published column names."""
    held, text = list(rows), io.StringIO(newline="")
    text.write("\ufeff")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(held[0] if held else [])
    writer.writerows([harmless("" if cell is None else str(cell)) for cell in row.values()] for row in held)
    disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=disposition)


def _plain_answers(app: FastAPI) -> None:
    """Whatever goes wrong is a plain page that says so, with the headers that every answer has."""

    def answer(request: Request, status: int, word: str, detail: str = "") -> Response:
        lang = "en" if request.query_params.get("lang") == "en" else "zh"
        page = Show(request, lang, None).message(status, word, detail)
        page.headers.update(HEADERS)
        return page

    @app.exception_handler(Sorry)
    def sorry(request: Request, error: Sorry) -> Response:
        return answer(request, error.status, error.word, error.detail)

    @app.exception_handler(RequestValidationError)
    def unreadable(request: Request, error: RequestValidationError) -> Response:
        names = dict.fromkeys(str(found["loc"][1]) for found in error.errors())
        return answer(request, 422, "bad_request", ", ".join(names))

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        words = {401: "not_signed_in", 403: "not_allowed", 404: "no_such_page", 405: "no_such_page"}
        return answer(request, error.status_code, words.get(error.status_code, "unforeseen"))

    @app.exception_handler(InnopointsError)
    def no_warehouse(request: Request, error: InnopointsError) -> Response:
        return answer(request, 503, "warehouse")

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        return answer(request, 500, "unforeseen")

    @app.middleware("http")
    async def headers(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response
