"""The science bureau's drop folder: one file per batch in the bureau's own habits, and beside it the marker `.ok`."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.styles import Alignment, Font

from include.sandbox.lists import HIGH_TECH

COLUMNS = (
    "批次", "序号", "企业名称", "统一社会信用代码", "资质类型", "证书编号", "发证日期", "有效期至", "状态", "公布日期",
)  # fmt: skip
# Two header rows: groups above, columns below; what belongs to no group is merged over both.
_GROUPS = ((1, 1, ""), (2, 2, ""), (3, 4, "企业信息"), (5, 9, "资质信息"), (10, 10, ""))
_TITLES = {"科小名单": "常州市科技型中小企业入库名单", "梯度名单": "常州市高成长企业及主导产业企业名单"}
_EPOCH = datetime(2021, 1, 1)  # noqa: DTZ001 - workbooks carry wall time
SUM_ROW = "合计"


def write_lists(folder: Path, table: pa.Table) -> None:
    """One file per (list, day of publication), lines in the order of the list, then its marker."""
    ordered = table.sort_by([("_published", "ascending"), ("_list", "ascending"), ("_line", "ascending")])
    batches: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in ordered.to_pylist():
        batches.setdefault((line["_list"], line["_published"]), []).append(line)
    for (name, published), lines in batches.items():
        day = published.replace("-", "")
        rows = [[_cell(name, day, number, line, column) for column in COLUMNS] for number, line in enumerate(lines, 1)]
        if name == HIGH_TECH:
            path, content = folder / f"{name}_{day}.csv", _as_csv(rows)
        else:
            path, content = folder / f"{name}_{day}.xlsx", _as_workbook(f"{_TITLES[name]}（{published}）", rows)
        path.write_bytes(content)
        marker = f"rows={len(rows)}\nsha256={hashlib.sha256(content).hexdigest()}\n"
        path.with_name(path.name + ".ok").write_text(marker, encoding="utf-8")


def _cell(name: str, day: str, number: int, line: dict[str, str], column: str) -> str:
    if line["企业名称"] == SUM_ROW:
        return {"批次": f"{name}{day}", "序号": str(number - 1), "企业名称": SUM_ROW}.get(column, "")
    return {"批次": f"{name}{day}", "序号": str(number)}.get(column) or line[column]


def _as_csv(rows: list[list[str]]) -> bytes:
    sink = io.StringIO(newline="")
    csv.writer(sink).writerows([COLUMNS, *rows])
    return sink.getvalue().encode("gb18030")


def _as_workbook(title: str, rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "名单"
    sheet.append([title])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(COLUMNS))
    sheet["A1"].font, sheet["A1"].alignment = Font(bold=True), Alignment(horizontal="center")
    for first, last, group in _GROUPS:
        sheet.cell(2, first, group or COLUMNS[first - 1])
        if group:
            sheet.merge_cells(start_row=2, start_column=first, end_row=2, end_column=last)
            for column in range(first, last + 1):
                sheet.cell(3, column, COLUMNS[column - 1])
        else:
            sheet.merge_cells(start_row=2, start_column=first, end_row=3, end_column=first)
    for row in rows:
        sheet.append([row[0], int(row[1]), *(cell or None for cell in row[2:])])
    sheet.append([SUM_ROW, len(rows)])
    book.properties.creator, book.properties.created = "科技局", _EPOCH
    raw = io.BytesIO()
    book.save(raw)
    return _without_clock(raw.getvalue())


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
