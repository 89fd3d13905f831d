"""Tables that people open in a spreadsheet: text that it would compute is marked as text, numbers stay numbers.

>>> harmless("=cmd|'/c calc'!A1"), harmless("＝1+1"), harmless("-12.50"), harmless("甲公司")
("'=cmd|'/c calc'!A1", "'＝1+1", '-12.50', '甲公司')
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from include.kernel.errors import BadInput
from include.kernel.identity import fold

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_WIDEST = 60


def harmless(cell: str) -> str:
    """The cell, led by an apostrophe if a spreadsheet would take it for a formula.

    So it does with `= + - @` in either width, at the beginning or behind blanks and invisible marks, and some do with
    what follows a tab or a line break (OWASP, *CSV injection*).
    """
    if _NUMBER.fullmatch(cell):
        return cell
    computed = cell.startswith(("\t", "\r", "\n")) or fold(cell[:64]).startswith(("=", "+", "-", "@"))
    return f"'{cell}" if computed else cell


def csv_text(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A CSV (RFC 4180) for people: the only way in which the project makes one.

    Its lines end with CR LF, because only then does Python quote a cell that holds a lone CR, which would else begin a
    line of its own.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], *, made_of: Sequence[Path] = ()
) -> None:
    """Write such a CSV in UTF-8, over none of the files that it is made of."""
    try:
        if path.exists() and any(path.samefile(source) for source in made_of):
            raise BadInput(
                "it is what the result is made of",
                where=str(path),
                kept="nothing was written",
                todo="name another --out",
            )
        path.write_bytes(csv_text(header, rows).encode("utf-8"))
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", where=str(path), kept="nothing was written") from None


def workbook(header: Sequence[str], rows: Iterable[Sequence[Any]], mark: str) -> bytes:
    """An XLSX for people: numbers and dates as such, everything else as text that is never computed.

    `mark` says who took it, when and of what: it leads the sheet, and stands on every page that is printed of it.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.freeze_panes = "A3"
    sheet.oddFooter.left.text = mark.replace("&", "&&")
    sheet.page_setup.orientation = "landscape"

    def cell(value: Any, **font: Any) -> Any:
        if isinstance(value, bool) or value is None or not isinstance(value, int | Decimal | date):
            text = "" if value is None else harmless(str(value))
            made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", text))
            made.data_type = "s"  # not guessed from what it says
        else:
            made = WriteOnlyCell(sheet, value)
            if isinstance(value, Decimal):
                made.number_format = f"0.{'0' * places}" if (places := _places(value)) else "0"
        if font:
            made.font = Font(**font)
        return made

    held = [list(row) for row in rows]
    for place, name in enumerate(header):
        longest = max([len(name), *(len(str(row[place])) for row in held)], default=0)
        sheet.column_dimensions[get_column_letter(place + 1)].width = min(longest * 1.3 + 2, _WIDEST)
    sheet.append([cell(mark, italic=True, color="767676")])
    sheet.append([cell(name, bold=True) for name in header])
    for row in held:
        sheet.append([cell(value) for value in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
