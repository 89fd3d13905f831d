"""Native text to typed columns, at the door and nowhere else. What cannot be read is marked, never guessed.

Whole columns at a time; `include.kernel.exact` says what a number is, and the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.contracts import Column
from include.kernel.identity import normal_code
from include.kernel.periods import SHANGHAI

PRECISION = 24
_WIDEST = pa.decimal128(38, 12)
_WAN = 4

_CLOCK = r"( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?)?$"
_MOMENTS = [
    (r"^([0-9]{4})-([0-9]{2})-([0-9]{2})" + _CLOCK, r"\1-\2-\3\4"),
    (r"^([0-9]{4})\.([0-9]{2})\.([0-9]{2})$", r"\1-\2-\3"),
    (r"^([0-9]{4})([0-9]{2})([0-9]{2})$", r"\1-\2-\3"),
    (r"^([0-9]{4})年([0-9]{2})月([0-9]{2})日$", r"\1-\2-\3"),
    (r"^([0-9]{4})/([0-9]{2})/([0-9]{2})$", r"\1-\2-\3"),
]
_MONTHS = [(r"^([0-9]{4})-?([0-9]{2})$", r"\1-\2-01")]
# Seconds have ten digits until 2286 and must not pass for milliseconds, so twelve digits are the fewest.
_EPOCH_MILLISECONDS = r"^-?[0-9]{12,13}$"


@dataclass(frozen=True)
class Cast:
    """One column: `text` (native, blank as null), `value` (typed, null where unread), `readable` (false where text is
    there and no value could be read from it).
    """

    text: pa.Array
    value: pa.Array
    readable: pa.Array

    def without(self, positions: list[int]) -> Cast:
        """The values at these positions left out."""
        gone = pc.is_in(pa.array(range(len(self.value)), pa.int64()), pa.array(positions, pa.int64()))
        return Cast(self.text, pc.if_else(gone, pa.scalar(None, self.value.type), self.value), self.readable)


def cast(column: Column, native: pa.Array, said: pa.Array | None = None) -> Cast:
    """Read one native column as its contract's type. `said`: the unit that each row says, if it does."""
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(native)), 0)
    text = pc.if_else(blank, pa.scalar(None, pa.string()), native)
    value = _READ[column.type](column, text)
    if said is not None:
        own = _READ[column.type](column.model_copy(update={"native_unit": None}), text)
        value = pc.if_else(pc.fill_null(pc.equal(said, column.unit), False), own, value)
    return Cast(text, value, pc.or_(pc.is_null(text), pc.is_valid(value)))


def _as_text(column: Column, text: pa.Array) -> pa.Array:
    return text


def _as_code(column: Column, text: pa.Array) -> pa.Array:
    """Codes repeat, so each spelling is folded once."""
    spelled = text.dictionary_encode()
    folded = pa.array([normal_code(one) or None for one in spelled.dictionary.to_pylist()], pa.string())
    return folded.take(spelled.indices)


def _as_decimal(column: Column, text: pa.Array) -> pa.Array:
    """Plain decimals only, none with more decimals than declared or more digits than a column holds; 万元 to 元 is a
    move of the point.
    """
    return _number(text, column.decimals, PRECISION, _WAN if (column.native_unit, column.unit) == ("万元", "元") else 0)


def _as_integer(column: Column, text: pa.Array) -> pa.Array:
    return pc.cast(_number(text, 0, 18, 0), pa.int64())


def _number(text: pa.Array, decimals: int, digits: int, shift: int) -> pa.Array:
    """Text times 10**shift as a decimal of at most `digits` digits, `decimals` of them behind the point."""
    plain = rf"^[+-]?[0-9]{{1,{digits - decimals - shift}}}(\.[0-9]{{1,{_WIDEST.scale}}})?$"
    wide = pc.cast(_only(pc.match_substring_regex(text, plain), text), _WIDEST)
    wide = pa.Array.from_buffers(pa.decimal128(38, _WIDEST.scale - shift), len(wide), wide.buffers())
    return pc.cast(_only(pc.equal(pc.round(wide, decimals), wide), wide), pa.decimal128(digits, decimals))


def _as_moment(column: Column, text: pa.Array) -> pa.Array:
    """Wall time in Shanghai. A date that the calendar does not have is not read."""
    epoch = pc.match_substring_regex(text, _EPOCH_MILLISECONDS)
    utc = pc.cast(pc.cast(_only(epoch, text), pa.int64()), pa.timestamp("ms", "UTC"))
    from_epoch = pc.cast(pc.local_timestamp(pc.cast(utc, pa.timestamp("ms", str(SHANGHAI)))), pa.timestamp("us"))
    return pc.coalesce(_calendar(text, _MOMENTS), from_epoch)


def _as_datetime(column: Column, text: pa.Array) -> pa.Array:
    return _as_moment(column, text)


def _as_date(column: Column, text: pa.Array) -> pa.Array:
    return pc.cast(pc.floor_temporal(_as_moment(column, text), unit="day"), pa.date32())


def _as_month(column: Column, text: pa.Array) -> pa.Array:
    return pc.cast(_calendar(text, _MONTHS), pa.date32())


def _calendar(text: pa.Array, forms: list[tuple[str, str]]) -> pa.Array:
    if pc.any(pc.match_substring_regex(text, "[年/]")).as_py():
        for _ in range(2):  # 2026/6/3: what parts month and day belongs to both, so one pass sees it once
            text = pc.replace_substring_regex(text, "([年月/])([0-9])([月日/]|$)", r"\10\2\3")
    moments = pa.nulls(len(text), pa.timestamp("us"))
    for pattern, iso in forms:
        written = pc.replace_substring_regex(_only(pc.match_substring_regex(text, pattern), text), pattern, iso)
        for length, form in ((10, "%Y-%m-%d"), (19, "%Y-%m-%d %H:%M:%S"), (None, "%Y-%m-%d %H:%M:%S.%f")):
            size = pc.utf8_length(written)
            fits = pc.equal(size, length) if length else pc.greater(size, 19)
            if not pc.any(fits).as_py():
                continue
            parsed = pd.to_datetime(_only(fits, written).to_pandas(), format=form, errors="coerce")
            moments = pc.coalesce(
                moments, pa.array(parsed.to_numpy("datetime64[us]"), pa.timestamp("us"), from_pandas=True)
            )
    return moments


def _only(mask: pa.Array, values: pa.Array) -> pa.Array:
    """`values` where the mask holds, null elsewhere."""
    return pc.if_else(pc.fill_null(mask, False), values, pa.scalar(None, values.type))


_READ: dict[str, Callable[[Column, pa.Array], pa.Array]] = {
    "string": _as_text,
    "people": _as_text,
    "code": _as_code,
    "integer": _as_integer,
    "decimal": _as_decimal,
    "date": _as_date,
    "month": _as_month,
    "datetime": _as_datetime,
}
