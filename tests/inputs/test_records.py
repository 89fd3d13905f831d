"""Names, codes, amounts and dates that are not what they should be: each row is taken as it came or waits.

Nothing is guessed and nothing is lost: accepted and waiting rows make up what landed, and a waiting row is what came.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from stdnum.cn.uscc import calc_check_digit

from include.contracts import Contract, require_contract
from include.kernel.connections import Connection
from include.kernel.errors import TerminalError
from include.kernel.identity import normal_name
from include.steps.snapshots import _landed, _pseudonym
from include.validation.judge import judge

DAY = date(2026, 11, 23)
CODE = "91350100M000100Y43"  # the example of GB 32100-2015
REGISTRY, VAT = require_contract("REG_ENT"), require_contract("TAX_VAT")
ENTERPRISE: dict[str, str | None] = {
    "uniscid": CODE, "pripid": "p1", "entname": "常州甲有限公司", "formernames": None, "enttype": "有限责任公司",
    "estdate": "2019-05-08", "regstateCn": "存续（在营、开业、在册）", "industryphy": "C", "industryco": "3912",
    "regcap": "200", "reccap": "100", "regorg": "常州市数据局", "mgtarea": "320411", "esopflag": "0",
    "uptime": "2026-11-20 10:00:00",
}  # fmt: skip
FILING: dict[str, str | None] = {
    "SBUUID": "f1", "NSRSBH": CODE, "SHXYDM": CODE, "NSRMC": "常州甲有限公司", "SKSSQQ": "2026-10-01",
    "SKSSQZ": "2026-10-31", "SBZQ": "月", "XSE": "1200.00", "MDTXSE": "0.00", "ZFBZ_1": "N", "GZCS": "0",
    "SBRQ": "2026-11-10", "GLQH_DM": "320411", "RKSJ": "2026-11-22 23:59:59",
}  # fmt: skip


def taken(
    contract: Contract, good: dict[str, str | None], key: str, column: str, native: str, texts: list[str]
) -> dict[str, Any]:
    """By text: what the row's column was taken as, or the list of reasons why the row waits.

    All are judged in one snapshot, among enough good rows that no share rejects it.
    """
    rows = [good | {key: _key(key, n), native: text} for n, text in enumerate(texts)]
    everything = [*rows, *(good | {key: _key(key, 1000 + n)} for n in range(25 * len(rows)))]
    placed = [row | {"_page": 1, "_ordinal": n} for n, row in enumerate(everything)]
    found = judge(contract, pa.Table.from_pylist(placed, contract.landing_schema()), as_of=DAY)
    assert found.verdict == "accepted", found.reason
    assert (found.duplicates, found.accepted.num_rows + found.quarantine.num_rows) == (0, len(everything))
    came: dict[int, Any] = {row["_ordinal"]: row[column] for row in found.accepted.to_pylist()}
    for waiting in found.quarantine.to_pylist():
        number = waiting["_ordinal"]
        assert {name: waiting[name] for name in good} == rows[number]
        came[number] = waiting["reasons"]
    return {text: came[number] for number, text in enumerate(texts)}


def _key(name: str, number: int) -> str:
    return _code(number) if name == "uniscid" else f"f{number}"


def _code(number: int) -> str:
    body = f"91350100M{number:06d}Y4"
    return body + calc_check_digit(body)


NAMES = [
    "=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\t常州甲", "\r常州甲", "＝1+1", "<img src=x onerror=alert(1)>",
    "\u202e司公限有甲州常", "常州\u200d甲\u2060有限公司", "㐀𠮷有限公司", "长" * 300, "'; DROP TABLE published--",
    "{{ 7*7 }}", "\\ud842", "甲\n乙",
]  # fmt: skip
UNWRITABLE = ["常州\0甲", "\x1b[2J甲", "甲\x08", "\x00", "甲\x0c乙", "甲\ufffe", "甲\uffff"]


def test_a_strange_name_is_taken_as_it_was_written_unless_no_table_could_hold_it() -> None:
    expected = {name: name for name in NAMES} | {name: ["row.characters"] for name in UNWRITABLE}
    assert taken(REGISTRY, ENTERPRISE, "uniscid", "name", "entname", list(expected)) == expected


def test_marks_that_nobody_sees_make_no_other_enterprise() -> None:
    assert normal_name("常州\u200d甲\u2060有限\u202e公司\u200b") == normal_name("常州甲有限公司")


REFUSED = ["uscc.pattern", "uscc.code_form"]
OLDER_NUMBER = ["uscc.pattern"]  # of 15 digits or 9 characters: no code, but a number that enterprises had


def test_a_credit_code_has_one_spelling_or_waits() -> None:
    """Also one whose check character does not fit waits, for a person to look at it."""
    code = [_code(5000 + number) for number in range(5)]
    expected = {
        code[0].lower(): code[0],
        code[1].translate({ord(one): ord(one) + 0xFEE0 for one in "0123456789MY"}): code[1],
        f" {code[2]} ": code[2],
        f"{code[3]}\u200b": code[3],
        f"{code[4]}\0": code[4],
        CODE: CODE,
        f"{CODE[:-1]}4": ["uscc.check_digit"],
        "0" * 18: "0" * 18,
        **{f"91350100{letter}000100Y43": REFUSED for letter in "IOSVZ"},
        "320400000012345": OLDER_NUMBER,  # a registration number of before 2015
        CODE[:-1]: REFUSED,
        CODE + "0": REFUSED,
        "9.13501E+17": REFUSED,
        "13800138000": REFUSED,
        "110101900230123": OLDER_NUMBER,  # a citizen's number of 15 digits
        "11010119900307803X": "11010119900307803X",  # one of 18 has the shape, and this one the check character too
        "H12345678": OLDER_NUMBER,  # a permit of Hong Kong
        f"{CODE}' OR '1'='1": REFUSED,
        "": ["uscc.not_null"],
    }
    assert taken(REGISTRY, ENTERPRISE, "uniscid", "uscc", "uniscid", list(expected)) == expected


AMOUNTS: list[tuple[str, Any]] = [
    ("NaN", ["sales_yuan.cast"]),
    ("nan", ["sales_yuan.cast"]),
    ("Infinity", ["sales_yuan.cast"]),
    ("-inf", ["sales_yuan.cast"]),
    ("1e308", ["sales_yuan.cast"]),
    ("1E+05", ["sales_yuan.cast"]),
    ("-0", Decimal("0.00")),
    ("1,234.56", ["sales_yuan.cast"]),
    ("1 234.56", ["sales_yuan.cast"]),
    ("１２３", ["sales_yuan.cast"]),
    ("12万", ["sales_yuan.cast"]),
    ("¥12", ["sales_yuan.cast"]),
    ("12%", ["sales_yuan.cast"]),
    ("0x10", ["sales_yuan.cast"]),
    ("1_000", ["sales_yuan.cast"]),
    ("(12.00)", ["sales_yuan.cast"]),
    ("12.00\0", ["sales_yuan.cast"]),
    ("无", ["sales_yuan.cast"]),
    ("－", ["sales_yuan.cast"]),
    ("9" * 19, ["sales_yuan.between"]),
    ("9" * 40, ["sales_yuan.cast"]),
    ("-100000000000.00", Decimal("-100000000000.00")),
    ("-100000000000.01", ["sales_yuan.between"]),
    ("0.30000000000000004", ["sales_yuan.cast"]),  # what 0.1 + 0.2 is where somebody reckons in floats
    ("0.30", Decimal("0.30")),
    ("", ["sales_yuan.not_null"]),
]


def test_an_amount_is_read_to_the_last_digit_or_waits() -> None:
    assert taken(VAT, FILING, "SBUUID", "sales_yuan", "XSE", [one for one, _ in AMOUNTS]) == dict(AMOUNTS)


DATES: list[tuple[str, Any]] = [
    ("2026-11-10", date(2026, 11, 10)),
    ("20261110", date(2026, 11, 10)),
    ("2026.11.10", date(2026, 11, 10)),
    ("9999-12-31", ["filed_on.at_most"]),  # the calendar has it, but nothing is filed after it has arrived
    ("0000-00-00", ["filed_on.cast"]),
    ("2026-02-30", ["filed_on.cast"]),
    ("2026/2/3", date(2026, 2, 3)),
    ("2026-2-3", ["filed_on.cast"]),
    ("45000", ["filed_on.cast"]),  # a serial number of Excel, 2023-03-15 or 2027-03-16 by which epoch
    ("2026-11-23T00:00:00Z", ["filed_on.cast"]),
    ("2026-11-23T00:00:00+08:00", ["filed_on.cast"]),
    ("民国115年11月10日", ["filed_on.cast"]),
    ("丙午年十月初二", ["filed_on.cast"]),
    ("２０２６-11-10", ["filed_on.cast"]),
    ("2026-11-10\0", ["filed_on.cast"]),
    ("长期", ["filed_on.cast"]),
]


def test_a_day_is_read_in_an_agreed_form_or_waits() -> None:
    assert taken(VAT, FILING, "SBUUID", "filed_on", "SBRQ", [one for one, _ in DATES]) == dict(DATES)


def test_a_moment_of_arrival_is_wall_time_before_the_cut_off_or_the_row_waits() -> None:
    expected = {
        "2026-11-22 23:59:59": datetime.combine(date(2026, 11, 22), time(23, 59, 59)),
        "2026-11-23 00:00:00": ["received_at.arrived"],
        "9999-12-31 00:00:00": ["received_at.arrived"],
        "2026-11-22 24:00:00": ["received_at.cast"],
        "0000-00-00 00:00:00": ["received_at.cast"],
        "2026-11-22T23:59:59Z": ["received_at.cast"],
    }
    assert taken(VAT, FILING, "SBUUID", "received_at", "RKSJ", list(expected)) == expected


TALENT = require_contract("HR_TALENT")
NUMBERS = [
    "11010519491231002X",  # the example of GB 11643-1999
    "110105491231002",  # the same person's, of 15 digits
    "110105199002300010",  # 30 February
    "110105194912310021",  # another check digit
    "0" * 18,
    "H12345678",  # a permit of Hong Kong
    "E12345678",  # a passport
    "13800138000",  # a telephone number
    "320411' OR '1'='1",
]


def test_a_persons_number_is_landed_as_a_hash_of_its_one_spelling_and_of_nothing_else() -> None:
    """A number that cannot be is no less a person's: none is judged, each is hashed, and two never meet."""
    key = Connection("innopoints_privacy", login="k1", password="only-for-this-test-run")

    def landed(number: str) -> str:
        row = {column.native: number for column in TALENT.columns.values()}
        return _landed(TALENT, row, 1, 0, _pseudonym(key))["证书编号"]

    hashes = [landed(number) for number in NUMBERS]
    assert all(re.fullmatch("k1:[0-9a-f]{32}", one) for one in hashes)
    assert len(set(hashes)) == len(NUMBERS)
    for spelt in ("11010519491231002x", "１１０１０５19491231002Ｘ", " 110105 19491231 002X\u200b"):
        assert landed(spelt) == hashes[0]


def test_without_a_key_nobody_is_landed() -> None:
    for login, password in (("", "only-for-this-test-run"), ("k1", "too-short"), ("k1", "")):
        with pytest.raises(TerminalError, match="needs a key id"):
            _pseudonym(Connection("innopoints_privacy", login=login, password=password))


PATENT, PATENTS = {
    "ApplicationNumber": "CN202010000001.X", "ApplicationDate": "1999-05-08", "PublicationNumber": "CN1",
    "PublicationDate": "2001-05-08", "KindCodeDesc": "发明授权", "ApplicantStringList": "常州甲有限公司",
    "AssigneeStringList": "常州甲有限公司", "InventorStringList": "k1:1", "IPCList": "H01L21/02",
    "LegalStatusDesc": "期限届满", "LegalStatusDate": "2019-05-08", "StrategicIndustry": None, "PledgeAmount": None,
    "AwardDesc": None, "TransactionList": None, "UpdateTime": "2026-11-20 10:00:00",
}, require_contract("IP_PAT")  # fmt: skip


def test_a_patent_has_the_number_of_its_time() -> None:
    """Twelve digits and a check character since October 2003, eight and one since 1989, eight before."""
    refused = ["application_no.pattern"]
    expected = {
        "CN202010000001.X": "CN202010000001.X",
        "ZL 2020 1 0000001.x": "ZL202010000001.X",
        "202010000001X": "202010000001X",
        "97101765.4": "97101765.4",
        "ZL95115608.X": "ZL95115608.X",
        "CN03132218.7": "CN03132218.7",
        "CN85100001": "CN85100001",
        "CN04100001.2": refused,  # nobody has got eight digits since October 2003
        "CN97101765": refused,  # the check character is lost
        "CN85100001.5": refused,  # nor had anybody one before 1989
        "CN20201000000": refused,
        "EP97101765.4": refused,
    }
    assert (
        taken(PATENTS, PATENT, "PublicationNumber", "application_no", "ApplicationNumber", list(expected)) == expected
    )
