"""The banks' drop folder: one statement per bank and month, in the bank's own columns, and beside it the marker."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa

from include.sandbox.banks import BANKS, FIELDS, SUMMED, Bank
from include.sandbox.dropfolder import SUM_ROW, put, stamped


def write_statements(folder: Path, table: pa.Table) -> None:
    """Statements in the order of the table; amounts as numbers where the bank sends a workbook."""
    of_bank = {bank.name: bank for bank in BANKS}
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in table.to_pylist():
        found.setdefault((line["银行"], line["报送日期"]), []).append(line)
    for (name, reported), lines in found.items():
        bank = of_bank[name]
        said = [(field, title) for field, title in zip(FIELDS, bank.titles, strict=True) if title]
        rows = [[line[field] for field, _ in said] for line in lines]
        content = _as_csv(said, rows) if bank.csv else _as_workbook(bank, said, rows)
        put(folder / f"{bank.file}_{reported.replace('-', '')}.{'csv' if bank.csv else 'xlsx'}", content, len(rows))


def _as_csv(said: list[tuple[str, str]], rows: list[list[str]]) -> bytes:
    sink = io.StringIO(newline="")
    csv.writer(sink).writerows([[title for _, title in said], *rows])
    return sink.getvalue().encode("gb18030")


def _as_workbook(bank: Bank, said: list[tuple[str, str]], rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for line in bank.title:
        sheet.append([line])
    if bank.groups:
        above = len(bank.title) + 1
        for first, last, group in bank.groups:
            sheet.cell(above, first, group)
            sheet.merge_cells(start_row=above, start_column=first, end_row=above, end_column=last)
    sheet.append([title for _, title in said])
    summed = [field for field, _ in said].index(SUMMED)
    for row in rows:
        sheet.append([_hundredths(cell) / 100 if at == summed else cell or None for at, cell in enumerate(row)])
    if bank.total:
        total = sum(_hundredths(row[summed]) for row in rows)
        sheet.append([SUM_ROW, *[None] * (summed - 1), total / 100])
    return stamped(book, bank.name)


def _hundredths(text: str) -> int:
    """120.5 → 12050."""
    whole, _, rest = text.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0") or 0)
