"""What is read belongs to one generation, on both stores; figures as added on paper."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Engine

from include.kernel.errors import BadInput
from include.kernel.settings import settings
from include.portal.published import Reader, read
from tests.portal.conftest import GROWTH, START_UP, code, put, town


@pytest.fixture
def filled(warehouse: Engine) -> Engine:
    put(warehouse, town())
    return warehouse


def test_the_median_of_five_is_the_third_and_of_two_their_mean(filled: Engine) -> None:
    with read(filled) as reading:
        assert reading is not None
        medians = reading.stage_medians()
    # foundation is two fifths of 50, 40, 30, 20, 10 and of 45, 5
    assert medians[GROWTH, "foundation"] == Decimal(12)
    assert medians[GROWTH, "input"] == Decimal(18)
    assert medians[START_UP, "foundation"] == Decimal(10)


def test_stages_add_up_over_the_districts_of_the_reader(filled: Engine) -> None:
    with read(filled) as reading:
        assert reading is not None
        whole_city = reading.stages(Reader("officer"))
        one_district = reading.stages(Reader("officer", frozenset({"320411"})))
    assert [(stage, count, round(share, 1)) for stage, count, share in whole_city] == [
        (START_UP, 2, Decimal("28.6")),
        (GROWTH, 5, Decimal("71.4")),
    ]
    assert one_district == [(GROWTH, 3, Decimal(100))]


def test_a_generation_that_is_not_current_is_not_read(filled: Engine) -> None:
    newer = put(filled, town([("常州新有限公司", "320411", GROWTH, 60)]))
    with read(filled) as reading:
        assert reading is not None
        assert reading.generation.id == newer
        assert reading.portrait(code(1)) is None
        found = reading.portrait(code(0))
    assert found is not None
    assert (found.profile.name, found.points.total, len(found.lines)) == ("常州新有限公司", Decimal(60), 3)


def test_a_warehouse_without_tables_has_nothing_to_read(empty: Engine) -> None:
    with read(empty) as reading:
        assert reading is None


@pytest.mark.parametrize(
    ("setting", "name", "sees"),
    [
        ("", "li", ["320411", "320412"]),
        ('{"li": ["320411"], "wang": ["*"]}', "li", ["320411"]),
        ('{"li": ["320411"], "wang": ["*"]}', "wang", ["320411", "320412"]),
        ('{"li": ["320411"]}', "zhao", []),
    ],
)
def test_whoever_is_not_named_sees_no_enterprise_once_readers_are_named(
    monkeypatch: pytest.MonkeyPatch, setting: str, name: str, sees: list[str]
) -> None:
    monkeypatch.setenv("INNOPOINTS_READERS", setting)
    assert [one for one in ("320411", "320412") if Reader.named(name).may_see(one)] == sees


@pytest.mark.parametrize("codes", ['["320114"]', '["320411", "city"]', '[""]'])
def test_a_district_that_there_is_not_stops_everything_in_one_line(monkeypatch: pytest.MonkeyPatch, codes: str) -> None:
    """Else who mistypes a code sees nobody, and is not told; and `city` is no district but a scope of datasets."""
    monkeypatch.setenv("INNOPOINTS_READERS", f'{{"wang": ["320411"], "li": {codes}}}')
    with pytest.raises(BadInput, match=r"INNOPOINTS_READERS is not usable: .*unknown district '.*320402, .* or \* for"):
        settings()


def test_readers_that_are_no_json_stop_everything_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNOPOINTS_READERS", "li=320411")
    with pytest.raises(Exception, match="INNOPOINTS_READERS is not JSON"):
        settings()
