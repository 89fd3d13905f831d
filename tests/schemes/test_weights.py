"""Weights: shared out exactly, written in full, and the installed scheme's table is what its rule gives."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from include.schemes.allocate import allocate, weight_faults, weights_text
from include.schemes.model import require_scheme


@given(
    st.integers(0, 10**6),
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 5), min_size=1, max_size=40),
)
def test_shares_add_up_exactly_and_stay_within_one_of_their_due(maximum: int, shares: dict[str, int]) -> None:
    given_out = allocate(maximum, shares)
    assert sum(given_out.values()) == maximum
    for name, share in shares.items():
        assert abs(given_out[name] * sum(shares.values()) - maximum * share) < sum(shares.values())


def test_the_largest_remainder_is_served_first_and_ties_go_in_catalogue_order() -> None:
    assert allocate(10, {"a": 1, "b": 1, "c": 2}) == {"a": 3, "b": 2, "c": 5}


def test_the_installed_weights_are_what_the_rule_gives() -> None:
    scheme = require_scheme("changzhou_v1")
    assert list(weight_faults(scheme)) == []
    text = (scheme.directory / "weights.yaml").read_text(encoding="utf-8")
    assert text.endswith(weights_text(scheme.identity, scheme.indicators.values(), date(2021, 4, 30)))


def test_every_stage_of_changzhou_adds_up_to_a_thousand_beside_two_penalties() -> None:
    scheme = require_scheme("changzhou_v1")
    penalties = [i.id for i in scheme.indicators.values() if i.is_penalty]
    assert penalties == ["MGT-21", "MGT-22"]
    for stage in scheme.weights.weights[0].stages.values():
        written = {name: weight for category in stage.values() for name, weight in category.items()}
        assert len(written) == 121
        assert sum(weight for name, weight in written.items() if name not in penalties) == Decimal(1000)
    # 初创期 management: 120 points over 19 x 1 + 1 x 2 = 21 units, so one unit is 5.714285…
    assert {scheme.weights.weights[0].stages["初创期"]["management"][name] for name in penalties} == {Decimal("5.714")}
