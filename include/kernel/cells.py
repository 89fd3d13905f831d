"""Tables that people open in a spreadsheet: text that it would compute is marked as text, numbers stay numbers.

>>> harmless("=cmd|'/c calc'!A1"), harmless("＝1+1"), harmless("-12.50"), harmless("甲公司")
("'=cmd|'/c calc'!A1", "'＝1+1", '-12.50', '甲公司')
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from include.kernel.errors import BadInput
from include.kernel.identity import fold

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


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
