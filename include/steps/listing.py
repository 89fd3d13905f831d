"""Lists that people open in a spreadsheet: CSV in UTF-8 in which no cell is computed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from include.kernel.errors import BadInput

_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


def write_listing(out: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write text cells; one that begins like a formula gets an apostrophe in front, which makes it a text."""
    try:
        with out.open("w", encoding="utf-8", newline="") as sink:
            writer = csv.writer(sink, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([f"'{cell}" if _FORMULA.match(cell) else cell for cell in row] for row in rows)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", where=str(out), kept="nothing was written") from None
