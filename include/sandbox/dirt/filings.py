"""Filings made again: restated, void, late; and records that come twice."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import ARRIVES_LATE, RESOLVED, SUPERSEDED, VOID, Ground, width
from include.sandbox.dirt.identifiers import cents, yuan
from include.sandbox.numbers import dates, moments
from include.sandbox.tax import FORM_ROWS

# Dataset → the amounts that a restatement raises; the last is what a void filing triples.
AMOUNTS = {
    "TAX_CIT": ("JE",),
    "TAX_RDD": ("ZZYFXJ", "RYRGFY", "NDYFFYXJ", "FYHJE", "JJKCZE"),
    "TAX_HNTE": ("BNGJYFJE",),
    "TAX_VAT": ("XSE",),
    "TAX_FIN": ("YYSR",),
}
PAGE = 10  # records that come again in one piece
_DAY = 86400


def restatable(ground: Ground, dataset: str) -> np.ndarray:
    """Filings with something to forget; of an R&D form personnel, in cost expensed in a year at 100 %."""
    table = ground.tables[dataset]
    some = np.abs(cents(table[_forgotten(dataset)].to_pylist())) >= 10
    if dataset == "TAX_RDD":
        some &= pc.and_(pc.equal(table["ZBHJE"], "0.00"), pc.greater_equal(table["SSND"], "2022")).to_numpy()
    return some


def _forgotten(dataset: str) -> str:
    return "RYRGFY" if dataset == "TAX_RDD" else AMOUNTS[dataset][0]


def restate(ground: Ground, kind: str, dataset: str, heads: np.ndarray, lots: np.ndarray) -> None:
    """A first filing with too small a figure, and the true one as a correction two to seven months later."""
    columns = AMOUNTS[dataset]
    true = ground.texts(dataset, columns[0], heads)
    copies = _refile(ground, dataset, heads, "01", "N", "1", 60 + np.floor(lots[heads] * 140))
    base = cents(ground.texts(dataset, _forgotten(dataset), heads))
    forgotten = np.abs(base) // 10
    for column in columns:
        ground.write(dataset, column, heads, yuan(cents(ground.texts(dataset, column, heads)) - forgotten))
    if dataset == "TAX_RDD":
        wages = np.minimum(cents(ground.texts(dataset, "GZXJ", heads)), base - forgotten)
        ground.write(dataset, "GZXJ", heads, yuan(wages))
    ground.note(kind, dataset, heads, columns[0], SUPERSEDED, true)
    wrong = ground.texts(dataset, columns[0], heads)
    ground.note(kind, dataset, copies, columns[0], RESOLVED, wrong)


def void(ground: Ground, kind: str, dataset: str, heads: np.ndarray, lots: np.ndarray) -> None:
    """A filing with three times the amount, marked void, entered the day before the one that stands."""
    column = AMOUNTS[dataset][-1]
    copies = _refile(ground, dataset, heads, "99", "Y", "0", np.full(len(heads), -1.0))
    ground.write(dataset, column, copies, yuan(np.abs(cents(ground.texts(dataset, column, copies)) * 3)))
    rows = ground.unit(dataset, copies)
    ground.write(dataset, "_fate", rows, [VOID] * len(rows))
    ground.note(kind, dataset, copies, FIELDS[dataset].filing[1], VOID, ["N"] * len(copies))


def late(ground: Ground, kind: str, dataset: str, heads: np.ndarray, lots: np.ndarray) -> None:
    """Returns that come up to 20 weeks after 31 May, at 10:15. (The annexes of that year come in time.)"""
    rows = ground.unit(dataset, heads)
    years = [int(text[:4]) for text in ground.texts(dataset, "SKSSQQ", heads)]
    first = np.array([f"{year + 1}-06-02" for year in years], dtype="datetime64[D]")
    days: np.ndarray = np.repeat(first + np.floor(lots[heads] * 140).astype("timedelta64[D]"), width(dataset))
    arrival = days.astype("datetime64[s]") + np.timedelta64(10 * 3600 + 900, "s")
    ground.note(kind, dataset, heads, "RKSJ", ARRIVES_LATE)
    ground.write(dataset, "SBRQ", rows, dates(days).to_pylist())
    ground.write(dataset, "RKSJ", rows, moments(arrival).to_pylist())
    ground.write(dataset, "_arrival", rows, arrival.astype(np.int64).tolist())


def _refile(
    ground: Ground, dataset: str, heads: np.ndarray, suffix: str, void: str, correction: str, days: np.ndarray
) -> np.ndarray:
    """Copies of filings under another id, so many days from the original; the heads of the copies."""
    number, void_flag = FIELDS[dataset].filing
    rows = ground.unit(dataset, heads)
    shift: np.ndarray = np.repeat(days.astype(np.int64), width(dataset)) * _DAY
    arrival = ground.tables[dataset]["_arrival"].to_numpy()[rows] + shift
    changes = {
        number: [text[:-2] + suffix for text in ground.texts(dataset, number, rows)],
        void_flag: [void] * len(rows),
        "GZCS": [correction] * len(rows),
        "RKSJ": moments(arrival.astype("datetime64[s]")).to_pylist(),
        "_arrival": arrival.tolist(),
    }
    if "SBRQ" in ground.tables[dataset].column_names:
        changes["SBRQ"] = dates(arrival.astype("datetime64[s]")).to_pylist()
    return ground.append(dataset, rows, changes)[:: len(FORM_ROWS) if width(dataset) > 1 else 1]


def twice(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """The same record twice, to the letter."""
    ground.repeat(kind, dataset, rows)


def page_again(ground: Ground, kind: str, dataset: str, rows: np.ndarray, lots: np.ndarray) -> None:
    """A run of records of one district, as they follow one another by arrival, comes again as a whole."""
    table = ground.tables[dataset]
    arrival, keys = table["_arrival"].to_numpy(), np.array(ground.keys(dataset).to_pylist(), dtype=object)
    areas = np.array(table["_area"].to_pylist(), dtype=object)
    chosen: set[int] = set()
    for row in rows.tolist():
        beside = np.flatnonzero((areas == areas[row]) & ~ground.taken[dataset] & (arrival >= arrival[row]))
        run = beside[np.lexsort((keys[beside].astype(str), arrival[beside]))][: PAGE - 1]
        chosen |= {row, *run.tolist()}
    again = np.array(sorted(chosen), dtype=np.int64)
    ground.taken[dataset][again] = True
    ground.repeat(kind, dataset, again)
