"""Reading native text: what a number is, `include.kernel.exact` says; nothing is guessed, no value is changed."""

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.contracts import Column
from include.kernel.exact import parse_decimal, to_scaled
from include.validation.cast import Cast, cast

MONEY = Column(native="JE", zh="金额", type="decimal", decimals=2, unit="元")
CAPITAL = Column(native="regcap", zh="注册资本", type="decimal", decimals=2, unit="元", native_unit="万元")


def read(column: Column, *texts: str | None) -> Cast:
    return cast(column, pa.array(texts, pa.string()))


def of(kind: str) -> Column:
    return Column.model_validate({"native": "X", "zh": "列", "type": kind})


def at(*parts: int) -> datetime:
    return datetime.combine(date(*parts[:3]), time(*parts[3:]))


@given(st.lists(st.integers(-(10**24) + 1, 10**24 - 1)))
def test_every_amount_that_fits_comes_back_to_the_last_digit(scaled: list[int]) -> None:
    amounts = [Decimal(number).scaleb(-2) for number in scaled]
    held = read(MONEY, *(format(amount, "f") for amount in amounts))
    assert held.value.to_pylist() == amounts
    assert held.value.type == pa.decimal128(24, 2)


NUMBERISH = st.text(alphabet="0123456789.+-eE, １NaIinf%", max_size=16)


@given(st.lists(NUMBERISH | st.decimals(-(10**9), 10**9, places=3).map(str)))
def test_a_number_is_what_the_kernel_says_it_is(texts: list[str]) -> None:
    def expected(text: str) -> Decimal | None:
        try:
            number = parse_decimal(re.sub(r"^-(?=[0.]+$)", "", text))  # a department's minus zero is its zero
            to_scaled(number, 2)
        except ValueError:
            return None
        return number

    assert read(MONEY, *texts).value.to_pylist() == [expected(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "1e308",
        "1E+05",
        "1,234.56",
        "１２３",
        "12万",
        "无",
        "－",
        "12%",
        "0.001",
        " 1",
        "1\n",
        "9" * 23,
    ],
)
def test_a_value_that_is_there_and_cannot_be_read_is_marked_not_guessed(text: str) -> None:
    held = read(MONEY, text)
    assert (held.value.to_pylist(), held.readable.to_pylist(), held.text.to_pylist()) == ([None], [False], [text])


@pytest.mark.parametrize("text", [None, "", "  ", "\t\u3000"])
@pytest.mark.parametrize("kind", ["decimal", "integer", "date", "datetime", "month", "code", "string"])
def test_nothing_is_null_and_not_a_failure(kind: str, text: str | None) -> None:
    held = read(of(kind), text)
    assert (held.value.to_pylist(), held.readable.to_pylist(), held.text.to_pylist()) == ([None], [True], [None])


@pytest.mark.parametrize(
    ("wan", "yuan"),
    [
        ("200.0", "2000000.00"),
        ("0.000001", "0.01"),
        ("-3.1415", "-31415.00"),
        ("0.0000001", None),
        ("50000000", "5E+11"),
    ],
)
def test_ten_thousands_become_yuan_exactly_or_not_at_all(wan: str, yuan: str | None) -> None:
    assert read(CAPITAL, wan).value.to_pylist() == [yuan and Decimal(yuan)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-02-28", date(2026, 2, 28)),
        ("2026.02.28", date(2026, 2, 28)),
        ("20260228", date(2026, 2, 28)),
        ("2026年2月8日", date(2026, 2, 8)),
        ("2026年12月28日", date(2026, 12, 28)),
        ("2026/2/8", date(2026, 2, 8)),
        ("2026/11/08", date(2026, 11, 8)),
        ("2026-02-28 23:59:59", date(2026, 2, 28)),
        ("1767196800000", date(2026, 1, 1)),  # 2025-12-31T16:00Z, midnight in Shanghai
        ("1767196799999", date(2025, 12, 31)),
        ("515948400000", date(1986, 5, 9)),  # 1986-05-08T15:00Z: Shanghai kept summer time, and midnight was at 15:00Z
        ("-631180800000", date(1950, 1, 1)),
        ("9999-12-31", date(9999, 12, 31)),
        ("2024-02-29", date(2024, 2, 29)),
    ],
)
def test_a_day_is_read_in_each_form_that_departments_use(text: str, day: date) -> None:
    assert read(of("date"), text).value.to_pylist() == [day]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29", "0000-00-00", "2/3/2026", "2026/13/1", "2026年2月30日", "2月3日",
            "2026-2-3", "45000", "1767196800", "2026-11-23T00:00:00Z",
        "2026-02-28 24:00:00", "２０２６-01-01", "20261301", "-20260101", "99999999999999",
    ],
)  # fmt: skip
def test_a_day_the_calendar_does_not_have_or_another_form_is_not_read(text: str) -> None:
    held = read(of("date"), text)
    assert (held.value.to_pylist(), held.readable.to_pylist()) == ([None], [False])


def test_forms_may_be_mixed_in_one_column() -> None:
    held = read(of("datetime"), "2026-01-02 03:04:05", "2026.01.02", None, "x", "2026-01-02 03:04:05.25")
    assert held.value.to_pylist() == [
        at(2026, 1, 2, 3, 4, 5),
        at(2026, 1, 2),
        None,
        None,
        at(2026, 1, 2, 3, 4, 5, 250_000),
    ]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("month", "202601", date(2026, 1, 1)),
        ("month", "2026-12", date(2026, 12, 1)),
        ("month", "202613", None),
        ("integer", "3", 3),
        ("integer", "3.0", 3),
        ("integer", "3.5", None),
        ("integer", "-0", 0),
        ("integer", "9" * 18, 10**18 - 1),
        ("integer", "9" * 19, None),
        ("code", "９１32 0411yy\u200b00000018", "91320411YY00000018"),
        ("code", "\u200b", None),
        ("string", " 常州（甲） ", " 常州（甲） "),
    ],
)
def test_other_types(kind: str, text: str, value: Any) -> None:
    assert read(of(kind), text).value.to_pylist() == [value]
