"""Laws that points obey whatever the facts: generated ones in a small scheme, a random city in the real one.

There are seventeen (docs/how-to/the-laws.md names them); those that speak of a change of order, unit, process, version,
stage or record stand in test_laws_of_change.py.
"""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.measures.registry import measures as catalogue
from include.points.score import Scored
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.model import require_scheme
from tests.properties.city import (
    CITY,
    POSITIVE,
    SMALL,
    STAGES,
    Facts,
    as_bytes,
    laws,
    ranking,
    ranks,
    run,
    table,
    totals,
)


@laws
@given(
    CITY,
    st.sampled_from(["rd", "patents", "certificate"]),
    st.integers(1, 10**6),
    STAGES,
)
def test_law_01_raising_a_fact_that_is_better_higher_never_lowers_line_category_total_or_rank(
    city: list[Facts], fact: str, more: int, stage: str
) -> None:
    raised = [{**f, fact: 1 if fact == "certificate" else (f[fact] or 0) + more} for f in city]
    before, after = run(table(city), stage=stage), run(table(raised), stage=stage)
    for column in ("total", *SMALL.scheme.category_ids):
        pairs = zip(before.points[column].to_pylist(), after.points[column].to_pylist(), strict=True)
        assert all(low <= high for low, high in pairs), column
    lines = zip(before.ledger["points"].to_pylist(), after.ledger["points"].to_pylist(), strict=True)
    assert all(low <= high for low, high in lines)
    alone = run(table([raised[0], *city[1:]]), stage=stage)  # the first improves, the others stay
    assert ranks(alone)[0] <= ranks(before)[0]


@laws
@given(CITY, st.integers(1, 30), STAGES)
def test_law_01_a_worse_record_never_raises_the_total(city: list[Facts], more: int, stage: str) -> None:
    worse = [{**f, "listings": (f["listings"] or 0) + more} for f in city]
    pairs = zip(totals(run(table(city), stage=stage)), totals(run(table(worse), stage=stage)), strict=True)
    assert all(after <= before for before, after in pairs)


@laws
@given(CITY)
def test_law_02_every_line_and_total_stays_within_its_bounds(city: list[Facts]) -> None:
    scored = run(table(city))
    for line in scored.ledger.to_pylist():
        low, high = (-line["weight"], 0) if line["indicator"] == "ABI-04" else (0, line["weight"])
        assert low <= line["points"] <= high
    for row in scored.points.to_pylist():
        assert -10 <= row["total"] <= 100
        assert row["total_low"] <= row["total"] <= row["total_high"] <= 100
        assert 0 <= row["coverage"] <= 1


def test_law_02_the_best_reaches_the_maximum_and_the_worst_the_minimum() -> None:
    best = {
        "revenue": 10**6,
        "revenue_prior1": 10**5,
        "rd": 10**6,
        "patents": 10**4,
        "debt": 4 * 10**5,
        "certificate": 1,
    }
    worst = {"revenue": 10**6, "revenue_prior1": 10**7, "rd": 0, "patents": 0, "debt": 0, "listings": 20}
    found = run(table([best, worst, {}]))
    assert [(row["stage"], row["total"]) for row in found.points.to_pylist()] == [
        ("grown", 100),
        ("grown", -5),
        ("young", 0),
    ]


@laws
@given(CITY, st.randoms(use_true_random=False))
def test_law_03_the_order_of_enterprises_changes_no_byte(city: list[Facts], chance: random.Random) -> None:
    measures = table(city)
    order = list(range(len(city)))
    chance.shuffle(order)
    assert as_bytes(run(measures.take(order))) == as_bytes(run(measures))


@laws
@given(CITY, CITY)
def test_law_05_nobodys_points_depend_on_another_enterprise(city: list[Facts], others: list[Facts]) -> None:
    """Together and apart, as two districts are: the same lines."""
    together = run(table(city + others))
    alone = run(table(city))
    mine = set(alone.points["uscc"].to_pylist())
    assert alone.points.to_pylist() == [row for row in together.points.to_pylist() if row["uscc"] in mine]
    assert alone.ledger.to_pylist() == [row for row in together.ledger.to_pylist() if row["uscc"] in mine]
    above = [sum(other > own for other in totals(together)[len(city) :]) for own in totals(alone)]
    assert ranks(together)[: len(city)] == [own + more for own, more in zip(ranks(alone), above, strict=True)]


@laws
@given(CITY)
def test_law_07_the_same_facts_give_the_same_bytes(city: list[Facts]) -> None:
    assert as_bytes(run(table(city))) == as_bytes(run(table(city)))


@laws
@given(CITY)
def test_law_09_shown_lines_add_up_to_categories_and_total(city: list[Facts]) -> None:
    assert_additive(run(table(city)), SMALL)


def assert_additive(scored: Scored, compiled: Compiled) -> None:
    sums: dict[tuple[str, str], Decimal] = {}
    for line in scored.ledger.to_pylist():
        key = (line["uscc"], line["category"])
        sums[key] = sums.get(key, Decimal(0)) + line["points"]
    for row in scored.points.to_pylist():
        categories = {category: sums[row["uscc"], category] for category in compiled.scheme.category_ids}
        assert {category: row[category] for category in categories} == categories
        assert row["total"] == sum(categories.values())


@laws
@given(CITY, st.sampled_from(POSITIVE), STAGES)
def test_law_10_hiding_a_record_never_raises_a_total_and_the_interval_still_holds_it(
    city: list[Facts], hidden: str, stage: str
) -> None:
    known, hiding = run(table(city), stage=stage), run(table([{**f, hidden: None} for f in city]), stage=stage)
    for before, after in zip(known.points.to_pylist(), hiding.points.to_pylist(), strict=True):
        assert after["total"] <= before["total"]
        assert after["total_low"] <= before["total"] <= after["total_high"]


@laws
@given(CITY, STAGES)
def test_law_10_a_penalty_that_nobody_delivered_yet_is_foreseen_by_the_interval(city: list[Facts], stage: str) -> None:
    known = run(table(city), stage=stage)
    hiding = run(table([{**f, "listings": None} for f in city]), stage=stage)
    for before, after in zip(known.points.to_pylist(), hiding.points.to_pylist(), strict=True):
        assert after["total_low"] <= before["total"] <= after["total_high"]
        assert after["total_low"] == after["total"] - Decimal(SMALL.weights[stage]["ABI-04"]).scaleb(-3)


@laws
@given(CITY)
def test_law_10_nothing_held_scores_nothing_and_zero_is_not_missing(city: list[Facts]) -> None:
    scored = run(table([{} for _ in city]))
    assert totals(scored) == [0] * len(city)
    assert scored.points["coverage"].to_pylist() == [0] * len(city)
    zeros = run(table([{"patents": 0, "certificate": 0} for _ in city]))
    assert totals(zeros) == [0] * len(city)
    assert all(coverage > 0 for coverage in zeros.points["coverage"].to_pylist())


@laws
@given(CITY, st.integers(1, 10**6))
def test_law_14_who_is_at_least_as_good_in_everything_scores_at_least_as_much(city: list[Facts], more: int) -> None:
    better = [
        {**f, "rd": (f["rd"] or 0) + more, "patents": (f["patents"] or 0) + more, "certificate": 1, "listings": 0}
        for f in city
    ]
    worse = [{**f, "listings": f["listings"] or 0} for f in city]
    pairs = zip(totals(run(table(worse))), totals(run(table(better))), strict=True)
    assert all(low <= high for low, high in pairs)


@laws
@given(CITY)
def test_law_15_equal_totals_share_a_rank(city: list[Facts]) -> None:
    ranked = ranking(run(table(city + city)))
    for row in ranked:
        assert row["rank_all"] == 1 + sum(other["total"] > row["total"] for other in ranked)
        inside = [other for other in ranked if other["stage"] == row["stage"]]
        assert row["rank_stage"] == 1 + sum(other["total"] > row["total"] for other in inside)


# --- the installed scheme, one random city -------------------------------------------------------------------------

CHANGZHOU = compile_scheme(require_scheme("changzhou_v1"), date(2026, 11, 20), catalogue())


@pytest.fixture(scope="module")
def city() -> pa.Table:
    chance = random.Random(20210430)

    def fact(name: str) -> int | None:
        if chance.random() < 0.15:
            return None
        unit = catalogue()[name].unit
        top = {"元": 10**11, "是否": 1, "档": 4, "级": 4}.get(unit, 10**4)
        return chance.choice([0, 1, top, chance.randint(0, top), int(top * chance.random() ** 6)])

    return table([{name: fact(name) for name in CHANGZHOU.measures} for _ in range(120)], CHANGZHOU)


@pytest.fixture(scope="module")
def whole(city: pa.Table) -> Scored:
    return run(city, CHANGZHOU)


def test_law_09_changzhou_lines_add_up(whole: Scored) -> None:
    assert_additive(whole, CHANGZHOU)


def test_changzhou_engine_equals_the_reference_line_by_line(city: pa.Table, whole: Scored) -> None:
    facts = {row.pop("uscc"): row for row in city.to_pylist()}
    checked = 0
    for line in whole.ledger.to_pylist():
        rule = CHANGZHOU.indicators[line["indicator"]]
        if rule.formula is None:
            assert line["status"] == "not_held"
            continue
        held = facts[line["uscc"]]
        applies = True if rule.applicable is None else rule.applicable.evaluate(held)
        if applies is False:
            assert line["status"] == "not_applicable"
            continue
        value = rule.value(held) if applies else None
        assert line["value"] == value, line
        if value is not None:
            hit = rule.curve.segment_of(Decimal(value))
            assert (line["raw_points"], line["segment"]) == (hit.raw_points, hit.segment.number)
            checked += 1
    assert checked > 5000


def test_law_06_changzhou_districts_apart_equal_the_city_together(city: pa.Table, whole: Scored) -> None:
    parts = [run(city.slice(0, 50), CHANGZHOU), run(city.slice(50), CHANGZHOU)]
    assert pa.concat_tables([part.points for part in parts]).to_pylist() == whole.points.to_pylist()


def test_law_02_changzhou_stays_within_a_thousand(whole: Scored) -> None:
    for row in whole.points.to_pylist():
        assert 0 <= row["total"] <= row["total_high"] <= 1000
