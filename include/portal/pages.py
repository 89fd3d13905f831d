"""The pages that people open, and beside each the CSV of what it shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from include.kernel.areas import areas
from include.kernel.cells import csv_text
from include.portal.desk import (
    MOST_EXPORTED,
    PAGE_ROWS,
    Desk,
    Exported,
    Language,
    ListName,
    Page,
    Sheet,
    Since,
    Size,
    Text,
    Who,
    list_names,
    listed,
    portrait_of,
    ranked,
)
from include.portal.published import whole
from include.portal.quarantine import held_back, source_of
from include.portal.show import Show

STYLE = Path(__file__).with_name("portal.css")
LIST_COLUMNS = {
    "honours": ("place", "name", "uscc", "stage", "district", "reason", "robust"),
    "project_recommendation": ("place", "name", "uscc", "stage", "district", "reason"),
    "credit_list": ("name", "uscc", "stage", "district", "suggested_limit_yuan", "stage_percentile", "entry_reason"),
}


def page_routes(desk: Desk) -> APIRouter:
    """All pages."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/portal.css")
    def style() -> FileResponse:
        return FileResponse(STYLE, media_type="text/css")

    @routes.get("/icon.svg")
    def icon() -> FileResponse:
        return FileResponse(STYLE.with_name("icon.svg"), media_type="image/svg+xml")

    @routes.get("/")
    def tonight(request: Request, reader: Who, lang: Language = "zh") -> HTMLResponse:
        with desk.reading() as reading:
            sources, stages = reading.sources(reader), reading.stages(reader)
            return Show(request, lang, reading.generation).page("tonight", sources=sources, stages=stages)

    @routes.get("/tonight.csv")
    def tonightcsv_answer(reader: Who) -> Response:
        with desk.reading() as reading:
            return csv_answer("sources", [whole(row) for row in reading.sources(reader)])

    @routes.get("/enterprises")
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

    @routes.get("/enterprises.csv")
    def enterprisescsv_answer(
        reader: Who, q: Text = "", page: Page = 1, size: Exported = MOST_EXPORTED, generation: Since = None
    ) -> Response:
        with desk.reading(generation) as reading:
            found = Sheet.of(desk.city(reading).find(q, reader), page, size)
            return csv_answer("enterprises", [one._asdict() for one in found.rows])

    @routes.get("/enterprises/{uscc}.csv")
    def ledgercsv_answer(reader: Who, uscc: str) -> Response:
        with desk.reading() as reading:
            return csv_answer("ledger", [whole(line) for line in portrait_of(reading, reader, uscc).lines])

    @routes.get("/enterprises/{uscc}")
    def portrait(request: Request, reader: Who, uscc: str, lang: Language = "zh") -> HTMLResponse:
        with desk.reading() as reading:
            found, city = portrait_of(reading, reader, uscc), desk.city(reading)
            neighbours = city.neighbours(found.profile.uscc, reader)
            return Show(request, lang, reading.generation).portrait(found, city.medians, neighbours)

    @routes.get("/rankings")
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
            sheet = Sheet.of(ranked(city, reader, stage, district), page, size)
            return Show(request, lang, reading.generation).page(
                "rankings",
                sheet=sheet,
                stage=stage,
                district=district,
                all_stages=city.stages,
                districts=[code for code in areas() if reader.may_see(code)],
            )

    @routes.get("/rankings.csv")
    def rankingscsv_answer(
        reader: Who,
        stage: Text = "",
        district: Text = "",
        page: Page = 1,
        size: Exported = MOST_EXPORTED,
        generation: Since = None,
    ) -> Response:
        with desk.reading(generation) as reading:
            sheet = Sheet.of(ranked(desk.city(reading), reader, stage, district), page, size)
            return csv_answer("rankings", [one._asdict() for one in sheet.rows])

    @routes.get("/honours")
    def honours(
        request: Request,
        reader: Who,
        name: ListName = "",
        page: Page = 1,
        size: Size = PAGE_ROWS,
        lang: Language = "zh",
        generation: Since = None,
    ) -> HTMLResponse:
        with desk.reading(generation) as reading:
            names = list_names(reading)
            chosen = name or next(iter(names), "")
            table, rows = listed(reading, reader, chosen) if chosen else ("honours", [])
            return Show(request, lang, reading.generation).page(
                "honours",
                sheet=Sheet.of(rows, page, size),
                list=chosen,
                all_lists=list(names),
                columns=LIST_COLUMNS[table],
            )

    @routes.get("/honours.csv")
    def honourscsv_answer(
        reader: Who,
        name: ListName,
        page: Page = 1,
        size: Exported = MOST_EXPORTED,
        generation: Since = None,
    ) -> Response:
        with desk.reading(generation) as reading:
            table, rows = listed(reading, reader, name)
            found = Sheet.of(rows, page, size).rows
            return csv_answer(
                "list", [{column: row._mapping[column] for column in LIST_COLUMNS[table]} for row in found]
            )

    @routes.get("/scheme")
    def scheme(request: Request, lang: Language = "zh") -> HTMLResponse:
        with desk.reading() as reading:
            return Show(request, lang, reading.generation).scheme_page()

    @routes.get("/scheme/{indicator}")
    def indicator(request: Request, indicator: str, lang: Language = "zh") -> HTMLResponse:
        with desk.reading() as reading:
            return Show(request, lang, reading.generation).indicator_page(indicator)

    @routes.get("/quarantine")
    def quarantine(request: Request, reader: Who, lang: Language = "zh") -> HTMLResponse:
        with desk.reading() as reading:
            sources = [row for row in reading.sources(reader) if row.quarantined and reader.may_see(row.scope)]
            return Show(request, lang, reading.generation).page("quarantine", sources=sources)

    @routes.get("/quarantine/{dataset}/{scope}.csv")
    def held_backcsv_answer(
        reader: Who, dataset: str, scope: str, page: Page = 1, size: Exported = MOST_EXPORTED, generation: Since = None
    ) -> Response:
        with desk.reading(generation) as reading:
            rows = held_back(desk.lake, source_of(reading, reader, dataset, scope))
            return csv_answer("quarantine", [one._asdict() for one in Sheet.of(rows, page, size).rows])

    @routes.get("/quarantine/{dataset}/{scope}")
    def held_back_page(
        request: Request,
        reader: Who,
        dataset: str,
        scope: str,
        page: Page = 1,
        size: Size = PAGE_ROWS,
        lang: Language = "zh",
        generation: Since = None,
    ) -> HTMLResponse:
        with desk.reading(generation) as reading:
            source = source_of(reading, reader, dataset, scope)
            sheet = Sheet.of(held_back(desk.lake, source), page, size)
            return Show(request, lang, reading.generation).page("held_back", source=source, sheet=sheet)

    return routes


def csv_answer(name: str, rows: Iterable[dict[str, Any]]) -> Response:
    """A CSV that spreadsheets open as UTF-8 and compute nothing of; its headings are the published column names."""
    held = list(rows)
    text = csv_text(
        held[0] if held else [], [["" if cell is None else str(cell) for cell in row.values()] for row in held]
    )
    disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(f"\ufeff{text}", media_type="text/csv", headers=disposition)
