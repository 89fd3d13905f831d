"""Laws that points obey whatever the facts: generated ones in a small scheme, a random city in the real one."""

from __future__ import annotations

import io
import random
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.indicators.evaluate import evaluate
from include.kernel.exact import from_scaled
from include.measures.registry import measures as catalogue
from include.points.rank import rank
from include.points.score import Scored, score
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.expression import Quantity
from include.schemes.model import load_scheme, require_scheme

NOBODY = pa.table({"uscc": pa.array([], pa.string()), "dataset": pa.array([], pa.string())})
SMALL = compile_scheme(load_scheme(Path(__file__).parents[1] / "schemes" / "small"), date(2026, 1, 1), {})

Facts = dict[str, int | None]

FACT = st.one_of(st.none(), st.just(0), st.integers(0, 3000), st.integers(0, 10**9))
FACTS: st.SearchStrategy[Facts] = st.fixed_dictionaries(
    {
        "revenue": FACT,
        "revenue_prior1": FACT,
        "age": st.one_of(st.none(), st.integers(0, 2000)),
        "rd": FACT,
        "patents": st.one_of(st.none(), st.integers(0, 12000)),
        "debt": FACT,
        "listings": st.one_of(st.none(), st.integers(0, 30)),
        "certificate": st.one_of(st.none(), st.integers(0, 1)),
    }
)
CITY = st.lists(FACTS, min_size=6, max_size=25)
POSITIVE = ("revenue", "revenue_prior1", "rd", "patents", "debt", "certificate")
STAGES = st.sampled_from(SMALL.scheme.stage_ids)
laws = settings(max_examples=5, deadline=None)


def table(city: list[Facts], compiled: Compiled = SMALL) -> pa.Table:
    columns: dict[str, Any] = {"uscc": pa.array([f"e{number:03}" for number in range(len(city))])}
    for name, quantity in compiled.measures.items():
        held = [None if facts.get(name) is None else _number(facts[name], quantity) for facts in city]
        columns[name] = pa.array(held, pa.decimal128(24, quantity.decimals))
    return pa.table(columns)


def _number(scaled: int | None, quantity: Quantity) -> Decimal:
    assert scaled is not None
    return from_scaled(scaled, quantity.decimals)


def run(measures: pa.Table, compiled: Compiled = SMALL, stage: str | None = None) -> Scored:
    """Score; with `stage`, everybody is in it, so that a changed fact does not change the weights."""
    stages = None
    if stage is not None:
        n = measures.num_rows
        stages = pa.table({"uscc": measures["uscc"].sort(), "stage": [stage] * n, "stage_reason": [""] * n})
    return score(compiled, evaluate(compiled, measures, NOBODY), measures, stages=stages)


def totals(scored: Scored) -> list[Decimal]:
    return scored.points["total"].to_pylist()


def as_bytes(scored: Scored) -> list[bytes]:
    written = []
    for one in scored.tables().values():
        sink = io.BytesIO()
        pq.write_table(one, sink)
        written.append(sink.getvalue())
    return written


@laws
@given(
    CITY,
    st.sampled_from(["rd", "patents", "certificate"]),
    st.integers(1, 10**6),
    STAGES,
)
def test_raising_a_fact_that_is_better_higher_never_lowers_anything(
    city: list[Facts], fact: str, more: int, stage: str
) -> None:
    raised = [{**f, fact: 1 if fact == "certificate" else (f[fact] or 0) + more} for f in city]
    before, after = run(table(city), stage=stage), run(table(raised), stage=stage)
    for column in ("total", *SMALL.scheme.category_ids):
        pairs = zip(before.points[column].to_pylist(), after.points[column].to_pylist(), strict=True)
        assert all(low <= high for low, high in pairs), column


@laws
@given(CITY, st.integers(1, 30), STAGES)
def test_a_worse_record_never_raises_the_total(city: list[Facts], more: int, stage: str) -> None:
    worse = [{**f, "listings": (f["listings"] or 0) + more} for f in city]
    pairs = zip(totals(run(table(city), stage=stage)), totals(run(table(worse), stage=stage)), strict=True)
    assert all(after <= before for before, after in pairs)


@laws
@given(CITY)
def test_every_line_and_total_stays_within_its_bounds(city: list[Facts]) -> None:
    scored = run(table(city))
    for line in scored.ledger.to_pylist():
        low, high = (-line["weight"], 0) if line["indicator"] == "ABI-04" else (0, line["weight"])
        assert low <= line["points"] <= high
    for row in scored.points.to_pylist():
        assert -10 <= row["total"] <= 100
        assert row["total_low"] <= row["total"] <= row["total_high"] <= 100
        assert 0 <= row["coverage"] <= 1


def test_the_maximum_is_reached_by_the_best_and_the_minimum_by_the_worst() -> None:
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
def test_the_order_of_rows_changes_nothing(city: list[Facts], chance: random.Random) -> None:
    measures = table(city)
    order = list(range(len(city)))
    chance.shuffle(order)
    assert as_bytes(run(measures.take(order))) == as_bytes(run(measures))


@laws
@given(CITY, CITY)
def test_nobodys_points_depend_on_another_enterprise(city: list[Facts], others: list[Facts]) -> None:
    """Together and apart, as two districts are: the same lines."""
    together = run(table(city + others))
    alone = run(table(city))
    mine = set(alone.points["uscc"].to_pylist())
    assert alone.points.to_pylist() == [row for row in together.points.to_pylist() if row["uscc"] in mine]
    assert alone.ledger.to_pylist() == [row for row in together.ledger.to_pylist() if row["uscc"] in mine]


@laws
@given(CITY)
def test_the_same_facts_give_the_same_bytes(city: list[Facts]) -> None:
    assert as_bytes(run(table(city))) == as_bytes(run(table(city)))


@laws
@given(CITY)
def test_shown_lines_add_up_to_categories_and_total(city: list[Facts]) -> None:
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
def test_hiding_a_value_never_raises_a_total_and_the_interval_still_holds_it(
    city: list[Facts], hidden: str, stage: str
) -> None:
    known, hiding = run(table(city), stage=stage), run(table([{**f, hidden: None} for f in city]), stage=stage)
    for before, after in zip(known.points.to_pylist(), hiding.points.to_pylist(), strict=True):
        assert after["total"] <= before["total"]
        assert after["total_low"] <= before["total"] <= after["total_high"]


@laws
@given(CITY, STAGES)
def test_a_penalty_that_nobody_delivered_yet_is_foreseen_by_the_interval(city: list[Facts], stage: str) -> None:
    known = run(table(city), stage=stage)
    hiding = run(table([{**f, "listings": None} for f in city]), stage=stage)
    for before, after in zip(known.points.to_pylist(), hiding.points.to_pylist(), strict=True):
        assert after["total_low"] <= before["total"] <= after["total_high"]
        assert after["total_low"] == after["total"] - Decimal(SMALL.weights[stage]["ABI-04"]).scaleb(-3)


@laws
@given(CITY)
def test_nothing_held_scores_nothing_and_zero_is_not_missing(city: list[Facts]) -> None:
    scored = run(table([{} for _ in city]))
    assert totals(scored) == [0] * len(city)
    assert scored.points["coverage"].to_pylist() == [0] * len(city)
    zeros = run(table([{"patents": 0, "certificate": 0} for _ in city]))
    assert totals(zeros) == [0] * len(city)
    assert all(coverage > 0 for coverage in zeros.points["coverage"].to_pylist())


@laws
@given(CITY, st.integers(1, 10**6))
def test_who_is_at_least_as_good_in_everything_scores_at_least_as_much(city: list[Facts], more: int) -> None:
    better = [
        {**f, "rd": (f["rd"] or 0) + more, "patents": (f["patents"] or 0) + more, "certificate": 1, "listings": 0}
        for f in city
    ]
    worse = [{**f, "listings": f["listings"] or 0} for f in city]
    pairs = zip(totals(run(table(worse))), totals(run(table(better))), strict=True)
    assert all(low <= high for low, high in pairs)


@laws
@given(CITY)
def test_equal_totals_share_a_rank(city: list[Facts]) -> None:
    scored = run(table(city + city))
    n = len(scored.points)
    profile = pa.table({"uscc": scored.points["uscc"], "district": ["320411"] * n})
    ranked = rank(scored.points, profile).to_pylist()
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


def test_changzhou_lines_add_up(whole: Scored) -> None:
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
        if rule.applicable is not None and rule.applicable.evaluate(held) is False:
            assert line["status"] == "not_applicable"
            continue
        value = rule.formula.evaluate(held)
        assert line["value"] == value, line
        if value is not None:
            hit = rule.curve.segment_of(Decimal(value))
            assert (line["raw_points"], line["segment"]) == (hit.raw_points, hit.segment.number)
            checked += 1
    assert checked > 5000


def test_changzhou_districts_apart_equal_the_city_together(city: pa.Table, whole: Scored) -> None:
    parts = [run(city.slice(0, 50), CHANGZHOU), run(city.slice(50), CHANGZHOU)]
    assert pa.concat_tables([part.points for part in parts]).to_pylist() == whole.points.to_pylist()


def test_changzhou_stays_within_a_thousand(whole: Scored) -> None:
    for row in whole.points.to_pylist():
        assert 0 <= row["total"] <= row["total_high"] <= 1000
