"""A generation that has moved further than a night explains waits for a person. Expected figures are from paper."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from sqlalchemy import Engine

from include.kernel.errors import TerminalError
from include.publish import drift
from include.publish.drift import Standing, differences, stability_index
from include.publish.generations import Generation, generations, publish, rollback
from include.store.ledger import Ledger

DAY = date(2026, 11, 23)


def firms(n: int, *, coverage: str = "0.90", stage: str | None = None, plus: int = 0) -> list[Standing]:
    """Totals 0, 1, 2, …; three of four in their growth, one mature."""
    return [
        Standing(stage or ("成熟期" if i % 4 == 0 else "成长期"), Decimal(i + plus), Decimal(coverage))
        for i in range(n)
    ]


def test_the_index_is_the_sum_over_the_bins() -> None:
    # shares 0.5 0.5 → 0.8 0.2: 0.3 ln 1.6 - 0.3 ln 0.4 = 0.3 ln 4
    assert math.isclose(stability_index("ab" * 5, "a" * 8 + "bb"), 0.3 * math.log(4))
    assert stability_index("aabb", "abab") == 0


def test_a_bin_that_empties_counts_as_half_an_enterprise() -> None:
    # shares 0.9 0.1 → 1.0 0.05: 0.1 ln(1/0.9) - 0.05 ln(0.5)
    expected = 0.1 * math.log(1 / 0.9) - 0.05 * math.log(0.5)
    assert math.isclose(stability_index("a" * 9 + "b", "a" * 10), expected)


def test_the_same_city_has_not_moved() -> None:
    city = {"320411": firms(200), "320412": firms(150)}
    assert list(differences(city, city, DAY)) == []


@pytest.mark.parametrize(("held", "said"), [(160, False), (159, True), (240, False), (241, True)])
def test_a_district_may_gain_or_lose_a_fifth(held: int, said: bool) -> None:
    found = list(
        differences({"320411": firms(200), "320412": firms(900)}, {"320411": firms(held), "320412": firms(900)}, DAY)
    )
    assert [line for line in found if "enterprises" in line] == (
        [f"320411: {held} enterprises, 200 before"] if said else []
    )


def test_a_district_that_is_gone_is_noticed_and_one_that_is_new_is_no_change() -> None:
    both, one = {"320411": firms(200), "320412": firms(200)}, {"320411": firms(200)}
    assert list(differences(both, one, DAY)) == ["320412: 0 enterprises, 200 before"]
    assert list(differences(one, both, DAY)) == []


@pytest.mark.parametrize("held", [1, 99])
def test_a_district_of_which_nobody_is_left_is_noticed_however_small(held: int) -> None:
    lines = differences({"320411": firms(200), "3204JK": firms(held)}, {"320411": firms(200)}, DAY)
    assert list(lines) == [f"3204JK: 0 enterprises, {held} before"]


def test_small_districts_are_judged_together() -> None:
    """Two of 60: each is too small to say anything, the city of 120 is not."""
    before = {"320411": firms(60), "320412": firms(60)}
    thinner = {district: firms(60, coverage="0.84") for district in before}
    assert list(differences(before, thinner, DAY)) == ["city: mean coverage 0.840, 0.900 before"]
    fewer = {district: firms(47) for district in before}  # 94 of 120
    assert list(differences(before, fewer, DAY)) == ["city: 94 enterprises, 120 before"]


@pytest.mark.parametrize(("coverage", "said"), [("0.85", False), ("0.8499", True)])
def test_mean_coverage_of_a_district_may_fall_by_five_points(coverage: str, said: bool) -> None:
    before = {"320411": firms(100), "320412": firms(100)}
    after = {"320411": firms(100, coverage=coverage), "320412": firms(100)}
    assert list(differences(before, after, DAY)) == (["320411: mean coverage 0.850, 0.900 before"] if said else [])


def test_a_figure_in_the_wrong_unit_moves_the_totals_of_its_district() -> None:
    before = {"320411": firms(200), "320412": firms(2000)}
    after = {"320411": firms(200, plus=100), "320412": firms(2000)}
    (line,) = differences(before, after, DAY)
    assert line.startswith("320411: totals moved, stability index ")


def test_stages_that_change_places_are_noticed() -> None:
    lines = differences({"320411": firms(200)}, {"320411": firms(200, stage="成长期")}, DAY)
    assert [line.split(",")[0] for line in lines] == ["city: stages moved", "320411: stages moved"]


@pytest.mark.parametrize(("least", "said"), [(99, False), (100, True)])
def test_a_district_of_few_enterprises_is_not_judged_by_itself(least: int, said: bool) -> None:
    before, after = {"320411": firms(least)}, {"320411": firms(least, coverage="0.50")}
    assert bool(list(differences(before, after, DAY))) == said


def test_every_limit_is_dated_cited_and_says_that_it_is_ours() -> None:
    limits = yaml.safe_load(Path(drift.__file__).with_name("drift.yaml").read_text(encoding="utf-8"))
    for entries in limits.values():
        assert entries == sorted(entries, key=lambda entry: entry["from"])
        assert all(set(entry) == {"from", "value", "reference"} for entry in entries)
        assert all(entry["reference"].startswith("ours") for entry in entries)


def test_before_its_first_date_a_limit_is_an_error() -> None:
    city = {"320411": firms(100)}
    with pytest.raises(TerminalError, match="enterprises_at_least is undefined as of 2021-04-29"):
        list(differences(city, city, date(2021, 4, 29)))


def test_a_drifted_generation_is_blocked_until_a_person_answers_for_it(
    warehouse: Engine, tables_of: Callable[..., dict[str, pa.Table]]
) -> None:
    ledger = Ledger(warehouse)
    snapshot_set = ledger.snapshot_set([["TAX_CIT", "320411", "2026-11-23", "a1"]])

    def put(enterprises: int, as_of: date, content: str, by: str = "", reason: str = "") -> Generation:
        with ledger.acquire("publish", "test", 60) as lease:
            return publish(
                warehouse,
                lease=lease,
                as_of=as_of,
                scheme_id="changzhou_v1",
                scheme_version="1",
                snapshot_set=snapshot_set,
                content_sha=content,
                points={},
                tables=tables_of(enterprises, indicators=5),
                reason=reason,
                drift_accepted_by=by,
            )

    usual = put(240, DAY, "usual")
    halved = (120, date(2026, 11, 24), "half a city")
    with pytest.raises(TerminalError, match=r"320411: 60 enterprises, 120 before.*--accept-drift PERSON --reason TEXT"):
        put(*halved)
    assert [(row.status, row.id) for row in generations(warehouse)][1] == ("current", usual.id)
    assert "drift from generation 1 of 2026-11-23" in (generations(warehouse)[0].reason or "")
    taken = put(*halved, by="王处长", reason="区划调整")
    assert taken.status == "current"
    assert (taken.reason or "").startswith(
        "区划调整; 王处长 accepted the drift from generation 1 of 2026-11-23: city: 120 enterprises, 240 before"
    )
    rollback(warehouse, usual.id, by="王")
    older = put(120, date(2026, 11, 22), "a back-fill replaces nothing and is not compared")
    assert older.status == "superseded"
