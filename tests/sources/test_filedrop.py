"""The drop folder: only whole, marked files with exactly the agreed columns come in, cell by cell as text."""

import hashlib
import struct
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest

from include.contracts import require_contract
from include.kernel.connections import Connection
from include.kernel.errors import TerminalError, TransientError
from include.kernel.periods import arrival_cutoff
from include.sources.declaration import source_of
from include.sources.pull import Page, Request, pull

CONTRACT = require_contract("ST_QUAL")
COLUMNS = [column.native for column in CONTRACT.columns.values()]
ROW = ["2025-1", "1", "常州㐀𠮷科技有限公司", "91320411YY00000018", "高新技术企业", "GR202532000001"]
ROW = [*ROW, "2025-09-30", "2028-09-29", "有效", "2025-09-30"]


def drop(path: Path, raw: bytes, rows: int) -> None:
    path.write_bytes(raw)
    marker = f"rows={rows}\nsha256={hashlib.sha256(raw).hexdigest()}\n"
    path.with_name(path.name + ".ok").write_text(marker, encoding="utf-8")


def csv(rows: list[list[str]], columns: list[str] = COLUMNS) -> bytes:
    return "\r\n".join(",".join(row) for row in [columns, *rows]).encode("gb18030")


def workbook(rows: list[list], total: list | None, change: Callable[[openpyxl.Workbook], None] | None = None) -> bytes:
    """As the bureau writes it: a title, groups over columns in merged cells, the rows, a 合计 row."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["2025年度名单"])
    sheet.append(["批次", "序号", "企业", None, "资质", None, None, None, None, None])
    sheet.append([None, None, *COLUMNS[2:]])
    for cells in ("A1:J1", "A2:A3", "B2:B3", "C2:D2", "E2:J2"):
        sheet.merge_cells(cells)
    for row in [*rows, *([total] if total else [])]:
        sheet.append(row)
    if change:
        change(book)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def read(folder: Path, as_of: date = date(2026, 11, 23)) -> list[Page]:
    request = Request("ST_QUAL", "city", as_of, arrival_cutoff(as_of), None)
    connection = Connection("innopoints_science_bureau", "generic", extra={"path": str(folder)})
    reply = pull(source_of(CONTRACT), CONTRACT, request, connection)
    pages = list(reply)
    assert reply.declared == sum(len(page.rows) for page in pages)
    return pages


def test_a_gb18030_list_comes_in_character_by_character_and_an_empty_cell_is_nothing(tmp_path: Path) -> None:
    drop(tmp_path / "高企名单_20250930.csv", csv([ROW, [*ROW[:3], "", *ROW[4:]]]), 2)
    (page,) = read(tmp_path)
    assert page.label == "高企名单_20250930.csv"
    assert page.rows == [
        dict(zip(COLUMNS, ROW, strict=True)),
        dict(zip(COLUMNS, ROW, strict=True)) | {COLUMNS[3]: None},
    ]


def test_a_workbook_with_two_header_rows_gives_text_and_loses_only_its_total(tmp_path: Path) -> None:
    typed = [
        "2025-1",
        3.0,
        *ROW[2:6],
        datetime.combine(date(2025, 11, 15), time(0)),
        date(2028, 11, 14),
        "有效",
        "2025-11-15",
    ]
    drop(tmp_path / "梯度名单_20251115.xlsx", workbook([typed], ["合计", 1]), 1)
    (page,) = read(tmp_path)
    (row,) = page.rows
    assert [row["序号"], row["发证日期"], row["有效期至"]] == ["3", "2025-11-15", "2028-11-14"]


def test_an_identifier_that_excel_has_cut_to_fifteen_digits_does_not_look_like_one(tmp_path: Path) -> None:
    typed = ["2025-1", 1, "甲", 330102199001011234, *ROW[4:]]
    drop(tmp_path / "梯度名单_20251115.xlsx", workbook([typed], ["合计"]), 1)
    assert read(tmp_path)[0].rows[0]["统一社会信用代码"] == "3.30102199001011E+17"


def test_an_error_and_a_formula_that_nobody_computed_are_no_empty_cells(tmp_path: Path) -> None:
    """The reader gives nothing for both: a code that says #REF! would pass for a list that has no codes."""
    book = openpyxl.load_workbook(BytesIO(workbook([["2025-1", 1, *ROW[2:]]], ["合计", 1])))
    sheet = book.worksheets[0]
    cells = {cell.value: cell.coordinate for line in sheet.iter_rows() for cell in line}
    sheet[cells[ROW[3]]].value = "#REF!"
    sheet[cells[ROW[5]]].value = '=CONCATENATE("GR",1)'
    book.create_sheet("hidden")["A1"].value = "#N/A"
    book.worksheets[-1].sheet_state = "hidden"
    written = BytesIO()
    book.save(written)
    drop(tmp_path / "梯度名单_20251115.xlsx", written.getvalue(), 1)
    (row,) = read(tmp_path)[0].rows
    assert (row[COLUMNS[3]], row[COLUMNS[5]]) == ("#REF!", '=CONCATENATE("GR",1)')
    assert [row[name] for name in COLUMNS[6:9]] == ROW[6:9]


def test_only_files_dated_before_the_business_date_are_read_oldest_first(tmp_path: Path) -> None:
    for day in ("20260331", "20250930", "20261123"):
        drop(tmp_path / f"高企名单_{day}.csv", csv([ROW]), 1)
    assert [page.label for page in read(tmp_path)] == ["高企名单_20250930.csv", "高企名单_20260331.csv"]


def test_a_file_still_being_copied_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "高企名单_20250930.csv"
    with pytest.raises(TransientError, match="no file dated before 2026-11-23"):
        read(tmp_path)
    path.write_bytes(csv([ROW]))
    with pytest.raises(TransientError, match=r"高企名单_20250930.csv: has no .ok marker"):
        read(tmp_path)
    drop(path, csv([ROW, ROW]), 2)
    path.write_bytes(csv([ROW]))
    with pytest.raises(TransientError, match="half copied"):
        read(tmp_path)
    path.with_name(path.name + ".ok").write_text("rows=2\n")
    with pytest.raises(TransientError, match="does not say rows"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "raw", "rows", "said"),
    [
        (
            "高企名单_20250930.csv",
            csv([ROW], [*COLUMNS[:-1], "公告日期"]),
            1,
            "missing: 公布日期; unexpected: 公告日期",
        ),
        ("高企名单_20250930.csv", csv([[*ROW, "x"]]), 1, "not a readable CSV"),
        ("高企名单_20250930.csv", csv([ROW], [*COLUMNS[:-1], COLUMNS[0]]), 1, "missing: 公布日期; twice: 批次"),
        ("高企名单_20250930.csv", csv([ROW]) + b"\r\n\xff\xff", 2, "not gb18030 at byte"),
        ("高企名单_20250930.csv", b"", 0, "not a readable CSV"),
        ("高企名单_20250930.csv", csv([ROW]), 2, "holds 1 rows, its marker says 2"),
        ("高企名单_终稿.csv", csv([ROW]), 1, "carries no date"),
        ("高企名单_20251345.csv", csv([ROW]), 1, "carries no date"),
        ("科小名单_20260331.xlsx", csv([ROW]), 1, "not an XLSX workbook"),
        ("科小名单_20260331.xlsx", workbook([ROW], None), 1, "not the 合计 row"),
        ("科小名单_20260331.xlsx", workbook([ROW], ["合计", 7]), 1, "does not add up in column 2"),
        ("科小名单_20260331.xlsx", workbook([ROW], ["合计"], lambda b: b.create_sheet().append(["x"])), 1, "2 visible"),
        ("科小名单_20260331.xlsx", workbook([[*ROW, "x"]], ["合计"]), 1, "beyond the last named column"),
    ],
    ids=lambda value: "a file" if isinstance(value, bytes) else str(value),
)
def test_a_file_that_is_not_as_agreed_is_refused_by_name(
    tmp_path: Path, name: str, raw: bytes, rows: int, said: str
) -> None:
    drop(tmp_path / name, raw, rows)
    with pytest.raises(TerminalError) as refused:
        read(tmp_path)
    assert said in str(refused.value)
    assert f"science_bureau ST_QUAL/city/2026-11-23 file {name}" in str(refused.value)


def test_hidden_and_empty_sheets_do_not_matter(tmp_path: Path) -> None:
    def more(book: openpyxl.Workbook) -> None:
        book.create_sheet("Sheet2")
        hidden = book.create_sheet("old")
        hidden.append(["x"])
        hidden.sheet_state = "hidden"

    drop(tmp_path / "科小名单_20260331.xlsx", workbook([ROW], ["合计", 1], more), 1)
    assert len(read(tmp_path)[0].rows) == 1


def test_a_workbook_that_would_unpack_to_gigabytes_is_never_opened(tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "x")
    bomb = bytearray(buffer.getvalue())
    size = bomb.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    bomb[size : size + 4] = struct.pack("<I", 600 * 1024 * 1024)
    drop(tmp_path / "科小名单_20260331.xlsx", bytes(bomb), 1)
    with pytest.raises(TerminalError, match="unpack to more"):
        read(tmp_path)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    drop(tmp_path / "elsewhere.csv", csv([ROW]), 1)
    (folder / "高企名单_20250930.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(TerminalError, match="no plain file"):
        read(folder)


# --- a format of the sender's own ---------------------------------------------------------------------------------

STATEMENT = ["DATA_MONTH", "RPT_DATE", "CONT_NO", "CUST_NAME", "PROD_NAME", "CRDT_AMT_W", "CRDT_DUE", "BAL_W"]
STATEMENT += ["GRANT_DATE", "GRANT_AMT_W", "IP_PLEDGE", "PLEDGE_NO"]
LOAN = ["2026-10", "2026-11-09", "NJB1", "常州㐀𠮷科技有限公司", "创新贷", "700", "2028-06-22", "350", "", "", "否", ""]


def read_banks(folder: Path) -> list[Page]:
    contract, as_of = require_contract("FIN_LOAN"), date(2026, 11, 23)
    request = Request("FIN_LOAN", "city", as_of, arrival_cutoff(as_of), None)
    connection = Connection("innopoints_banks", "generic", extra={"path": str(folder)})
    return list(pull(source_of(contract), contract, request, connection))


def test_a_banks_own_columns_come_in_under_the_contracts_names_with_what_it_leaves_unsaid(tmp_path: Path) -> None:
    drop(tmp_path / "南京银行_KJXD_20261109.csv", csv([LOAN], STATEMENT), 1)
    (row,) = read_banks(tmp_path)[0].rows
    assert set(row) == {column.native for column in require_contract("FIN_LOAN").columns.values()}
    assert (row["银行"], row["统一社会信用代码"]) == ("南京银行", None)
    assert (row["企业名称"], row["贷款余额"], row["放款日期"]) == ("常州㐀𠮷科技有限公司", "350", None)


def test_a_renamed_column_of_a_bank_stops_its_statement_and_names_both(tmp_path: Path) -> None:
    other = [*STATEMENT[:7], "BAL_YUAN", *STATEMENT[8:]]
    drop(tmp_path / "南京银行_KJXD_20261109.csv", csv([LOAN], other), 1)
    with pytest.raises(TerminalError, match=r"KJXD_20261109.csv: .*missing: BAL_W; unexpected: BAL_YUAN"):
        read_banks(tmp_path)


def test_the_contracts_own_names_are_not_a_banks_words(tmp_path: Path) -> None:
    other = [*STATEMENT[:7], "贷款余额", *STATEMENT[8:]]
    drop(tmp_path / "南京银行_KJXD_20261109.csv", csv([LOAN], other), 1)
    with pytest.raises(TerminalError, match="missing: BAL_W; unexpected: 贷款余额"):
        read_banks(tmp_path)
