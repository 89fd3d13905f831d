"""The catalogue of faults: what the departments' data suffer from, where each can fall, and what must be concluded.

`number` is the place in the project's catalogue of 24 kinds; several of ours may share one, and 0 is beside it. The
order is the order of planting: a record that two kinds would take goes to the earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from include.sandbox.dirt import amounts, answers, days, events, filings, identifiers, names, spoilt
from include.sandbox.dirt.fields import FIELDS
from include.sandbox.dirt.ground import (
    ARRIVES_LATE,
    BLOCKED,
    CANCELLED,
    DUPLICATE,
    LEAVES,
    QUARANTINED,
    RESOLVED,
    REVIEW,
    SHARED,
    SUPERSEDED,
    VOID,
    Ground,
)
from include.sandbox.records import RESOURCES

Where = Callable[[Ground, str], np.ndarray]
Plant = Callable[[Ground, str, str, np.ndarray, np.ndarray], None]

ROW, VERSIONS, SNAPSHOT, NAMES = "the row alone", "the filings together", "an earlier snapshot", "the name register"


@dataclass(frozen=True)
class Kind:
    """One kind of fault. `rate`: of the records that can carry it, as in life (of a file for sum rows, of a night for
    answers). `where` says which records can carry it, None = all; `plant` is None for whole answers.
    """

    name: str
    number: int
    what: str
    conclusion: str
    decided_by: str
    rate: float
    datasets: tuple[str, ...]
    plant: Plant | None = None
    where: Where | None = None
    spoils: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spoils", self.conclusion == QUARANTINED)


_CODED = tuple(name for name, fields in FIELDS.items() if fields.code)
_ELSEWHERE = tuple(name for name in _CODED if name != "REG_ENT")  # a registry without codes registers nobody
_DATED = tuple(name for name, fields in FIELDS.items() if fields.day)
_FILED = tuple(filings.AMOUNTS)
_NAMED = tuple(name for name in FIELDS if name != "REG_ENT")
_BY_NAME = (
    "IP_PAT", "ST_QUAL", "FIN_LOAN", "ST_CONTRACT", "ST_PROJ", "ST_AWARD", "ST_COOP", "IP_OTHER", "STD_CERT", "ST_PLAT",
    "ST_INCUB", "MIIT_QUAL", "HR_TALENT",
)  # fmt: skip
_NUMBERED = ("ST_QUAL", "ST_PLAT", "ST_INCUB", "MIIT_QUAL", "HR_TALENT", "ST_PROJ", "ST_AWARD", "ST_COOP")
# One state per enterprise, one number per line of a list: no twin is possible.
_TWICE = tuple(name for name in FIELDS if name != "REG_ENT" and name not in _NUMBERED)
_SERVED = tuple(name for name in RESOURCES if name != "REG_ENT")

_ALL = (
    Kind(
        "left_zone", 18, "the enterprise moves out of the zone during the year", LEAVES, ROW, 0, ("REG_ENT",),
        events.gone, events.in_business,
    ),
    Kind(
        "deregistered", 19, "the enterprise is deregistered; its other records stay", LEAVES, ROW, 0, ("REG_ENT",),
        events.gone, events.in_business,
    ),
    Kind(
        "revoked_certificate", 17, "a certificate is cancelled by a later list, the old list still holds it", CANCELLED,
        VERSIONS, 0, ("ST_QUAL",), events.revoked, events.certified,
    ),
    Kind(
        "late_filing", 12, "the yearly return comes after 31 May", ARRIVES_LATE, VERSIONS, 0.008, ("TAX_CIT",),
        filings.late,
    ),
    Kind(
        "unreadable_cell", 0, "no number, no day, no known code, or nothing where something must stand", QUARANTINED,
        ROW, 0.003, tuple(spoilt.UNREADABLE), spoilt.unreadable,
    ),
    Kind(
        "absurd_value", 20, "an amount below zero, or a part above its whole", QUARANTINED, ROW, 0.0015,
        tuple(name for name in FIELDS if name in amounts.PARTS or name in spoilt.NEGATIVE), amounts.absurd,
    ),
    Kind(
        "future_date", 21, "a day after the record's own arrival", QUARANTINED, ROW, 0.0005, _DATED, days.ahead,
        days.dated,
    ),
    Kind(
        "mojibake", 22, "a name decoded in the wrong character set", QUARANTINED, ROW, 0.0005, _NAMED, names.mojibake,
    ),
    Kind(
        "check_digit", 5, "a credit code with a wrong check character", QUARANTINED, ROW, 0.0005, _ELSEWHERE,
        identifiers.wrong_check_digit, identifiers.coded,
    ),
    Kind(
        "excel_code", 23, "a code in scientific notation, or without its first character", QUARANTINED, ROW, 0.0005,
        _ELSEWHERE, identifiers.through_a_spreadsheet, identifiers.coded,
    ),
    Kind(
        "unit_of_total", 9, "the total of a record in 万元 where yuan are meant", QUARANTINED, ROW, 0.001,
        tuple(amounts.TOTALS), amounts.total_in_ten_thousands, amounts.filled_total,
    ),
    Kind(
        "restated_year", 10, "a first filing with too small a figure, corrected months later", SUPERSEDED, VERSIONS,
        0.008, _FILED, filings.restate, filings.restatable,
    ),
    Kind(
        "void_filing", 11, "a filing marked void beside the one that stands", VOID, VERSIONS, 0.006, _FILED,
        filings.void,
    ),
    Kind(
        "two_registrations", 6, "VAT or payments under a second taxpayer number", RESOLVED, ROW, 0.002,
        ("TAX_VAT", "TAX_PAY"), identifiers.two_registrations,
    ),
    Kind(
        "unit_declared", 9, "an amount in yuan where others are in 万元, and the record says so", RESOLVED, ROW, 0.02,
        ("FIN_EQ",), amounts.declared_in_yuan, amounts.in_ten_thousands,
    ),
    Kind(
        "code_spelling", 3, "blanks, invisible characters, full-width digits, small letters in a code", RESOLVED, ROW,
        0.005, _CODED, identifiers.spelling, identifiers.coded,
    ),
    Kind(
        "code_substitute", 4, "no code, the old 15-digit number, or the 9-character organisation code", RESOLVED, ROW,
        0.008, _ELSEWHERE, identifiers.substitute, identifiers.coded,
    ),
    Kind(
        "date_format", 16, "the day in another form than the department's usual one", RESOLVED, ROW, 0.002, _DATED,
        days.spelling, days.dated,
    ),
    Kind(
        "parent_for_subsidiary", 7, "another enterprise's name beside the right code", REVIEW, NAMES, 0, _ELSEWHERE,
        names.parent, identifiers.coded,
    ),
    Kind(
        "brackets", 2, "half-width brackets in the name", RESOLVED, NAMES, 0.02, (*_BY_NAME, "HR_INS", "HR_STAFF"),
        names.brackets, names.bracketed,
    ),
    Kind(
        "former_name", 1, "the former name in the year after renaming", RESOLVED, NAMES, 0.3, _BY_NAME, names.former,
        names.renamed,
    ),
    Kind(
        "co_owners", 8, "owners parted otherwise, or one of them named twice", SHARED, NAMES, 0.02, ("IP_PAT",),
        names.separators, names.shared,
    ),
    Kind(
        "sum_row", 24, "合计 as the last line of a list", QUARANTINED, ROW, 0.125,
        tuple(name for name, fields in FIELDS.items() if fields.csv), spoilt.sum_rows, spoilt.last_lines,
    ),
    Kind("duplicate", 0, "a record twice, to the letter", DUPLICATE, ROW, 0.004, _TWICE, filings.twice),
    Kind(
        "duplicated_page", 13, "a run of records again as a whole", DUPLICATE, ROW, 0.0001, _TWICE, filings.page_again
    ),
    Kind(answers.EMPTY, 14, "success, and no rows", BLOCKED, ROW, 0, _SERVED),
    Kind(answers.RENAMED, 15, "a column under another name", BLOCKED, ROW, 0, _SERVED),
    Kind(
        answers.OTHER_UNIT, 9, "every amount in 万元 where yuan are meant", BLOCKED, SNAPSHOT, 0,
        tuple(answers.AMOUNTS),
    ),
)  # fmt: skip
KINDS = {kind.name: kind for kind in _ALL}
