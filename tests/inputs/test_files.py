"""Files that nobody agreed on: refused by name before they are read, and whatever opening one does, we go on living."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import time
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from include.contracts import require_contract
from include.kernel.connections import Connection
from include.kernel.errors import InnopointsError, TerminalError, TransientError
from include.kernel.periods import arrival_cutoff
from include.sources.declaration import source_of
from include.sources.pull import Request, pull
from tests.inputs.conftest import one_clear_line

CONTRACT = require_contract("ST_QUAL")
COLUMNS = [column.native for column in CONTRACT.columns.values()]
CANARY = "金丝雀张三丰"
ROW = [CANARY, "1", "常州甲有限公司", "91320411YY00000018", "高新技术企业", "GR202532000001", "2025-09-30",
       "2028-09-29", "有效", "2025-09-30"]  # fmt: skip
CSV, XLSX = "高企名单_20250930.csv", "科小名单_20260331.xlsx"


def drop(folder: Path, name: str, raw: bytes, rows: int = 1) -> Path:
    path = folder / name
    path.write_bytes(raw)
    marker = f"rows={rows}\nsha256={hashlib.sha256(raw).hexdigest()}\n"
    path.with_name(path.name + ".ok").write_text(marker, encoding="utf-8")
    return path


def rows_of(folder: Path) -> list[dict[str, str | None]]:
    day = date(2026, 11, 23)
    request = Request("ST_QUAL", "city", day, arrival_cutoff(day), None)
    connection = Connection("innopoints_science_bureau", "generic", extra={"path": str(folder)})
    return [row for page in pull(source_of(CONTRACT), CONTRACT, request, connection) for row in page.rows]


def refusal(folder: Path, kind: type[InnopointsError] = TerminalError) -> str:
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(kind) as error:
        rows_of(folder)
    said = one_clear_line(str(error.value))
    assert "science_bureau ST_QUAL/city/2026-11-23" in said
    assert "kept: nothing of this pull; the last accepted snapshot stays in use" in said
    assert CANARY not in said
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before
    return said


# --- CSV


def text(*rows: list[str], encoding: str = "gb18030") -> bytes:
    return "\r\n".join(",".join(row) for row in rows).encode(encoding)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "not a readable CSV"),
        (b"\r\n\r\n", "not a readable CSV"),
        (text(COLUMNS, ROW, encoding="utf-16"), "UTF-16 under the name of a CSV in gb18030"),
        (text(COLUMNS, ROW, encoding="utf-16-le"), "a NUL byte at "),
        (text(COLUMNS, ROW, encoding="utf-8"), "not gb18030 at byte"),
        (text(COLUMNS, [*ROW[:2], "甲\0乙", *ROW[3:]]), "a NUL byte at "),
        (text(COLUMNS, [*ROW[:2], '"never closed', *ROW[3:]], ROW), "not a readable CSV"),
        (text(["x"] * 1_000_000), "a line of more than 1000 columns"),
        (text(COLUMNS, ["x"] * 1_000_000), "a line of more than 1000 columns"),
        (text(ROW, ROW), "0 of 10 agreed columns stand in its header, beside "),
        (text([f"{CANARY}{n}" for n in range(999)]), "0 of 10 agreed columns stand in its header, beside 999 others"),
        (b"PK\x03\x04" + bytes(100), "a workbook or another archive under the name of a CSV"),
        (text(COLUMNS, ROW, ROW), "it holds 2 rows, its marker says 1"),
    ],
    ids=["empty", "only line ends", "UTF-16", "UTF-16 without mark", "UTF-8", "NUL", "open quote", "a million columns",
         "a million cells", "no header", "a header of data", "a workbook", "more rows than declared"],
)  # fmt: skip
def test_a_csv_that_is_none_of_ours(tmp_path: Path, raw: bytes, what: str) -> None:
    drop(tmp_path, CSV, raw)
    started = time.process_time()
    said = refusal(tmp_path)
    assert f"file {CSV}: {what}" in said
    assert time.process_time() - started < 5


# --- XLSX


def sheet(*rows: list[str]) -> bytes:
    book = openpyxl.Workbook()
    active = book.active
    for row in (["2025年度名单"], ["批次"], COLUMNS, *rows, ["合计", len(rows)]):
        active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


GOOD = sheet(ROW)


def packed(change: Callable[[zipfile.ZipFile], None], without: str = "") -> bytes:
    """A good workbook with something more in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as good, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in good.namelist():
            if name != without:
                archive.writestr(name, good.read(name))
        change(archive)
    return buffer.getvalue()


def holding(name: str, content: bytes = b"x") -> bytes:
    return packed(lambda archive: archive.writestr(name, content))


def linking() -> bytes:
    entry = zipfile.ZipInfo("xl/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return packed(lambda archive: archive.writestr(entry, "/etc/passwd"))


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return holding("xl/workbook.xml")


def many() -> bytes:
    return packed(lambda archive: [archive.writestr(f"xl/{n}", b"") for n in range(10_000)] and None)


def patched(at: int, value: bytes) -> bytes:
    """A good workbook whose directory says something else of its first entry."""
    raw = bytearray(GOOD)
    start = raw.index(b"PK\x01\x02") + at
    raw[start : start + len(value)] = value
    return bytes(raw)


def cells(xml: str, prologue: str = "") -> bytes:
    """A good workbook with other rows in its sheet."""
    head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    content = f'<?xml version="1.0"?>{prologue}{head}{xml}</sheetData></worksheet>'.encode()
    name = "xl/worksheets/sheet1.xml"
    return packed(lambda archive: archive.writestr(name, content), without=name)


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "x" * 10}">' for n in range(12))
ENTITIES = f"<!DOCTYPE x [{LAUGHS}]>"
WORKBOOKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "encrypted by Excel": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "it is encrypted, or an old XLS"),
    "encrypted as a zip": (lambda: patched(8, b"\x01\x00"), "it is encrypted"),
    "with macros": (lambda: holding("xl/vbaProject.bin"), "it holds macros"),
    "a zip in it": (lambda: holding("xl/more.zip"), "it holds another archive"),
    "a workbook in it": (lambda: holding("xl/embeddings/more.XLSX"), "it holds another archive"),
    "a name that climbs": (lambda: holding("../../etc/cron.d/x"), "an entry of it leads out of it"),
    "a name from the root": (lambda: holding("/etc/cron.d/x"), "an entry of it leads out of it"),
    "a name of Windows": (lambda: holding("..\\..\\x"), "an entry of it leads out of it"),
    "a drive": (lambda: holding("C:/x"), "an entry of it leads out of it"),
    "a link": (linking, "an entry of it leads out of it"),
    "the same entry twice": (twice, "an entry stands in it twice"),
    "ten thousand entries": (many, "it would unpack to more than a list can be"),
    "512 MB in one entry": (lambda: patched(24, struct.pack("<I", 512 * 1024**2 + 1)), "it would unpack to more than"),
    "65 MB in 70 kB": (lambda: holding("xl/x.xml", bytes(65 * 1024**2)), "it would unpack to more than 200 times"),
    "a cell in the last corner": (
        lambda: cells('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        "opening it takes more memory or time than a list can need",
    ),
    "entities of entities": (
        lambda: cells('<row r="1"><c r="A1" t="inlineStr"><is><t>&a11;</t></is></c></row>', ENTITIES),
        "not a readable workbook (",
    ),
    "a sheet that is no XML": (lambda: cells("</sheetData><<<"), "0 visible sheets hold something"),
    "a zip of something else": (
        lambda: packed(lambda archive: None, without="[Content_Types].xml"),
        "a zip, but no XLSX workbook",
    ),
    "cut off": (lambda: GOOD[:-100], "not an XLSX workbook"),
    "a CSV": (lambda: text(COLUMNS, ROW), "not an XLSX workbook"),
    "nothing": (lambda: b"", "not an XLSX workbook"),
}  # fmt: skip


@pytest.mark.parametrize("case", WORKBOOKS)
def test_a_workbook_that_is_none_of_ours(tmp_path: Path, case: str) -> None:
    make, what = WORKBOOKS[case]
    drop(tmp_path, XLSX, make())
    said = refusal(tmp_path)
    assert f"file {XLSX}: " in said
    assert what in said


def test_the_workbook_that_these_are_made_from_is_good(tmp_path: Path) -> None:
    drop(tmp_path, XLSX, packed(lambda archive: None))
    assert rows_of(tmp_path) == [dict(zip(COLUMNS, ROW, strict=True))]


# --- the folder


def test_a_link_in_the_folder_or_in_place_of_a_marker_is_not_followed(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "drop"
    elsewhere.mkdir()
    folder.mkdir()
    file = drop(elsewhere, CSV, text(COLUMNS, ROW))
    (folder / CSV).symlink_to(file)
    assert f"file {CSV}: it is no plain file" in refusal(folder)
    (folder / CSV).unlink()
    file.rename(folder / CSV)
    (folder / f"{CSV}.ok").symlink_to(elsewhere / f"{CSV}.ok")
    assert f"file {CSV}: its marker is no plain small file" in refusal(folder)


def test_what_is_no_file_is_refused_without_being_opened(tmp_path: Path) -> None:
    (tmp_path / CSV).mkdir()
    assert "it is no plain file" in refusal(tmp_path)
    (tmp_path / CSV).rmdir()
    os.mkfifo(tmp_path / CSV)
    assert "it is no plain file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("marker", "kind", "what"),
    [
        (b"rows=1\n", TransientError, "does not say rows=<n> and sha256=<hex>, each once"),
        (b"rows=-1\nsha256=" + b"0" * 64, TransientError, "does not say rows=<n> and sha256=<hex>, each once"),
        (b"rows=NaN\nsha256=" + b"0" * 64, TransientError, "does not say rows=<n> and sha256=<hex>, each once"),
        ("rows=１\nsha256=".encode() + b"0" * 64, TransientError, "does not say rows=<n> and sha256=<hex>, each once"),
        (b"\xff\xfe\x00", TransientError, "does not say rows=<n> and sha256=<hex>, each once"),
        (b"rows=1\nsha256=" + b"0" * 64, TransientError, "half copied, or changed afterwards"),
        (b"rows=2\nrows=1\nsha256=" + b"0" * 64, TransientError, "does not say rows=<n> and sha256=<hex>, each once"),
        (b"#" * 1024 * 1024, TerminalError, "its marker is no plain small file"),
    ],
    ids=["no digest", "minus one", "NaN", "full width", "bytes", "another file's", "two counts", "a megabyte"],
)
def test_a_marker_that_does_not_fit(tmp_path: Path, marker: bytes, kind: type[InnopointsError], what: str) -> None:
    drop(tmp_path, CSV, text(COLUMNS, ROW)).with_name(f"{CSV}.ok").write_bytes(marker)
    assert what in refusal(tmp_path, kind)


def test_a_file_changed_after_its_marker_is_not_read(tmp_path: Path) -> None:
    path = drop(tmp_path, CSV, text(COLUMNS, ROW))
    path.write_bytes(text(COLUMNS, [*ROW[:1], "2", *ROW[2:]]))
    assert "changed afterwards" in refusal(tmp_path, TransientError)


@pytest.mark.parametrize("odd", ["\x1b[2J", "\n", "\u202e", "' OR ''='", "{{ 7*7 }}"], ids=ascii)
def test_a_name_that_would_steer_a_terminal_is_written_harmlessly(tmp_path: Path, odd: str) -> None:
    drop(tmp_path, f"高企名单_{odd}20250930.csv", b"")
    said = refusal(tmp_path)
    assert said.isprintable()
    assert "not a readable CSV" in said


@pytest.mark.parametrize("name", ["高企名单_20250930.xlsm", "高企名单_20250930.csv.zip", "高企名单_20250930.CSV.exe"])
def test_a_name_that_was_not_agreed_is_not_looked_at(tmp_path: Path, name: str) -> None:
    drop(tmp_path, name, b"x")
    assert "no file dated before 2026-11-23 is in the drop folder" in refusal(tmp_path, TransientError)
