"""Judging a snapshot: quarantined, accepted and duplicate rows make up what came; a bad snapshot is rejected whole."""

import json
import random
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.contracts import Contract, contracts, require_contract
from include.kernel.errors import TerminalError
from include.validation import judge as room
from include.validation.drift import Before, Earlier
from include.validation.judge import Judgement, judge
from include.validation.report import render_report

DAY = date(2026, 11, 23)
CODE, WRONG_DIGIT = "91350100M000100Y43", "91350100M000100Y44"  # the example of GB 32100-2015, and a misprint of it
VAT = require_contract("TAX_VAT")


def filing(number: int, **changed: str | None) -> dict[str, str | None]:
    row = {
        "SBUUID": f"f{number:05d}", "NSRSBH": CODE, "SHXYDM": CODE, "NSRMC": "常州甲有限公司", "SKSSQQ": "2026-10-01",
        "SKSSQZ": "2026-10-31", "SBZQ": "月", "XSE": "1200.00", "MDTXSE": "0.00", "ZFBZ_1": "N", "GZCS": "0",
        "SBRQ": "2026-11-10", "GLQH_DM": "320411", "RKSJ": "2026-11-22 23:59:59",
    }  # fmt: skip
    return row | changed


def landed(contract: Contract, rows: list[dict[str, Any]]) -> pa.Table:
    placed = [row | {"_page": i // 1000 + 1, "_ordinal": i % 1000} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(placed, contract.landing_schema())


def judged(rows: list[dict[str, Any]], contract: Contract = VAT, **before: Any) -> Judgement:
    return judge(contract, landed(contract, rows), as_of=DAY, **before)


def reasons(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Filing → why it waits in quarantine, among enough good rows."""
    table = judged([*rows, *(filing(1000 + i) for i in range(100))]).quarantine
    return dict(zip(table["SBUUID"].to_pylist(), table["reasons"].to_pylist(), strict=True))


def test_good_rows_are_accepted_typed_and_sorted_by_key() -> None:
    found = judged([filing(2), filing(1, XSE="-0.10", SHXYDM=None)])
    assert (found.verdict, found.reason, found.quarantine.num_rows) == ("accepted", "", 0)
    assert found.accepted.schema == VAT.accepted_schema()
    first, second = found.accepted.to_pylist()
    assert (first["filing_id"], first["sales_yuan"], first["uscc"]) == ("f00001", Decimal("-0.10"), None)
    assert (second["filing_id"], second["_page"], second["_ordinal"]) == ("f00002", 1, 0)


def test_a_row_that_names_nobody_waits_as_well() -> None:
    """Arrow's join, told to skip nulls, leaves out a row in which everything is null."""
    contract = require_contract("REG_RISK")
    row = {"WSH": "1", "JLLX": "行政处罚", "JDRQ": "2026-01-01", "ZT": "有效", "GXSJ": "2026-01-02 10:00:00"}
    good = [row | {"WSH": str(number), "XDR_MC": "常州甲有限公司"} for number in range(2, 60)]
    found = judged([row | {"XDR_MC": None, "XDR_SHXYM": None}, *good], contract=contract)
    (waiting,) = found.quarantine.to_pylist()
    assert (waiting["WSH"], waiting["reasons"], waiting["entity"]) == ("1", ["enterprise_name.not_null"], "")


CASES: list[tuple[dict[str, str | None], list[str]]] = [
    ({"XSE": "1,200.00"}, ["sales_yuan.cast"]),
    ({"XSE": None}, ["sales_yuan.not_null"]),
    ({"XSE": " "}, ["sales_yuan.not_null"]),
    ({"XSE": "1000000000000.00"}, []),
    ({"XSE": "1000000000000.01"}, ["sales_yuan.between"]),
    ({"XSE": "-100000000000.01"}, ["sales_yuan.between"]),
    ({"XSE": "9" * 22}, ["sales_yuan.between"]),
    ({"MDTXSE": "0.00"}, []),
    ({"MDTXSE": "-0.01"}, ["export_sales_yuan.between"]),
    ({"GZCS": "50"}, []),
    ({"GZCS": "51"}, ["correction_no.between"]),
    ({"SBZQ": "年"}, ["frequency.allowed"]),
    ({"ZFBZ_1": "y"}, ["void_flag.allowed"]),
    ({"SBRQ": "2026-02-30"}, ["filed_on.cast"]),
    ({"RKSJ": "2026-11-22 23:59:59"}, []),
    ({"RKSJ": "2026-11-23 00:00:00"}, ["received_at.arrived"]),
    ({"RKSJ": None}, ["received_at.not_null"]),
    ({"XSE": "无", "SBZQ": "年"}, ["frequency.allowed", "sales_yuan.cast"]),
]


def test_a_row_waits_in_quarantine_with_every_reason() -> None:
    found = reasons([filing(number, **changed) for number, (changed, _) in enumerate(CASES)])
    assert found == {f"f{number:05d}": expected for number, (_, expected) in enumerate(CASES) if expected}


def test_a_row_without_a_key_waits() -> None:
    assert reasons([filing(1, SBUUID="")]) == {"": ["filing_id.not_null"]}


def test_rows_that_share_a_key_and_differ_all_wait() -> None:
    assert reasons([filing(1), filing(1, XSE="7.00"), filing(2)]) == {"f00001": ["key.unique"]}
    found = judged([filing(1), filing(1, XSE="7.00"), *(filing(i) for i in range(2, 100))])
    assert found.quarantine.num_rows == 2


def test_a_row_that_is_refused_anyway_takes_no_good_row_with_it() -> None:
    found = judged([filing(1), filing(1, NSRMC=None), *(filing(i) for i in range(2, 99))])
    assert found.to_json()["reasons"] == {"taxpayer_name.not_null": 1}
    assert found.accepted.num_rows == 98


def test_a_key_of_two_columns_is_compared_by_value_not_by_spelling() -> None:
    contract = require_contract("HR_INS")

    def month(unit: str, written: str) -> dict[str, str]:
        return {
            "AAB001": unit, "TYSHXYDM": CODE, "AAB004": "常州甲有限公司", "AAE002": written, "AAE140": "110",
            "CBRS": "10", "NCZCRS": "1", "YJBYSRS": "0", "AAB301": "320411", "AAE036": "2026-02-03 10:00:00",
        }  # fmt: skip

    rows = [month("U1", "202601"), month("U1", "2026-01"), month("U1", "202602")]
    rows += [month(f"V{i}", "202601") for i in range(100)]
    found = judged(rows, contract=contract)
    assert found.quarantine["AAE002"].to_pylist() == ["202601", "2026-01"]
    assert found.to_json()["reasons"] == {"key.unique": 2}


def test_exact_duplicates_are_counted_once_and_the_first_stays() -> None:
    found = judged([filing(1), filing(2), filing(1), filing(1)])
    assert (found.duplicates, found.accepted.num_rows, found.quarantine.num_rows) == (2, 2, 0)
    assert found.accepted["_ordinal"].to_pylist() == [0, 1]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (CODE, None),
        (f" {CODE[:8]}\u200b{CODE[8:].lower()}", None),  # folded before it is judged
        ("320400000012345", None),  # the registration number of before 2015
        ("M000100Y-4", None),  # the organisation code: nine characters
        ("M000100Y4", None),
        (WRONG_DIGIT, "uscc.check_digit"),
        ("9.13501E+17", "uscc.code_form"),  # what a spreadsheet makes of it
        (CODE[1:], "uscc.code_form"),
        (CODE + "1", "uscc.code_form"),
    ],
)
def test_a_code_is_a_credit_code_whose_check_character_fits_or_an_older_number(code: str, reason: str | None) -> None:
    assert reasons([filing(1, SHXYDM=code)]) == ({"f00001": [reason]} if reason else {})


@pytest.mark.parametrize(
    ("filed", "arrived", "kept"),
    [
        ("2026-11-22", "2026-11-22 00:00:01", True),
        ("2026-11-22", "2026-11-21 23:59:59", False),  # nobody can have known it then
        ("2026年11月22日", "2026-11-22 08:00:00", True),
        ("2026/11/22", "2026-11-21 08:00:00", False),
    ],
)
def test_no_day_of_a_row_is_after_the_day_of_its_arrival(filed: str, arrived: str, kept: bool) -> None:
    found = reasons([filing(1, SBRQ=filed, RKSJ=arrived)])
    assert found == ({} if kept else {"f00001": ["filed_on.at_most"]})


def test_a_part_is_no_larger_than_its_whole_and_unknown_parts_are_not_judged() -> None:
    contract = require_contract("HR_STAFF")

    def quarter(unit: str, staff: str, posts: str | None) -> dict[str, str | None]:
        return {
            "AAB001": unit, "TYSHXYDM": CODE, "AAB004": "常州甲有限公司", "TJRQ": "2026-09-30", "ZCRS": staff,
            "BKJYS": "0", "SSRS": "0", "BSRS": "0", "ZGJZC": "0", "GJGJYS": "0", "YFGWRS": posts, "YFSSRS": "0",
            "YFBSRS": "0", "AAB301": "320411", "AAE036": "2026-10-08 10:00:00",
        }  # fmt: skip

    rows = [quarter("A", "10", "10"), quarter("B", "10", "11"), quarter("C", "10", None)]
    found = judged([*rows, *(quarter(f"V{i}", "3", "0") for i in range(100))], contract=contract).quarantine
    assert dict(zip(found["AAB001"].to_pylist(), found["reasons"].to_pylist(), strict=True)) == {
        "B": ["rd_posts.at_most"],
        "C": ["rd_posts.not_null"],
    }


def test_an_amount_is_read_in_the_unit_that_its_row_says() -> None:
    contract = require_contract("FIN_EQ")

    def paid(number: str, amount: str, unit: str | None) -> dict[str, str | None]:
        return {
            "JLBH": number, "JLLX": "实缴出资", "QYMC": "常州甲有限公司", "SJJE": amount, "JEDW": unit,
            "FSRQ": "2026-09-30", "ZT": "有效", "GXSJ": "2026-10-08 10:00:00",
        }  # fmt: skip

    rows = [paid("1", "120.5", "万元"), paid("2", "1205000.00", "元"), paid("3", "120.5", None), paid("4", "1", "亿元")]
    found = judged([*rows, *(paid(f"V{i}", "1", "万元") for i in range(60))], contract=contract)
    amounts = dict(
        zip(found.accepted["record_no"].to_pylist(), found.accepted["paid_in_yuan"].to_pylist(), strict=True)
    )
    assert {amounts[number] for number in "123"} == {Decimal("1205000.00")}
    assert found.to_json()["reasons"] == {"amount_unit.allowed": 1}


@pytest.mark.parametrize(
    ("name", "legible"),
    [
        ("常州甲有限公司", True),
        ("䶮㛃（常州）科技有限公司", True),
        ("Müller GmbH", True),
        ("联通", True),  # two characters whose GBK bytes look like UTF-8: too short to tell
        ("常州甲有限公司".encode().decode("gb18030", "replace"), False),
        ("常州甲有限公司".encode("gb18030").decode("latin-1"), False),
        ("常州?有限公司", False),
        ("常州\ufffd有限公司", False),
    ],
)
def test_a_name_is_still_the_text_that_somebody_wrote(name: str, legible: bool) -> None:
    assert reasons([filing(1, NSRMC=name)]) == ({} if legible else {"f00001": ["taxpayer_name.legible"]})


def test_quarantine_keeps_the_row_as_it_came_and_all_it_says_about_its_enterprise() -> None:
    (row,) = judged([filing(1, XSE="１２", SHXYDM=None), *(filing(i) for i in range(2, 99))]).quarantine.to_pylist()
    assert row["XSE"] == "１２"
    assert row["entity"] == f"{CODE};常州甲有限公司"
    assert (row["_page"], row["_ordinal"], row["reasons"]) == (1, 0, ["sales_yuan.cast"])


def test_a_row_that_names_nobody_waits_in_quarantine_among_the_others() -> None:
    nobody = filing(1, NSRSBH=None, SHXYDM=None, NSRMC=None)
    found = judged([nobody, *(filing(i) for i in range(2, 99))])
    (row,) = found.quarantine.to_pylist()
    assert (row["entity"], row["_ordinal"]) == ("", 0)
    assert found.accepted.num_rows == 97


def test_too_many_rows_in_quarantine_reject_the_snapshot_but_the_counts_stay() -> None:
    assert VAT.max_quarantined_share == 0.05
    at_the_limit = [filing(i, XSE="x" if i < 5 else "1.00") for i in range(100)]
    assert judged(at_the_limit).verdict == "accepted"
    beyond = [filing(i, XSE="x" if i < 6 else "1.00") for i in range(100)]
    found = judged(beyond)
    assert (found.verdict, found.reason) == ("rejected", "snapshot.quarantined_share (6 of 100 rows)")
    assert (found.accepted.num_rows, found.quarantine.num_rows) == (94, 6)


def test_an_empty_snapshot_is_rejected() -> None:
    assert judged([]).reason == "snapshot.min_rows (0 rows)"
    assert judged([filing(1)]).verdict == "accepted"


def test_a_snapshot_is_held_against_the_last_accepted_one() -> None:
    """The rooms meet here; what drift catches stands in test_drift."""
    last = Before(last=Earlier(date(2026, 11, 22), judged([filing(i) for i in range(100)]).accepted))
    assert judged([filing(i) for i in range(85)], before=last).verdict == "accepted"
    found = judged([filing(i) for i in range(60)], before=last)
    lost = "60 rows, 100 before, district 320411: 60 rows, 100 before, period 2026-10: 60 rows, 100 before"
    assert (found.verdict, found.reason) == ("rejected", f"snapshot.lost ({lost}, frequency 月: 60 rows, 100 before)")


def test_fields_that_nobody_registered_are_told_and_keep_nothing_out() -> None:
    natives = [column.native for column in VAT.columns.values()]
    found = judged([filing(1)], fields=[*natives[1:], "LXDH", natives[0]], before=Before(fields=tuple(natives)))
    (check,) = (check for check in found.checks if check.id == "snapshot.fields")
    assert (found.verdict, check.passed) == ("accepted", False)
    assert check.detail == (
        "unregistered fields came: LXDH; known fields came in another order than last time (taken by name)"
    )


def changed(contract: Contract, **parts: Any) -> Contract:
    return Contract.model_validate(contract.model_dump() | parts)


def test_severity_decides_between_row_snapshot_and_a_mere_count() -> None:
    def with_severity(severity: str) -> Judgement:
        columns = VAT.model_dump()["columns"]
        columns["frequency"]["severity"] = severity
        rows = [filing(i, SBZQ="年" if i == 0 else "月") for i in range(100)]
        return judged(rows, contract=changed(VAT, columns=columns))

    assert (with_severity("quarantine_rows").verdict, with_severity("quarantine_rows").accepted.num_rows) == (
        "accepted",
        99,
    )
    assert (with_severity("reject_snapshot").reason) == "frequency.allowed (1 of 100)"
    warned = with_severity("warn")
    assert (warned.verdict, warned.accepted.num_rows) == ("accepted", 100)
    assert [check.failed for check in warned.checks if check.id == "frequency.allowed"] == [1]


def test_a_key_that_may_only_warn_is_still_indispensable() -> None:
    columns = VAT.model_dump()["columns"]
    columns["filing_id"] |= {"severity": "warn", "required": False}
    rows = [filing(i, **({"SBUUID": None} if i == 0 else {})) for i in range(100)]
    assert judged(rows, contract=changed(VAT, columns=columns)).to_json()["reasons"] == {"filing_id.not_null": 1}


@pytest.mark.parametrize(
    ("policy", "verdict", "kept"),
    [("freeze", "rejected", []), ("discard_row", "accepted", []), ("discard_value", "accepted", [None]),
     ("evolve", "accepted", ["丙"])],
)  # fmt: skip
def test_a_new_code_is_frozen_or_its_row_or_its_value_discarded_or_it_is_taken(
    policy: str, verdict: str, kept: list[str | None]
) -> None:
    columns = VAT.model_dump()["columns"]
    columns["taxpayer_name"] |= {"allowed": ["常州甲有限公司"], "required": False}
    contract = changed(VAT, columns=columns, drift=VAT.drift.model_dump() | {"codes": policy})
    found = judged([filing(0, NSRMC="丙"), *(filing(i) for i in range(1, 100))], contract=contract)
    assert found.verdict == verdict
    new = found.accepted.filter(pc.equal(found.accepted["filing_id"], "f00000"))
    assert new["taxpayer_name"].to_pylist() == kept
    assert [check.failed for check in found.checks if check.id == "taxpayer_name.allowed"] == [1]


@pytest.mark.parametrize(
    ("policy", "column", "verdict", "kept"),
    [
        ("freeze", "XSE", "rejected", 99),
        ("discard_row", "XSE", "accepted", 99),
        ("discard_value", "XSE", "accepted", 99),  # a required value is not left out alone
        ("discard_value", "MDTXSE", "accepted", 100),
        ("discard_row", "MDTXSE", "accepted", 99),
    ],
)
def test_text_that_cannot_be_read_follows_the_policy(policy: str, column: str, verdict: str, kept: int) -> None:
    columns = VAT.model_dump()["columns"]
    columns["export_sales_yuan"]["required"] = False
    contract = changed(VAT, columns=columns, drift=VAT.drift.model_dump() | {"data_type": policy})
    found = judged([filing(0, **{column: "约5万"}), *(filing(i) for i in range(1, 100))], contract=contract)
    assert (found.verdict, found.accepted.num_rows) == (verdict, kept)


def test_a_columns_own_severity_comes_before_the_policy() -> None:
    columns = VAT.model_dump()["columns"]
    columns["frequency"]["severity"] = "warn"
    contract = changed(VAT, columns=columns, drift=VAT.drift.model_dump() | {"codes": "freeze"})
    rows = [filing(i, SBZQ="年" if i == 0 else "月") for i in range(100)]
    assert judged(rows, contract=contract).verdict == "accepted"


def test_an_expectation_that_cannot_run_stops_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations reports its own exceptions as a failed expectation, without rows."""
    complete = room.frame
    monkeypatch.setattr(room, "frame", lambda *given: complete(*given).drop(columns="readable:sales_yuan"))
    with pytest.raises(TerminalError, match=r"TAX_VAT: check sales_yuan.cast could not be run"):
        judged([filing(1)])


DIRT = st.sampled_from(["", None, "x", "1,2", "NaN", "-5", "1e9", "2026-13-01", "年", "f00001", "９", "2027-01-01"])
DIRTY_FIELDS = st.dictionaries(st.sampled_from(sorted(filing(0))), DIRT, max_size=2)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 6), DIRTY_FIELDS), max_size=12))
def test_quarantined_and_accepted_rows_and_duplicates_make_up_the_snapshot(
    dirty: list[tuple[int, dict[str, str | None]]],
) -> None:
    rows = [filing(number, **dirt) for number, dirt in dirty]
    found = judged(rows)
    told = found.to_json()
    assert told["rows_in"] == len(rows) == told["duplicates"] + told["accepted"] + told["quarantined"]
    places = [*found.accepted["_ordinal"].to_pylist(), *found.quarantine["_ordinal"].to_pylist()]
    assert len(set(places)) == len(places) == len({tuple(row.items()) for row in rows})
    assert all(row["reasons"] for row in found.quarantine.to_pylist())
    assert len(set(found.accepted["filing_id"].to_pylist())) == found.accepted.num_rows


def test_the_order_in_which_rows_came_changes_no_accepted_row() -> None:
    rows = [filing(i, XSE=f"{i}.00") for i in range(200)]
    shuffled = random.Random(1).sample(rows, len(rows))
    columns = list(VAT.columns)
    assert judged(rows).accepted.select(columns).equals(judged(shuffled).accepted.select(columns))


@pytest.mark.parametrize("dataset", list(contracts()))
def test_every_contract_gives_a_suite_that_runs_and_an_empty_snapshot_is_rejected_by_it(dataset: str) -> None:
    contract = require_contract(dataset)
    found = judged([], contract=contract)
    assert found.reason == "snapshot.min_rows (0 rows)"
    assert found.accepted.schema == contract.accepted_schema()
    assert found.quarantine.column_names == [*contract.landing_schema().names, "reasons", "entity"]


def test_what_leaves_the_room_holds_counts_and_no_value() -> None:
    canary = ["canary-id", "88888888.88", "常州金丝雀有限公司"]
    rows = [filing(0, SBUUID=canary[0], XSE=f"{canary[1]}x", NSRMC=canary[2], SBZQ="canary-frequency")]
    found = judged([*rows, *(filing(i) for i in range(1, 100))]).to_json()
    page = render_report(VAT, "TAX_VAT/320411/2026-11-23", found)
    for text in (json.dumps(found, ensure_ascii=False), page):
        assert not any(value in text for value in [*canary, "canary", CODE])


def test_the_report_is_one_page_that_loads_nothing_and_says_why() -> None:
    found = judged([filing(i, XSE="x" if i < 6 else "1.00") for i in range(100)]).to_json()
    page = render_report(VAT, "<b>TAX_VAT</b>/320411/2026-11-23", found)
    assert "增值税申报" in page
    assert "已拒收" in page
    assert "销售额：格式可解析" in page
    assert "&lt;b&gt;TAX_VAT&lt;/b&gt;" in page
    assert not [part for part in ("http:", "https:", "<script", "src=", "@import", "url(") if part in page]


def test_two_hundred_thousand_rows_take_a_few_seconds() -> None:
    rows = 200_000
    table = pa.table({name: [value] * rows for name, value in filing(0).items()})
    table = table.set_column(0, "SBUUID", pa.array([f"f{i:06d}" for i in range(rows)]))
    table = table.set_column(
        table.column_names.index("XSE"), "XSE", pa.array([f"{i}.25" if i % 50 else "x" for i in range(rows)])
    )
    table = table.append_column("_page", pa.array([1] * rows, pa.int32()))
    table = table.append_column("_ordinal", pa.array(range(rows), pa.int32()))
    started = time.process_time()
    found = judge(VAT, table.select(VAT.landing_schema().names), as_of=DAY)
    assert (found.accepted.num_rows, found.quarantine.num_rows) == (196_000, 4_000)
    assert time.process_time() - started < 10
