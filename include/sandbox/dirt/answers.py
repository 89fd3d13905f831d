"""Whole answers of the gateway that are wrong on some nights: empty, a column renamed, every amount in another unit."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import BLOCKED, TRUTH
from include.sandbox.firms import DISTRICTS, END

EMPTY, RENAMED, OTHER_UNIT = "empty_success", "renamed_column", "unit_of_answer"
NIGHTS = np.arange(np.datetime64("2024-01-01"), END)
# Dataset → its amounts in yuan.
AMOUNTS = {
    "TAX_RDD": (
        "ZZYFXJ", "RYRGFY", "GZXJ", "ZJMJ", "YPYJ", "SZJY", "ZJFY", "WXZCTX", "WTYF", "NDYFFYXJ", "FYHJE", "ZBHJE",
        "JJKCZE",
    ),
    "TAX_HNTE": ("BNGXJSSR", "JSXSR", "BNQYSR", "BNGJYFJE", "JWYFFY", "XSSR"),
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What is wrong with the answer for `scope` (area code or `city`) as of `day`."""

    dataset: str
    scope: str
    day: str
    kind: str


def draw(kind: str, dataset: str, rate: float, seed: int) -> list[Answer]:
    """The nights on which the answer is wrong: of each night and scope by its own lot."""
    drawn = []
    for scope in ["city"] if FIELDS[dataset].city else DISTRICTS:
        random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(f"{kind} {dataset} {scope}".encode())]))
        nights = NIGHTS[random.random(len(NIGHTS)) < rate]
        drawn += [Answer(dataset, scope, str(night), kind) for night in nights]
    return drawn


def truth(answers: Iterable[Answer]) -> pa.Table:
    """One truth line per wrong answer."""
    lines = [
        dict.fromkeys(TRUTH.names, "")
        | {"dataset": one.dataset, "scope": one.scope, "kind": one.kind, "key": one.day, "arrived_at": one.day}
        | {"column": _column(one), "became": _became(one), "was": _column(one), "conclusion": BLOCKED}
        for one in answers
    ]
    return pa.Table.from_pylist(lines, TRUTH)


def _column(one: Answer) -> str:
    if one.kind == EMPTY:
        return ""
    return FIELDS[one.dataset].names[0] if one.kind == RENAMED else AMOUNTS[one.dataset][0]


def _became(one: Answer) -> str:
    return {EMPTY: "no rows", RENAMED: f"{_column(one)}_NEW", OTHER_UNIT: "万元"}[one.kind]


def spoil(kind: str, dataset: str, page: bytes, total: int) -> tuple[bytes, int]:
    """A page of the gateway (a JSON list of records) and its declared total, as the department sends them then."""
    if kind == EMPTY:
        return b"[]", 0
    rows = json.loads(page)
    if kind == RENAMED:
        old = FIELDS[dataset].names[0]
        rows = [{f"{name}_NEW" if name == old else name: text for name, text in row.items()} for row in rows]
    else:
        rows = [row | {name: _ten_thousands(row[name]) for name in AMOUNTS[dataset]} for row in rows]
    return json.dumps(rows, ensure_ascii=False).encode(), total


def _ten_thousands(text: str | None) -> str | None:
    if text is None or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return text
    return str((Decimal(text) / 10_000).quantize(Decimal("0.01")))


def write(path: Path, answers: Iterable[Answer]) -> None:
    """Keep them for the gateway."""
    lines = [[one.dataset, one.scope, one.day, one.kind] for one in answers]
    path.write_text(json.dumps(lines) + "\n", encoding="utf-8")


def read(path: Path) -> dict[tuple[str, str, str], str]:
    """(dataset, scope, day) → what is wrong."""
    return {(dataset, scope, day): kind for dataset, scope, day, kind in json.loads(path.read_text(encoding="utf-8"))}
