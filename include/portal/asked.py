"""What a page is asked, and the three ways to answer with rows: the page itself, CSV, XLSX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import Table

from include.kernel.cells import csv_text, workbook
from include.portal.desk import MOST_EXPORTED, MOST_ROWS, PAGE_ROWS, Language, Page, Sheet, Since, Sorry, Who
from include.portal.published import Reading
from include.portal.show import Show, beijing
from include.store.warehouse import clock

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Asked:
    """By whom, in which language, which page of how many rows, of which generation; and as what: `ending` is that of
    the address, `csv`, `xlsx`, or nothing for a page to read.
    """

    def __init__(
        self,
        request: Request,
        reader: Who,
        lang: Language = "zh",
        page: Page = 1,
        size: Annotated[int | None, Query(ge=1, le=MOST_EXPORTED)] = None,
        generation: Since = None,
    ) -> None:
        self.request, self.reader, self.lang, self.generation = request, reader, lang, generation
        self.ending: str = request.path_params.get("ending", "")
        if self.ending not in ("", "csv", "xlsx"):
            raise Sorry(404, "no_such_page")
        if size and not self.ending and size > MOST_ROWS:
            raise Sorry(422, "bad_request", "size")
        self.number, self.size = page, size or (MOST_EXPORTED if self.ending else PAGE_ROWS)

    def page(self, reading: Reading | None, template: str, **context: Any) -> HTMLResponse:
        """A page to read. Without a reading it is about no generation: what a task made, published or not."""
        return self.show(reading).page(template, **context)

    def show(self, reading: Reading | None) -> Show:
        return Show(self.request, self.lang, reading.generation if reading else None, self.reader)

    def sheet(
        self, reading: Reading | None, template: str, rows: Sequence[Any], columns: Sequence[str], **context: Any
    ) -> Response:
        """A page of rows in whichever form the address asks for."""
        found = self.part(rows)
        if not self.ending:
            return self.page(reading, template, sheet=found, columns=columns, **context)
        return self.file(reading, template, found.rows, columns)

    def part(self, rows: Sequence[Any]) -> Sheet:
        """The page of the rows that is asked for."""
        return Sheet.of(rows, self.number, self.size)

    def file(
        self, reading: Reading | None, name: str, rows: Sequence[Any], columns: Sequence[str], about: str = ""
    ) -> Response:
        """The rows for a spreadsheet, which opens them as UTF-8 and computes nothing of them; the headings are the
        published column names. A workbook says on every page who took it, when, and of what: `about`, or else the
        generation.
        """
        cells = [[_one_cell(getattr(row, column)) for column in columns] for row in rows]
        if self.ending == "csv":
            text = csv_text(columns, [["" if cell is None else str(cell) for cell in row] for row in cells])
            content, media = f"\ufeff{text}".encode(), "text/csv; charset=utf-8"
        else:
            content, media = workbook(columns, cells, self._mark(reading, about)), _XLSX
        disposition = {"Content-Disposition": f'attachment; filename="{name}.{self.ending}"'}
        return Response(content, media_type=media, headers=disposition)

    def _mark(self, reading: Reading | None, about: str) -> str:
        show = self.show(reading)
        if reading and not about:
            about = show.stamp(reading.generation.id, reading.generation.as_of)
        return " · ".join(filter(None, (f"{show.say('taken_by')} {self.reader.name}", beijing(clock()), about)))


AskedFor = Annotated[Asked, Depends()]


def _one_cell(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, list) else value


def columns_of(shape: Any) -> tuple[str, ...]:
    """The columns of what is exported: a published table, a dataclass or a named tuple."""
    if isinstance(shape, Table):
        return tuple(column.name for column in shape.columns if column.name != "generation_id")
    return tuple(one.name for one in fields(shape)) if is_dataclass(shape) else shape._fields
