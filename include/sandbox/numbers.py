"""Random numbers and their text: named streams, exponentials that agree between machines, columns of native text."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Text = Any  # a pyarrow text column


def stream(seed: int, subject: str) -> np.random.Generator:
    """One generator per subject, so that a change in one subject leaves the draws of the others as they were."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(subject.encode())]))


def exp(values: np.ndarray) -> np.ndarray:
    """e**x on a grid of 24 bits: the last bit of a vectorised exponential differs between processors, this does not."""
    mantissa, exponent = np.frexp(np.exp(values))
    return np.ldexp(np.rint(mantissa * 2**24) / 2**24, exponent)


def cents(yuan: np.ndarray) -> np.ndarray:
    """Yuan → whole cents."""
    return np.rint(yuan * 100).astype(np.int64)


def share(amount: np.ndarray, part: np.ndarray | float) -> np.ndarray:
    """A part of an integer amount, rounded down to an integer."""
    return np.floor(amount * part).astype(np.int64)


def money(amount_cents: np.ndarray) -> pa.Array:
    """Cents → `-12.50`."""
    whole = pc.cast(pa.array(np.abs(amount_cents) // 100), pa.string())
    rest = pc.utf8_lpad(pc.cast(pa.array(np.abs(amount_cents) % 100), pa.string()), 2, "0")
    sign = pc.if_else(pa.array(amount_cents < 0), "-", "")
    return pc.binary_join_element_wise(pc.binary_join_element_wise(sign, whole, ""), rest, ".")


def integers(values: np.ndarray, width: int = 0) -> pa.Array:
    """Integers → decimal text, zero-padded to `width`."""
    text = pc.cast(pa.array(np.asarray(values, dtype=np.int64)), pa.string())
    return pc.utf8_lpad(text, width, "0") if width else text


def dates(days: np.ndarray) -> pa.Array:
    """datetime64[D] → `2026-06-15`."""
    return pc.cast(pa.array(np.asarray(days, dtype="datetime64[D]")), pa.string())


def moments(seconds: np.ndarray) -> pa.Array:
    """datetime64[s] → `2026-06-15 08:30:00`."""
    return pc.cast(pa.array(np.asarray(seconds, dtype="datetime64[s]")), pa.string())


def joined(*parts: Text | str) -> pa.Array:
    """Row-wise concatenation of text columns and constants."""
    return pc.binary_join_element_wise(*(part if isinstance(part, str) else _as_text(part) for part in parts), "")


def stacked(parts: Iterable[Text]) -> pa.Array:
    """Text columns one below the other."""
    return pa.concat_arrays([_as_text(part) for part in parts])


def _as_text(column: Text) -> Text:
    """A column without a row has no type of its own: it is text as well."""
    return column.cast(pa.string())


def office_time(random: np.random.Generator, days: np.ndarray) -> np.ndarray:
    """A moment of each day between 08:00 and 20:00, when records are entered."""
    seconds = random.integers(8 * 3600, 20 * 3600, len(days))
    return days.astype("datetime64[D]").astype("datetime64[s]") + seconds.astype("timedelta64[s]")


def year_start(years: np.ndarray | int) -> np.ndarray:
    """Years → their 1 January."""
    return (np.asarray(years) - 1970).astype("datetime64[Y]").astype("datetime64[D]")
