"""The lists of changzhou_v1: who is kept from them, and on which side of a band's line an enterprise stands."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from include.measures.registry import measures
from include.schemes.compile import CompiledLists, compile_scheme
from include.schemes.model import require_scheme

Given = dict[str, Decimal | int | None]
BEFORE, SINCE = date(2026, 10, 31), date(2026, 11, 1)


def _lists(as_of: date) -> CompiledLists:
    rules = compile_scheme(require_scheme("changzhou_v1"), as_of, measures()).lists
    assert rules is not None
    return rules


def _vetoed(as_of: date, given: Given) -> list[str]:
    return [veto.name for veto in _lists(as_of).veto if veto.formula.evaluate(given)]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"veto_major_accident": 0, "veto_dishonest": 0}, []),
        ({"veto_major_accident": 1, "veto_dishonest": 0}, ["近三年有重大安全事故或严重环境违法"]),
        ({"veto_major_accident": 0, "veto_dishonest": 1}, ["在严重违法失信或科研失信名单"]),
        ({"veto_major_accident": None, "veto_dishonest": None}, ["公共信用信息未到"]),
    ],
)
def test_a_veto_stands_from_its_date_on_and_no_record_is_no_clean_record(given: Given, names: list[str]) -> None:
    assert _vetoed(SINCE, given) == names
    assert _vetoed(BEFORE, given) == []


# 国科发火〔2016〕32号 art. 12: up to and including 50 million 5 %, up to and including 200 million 4 %, above 3 %.
BANDS = [
    ("50000000.00", "0.050000", True),
    ("50000000.00", "0.049999", False),
    ("50000000.01", "0.040000", True),
    ("50000000.01", "0.039999", False),
    ("200000000.00", "0.040000", True),
    ("200000000.00", "0.039999", False),
    ("200000000.01", "0.030000", True),
    ("200000000.01", "0.029999", False),
]


@pytest.mark.parametrize(("revenue", "share", "met"), BANDS)
def test_exactly_on_a_bands_line_the_lower_band_holds_in_programme_and_ladder(
    revenue: str, share: str, met: bool
) -> None:
    rules = _lists(SINCE)
    for conditions in (rules.programmes["高新技术企业培育"][1], rules.ladder["高新技术企业"][1]):
        (condition,) = [one for one in conditions if one.name == "研发费用占比达到高企门槛"]
        given = {"operating_revenue_yuan": Decimal(revenue), "inp_03": Decimal(share)}
        assert condition.formula.evaluate(given) is met


@pytest.mark.parametrize(
    ("revenue", "research", "met"),
    [  # 5 % of 50 million is 2.5 million, 4 % of 200 million 8 million, 3 % of 300 million 9 million
        ("50000000.00", "2500000.00", True),
        ("50000000.00", "2499999.99", False),
        ("200000000.00", "8000000.00", True),
        ("200000000.00", "7999999.99", False),
        ("300000000.00", "9000000.00", True),
        ("300000000.00", "8999999.99", False),
    ],
)
def test_one_cent_below_the_share_is_below_although_six_places_do_not_show_it(
    revenue: str, research: str, met: bool
) -> None:
    compiled = compile_scheme(require_scheme("changzhou_v1"), SINCE, measures())
    given = {"operating_revenue_yuan": Decimal(revenue), "rd_expense_deduction_yuan": Decimal(research)}
    held: Given = {**dict.fromkeys(compiled.read), **given}
    share = compiled.indicators["INP-03"].value(held)
    assert isinstance(share, Decimal)
    (condition,) = [c for c in _lists(SINCE).ladder["高新技术企业"][1] if c.name == "研发费用占比达到高企门槛"]
    assert condition.formula.evaluate({**held, "inp_03": share}) is met


def test_before_the_correction_fifty_million_stood_in_the_upper_band() -> None:
    (condition,) = [c for c in _lists(BEFORE).ladder["高新技术企业"][1] if c.name == "研发费用占比达到高企门槛"]
    given = {"operating_revenue_yuan": Decimal(50000000), "inp_03": Decimal("0.04")}
    assert condition.formula.evaluate(given) is True
