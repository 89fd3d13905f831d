"""Whom a name may mean: at most three, the likeliest first."""

import pytest

from include.conformed.candidates import Candidates

FIRMS = {
    "常州恒创液压机械有限公司": "A",
    "江苏恒创液压机械有限公司": "B",
    "常州恒创照明有限公司": "C",
    "常州恒达液压机械有限公司": "D",
    "常州衡创阀门有限公司": "E",
    "无锡金鑫模具厂": "F",
}


@pytest.fixture(scope="module")
def candidates() -> Candidates:
    return Candidates(FIRMS.items())


@pytest.mark.parametrize(
    "written",
    [
        "常州恒创液压机械股份有限公司",  # another form
        "常州恒创液压机械",  # none
        "常州市恒创液压机械有限公司",  # more of the place
        "恒创液压机械（常州）有限公司",  # the place elsewhere
        "常州恒闯液压机械有限公司",  # a character that sounds alike
        "常州恒创液压机诫有限公司",
        "常州恒创液压械有限公司",  # one missing
        "常州创恒液压机械有限公司",  # two swapped
        "常州恒创液液压机械有限公司",  # one doubled
    ],
)
def test_a_slip_is_proposed_first(candidates: Candidates, written: str) -> None:
    assert candidates.of([written])[0][0] == "A"


def test_the_same_stem_under_another_form_comes_before_all_that_is_only_alike(candidates: Candidates) -> None:
    first = candidates.of(["常州恒创液压机械厂"])[0]
    assert first[:2] == ("A", "B")
    assert len(first) == 3


def test_what_shares_only_a_trade_is_not_proposed(candidates: Candidates) -> None:
    assert candidates.of(["深圳宝隆照明有限公司", "上海东方航空股份有限公司", ""]) == [(), (), ()]


def test_an_enterprise_is_proposed_once_however_many_names_it_had() -> None:
    held = Candidates([("常州恒创液压有限公司", "A"), ("常州恒创液压机械有限公司", "A"), ("江苏恒创液压有限公司", "B")])
    assert held.of(["恒创液压股份有限公司"]) == [("A", "B")]


def test_nobody_is_proposed_out_of_nobody() -> None:
    assert Candidates([]).of(["常州恒创液压机械有限公司"]) == [()]
