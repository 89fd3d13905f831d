"""Workbooks that departments hand over, opened by a process of their own.

A workbook is a zip: 1.7 MB of it can unpack to more than a gigabyte, and one cell in the last corner of a sheet of 5 kB
makes its reader hold 17,000 million cells. So its directory is judged before anything is unpacked, and it is opened by
a child with bounded memory and time, with no environment (which holds secrets) and no right to write a file: whatever
a workbook does, it does to the child. This file is that child too; it imports nothing of the project.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import re
import resource
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, Any
from xml.etree import ElementTree

LARGEST_ENTRY, LARGEST_WORKBOOK, MOST_ENTRIES = 512 * 1024 * 1024, 2 * 1024 * 1024 * 1024, 10_000
# Lists of the sandbox pack to a tenth; what packs to less than a 200th, and is not small, is no list.
MOST_PACKED, SMALL = 200, 64 * 1024 * 1024
MEMORY_BYTES, CPU_SECONDS, MOST_PER_CHILD = 3 * 1024 * 1024 * 1024, 300, 100
_ARCHIVES = {".zip", ".xlsx", ".xlsm", ".xlsb", ".rar", ".7z", ".gz", ".bz2", ".xz", ".tar", ".jar"}
# Excel keeps 15 digits. A longer number has lost the rest and must not look like an identifier.
_EXACT_IN_EXCEL = 10**15

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MAY_BE_UNREAD = re.compile(rb"""\st=["']e["']|<(\w+:)?f[\s>/]""")

Cells = list[list[str | None]]


class Unreadable(Exception):
    """Why a workbook is not read."""


def filled_sheets(raw: bytes) -> list[Cells]:
    """Every visible sheet that holds something, each cell as text.

    One child opens many workbooks, one after the other; whichever it dies of is tried once more by a fresh one, which
    has all the memory and time for it alone.
    """
    _judge_directory(raw)
    said = _child(os.getpid()).open(raw)
    if said is None:
        said = _child(os.getpid()).open(raw)
    if said is None:
        raise Unreadable("opening it takes more memory or time than a list can need")
    if "refused" in said:
        raise Unreadable(f"not a readable workbook ({said['refused']})")
    return said["sheets"]


class _Child:
    """The process that opens workbooks, as its parent sees it: it is started when needed and again when it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._opened = 0

    def open(self, raw: bytes) -> dict[str, Any] | None:
        """What the child says of a workbook; None when it died of it or took too long."""
        if self._process is None or self._opened >= MOST_PER_CHILD:
            self.end()
            command = [sys.executable, "-I", str(Path(__file__))]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={})
            self._opened = 0
        self._opened += 1
        overdue = threading.Timer(2 * CPU_SECONDS, self._process.kill)
        overdue.start()
        try:
            assert self._process.stdin
            assert self._process.stdout
            _send(self._process.stdin, raw)
            answer = _receive(self._process.stdout)
        except OSError:  # it ended before it had taken all
            answer = None
        finally:
            overdue.cancel()
        if answer is None:
            self.end()
            return None
        return json.loads(answer)

    def end(self) -> None:
        """Let it go; the next workbook gets a new one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    if pipe:
                        pipe.close()
            self._process = None


@cache
def _child(process: int) -> _Child:
    """One for each process: a forked one must not speak through its parent's pipes."""
    child = _Child()
    atexit.register(lambda: child.end() if os.getpid() == process else None)
    return child


def _send(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(struct.pack(">Q", len(content)))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    """The next message, None when the other side has ended."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    (length,) = struct.unpack(">Q", head)
    content = pipe.read(length)
    return content if len(content) == length else None


def _judge_directory(raw: bytes) -> None:
    """Refuse by what the zip says of itself; a zip that lies about it meets the bounds of the child."""
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("not an XLSX workbook: it is encrypted, or an old XLS")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise Unreadable("not an XLSX workbook") from None
    sizes, names = [entry.file_size for entry in entries], [entry.filename for entry in entries]
    if len(sizes) > MOST_ENTRIES or max(sizes, default=0) > LARGEST_ENTRY or sum(sizes) > LARGEST_WORKBOOK:
        raise Unreadable("it would unpack to more than a list can be")
    if sum(sizes) > max(SMALL, MOST_PACKED * len(raw)):
        raise Unreadable(f"it would unpack to more than {MOST_PACKED} times its size")
    if any(entry.flag_bits & 1 for entry in entries):
        raise Unreadable("it is encrypted")
    if any(_leads_out(name) for name in names) or any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries):
        raise Unreadable("an entry of it leads out of it")
    if any(PurePosixPath(name).suffix.lower() in _ARCHIVES for name in names):
        raise Unreadable("it holds another archive")
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise Unreadable("it holds macros")
    if len(set(names)) != len(names):
        raise Unreadable("an entry stands in it twice")
    if "[Content_Types].xml" not in names:
        raise Unreadable("a zip, but no XLSX workbook")


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in name


def _open(raw: bytes) -> dict[str, Any]:
    """In the child: the sheets, or what kind of error there was."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        visible = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == python_calamine.SheetVisibleEnum.Visible
            and sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
        ]
        read = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in visible}
        unread = list(_unread(raw, visible))
    except (python_calamine.CalamineError, ElementTree.ParseError, LookupError) as error:
        return {"refused": type(error).__name__}
    sheets = {name: [[_text(value) for value in row] for row in rows] for name, rows in read.items() if rows}
    for name, row, column, text in unread:
        if row < len(sheets.get(name, [])) and column < len(sheets[name][row]):
            sheets[name][row][column] = text
    return {"sheets": list(sheets.values())}


def _unread(raw: bytes, sheets: list[str]) -> Iterator[tuple[str, int, int, str]]:
    """Sheet, row, column and text of the cells that the reader takes for empty ones although something stands there: an
    error (`#REF!`), or a formula that nobody has computed.
    """
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        targets = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        files = {one.get("Id"): str(PurePosixPath("/xl", one.get("Target", ""))) for one in targets}
        for sheet in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter(f"{_MAIN}sheet"):
            name, file = sheet.get("name", ""), files[sheet.get(_RELATION)].removeprefix("/")
            content = archive.read(file) if name in sheets else b""
            if not _MAY_BE_UNREAD.search(content):
                continue
            for cell in ElementTree.fromstring(content).iter(f"{_MAIN}c"):
                value, formula = cell.findtext(f"{_MAIN}v") or "", cell.findtext(f"{_MAIN}f")
                if cell.get("t") == "e" or (formula is not None and not value and cell.get("t") != "str"):
                    place = re.fullmatch("([A-Z]+)([0-9]+)", cell.get("r", ""))
                    if place:
                        column = sum((ord(letter) - 64) * 26**at for at, letter in enumerate(reversed(place[1])))
                        yield name, int(place[2]) - 1, column - 1, value or f"={formula}"


def _text(value: Any) -> str | None:
    """A cell as text: 3.0 is 3, a day is YYYY-MM-DD, and a number that Excel has cut keeps its exponent."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        if abs(value) >= _EXACT_IN_EXCEL:
            return f"{float(value):.14E}"
        return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    raise TypeError(f"a cell of the type {type(value).__name__}")


if __name__ == "__main__":
    for limit, bound in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (bound, bound))
    while (workbook := _receive(sys.stdin.buffer)) is not None:
        _send(sys.stdout.buffer, json.dumps(_open(workbook)).encode("utf-8"))
