"""Enterprises are found by what a person types, the closest first."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from include.portal.city import MOST_FOUND, City, Enterprise, former_names
from include.portal.published import Reader
from tests.portal.conftest import FIRMS, Office, code
from tests.steps.test_review import B

EVERYBODY = Reader("officer")


def city(firms: list[tuple[str, str, str, int]], former: dict[str, list[str]] | None = None) -> City:
    ranks = (
        [1 + sum(other[3] > firm[3] for other in firms) for firm in firms] if len(firms) < 100 else range(len(firms))
    )
    return City(
        (
            Enterprise(code(place), name, district, stage, Decimal(total), Decimal(1), ranks[place], 1, 1)
            for place, (name, district, stage, total) in enumerate(firms)
        ),
        {},
        former or {},
    )


@pytest.fixture(scope="module")
def town() -> City:
    return city(FIRMS)


@pytest.mark.parametrize(
    ("typed", "places"),
    [
        ("常州恒创液压机械有限公司", [0]),
        ("恒创", [0, 1]),
        ("hengchuang", [0, 1]),
        ("Heng Chuang", [0, 1]),
        ("czhcyy", [0]),
        ("湛骁曜", [2]),
        ("青禾生物", [6]),
        ("青禾", [6, 5]),  # a name that begins with it before a better rank
        ("qinghe", [6, 5]),
        (code(2).lower(), [2]),
        ("ＭＡ００００００００３", []),
        ("ＭＡ０００００００３", [3]),
        ("没有这家", []),
        ("", []),
        ("  ", []),
        ("\n", []),
        ("%", []),
        ("<SCRIPT>", [3]),
    ],
)
def test_found_by_name_part_pinyin_initials_and_code(town: City, typed: str, places: list[int]) -> None:
    assert [one.uscc for one in town.find(typed, EVERYBODY)] == [code(place) for place in places]


def test_the_last_enterprise_is_found_like_the_first() -> None:
    assert [
        one.name for one in city([("甲", "320411", "成长期", 2), ("乙", "320411", "成长期", 1)]).find("乙", EVERYBODY)
    ] == ["乙"]


def test_nothing_of_another_district_is_found_or_counted(town: City) -> None:
    reader = Reader("li", frozenset({"320412"}))
    assert [one.uscc for one in town.find("常州", reader)] == [code(3)]
    assert [one.uscc for one in town.ranked(reader)] == [code(2), code(3)]
    assert [one.uscc for one in town.neighbours(code(2), reader)] == [code(2), code(3)]


def test_a_search_that_finds_everybody_stops_at_the_most() -> None:
    many = city([(f"常州{place}有限公司", "320411", "成长期", 1) for place in range(MOST_FOUND + 500)])
    assert len(many.find("有限公司", EVERYBODY)) == MOST_FOUND


RENAMED = [
    ("常州市恒创液压机械有限公司", "320411", "成长期", 2),
    ("青禾（常州）软件有限公司", "320411", "成长期", 1),
]


@pytest.mark.parametrize(
    ("typed", "places"),
    [
        ("东方红机械厂", [0]),
        ("红机械", [0]),
        ("dongfanghong", [0]),
        ("dfhjxc", [0]),
        ("常州恒创液压", [0]),  # as it is called, without the rank of its place
        ("changzhouhengchuang", [0]),
        ("常州青禾软件", [1]),  # the place in brackets stands in front in its short form
        ("青禾软件", [1]),
        ("常州", [0, 1]),
    ],
)
def test_found_by_former_name_and_short_form(typed: str, places: list[int]) -> None:
    renamed = city(RENAMED, {code(0): ["东方红机械厂"]})
    assert [one.uscc for one in renamed.find(typed, EVERYBODY)] == [code(place) for place in places]


def test_former_names_are_those_of_the_last_night_without_their_days(office: Office) -> None:
    found = former_names(office.stores.lake, office.stores.ledger, date(2026, 11, 23))
    assert found == {B: ["常州金鑫模具厂", "常州模具厂"]}
    assert former_names(office.stores.lake, office.stores.ledger, date(2026, 11, 1)) == {}
