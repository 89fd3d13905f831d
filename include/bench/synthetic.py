"""Accepted snapshots of enterprises that do not exist, straight as exact columns: any contract, any number of rows.

The sandbox speaks the departments' protocols and is too slow for a million enterprises. Here every column is drawn from
its contract (type, allowed values, pattern, bounds) with a fixed seed, so a new dataset needs nothing; `PLANS` and
`HINTS` say only what gives the rows a meaning: which form row, which period, how many per enterprise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import Column, Contract
from include.kernel.periods import closed_year

ROWS_PER_ENTERPRISE = {
    "REG_ENT": 1.0,
    "TAX_CIT": 6.0,
    "TAX_VAT": 4.0,
    "TAX_FIN": 2.0,
    "TAX_PAY": 1.0,
    "TAX_RDD": 2.0,
    "TAX_HNTE": 2.0,
    "HR_INS": 11.0,
    "HR_STAFF": 1.0,
    "IP_PAT": 3.0,
}
"""About 12 tax, 12 insurance, 3 R&D and 3 patent rows; every other dataset is a list that names some."""
ROWS_OF_A_LIST = 0.3

_EPOCH = date(1970, 1, 1)
_SAMPLES = 64
_WITHOUT_CODE = 0.02
_UNKNOWN = 0.1
_VOID = 0.01

# The income-tax rows of each enterprise: years before the closed one, form, row in the 2022 version.
_TAX_FORM_ROWS = [
    (0, "A100000", 1),
    (0, "A100000", 2),
    (0, "A100000", 13),
    (0, "A100000", 23),
    (0, "A105050", 2),
    (1, "A100000", 1),
]


@dataclass(frozen=True)
class Enterprises:
    """The registered enterprises of one district."""

    district: str
    uscc: pa.Array
    name: pa.Array

    @classmethod
    def of(cls, district: str, first: int, count: int) -> Enterprises:
        """Codes of the right shape that cannot be issued: running numbers."""
        digits = pc.utf8_lpad(pa.array(np.arange(first, first + count)).cast(pa.string()), 10, "0")
        code = pc.binary_join_element_wise("91", "320499", digits, "")
        name = pc.binary_join_element_wise("常州第", digits, "号科技有限公司", "")
        return cls(district, code, name)


@dataclass(frozen=True)
class Draw:
    """One dataset being drawn: `enterprise` and `turn` (0, 1, 2 … within the enterprise) of each row."""

    contract: Contract
    enterprises: Enterprises
    as_of: date
    enterprise: np.ndarray
    turn: np.ndarray
    random: np.random.Generator

    @property
    def rows(self) -> int:
        return len(self.enterprise)

    @property
    def closed_year(self) -> int:
        return closed_year(self.as_of)


def accepted(contract: Contract, enterprises: Enterprises, as_of: date, seed: int) -> pa.Table:
    """The accepted rows that one district's enterprises have in a dataset."""
    count, per_enterprise = len(enterprises.uscc), ROWS_PER_ENTERPRISE.get(contract.dataset, ROWS_OF_A_LIST)
    random = np.random.default_rng([seed, *contract.dataset.encode(), *enterprises.district.encode()])
    enterprise: np.ndarray
    turn: np.ndarray
    if per_enterprise >= 1:
        row = np.arange(int(count * per_enterprise))
        enterprise, turn = row // int(per_enterprise), row % int(per_enterprise)
    else:
        enterprise = np.sort(random.choice(count, math.ceil(count * per_enterprise), replace=False))
        turn = np.zeros(len(enterprise), np.int64)
    draw = Draw(contract, enterprises, as_of, enterprise, turn, random)
    columns = {name: _column(draw, name, column) for name, column in contract.columns.items()}
    columns["_page"] = pa.array(np.ones(draw.rows, np.int32))
    columns["_ordinal"] = pa.array(np.arange(1, draw.rows + 1, dtype=np.int32))
    return pa.table(columns).cast(contract.accepted_schema())


def _column(draw: Draw, name: str, column: Column) -> pa.Array:
    contract = draw.contract
    hint = HINTS.get(f"{contract.dataset}.{name}") or HINTS.get(name)
    if hint is not None:
        return hint(draw)
    if contract.editions is not None and name in contract.editions.latest_by:  # everybody stands in the last list
        last = _of_type(replace(draw, random=np.random.default_rng(1)), column)[0]  # the same in every district
        return pa.repeat(last, draw.rows)
    parties = contract.entity.roles.values()
    if name in contract.entity.codes or any(name in party.codes for party in parties):
        codes = draw.enterprises.uscc.take(draw.enterprise)
        by_name = not column.required and (contract.entity.name is not None or bool(contract.entity.roles))
        return _some_unknown(draw, codes, _WITHOUT_CODE) if by_name else codes
    if name in (contract.entity.name, contract.entity.names, *(party.name for party in parties)):
        return draw.enterprises.name.take(draw.enterprise)
    if name in contract.key and column.type in ("string", "code", "integer") and not column.allowed:
        return _key(draw, name, column)
    values = _of_type(draw, column)
    return values if column.required else _some_unknown(draw, values, _UNKNOWN)


def _key(draw: Draw, name: str, column: Column) -> pa.Array:
    """Running numbers; the enterprise's own number where a period is the rest of the key."""
    rest = [draw.contract.columns[other].type for other in draw.contract.key if other != name]
    number: np.ndarray = draw.enterprise if {"month", "date"} & set(rest) else np.arange(draw.rows)
    if column.type == "integer":
        return pa.array(number + 1)
    return pc.binary_join_element_wise(draw.enterprises.district, pa.array(number + 10**9).cast(pa.string()), "-")


def _of_type(draw: Draw, column: Column) -> pa.Array:
    if column.allowed:
        return _choice(draw, column.allowed)
    if column.pattern:
        return _choice(draw, samples(column.pattern))
    if column.type in ("string", "code"):
        return _choice(draw, ["甲", "乙", "丙"])
    if column.type == "people":
        return _choice(draw, [f"{a:016x};{b:016x}" for a, b in zip(range(99), range(50, 149), strict=True)])
    if column.type == "integer":
        return pa.array(_bounded(column, draw.random.integers(0, 60, draw.rows), 0))
    if column.type == "decimal":
        return _decimal(draw, column)
    days = _days(draw, 6 * 365)
    if column.type == "month":
        return pa.array(days.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]"))
    dates = pa.array(days, pa.int32()).cast(pa.date32())
    return dates.cast(pa.timestamp("us")) if column.type == "datetime" else dates


def _decimal(draw: Draw, column: Column) -> pa.Array:
    """Between a thousand and a hundred million units, evenly over the magnitudes; some below zero where allowed."""
    places = 10**column.decimals
    magnitude = draw.random.integers(3, 8, draw.rows)
    whole = draw.random.integers(1, 1000, draw.rows) * 10**magnitude // 100 * places
    part = draw.random.integers(0, places, draw.rows)
    sign = np.where(draw.random.random(draw.rows) < _UNKNOWN, -1, 1)
    return as_decimals(_bounded(column, (whole + part) * sign, column.decimals), column.decimals)


def _bounded(column: Column, scaled: np.ndarray, decimals: int) -> np.ndarray:
    low = int(Decimal(column.min) * 10**decimals) if column.min else 0
    high = int(Decimal(column.max) * 10**decimals) if column.max else 10**17
    return np.clip(scaled, max(low, -(10**17)), min(high, 10**17))


def as_decimals(scaled: np.ndarray, decimals: int) -> pa.Array:
    """Whole numbers in units of 10**-decimals as DECIMAL(24, decimals)."""
    words: np.ndarray = np.empty((len(scaled), 2), np.int64)
    words[:, 0], words[:, 1] = scaled, scaled >> 63
    return pa.Array.from_buffers(pa.decimal128(24, decimals), len(scaled), [None, pa.py_buffer(words)])


def _choice(draw: Draw, texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.string()).take(pa.array(draw.random.integers(0, len(texts), draw.rows)))


def _some_unknown(draw: Draw, values: pa.Array, share: float) -> pa.Array:
    return pc.if_else(pa.array(draw.random.random(draw.rows) < share), pa.scalar(None, values.type), values)


def _days(draw: Draw, within: int) -> np.ndarray:
    return (draw.as_of - _EPOCH).days - 1 - draw.random.integers(0, within, draw.rows)


def samples(pattern: str) -> list[str]:
    """Texts that match a pattern of the contracts: literals, classes, groups with alternatives, `{n}`, `{n,m}`, `?`."""
    random = np.random.default_rng(len(pattern))
    found = sorted({_sample(re._parser.parse(pattern), random) for _ in range(_SAMPLES)})  # type: ignore[attr-defined]
    assert all(re.fullmatch(pattern, text) for text in found)
    return found


def _sample(tokens, random: np.random.Generator) -> str:  # type: ignore[no-untyped-def]
    text = ""
    for operation, argument in tokens:
        match str(operation):
            case "LITERAL":
                text += chr(argument)
            case "ANY":
                text += "0"
            case "IN":
                letters = [chr(argument) for kind, argument in argument if str(kind) == "LITERAL"]
                for kind, ends in argument:
                    if str(kind) == "RANGE":
                        letters += [chr(code) for code in range(ends[0], ends[1] + 1)]
                    elif str(kind) == "CATEGORY":
                        letters += list("0123456789")
                text += letters[random.integers(len(letters))]
            case "MAX_REPEAT":
                low, high, inner = argument
                for _ in range(random.integers(low, min(int(high), low + 3) + 1)):
                    text += _sample(inner, random)
            case "SUBPATTERN":
                text += _sample(argument[-1], random)
            case "BRANCH":
                text += _sample(argument[1][random.integers(len(argument[1]))], random)
            case "AT":
                pass
            case other:
                raise ValueError(f"the benchmark cannot draw {other} of a pattern")
    return text


# --- what gives the rows a meaning -------------------------------------------------------------------------------


def _text(value: str) -> Callable[[Draw], pa.Array]:
    return lambda draw: pa.array([value]).take(pa.array(np.zeros(draw.rows, np.int64)))


def _mostly_zero(draw: Draw) -> pa.Array:
    return pa.array(np.where(draw.random.random(draw.rows) < _VOID, 1, 0))


def _void(draw: Draw) -> pa.Array:
    return pc.if_else(pa.array(draw.random.random(draw.rows) < _VOID), "Y", "N")


def _recently(draw: Draw) -> pa.Array:
    seconds = _days(draw, 150) * 86_400 + draw.random.integers(0, 86_400, draw.rows)
    return pa.array(seconds * 1_000_000, pa.int64()).cast(pa.timestamp("us"))


def _year_of_turn(draw: Draw) -> np.ndarray:
    return draw.closed_year - draw.turn


def _first_days(years: np.ndarray, months: np.ndarray | int = 1) -> np.ndarray:
    return ((years - 1970) * 12 + months - 1).astype("datetime64[M]").astype("datetime64[D]")


def _tax_form_year(draw: Draw) -> np.ndarray:
    return draw.closed_year - np.array([ago for ago, _, _ in _TAX_FORM_ROWS])[draw.turn]


def _tax_form(draw: Draw, place: int) -> pa.Array:
    return pa.array([row[place] for row in _TAX_FORM_ROWS]).take(pa.array(draw.turn))


def _filing(draw: Draw) -> pa.Array:
    return pa.array(draw.enterprise * 10 + (draw.closed_year - _tax_form_year(draw)) + 10**10).cast(pa.string())


def _publication(prefix: str) -> Callable[[Draw], pa.Array]:
    return lambda draw: pc.binary_join_element_wise(
        prefix, draw.enterprises.district, pa.array(np.arange(draw.rows) + 10**9).cast(pa.string()), ""
    )


def _application(draw: Draw) -> pa.Array:
    number: np.ndarray = int(draw.enterprises.district[2:4] + "0") * 10**10 + np.arange(draw.rows)
    return pc.binary_join_element_wise("CN2", pc.utf8_lpad(pa.array(number).cast(pa.string()), 12, "0"), "")


def _months(draw: Draw) -> np.ndarray:
    """December, January, November, October …"""
    months = np.array([12, 1, 11, 10, 9, 8, 7, 6, 5, 4, 3])
    return _first_days(np.full(draw.rows, draw.closed_year), months[draw.turn])


def _owners(draw: Draw) -> pa.Array:
    """One patent in ten is shared with somebody outside."""
    own = draw.enterprises.name.take(draw.enterprise)
    shared = pc.binary_join_element_wise(own, "某大学", ";")
    return pc.if_else(pa.array(draw.random.random(draw.rows) < _UNKNOWN), shared, own)


def _dated(kinds: list[str], share: float) -> Callable[[Draw], pa.Array]:
    """`kind@YYYY-MM-DD`, for a few rows."""

    def drawn(draw: Draw) -> pa.Array:
        days = [(draw.as_of - timedelta(days=n)).isoformat() for n in range(1, 1500, 7)]
        kind, day = _choice(draw, kinds), _choice(draw, days)
        return _some_unknown(draw, pc.binary_join_element_wise(kind, day, "@"), 1 - share)

    return drawn


def _established(draw: Draw) -> pa.Array:
    days = (draw.as_of - _EPOCH).days - draw.random.integers(400, 9000, draw.rows)
    return pa.array(days, pa.int32()).cast(pa.date32())


HINTS: dict[str, Callable[[Draw], pa.Array]] = {
    "management_area": lambda draw: _text(draw.enterprises.district)(draw),
    "void_flag": _void,
    "correction_no": _mostly_zero,
    "received_at": _recently,
    "updated_at": _recently,
    "tax_year": lambda draw: pa.array(_year_of_turn(draw)),
    "filed_on": lambda draw: pa.array(_first_days(_year_of_turn(draw) + 1, 5)),
    "REG_ENT.uscc": lambda draw: draw.enterprises.uscc,
    "REG_ENT.state": _text("存续（在营、开业、在册）"),
    "REG_ENT.established_on": _established,
    "REG_ENT.former_names": lambda draw: pa.nulls(draw.rows, pa.string()),
    "TAX_CIT.filing_id": _filing,
    "TAX_CIT.period_from": lambda draw: pa.array(_first_days(_tax_form_year(draw))),
    "TAX_CIT.period_to": lambda draw: pa.array(_first_days(_tax_form_year(draw) + 1) - np.timedelta64(1, "D")),
    "TAX_CIT.form_code": lambda draw: _tax_form(draw, 1),
    "TAX_CIT.form_version": _text("2022"),
    "TAX_CIT.row_number": lambda draw: _tax_form(draw, 2),
    "TAX_CIT.filed_on": lambda draw: pa.array(_first_days(_tax_form_year(draw) + 1, 5)),
    "TAX_VAT.period_from": lambda draw: pa.array(_first_days(np.full(draw.rows, draw.closed_year), 3 * draw.turn + 1)),
    "TAX_VAT.period_to": lambda draw: pa.array(
        _first_days(np.full(draw.rows, draw.closed_year), 3 * draw.turn + 4) - np.timedelta64(1, "D")
    ),
    "TAX_VAT.frequency": _text("季"),
    "TAX_FIN.period_from": lambda draw: pa.array(_first_days(_year_of_turn(draw))),
    "TAX_FIN.period_to": lambda draw: pa.array(_first_days(_year_of_turn(draw) + 1) - np.timedelta64(1, "D")),
    "TAX_FIN.period_kind": _text("年报"),
    "HR_INS.month": lambda draw: pa.array(_months(draw)),
    "HR_STAFF.quarter_end": lambda draw: pa.array(
        _first_days(np.full(draw.rows, draw.closed_year + 1)) - np.timedelta64(1, "D")
    ),
    "IP_PAT.application_no": _application,
    "IP_PAT.applicants": lambda draw: draw.enterprises.name.take(draw.enterprise),
    "IP_PAT.assignees": _owners,
    "IP_PAT.strategic_industry": lambda draw: _some_unknown(draw, _choice(draw, ["新材料", "生物"]), 0.8),
    "IP_PAT.award": lambda draw: _some_unknown(draw, _choice(draw, ["中国专利优秀奖", "市专利奖"]), 0.98),
    "IP_PAT.pledge_yuan": lambda draw: pa.nulls(draw.rows, pa.decimal128(24, 2)),
    "IP_PAT.transactions": _dated(["许可", "转让", "开放许可"], 0.05),
    "IP_PAT.publication_no": _publication("CN"),
    "IP_PCT.international_no": _publication("PCT/CN"),
    "IP_PCT.grants": lambda draw: pc.binary_join_element_wise(_dated(["US", "EP"], 0.5)(draw), "有效", "@"),
}
