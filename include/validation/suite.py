"""What must hold of a snapshot, derived from its contract alone: the checks, and the Great Expectations suite of them.

The batch they run on (`frame`) has for each column its text; for typed columns also `value:<name>`, the value as a
whole number (days, microseconds, cents …) so that every comparison is exact, and `readable:<name>`; for moments
`day:<name>`; for codes `check_digit:<name>`, for names of enterprises `legible:<name>`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import Column, Contract
from include.contracts.model import Severity
from include.kernel.exact import parse_decimal, to_scaled
from include.kernel.identity import CODE_SHAPE, OLDER_CODE, check_digit_holds, is_code_shape
from include.kernel.periods import arrival_cutoff
from include.validation.cast import Cast
from include.validation.legible import is_legible

# Great Expectations tells every function it registers to the log, and asks for consent to telemetry it no longer has.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
logging.getLogger("great_expectations").setLevel(logging.WARNING)

import great_expectations as gx  # noqa: E402

_TEXT_TYPES = ("string", "code", "people")
_DAYS = ("date", "month", "datetime")
_EPOCH = date(1970, 1, 1)
_DAY = 86_400 * 1_000_000  # in microseconds
_LARGEST = 2**63 - 1
_ASPECT: dict[str, Literal["data_type", "codes"]] = {"cast": "data_type", "allowed": "codes"}
# The characters that XML 1.0 leaves out: PostgreSQL refuses NUL, a workbook all of them.
_UNWRITABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
_GX_SEVERITY = {"reject_snapshot": "critical", "quarantine_rows": "warning", "warn": "info"}


@dataclass(frozen=True)
class Check:
    """One thing that must hold. `column` is empty for a check of the whole snapshot."""

    id: str
    title_zh: str
    column: str
    severity: Severity
    expectation: str
    arguments: dict[str, Any]


_CHARACTERS = Check(
    "row.characters", "文字可写入数据库与表格", "", "quarantine_rows", "expect_column_values_to_be_in_set",
    {"column": "plain", "value_set": [True]},
)  # fmt: skip


def checks_of(contract: Contract, as_of: date) -> list[Check]:
    """The checks of a contract's columns, in their order, and of the snapshot's size; `unique_key` comes after them.

    A column's severity holds for all its checks, what is unreadable or unknown follows the contract's drift policy; but
    a row without a readable key or arrival can never be accepted.
    """
    checks: list[Check] = []
    for name, column in contract.columns.items():
        checks.extend(_of_column(contract, name, column))
    cutoff = _position(contract.columns[contract.arrival], arrival_cutoff(as_of).replace(tzinfo=None))
    arrived = {"column": f"value:{contract.arrival}", "max_value": cutoff, "strict_max": True}
    checks.append(
        _check(contract, contract.arrival, "arrived", "早于数据截止时刻", "expect_column_values_to_be_between", arrived)
    )
    return [*checks, _CHARACTERS, _not_empty(contract)]


def expectation_suite(contract: Contract, checks: list[Check]) -> gx.ExpectationSuite:
    """The checks as a Great Expectations suite; each expectation carries its check's id."""
    expectations = [
        {
            "type": check.expectation,
            "kwargs": check.arguments,
            "meta": {"check": check.id},
            "severity": _GX_SEVERITY[check.severity],
        }
        for check in checks
    ]
    return gx.ExpectationSuite(name=f"{contract.dataset}-{contract.version}", expectations=expectations)


def frame(contract: Contract, columns: dict[str, Cast]) -> pd.DataFrame:
    """The batch of cast columns that the suite runs on, one row per landed row, in the same order."""
    series: dict[str, pd.Series] = {}
    for name, column in contract.columns.items():
        held = columns[name]
        if column.type in _TEXT_TYPES:
            series[name] = held.value.to_pandas().astype("str")
            if column.credit_code:
                series[f"check_digit:{name}"] = _of_each(held.value, _check_digit)
            if name in contract.entity.naming:
                series[f"legible:{name}"] = _of_each(held.value, is_legible)
        else:
            series[name] = held.text.to_pandas().astype("str")
            series[f"readable:{name}"] = held.readable.to_pandas()
            series[f"value:{name}"] = _positions(column, held.value)
            if column.type == "datetime":
                series[f"day:{name}"] = series[f"value:{name}"] // _DAY
    texts = [columns[name].text for name, column in contract.columns.items() if column.type == "string"]
    series["plain"] = _plain(texts, len(columns[contract.arrival].text))
    return pd.DataFrame(series)


def _of_column(contract: Contract, name: str, column: Column) -> Iterator[Check]:
    between: dict[str, Any] = {}
    if column.min is not None:
        between["min_value"] = _bound(column, column.min)
    if column.max is not None:
        between["max_value"] = _bound(column, column.max)
    if column.required or name in contract.key or name == contract.arrival:
        yield _check(contract, name, "not_null", "必填", "expect_column_values_to_not_be_null", {"column": name})
    if column.type not in _TEXT_TYPES:
        readable = {"column": f"readable:{name}", "value_set": [True]}
        yield _check(contract, name, "cast", "格式可解析", "expect_column_values_to_be_in_set", readable)
    if column.pattern:
        pattern = {"column": name, "regex": rf"\A(?:{column.pattern})\Z"}
        yield _check(contract, name, "pattern", "符合编码格式", "expect_column_values_to_match_regex", pattern)
    if column.allowed:
        allowed = {"column": name, "value_set": column.allowed}
        yield _check(contract, name, "allowed", "在允许的取值内", "expect_column_values_to_be_in_set", allowed)
    if between:
        between["column"] = f"value:{name}"
        yield _check(contract, name, "between", "在合理范围内", "expect_column_values_to_be_between", between)
    if column.at_most:
        whole = contract.columns[column.at_most]
        pair = {
            "column_A": _comparable(contract, column.at_most),
            "column_B": _comparable(contract, name),
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        }
        title = f"不{'晚' if column.type in _DAYS else '大'}于{whole.zh}"
        yield _check(contract, name, "at_most", title, "expect_column_pair_values_a_to_be_greater_than_b", pair)
    if column.credit_code:
        form = {"column": name, "regex": rf"\A(?:{CODE_SHAPE}|{OLDER_CODE})\Z"}
        yield _check(contract, name, "code_form", "是信用代码或旧注册号", "expect_column_values_to_match_regex", form)
        digits = {"column": f"check_digit:{name}", "value_set": [True]}
        yield _check(contract, name, "check_digit", "校验位正确", "expect_column_values_to_be_in_set", digits)
    if name in contract.entity.naming:
        legible = {"column": f"legible:{name}", "value_set": [True]}
        yield _check(contract, name, "legible", "文字未乱码", "expect_column_values_to_be_in_set", legible)


def _comparable(contract: Contract, name: str) -> str:
    """The batch's column by which days are compared with days, numbers with numbers."""
    return f"{'day' if contract.columns[name].type == 'datetime' else 'value'}:{name}"


def _check(contract: Contract, name: str, rule: str, title: str, expectation: str, arguments: dict[str, Any]) -> Check:
    column = contract.columns[name]
    indispensable = name in contract.key or name == contract.arrival
    severity = column.severity
    if rule in _ASPECT:
        severity = contract.severity_of(column, _ASPECT[rule])
    if indispensable and severity == "warn":
        severity = "quarantine_rows"
    return Check(f"{name}.{rule}", f"{column.zh}：{title}", name, severity, expectation, arguments)


def unique_key(contract: Contract) -> Check:
    """Rows that share a key and differ: none of them can be told to be the right one."""
    title = f"主键唯一（{'、'.join(contract.columns[name].zh for name in contract.key)}）"
    columns = [name if contract.columns[name].type in _TEXT_TYPES else f"value:{name}" for name in contract.key]
    if len(columns) == 1:
        return Check(
            "key.unique", title, contract.key[0], "quarantine_rows", "expect_column_values_to_be_unique",
            {"column": columns[0]},
        )  # fmt: skip
    arguments = {"column_list": columns, "ignore_row_if": "any_value_is_missing"}
    return Check("key.unique", title, "", "quarantine_rows", "expect_compound_columns_to_be_unique", arguments)


def _not_empty(contract: Contract) -> Check:
    """Rows after exact duplicates are gone."""
    floor = {"min_value": contract.min_rows}
    title = f"至少 {contract.min_rows} 行"
    return Check("snapshot.min_rows", title, "", "reject_snapshot", "expect_table_row_count_to_be_between", floor)


def _bound(column: Column, text: str) -> int:
    if column.type in ("decimal", "integer"):
        return to_scaled(parse_decimal(text), column.decimals)
    return _position(column, datetime.fromisoformat(text))


def _position(column: Column, moment: datetime) -> int:
    """A moment as the whole number that `_positions` gives for it."""
    days = (moment.date() - _EPOCH).days
    if column.type in ("date", "month"):
        return days
    clock = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return (days * 86_400 + clock) * 1_000_000


def _positions(column: Column, value: pa.Array) -> pd.Series:
    """Typed values as whole numbers. An amount beyond 64 bits stands at their end, which no bound reaches."""
    if column.type == "decimal":
        scaled = pa.Array.from_buffers(pa.decimal128(24, 0), len(value), value.buffers(), offset=value.offset)
        end = pa.scalar(Decimal(_LARGEST), pa.decimal128(24, 0))
        capped = pc.min_element_wise(scaled, end, skip_nulls=False)
        value = pc.cast(pc.max_element_wise(capped, pc.negate(end), skip_nulls=False), pa.int64())
    elif column.type in ("date", "month"):
        value = pc.cast(pc.cast(value, pa.int32()), pa.int64())
    elif column.type == "datetime":
        value = pc.cast(value, pa.int64())
    return value.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)


def _plain(texts: list[pa.Array], rows: int) -> pd.Series:
    """False for a row one of whose texts holds a character that no database, workbook or XML file can hold."""
    plain = pa.array([True] * rows, pa.bool_())
    for text in texts:
        plain = pc.and_(plain, pc.invert(pc.fill_null(pc.match_substring_regex(text, _UNWRITABLE), False)))
    return plain.to_pandas()


def _check_digit(code: str) -> bool | None:
    """Null where there is no code of that shape to judge."""
    return check_digit_holds(code) if is_code_shape(code) else None


def _of_each(texts: pa.Array, judged: Callable[[str], bool | None]) -> pd.Series:
    """True, false or null for each text; each different one is judged once."""
    spelled = texts.dictionary_encode()
    held = [judged(text) for text in spelled.dictionary.to_pylist()]
    return pa.array(held, pa.bool_()).take(spelled.indices).to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
