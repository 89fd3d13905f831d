"""The human-resources bureau: insured headcount per unit and month, staff structure per unit and quarter; no person."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sandbox.firms import MONTHS, MONTHS_FROM, Figures, Firms
from include.sandbox.numbers import dates, integers, joined, moments, office_time, stream
from include.sandbox.records import name_on, table
from include.sandbox.tax import technical_staff

_SECOND_UNIT = 0.2  # share of the people insured through an enterprise's second unit


def second_unit(persons: np.ndarray) -> np.ndarray:
    """How many of an enterprise's people its second insurance unit insures."""
    return np.floor(persons * _SECOND_UNIT).astype(np.int64)


def _unit_columns(firms: Firms, firm: np.ndarray, unit: np.ndarray, day: np.ndarray, arrival: np.ndarray) -> dict:
    return {
        "AAB001": joined("32", integers(firm * 10 + unit, 8)),
        "TYSHXYDM": pa.array(firms.uscc).take(pa.array(firm)),
        "AAB004": name_on(firms, firm, day),
        "AAB301": pa.array(firms.district[firm]),
        "AAE036": moments(arrival),
    }


def _split(firms: Firms, firm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `firm` for unit 1 of all, then for unit 2 of those who have one: (positions, unit number)."""
    two = np.flatnonzero(firms.units[firm] == 2)
    return np.concatenate([np.arange(len(firm)), two]), np.repeat([1, 2], [len(firm), len(two)])


def _of_unit(firms: Firms, firm: np.ndarray, unit: np.ndarray, persons: np.ndarray) -> np.ndarray:
    second = second_unit(persons)
    return np.where(unit == 2, second, np.where(firms.units[firm] == 2, persons - second, persons))


def retained(insured: np.ndarray) -> np.ndarray:
    """[n, MONTHS] how many of January's people are still insured: a steady attrition, never more than are insured."""
    n = len(insured)
    months = insured.reshape(n, -1, 12)
    january = months[:, :, :1]
    staying = np.floor(january * (1 - 0.012 * np.arange(12))).astype(np.int64)
    return np.minimum.accumulate(np.minimum(staying, months), axis=2).reshape(n, -1)


def insured(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """HR_INS: reported about the 20th to 25th of the month."""
    random = stream(seed, "insured")
    alive = firms.exists(MONTHS.astype("datetime64[D]") + np.timedelta64(19, "D"))
    firm, m = np.nonzero(alive & (figures.insured > 0))
    stay = retained(figures.insured)[firm, m]
    appetite = 0.06 * random.random((firms.count, 1)) + 0.02 * (firms.size[:, None] > 0)
    hired = np.floor(figures.insured * appetite + 0.6 * random.random((firms.count, 1))).astype(np.int64)
    by_month = np.clip((np.arange(12) - 7) / 3, 0, 1)
    graduates = np.floor(hired.reshape(firms.count, -1, 12).min(axis=2)[:, :, None] * by_month).astype(np.int64)
    graduates = np.minimum(graduates.reshape(firms.count, -1), figures.insured)[firm, m]
    persons = figures.insured[firm, m]

    at, unit = _split(firms, firm)
    firm, m, persons, stay, graduates = firm[at], m[at], persons[at], stay[at], graduates[at]
    day = MONTHS[m].astype("datetime64[D]") + random.integers(19, 25, len(firm)).astype("timedelta64[D]")
    arrival = office_time(random, day)
    columns = {
        **_unit_columns(firms, firm, unit, day, arrival),
        "AAE002": pc.utf8_slice_codeunits(pc.replace_substring(dates(MONTHS[m]), "-", ""), 0, 6),
        "AAE140": pa.array(["110"] * len(firm)),
        "CBRS": integers(_of_unit(firms, firm, unit, persons)),
        "NCZCRS": integers(_of_unit(firms, firm, unit, stay)),
        "YJBYSRS": integers(np.where(unit == 1, np.minimum(graduates, persons - second_unit(persons)), 0)),
    }
    return table(firms, firm, arrival, columns, dates(MONTHS[m]))


def staff_structure(seed: int, firms: Firms, figures: Figures) -> pa.Table:
    """HR_STAFF: masters + doctors <= bachelors and above <= staff; R&D posts and their degrees likewise."""
    random = stream(seed, "staff structure")
    n = firms.count
    ends = (MONTHS[2::3] + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    all_staff = figures.insured[:, 2::3]
    firm, q = np.nonzero((all_staff > 0) & firms.exists(ends))
    staff = all_staff[firm, q]

    def part(of: np.ndarray, middle: np.ndarray | float, spread: float) -> np.ndarray:
        lasting = np.clip(middle + spread * random.normal(size=n), 0, 1)
        return np.minimum(of, np.floor(of * lasting[firm] + 0.5).astype(np.int64))

    brains = np.minimum(0.16 + 3.2 * firms.profile("rd"), 0.75)
    bachelors = part(staff, brains, 0.1)
    masters = part(bachelors, 0.06 + 1.2 * firms.profile("rd"), 0.06)
    doctors = np.minimum(part(bachelors, 0.004 + 0.12 * firms.profile("rd"), 0.012), bachelors - masters)
    _, technicians = technical_staff(seed, firms, figures)
    ratio = technicians / np.maximum(figures.average_insured, 1)
    years: np.ndarray = q // 4 + MONTHS_FROM
    posts = np.minimum(staff, np.floor(staff * ratio[firm, years] * 0.9).astype(np.int64))
    posts = np.where(firms.research[firm], posts, 0)
    rd_masters = np.minimum(part(masters, 0.6, 0.15), posts)
    rd_doctors = np.minimum(part(doctors, 0.75, 0.15), posts - rd_masters)
    counts = {
        "ZCRS": staff,
        "BKJYS": bachelors,
        "SSRS": masters,
        "BSRS": doctors,
        "ZGJZC": part(staff, 0.09, 0.05),
        "GJGJYS": part(staff, 0.14, 0.08),
        "YFGWRS": posts,
        "YFSSRS": rd_masters,
        "YFBSRS": rd_doctors,
    }
    at, unit = _split(firms, firm)
    room = np.maximum(staff - np.maximum(bachelors, posts), 0)
    elsewhere = np.minimum(second_unit(staff), room)
    firm, q = firm[at], q[at]
    two = firms.units[firm] == 2
    split = {}
    for name, values in counts.items():
        there = np.where(two, elsewhere[at] if name == "ZCRS" else 0, 0)
        split[name] = integers(np.where(unit == 2, there, values[at] - there))
    day = ends[q] + random.integers(10, 26, len(firm)).astype("timedelta64[D]")
    arrival = office_time(random, day)
    columns = {**_unit_columns(firms, firm, unit, day, arrival), "TJRQ": dates(ends[q]), **split}
    return table(firms, firm, arrival, columns, columns["TJRQ"])
