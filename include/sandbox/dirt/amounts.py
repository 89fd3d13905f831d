"""Amounts in another unit than meant, and parts that are larger than their whole."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow.compute as pc

from include.sandbox.dirt.ground import Ground
from include.sandbox.dirt.identifiers import cents, yuan
from include.sandbox.dirt.spoilt import NEGATIVE, negative

# Dataset → a part and its whole, in whole persons or in amounts.
PARTS = {
    "TAX_HNTE": ("BNJYDZXLRS", "BNZGZS"),
    "TAX_RDD": ("GZXJ", "RYRGFY"),
    "HR_STAFF": ("YFGWRS", "ZCRS"),
    "HR_INS": ("NCZCRS", "CBRS"),
    "ST_CONTRACT": ("JSJYE", "HTCJJE"),
}
# Dataset → a total in yuan, and a part of it that stays as it is when the total is written in 万元.
TOTALS = {"TAX_RDD": ("NDYFFYXJ", "ZZYFXJ"), "TAX_HNTE": ("BNQYSR", "BNGXJSSR")}
_WAN = 10_000


def absurd(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """More S&T staff than staff, wages above personnel cost …; or an amount below zero, where both can be by lot."""
    below = lots[rows] < (0.5 if dataset in PARTS else 1) if dataset in NEGATIVE else np.zeros(len(rows), dtype=bool)
    if dataset in NEGATIVE:
        negative(ground, kind, dataset, rows[below], lots)
    if dataset in PARTS:
        part, whole = PARTS[dataset]
        above = ground.texts(dataset, whole, rows[~below])
        ground.spoil(kind, dataset, part, rows[~below], [str(Decimal(text) + 1) for text in above])


def filled_total(ground: Ground, dataset: str) -> np.ndarray:
    """Records of which a part says that the total is in the wrong unit."""
    total, part = (cents(ground.tables[dataset][name].to_pylist()) for name in TOTALS[dataset])
    return part > total // _WAN


def total_in_ten_thousands(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """万元 written where yuan are meant, in the total alone."""
    total, _ = TOTALS[dataset]
    ground.spoil(kind, dataset, total, rows, yuan(cents(ground.texts(dataset, total, rows)) // _WAN))


def in_ten_thousands(ground: Ground, dataset: str) -> np.ndarray:
    """Records with an amount in 万元 that say so."""
    return pc.not_equal(ground.tables[dataset]["SJJE"], "").to_numpy()


def declared_in_yuan(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The same amount in yuan, and the record says 元."""
    amounts = [str((Decimal(text) * _WAN).quantize(Decimal("0.01"))) for text in ground.texts(dataset, "SJJE", rows)]
    ground.spell(kind, dataset, "SJJE", rows, amounts)
    ground.respell(dataset, "JEDW", rows, ["元"] * len(rows))
