"""Declared corrections: applied as long as the source says what it said, and told as soon as it does not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.conformed.correct import Correction, correct, corrections, load_corrections
from include.contracts import require_contract
from include.kernel.errors import BadInput

VAT = require_contract("TAX_VAT")
DAY = date(2026, 11, 20)
DECLARED = """
- id: missing-zeros
  scope: "320411"
  key: {filing_id: f1}
  field: sales_yuan
  was: "1200.00"
  is: "12000000.00"
  who: 陈工，税务局数据科
  when: 2026-11-20
  evidence: 税务局 2026-11-19 复函：申报单位录入为万元
  expect: 1
"""


def rows(*sales: str | None, first: int = 1) -> pa.Table:
    given = [
        {
            "_page": 1,
            "_ordinal": i,
            "filing_id": f"f{i}",
            "sales_yuan": None if yuan is None else Decimal(yuan),
            "frequency": "月",
        }
        for i, yuan in enumerate(sales, first)
    ]
    return pa.Table.from_pylist(given, VAT.accepted_schema())


def declared(tmp_path: Path, text: str = DECLARED) -> tuple[Correction, ...]:
    path = tmp_path / "TAX_VAT.yaml"
    path.write_text(text, encoding="utf-8")
    return load_corrections(path)


def after(tmp_path: Path, table: pa.Table, as_of: date = DAY, scope: str = "320411", text: str = DECLARED) -> Any:
    found, outcomes = correct(VAT, scope, table, as_of, declared(tmp_path, text))
    assert found.schema == table.schema
    return found["sales_yuan"].to_pylist(), [(one.state, len(one.places)) for one in outcomes]


def test_a_correction_changes_its_field_of_its_record_and_nothing_else(tmp_path: Path) -> None:
    assert after(tmp_path, rows("1200.00", "1200.00")) == (
        [Decimal("12000000.00"), Decimal("1200.00")],
        [("applied", 1)],
    )


@pytest.mark.parametrize(
    ("says", "state"),
    [("12000000.00", "repaired"), ("1200.01", "changed"), (None, "changed")],
)
def test_once_the_source_says_something_else_it_is_no_longer_applied(
    tmp_path: Path, says: str | None, state: str
) -> None:
    left = None if says is None else Decimal(says)
    assert after(tmp_path, rows(says, "7.00")) == ([left, Decimal("7.00")], [(state, 0)])


def test_the_line_says_which_and_what_to_do_and_no_value(tmp_path: Path) -> None:
    _, (outcome,) = correct(VAT, "320411", rows("12000000.00"), DAY, declared(tmp_path))
    assert outcome.text == (
        "correction TAX_VAT/missing-zeros: no longer applied: the department has repaired it; "
        "look at it and end it (`until`) in corrections/TAX_VAT.yaml"
    )


def test_a_record_that_is_gone_is_told(tmp_path: Path) -> None:
    assert after(tmp_path, rows("1200.00", first=9)) == ([Decimal("1200.00")], [("gone", 0)])


def test_a_night_before_it_was_decided_knows_nothing_of_it(tmp_path: Path) -> None:
    assert after(tmp_path, rows("1200.00"), as_of=date(2026, 11, 19)) == ([Decimal("1200.00")], [])


def test_from_the_day_it_ends_it_is_no_longer_looked_at(tmp_path: Path) -> None:
    ended = DECLARED + "  until: 2026-11-22\n"
    assert after(tmp_path, rows("1200.00"), as_of=date(2026, 11, 21), text=ended)[1] == [("applied", 1)]
    assert after(tmp_path, rows("1200.00"), as_of=date(2026, 11, 22), text=ended) == ([Decimal("1200.00")], [])


def test_another_district_is_not_looked_at(tmp_path: Path) -> None:
    assert after(tmp_path, rows("1200.00"), scope="320412") == ([Decimal("1200.00")], [])


def test_more_records_than_expected_are_not_touched(tmp_path: Path) -> None:
    both = DECLARED.replace("key: {filing_id: f1}", "key: {frequency: 月}")
    assert after(tmp_path, rows("1200.00", "1200.00"), text=both) == ([Decimal("1200.00")] * 2, [("changed", 0)])
    two = both.replace("expect: 1", "expect: 2")
    assert after(tmp_path, rows("1200.00", "1200.00"), text=two) == ([Decimal("12000000.00")] * 2, [("applied", 2)])


def test_what_was_empty_can_be_filled_and_what_is_wrong_emptied(tmp_path: Path) -> None:
    filled = DECLARED.replace('was: "1200.00"', "was: null")
    assert after(tmp_path, rows(None), text=filled)[0] == [Decimal("12000000.00")]
    emptied = DECLARED.replace('is: "12000000.00"', "is: null")
    assert after(tmp_path, rows("1200.00"), text=emptied)[0] == [None]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("field: sales_yuan", "field: sales", "'sales' is not one of its columns"),
        ("field: sales_yuan", "field: received_at", "identity is not corrected"),
        ('is: "12000000.00"', 'is: "1200.00"', "are the same"),
        ('is: "12000000.00"', 'is: "约1200万"', "is not a decimal that sales_yuan could hold"),
        ('is: "12000000.00"', 'is: "1.005"', "is not a decimal that sales_yuan could hold"),
        ('scope: "320411"', "scope: city", "unknown district"),
        ("when: 2026-11-20", "when: soon", "key when"),
        ("expect: 1", "expect: 0", "key expect"),
        ("  who: 陈工，税务局数据科\n", "", "key who"),
        ("expect: 1", "expect: 1\n  note: x", "key note"),
        ("expect: 1", "expect: 1\n  field: zero_rated_yuan", "key 'field' stands twice"),
        ("evidence: ", "evidence: !!python/name:os.system ", "could not determine a constructor"),
    ],
)
def test_a_correction_that_cannot_be_meant_is_refused_in_one_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        declared(tmp_path, DECLARED.replace(old, new))
    assert "\n" not in str(refused.value)


def test_an_id_stands_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="stands twice"):
        declared(tmp_path, DECLARED + DECLARED)


def test_the_declared_ones_are_possible() -> None:
    assert all(isinstance(one, Correction) for of_dataset in corrections().values() for one in of_dataset)
