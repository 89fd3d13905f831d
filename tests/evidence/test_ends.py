"""What a line can still become: its weight in the stage from the catalogue, its ends on paper."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from include.evidence.derive import derive, ends
from include.measures.registry import measures
from include.schemes.compile import compile_scheme
from include.schemes.model import require_scheme

RULES = compile_scheme(require_scheme("changzhou_v1"), date(2026, 11, 20), measures())


@pytest.mark.parametrize(
    ("indicator", "given", "is_held_back", "low", "high"),
    [
        # BAS-04 weighs 11.111 in 初创期, a value at its cap has all of it
        ("BAS-04", {"operating_revenue_yuan": 1_000_000_000}, False, "11.111", "11.111"),
        ("BAS-04", {"operating_revenue_yuan": 1_000_000_000}, True, "0.000", "11.111"),  # a correction waits
        ("BAS-04", {"operating_revenue_vat_yuan": 1_000_000_000}, False, "0.000", "11.111"),  # the return will come
        ("BAS-04", {}, False, "0.000", "11.111"),
        # a penalty of 5.714 at most: what nobody has delivered may deduct it in full, and gives nothing
        ("MGT-21", {}, False, "-5.714", "0.000"),
        ("MGT-21", {"general_penalties_3y": 0, "serious_penalties_3y": 0}, False, "0.000", "0.000"),
        # INP-15 does not concern who has neither certificate nor A107041
        ("INP-15", {"high_tech_in_closed_year": 0}, False, "0.000", "0.000"),
    ],
)
def test_a_line_can_become(indicator: str, given: dict[str, int], is_held_back: bool, low: str, high: str) -> None:
    measured: dict[str, Any] = {**dict.fromkeys(RULES.measures), **{name: Decimal(n) for name, n in given.items()}}
    line = derive(RULES, indicator, measured, "初创期")
    assert ends(RULES.indicators[indicator], line, is_held_back) == (Decimal(low), Decimal(high))
