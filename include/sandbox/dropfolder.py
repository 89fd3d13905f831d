"""Drop folders: one file per batch of a list, each kind in its department's own habits, and beside it the marker `.ok`.

A table that is handed over so says in `_list` of which kind a line's file is, in `_published` its day, in `_line` its
place. Which department drops which lists stands in `drop_folders.py`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.styles import Alignment, Font

BATCH = ("批次", "序号")
SUM_ROW = "合计"
_EPOCH = datetime(2021, 1, 1)  # noqa: DTZ001 - workbooks carry wall time


@dataclass(frozen=True)
class FileKind:
    """One kind of file, called `<list>_<YYYYMMDD>`: CSV in GB18030, or a workbook with title and total row.

    `groups` (first column, last column, heading) make a second header row above the columns; what belongs to no
    group is merged over both. `numbers`: the columns that the clerk keeps as numbers.
    """

    list: str
    form: str
    title: str = ""
    groups: tuple[tuple[str, str, str], ...] = ()
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DropFolder:
    """One department's folder: its name, who signs the workbooks, and the kinds of file of each dataset."""

    name: str
    author: str
    datasets: dict[str, tuple[FileKind, ...]]


def write_lists(folder: Path, department: DropFolder, tables: dict[str, pa.Table]) -> None:
    """One file per (list, day of publication), lines in the order of the list, then its marker."""
    for dataset, kinds in department.datasets.items():
        for kind in kinds:
            _write_kind(folder, department.author, kind, tables[dataset])


def _write_kind(folder: Path, author: str, kind: FileKind, table: pa.Table) -> None:
    columns = (*BATCH, *(name for name in table.column_names if not name.startswith("_")))
    ordered = table.filter(pa.compute.equal(table["_list"], kind.list)).sort_by(
        [("_published", "ascending"), ("_line", "ascending")]
    )
    batches: dict[str, list[dict[str, str]]] = {}
    for line in ordered.to_pylist():
        batches.setdefault(line["_published"], []).append(line)
    for published, lines in batches.items():
        batch = f"{kind.list}{published.replace('-', '')}"
        rows = [[_cell(batch, number, line, column) for column in columns] for number, line in enumerate(lines, 1)]
        path = folder / f"{kind.list}_{published.replace('-', '')}.{kind.form}"
        content = _as_csv(columns, rows) if kind.form == "csv" else _as_workbook(kind, author, published, columns, rows)
        put(path, content, len(rows))


def put(path: Path, content: bytes, rows: int) -> None:
    """A file, then its marker."""
    path.write_bytes(content)
    marker = f"rows={rows}\nsha256={hashlib.sha256(content).hexdigest()}\n"
    path.with_name(path.name + ".ok").write_text(marker, encoding="utf-8")


def _cell(batch: str, number: int, line: dict[str, str], column: str) -> str:
    """A sum row repeats the number of the line above it."""
    is_sum = SUM_ROW in line.values()
    own = {"批次": batch, "序号": str(number - 1 if is_sum else number)}
    return own.get(column) or line[column]


def _as_csv(columns: tuple[str, ...], rows: list[list[str]]) -> bytes:
    sink = io.StringIO(newline="")
    csv.writer(sink).writerows([columns, *rows])
    return sink.getvalue().encode("gb18030")


def _as_workbook(kind: FileKind, author: str, published: str, columns: tuple[str, ...], rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "名单"
    sheet.append([f"{kind.title}（{published}）"])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(columns))
    sheet["A1"].font, sheet["A1"].alignment = Font(bold=True), Alignment(horizontal="center")
    _write_header(sheet, kind, columns)
    for row in rows:
        sheet.append([_value(kind, column, cell) for column, cell in zip(columns, row, strict=True)])
    sheet.append([SUM_ROW, len(rows)])
    return stamped(book, author)


def stamped(book: openpyxl.Workbook, author: str) -> bytes:
    """The workbook's bytes, the same on every day."""
    book.properties.creator, book.properties.created = author, _EPOCH
    raw = io.BytesIO()
    book.save(raw)
    return _without_clock(raw.getvalue())


def _write_header(sheet: Any, kind: FileKind, columns: tuple[str, ...]) -> None:
    if not kind.groups:
        sheet.append(list(columns))
        return
    grouped = set()
    for first, last, heading in kind.groups:
        start, end = columns.index(first) + 1, columns.index(last) + 1
        sheet.cell(2, start, heading)
        sheet.merge_cells(start_row=2, start_column=start, end_row=2, end_column=end)
        grouped |= set(range(start, end + 1))
    for column, name in enumerate(columns, 1):
        sheet.cell(3 if column in grouped else 2, column, name)
        if column not in grouped:
            sheet.merge_cells(start_row=2, start_column=column, end_row=3, end_column=column)


def _value(kind: FileKind, column: str, cell: str) -> Any:
    if column == "序号":
        return int(cell)
    if column in kind.numbers and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]+)?", cell):
        return float(cell) if "." in cell else int(cell)
    return cell or None


def _without_clock(workbook: bytes) -> bytes:
    """The same workbook with every date that the writer took from the clock replaced, so that bytes repeat."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as found, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as written:
        for entry in found.infolist():
            content = found.read(entry)
            if entry.filename == "docProps/core.xml":
                before, _, rest = content.partition(b"<dcterms:modified")
                content = before + rest.partition(b"</dcterms:modified>")[2]
            fixed = zipfile.ZipInfo(entry.filename, _EPOCH.timetuple()[:6])
            fixed.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(fixed, content)
    return sink.getvalue()
