"""Codes that are misspelt but meant, replaced by an older number, or broken on their way."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import Ground, is_list
from include.sandbox.numbers import moments

_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SECOND_REGISTRATION = "2"  # what a second tax registration adds to the first number
_CENT = 100


def coded(ground: Ground, dataset: str) -> np.ndarray:
    """Records that carry a code."""
    return pc.not_equal(ground.tables[dataset][FIELDS[dataset].code], "").to_numpy()


def spelling(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """A blank behind, an invisible character, full-width digits, blanks around, small letters: still the same code."""
    column = FIELDS[dataset].code
    codes = ground.texts(dataset, column, rows)
    ground.spell(kind, dataset, column, rows, [_misspelt(c, lot) for c, lot in zip(codes, lots[rows], strict=True)])


def _misspelt(code: str, lot: float) -> str:
    return (
        code + " ",
        code[:8] + "\u200b" + code[8:],
        code.translate(_FULL_WIDTH),
        " " + code[:9] + " " + code[9:],
        code.lower(),
    )[int(lot * 5)]


def substitute(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """Nothing, the old 15-digit registration number, or the 9-character organisation code in place of the code.

    Lists lack codes by habit: there the old numbers only.
    """
    column = FIELDS[dataset].code
    older = is_list(ground, dataset)
    firm = ground.tables[dataset]["_firm"].to_numpy()[rows]
    codes = ground.texts(dataset, column, rows)
    texts = []
    for code, number, lot in zip(codes, firm.tolist(), lots[rows].tolist(), strict=True):
        numbers = (f"320400{number:09d}", f"{code[8:16]}-{code[16]}", "", "")
        texts.append(numbers[int(lot * (2 if older else 4))])
    ground.spell(kind, dataset, column, rows, texts)


def wrong_check_digit(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The last character is another one of the alphabet."""
    column = FIELDS[dataset].code
    codes = ground.texts(dataset, column, rows)
    texts = []
    for code, lot in zip(codes, lots[rows].tolist(), strict=True):
        others = _ALPHABET.replace(code[-1], "")
        texts.append(code[:-1] + others[int(lot * len(others))])
    ground.spoil(kind, dataset, column, rows, texts)


def through_a_spreadsheet(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """Scientific notation, or the first character lost as a leading zero is."""
    column = FIELDS[dataset].code
    codes = ground.texts(dataset, column, rows)
    texts = [
        f"{code[0]}.{code[1:6]}E+17" if lot < 0.5 else code[1:] for code, lot in zip(codes, lots[rows], strict=True)
    ]
    ground.spoil(kind, dataset, column, rows, texts)


def two_registrations(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """A VAT period declared half under each of two taxpayer numbers; a payment made under the second."""
    numbers = [text + _SECOND_REGISTRATION for text in ground.texts(dataset, "NSRSBH", rows)]
    if dataset == "TAX_PAY":
        ground.spell(kind, dataset, "NSRSBH", rows, numbers)
        return
    ids = [text[:-2] + "02" for text in ground.texts(dataset, "SBUUID", rows)]
    arrival = ground.tables[dataset]["_arrival"].to_numpy()[rows] + 60
    second = ground.append(
        dataset,
        rows,
        {
            "SBUUID": ids,
            "NSRSBH": numbers,
            "RKSJ": moments(arrival.astype("datetime64[s]")).to_pylist(),
            "_arrival": arrival.tolist(),
        },
    )
    for column in ("XSE", "MDTXSE"):
        amounts = cents(ground.texts(dataset, column, rows))
        ground.write(dataset, column, rows, yuan(amounts - amounts // 2))
        ground.write(dataset, column, second, yuan(amounts // 2))
    ground.note(kind, dataset, second, "NSRSBH", "resolved", [text[:-1] for text in numbers])


def cents(texts: list[str]) -> np.ndarray:
    """`-12.50` → -1250."""
    return np.array([int(text.replace(".", "")) for text in texts], dtype=np.int64)


def yuan(amounts: np.ndarray) -> list[str]:
    """-1250 → `-12.50`."""
    return [f"{'-' if a < 0 else ''}{abs(a) // _CENT}.{abs(a) % _CENT:02d}" for a in amounts.tolist()]
