"""Days in other spellings, and days that have not come yet."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc

from include.kernel.periods import SHANGHAI
from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import Ground

_LEAST_AHEAD, _MOST_AHEAD = 2, 2000  # days after the record's own arrival


def dated(ground: Ground, dataset: str) -> np.ndarray:
    """Records that carry a whole day."""
    return pc.match_substring_regex(
        ground.tables[dataset][FIELDS[dataset].day], r"^[0-9]{4}[-.]?[0-9]{2}[-.]?[0-9]{2}$"
    ).to_numpy()


def spelling(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The day in one of six forms: ISO, dots, eight digits, with a clock, Chinese characters, epoch milliseconds."""
    column = FIELDS[dataset].day
    texts = ground.texts(dataset, column, rows)
    ground.spell(kind, dataset, column, rows, [_otherwise(t, lot) for t, lot in zip(texts, lots[rows], strict=True)])


def _otherwise(text: str, lot: float) -> str:
    digits = re.sub("[^0-9]", "", text)
    day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    forms = (
        day.isoformat(),
        f"{day:%Y.%m.%d}",
        digits,
        f"{day.isoformat()} 00:00:00",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year}/{day.month}/{day.day}",
        str(int(midnight.timestamp()) * 1000),
    )
    others = [form for form in forms if form != text]
    return others[int(lot * len(others))]


def ahead(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """A day after the one on which the record arrived, of a patent its last one: nobody can have known it."""
    column, table = FIELDS[dataset].day, ground.tables[dataset]
    arrived: Any = table["_arrival"].to_numpy() // 86400
    if dataset == "IP_PAT":
        patent = table["_patent"].to_numpy()
        last = np.full(patent.max() + 1, 0, dtype=np.int64)
        np.maximum.at(last, patent, arrived)
        arrived = last[patent]
    arrived = arrived[rows]
    days = arrived + _LEAST_AHEAD + np.floor(lots[rows] * (_MOST_AHEAD - _LEAST_AHEAD)).astype(np.int64)
    ground.spoil(kind, dataset, column, rows, days.astype("datetime64[D]").astype(str).tolist())
