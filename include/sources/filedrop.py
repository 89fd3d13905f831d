"""Departments that hand over files: a folder, a date in every file name, a marker with row count and SHA-256.

All files dated before the business date are read, every night: the lists are small, and a withdrawn file must show.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Generator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd

from include.contracts.fields import listed
from include.kernel.connections import Connection
from include.kernel.errors import TerminalError, TransientError
from include.kernel.identity import fold
from include.sources.declaration import FileDropSource, Files
from include.sources.encoding import decode
from include.sources.reply import KEPT, Fields, Page, Request
from include.sources.workbook import Cells, Unreadable, filled_sheets

LARGEST_FILE = 512 * 1024 * 1024
LARGEST_MARKER = 64 * 1024
MOST_COLUMNS = 1000
_NO_TEXT = {b"PK": "a workbook or another archive", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_TOTALS = ("合计", "总计")


def pages(
    source: FileDropSource, request: Request, connection: Connection, fields: Fields, where: str
) -> Generator[Page, None, int]:
    """One page per file, oldest first. The declared total is what the markers say, and each file must hold its own."""
    folder = Path(connection.extra.get("path") or "")
    if not connection.extra.get("path") or not folder.is_dir():
        raise TransientError(
            "the drop folder is not there",
            where=where,
            kept=KEPT,
            todo=f"check the mount, or the extra `path` in Connection {connection.conn_id!r}",
        )
    found = _found(folder, source.datasets[request.dataset].files, request.as_of, where)
    if not found:
        raise TransientError(
            f"no file dated before {request.as_of} is in the drop folder",
            where=where,
            kept=KEPT,
            todo="ask the department for the list",
        )
    declared = 0
    for number, (path, kind) in enumerate(found, start=1):
        at = f"{where} file {path.name}"
        rows_declared, raw = _marked(path, at)
        cells = _csv(raw, kind, at) if kind.format == "csv" else _workbook(raw, kind, at)
        rows = _rows(cells, kind, fields, at)
        if len(rows) != rows_declared:
            raise _refused(f"it holds {len(rows)} rows, its marker says {rows_declared}", at)
        declared += rows_declared
        yield Page(number, path.name, raw, rows)
    return declared


def _found(folder: Path, kinds: list[Files], as_of: date, where: str) -> list[tuple[Path, Files]]:
    """Files dated before `as_of`, by date and name."""
    dated: list[tuple[date, str, Path, Files]] = []
    for kind in kinds:
        for path in folder.glob(kind.glob):
            at = f"{where} file {path.name}"
            if path.is_symlink() or not path.is_file():
                raise _refused("it is no plain file", at)
            try:
                digits = re.findall(r"(?<!\d)\d{8}(?!\d)", path.stem, re.ASCII)
                handed_over = date(int(digits[-1][:4]), int(digits[-1][4:6]), int(digits[-1][6:]))
            except (IndexError, ValueError):
                raise _refused("its name carries no date YYYYMMDD", at) from None
            if handed_over < as_of:
                dated.append((handed_over, path.name, path, kind))
    return [(path, kind) for _, _, path, kind in sorted(dated, key=lambda one: one[:2])]


def _marked(path: Path, at: str) -> tuple[int, bytes]:
    """The rows that the marker declares and the file's bytes, read once and proved by the marker's SHA-256."""
    marker = path.with_name(path.name + ".ok")
    if marker.is_symlink() or (marker.exists() and marker.stat().st_size > LARGEST_MARKER):
        raise _refused("its marker is no plain small file", at)
    if not marker.is_file():
        todo = "wait for the department to finish copying"
        raise TransientError("has no .ok marker yet", where=at, kept=KEPT, todo=todo)
    said = re.findall(r"^\s*(rows|sha256)\s*=\s*(\w+)\s*$", marker.read_text("utf-8", "replace"), re.M | re.ASCII)
    rows, digest = dict(said).get("rows", ""), dict(said).get("sha256", "").lower()
    if len(said) > 2 or not re.fullmatch(r"\d{1,9}", rows) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise TransientError("its marker does not say rows=<n> and sha256=<hex>, each once", where=at, kept=KEPT)
    if path.stat().st_size > LARGEST_FILE:
        raise _refused(f"it is larger than {LARGEST_FILE} bytes", at)
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != digest:
        raise TransientError(
            "differs from its marker's sha256: half copied, or changed afterwards",
            where=at,
            kept=KEPT,
            todo="if it stays so, ask the department to hand it over again",
        )
    return int(rows), raw


def _csv(raw: bytes, kind: Files, at: str) -> Cells:
    for magic, what in _NO_TEXT.items():
        if raw.startswith(magic):
            raise _refused(f"{what} under the name of a CSV in {kind.encoding}", at)
    if b"\0" in raw:
        raise _refused(f"a NUL byte at {raw.index(0)} of {len(raw)}: no text in {kind.encoding}", at)
    try:
        text = decode(raw, kind.encoding)
        if any(line.count(",") >= MOST_COLUMNS for line in text.split("\n", 20)[:20]):
            raise _refused(f"a line of more than {MOST_COLUMNS} columns", at)
        frame = pd.read_csv(
            io.StringIO(text),
            header=None,
            skiprows=kind.title_rows,
            dtype=str,
            keep_default_na=False,
        )
    except UnicodeDecodeError as error:
        raise _refused(f"not {kind.encoding} at byte {error.start} of {len(raw)}", at) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, LookupError) as error:
        raise _refused(f"not a readable CSV ({type(error).__name__})", at) from None
    # A file has no other way to write "nothing" than an empty cell; a cell that a short line lacks is one as well.
    return [[None if pd.isna(cell) or cell == "" else cell for cell in row] for row in frame.to_numpy()]


def _workbook(raw: bytes, kind: Files, at: str) -> Cells:
    try:
        filled = filled_sheets(raw)
    except Unreadable as error:
        raise _refused(str(error), at) from None
    if len(filled) != 1:
        raise _refused(f"{len(filled)} visible sheets hold something, one was agreed", at)
    cells = filled[0]
    while cells and not any(cells[-1]):
        cells.pop()
    return cells[kind.title_rows :]


def _rows(cells: Cells, kind: Files, fields: Fields, at: str) -> list[dict[str, str | None]]:
    header, body = cells[: kind.header_rows], [row for row in cells[kind.header_rows :] if any(row)]
    names = [_lowest(column) for column in zip(*header, strict=True)]
    while names and names[-1] is None:
        names.pop()
    held = {name for name in names if name}
    agreed = set(kind.columns) or set(fields.registered) - set(kind.constants)
    ignored = fields.known - set(fields.registered)
    missing, unexpected = sorted(agreed - held), sorted(held - agreed - ignored)
    twice = sorted({name for name in held if names.count(name) > 1})
    if missing or unexpected or len(names) != len(held):
        if 2 * len(missing) > len(agreed):  # no header at all, perhaps: its cells may be somebody's data
            what = f"{len(agreed) - len(missing)} of {len(agreed)} agreed columns stand in its header"
            raise _refused(f"{what}, beside {len(unexpected)} others", at)
        parts = [("missing", missing), ("unexpected", unexpected), ("twice", twice)]
        told = "; ".join(f"{what}: {listed(which)}" for what, which in parts if which)
        raise _refused(f"other columns than agreed ({told or 'a column without a name'})", at)
    if any(any(row[len(names) :]) for row in body):
        raise _refused("cells beyond the last named column", at)
    if kind.total_row:
        body = _without_total(body, at)
    registered = [(at, kind.columns.get(name, name)) for at, name in enumerate(names) if name in agreed]
    return [{name: row[position] for position, name in registered} | kind.constants for row in body]


def _without_total(body: Cells, at: str) -> Cells:
    """Leave out the 合计 row, which must be the last and right: each number in it is the count of the rows or the sum
    of its column.
    """
    rows, last = body[:-1], body[-1] if body else []
    label = next((cell for cell in last if cell), "")
    if not fold(label).startswith(_TOTALS):
        raise _refused("its last row is not the 合计 row: the file may be cut off", at)
    for position, cell in enumerate(last):
        total = _number(cell)
        if total is None or total == len(rows):
            continue
        numbers = [_number(row[position]) for row in rows if row[position]]
        if None in numbers or sum(number for number in numbers if number) != total:
            raise _refused(f"the 合计 row does not add up in column {position + 1}", at)
    return rows


def _lowest(column: tuple[str | None, ...]) -> str | None:
    """The name under which a column stands: the lowest filled cell of its header (a group's name stands above)."""
    return next(("".join(cell.split()) for cell in reversed(column) if cell and cell.strip()), None)


def _number(cell: str | None) -> Decimal | None:
    return Decimal(cell) if cell and re.fullmatch(r"-?\d+(\.\d+)?", cell, re.ASCII) else None


def _refused(what: str, at: str) -> TerminalError:
    return TerminalError(what, where=at, kept=KEPT, todo="ask the department to hand it over again, with a new marker")
