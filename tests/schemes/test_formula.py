"""Formulas: what is allowed, what is refused and how it reads, and that the columns give what the reference gives."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.kernel.exact import from_scaled
from include.schemes.engine import load
from include.schemes.expression import FormulaError, Quantity, parse_unit
from include.schemes.formula import Formula, compile_condition, compile_formula

YUAN, PEOPLE, PIECES = parse_unit("元"), parse_unit("人"), parse_unit("件")
KNOWN = {
    "a": Quantity(2, YUAN),
    "b": Quantity(2, YUAN),
    "heads": Quantity(0, PEOPLE),
    "patents": Quantity(2, PIECES),
    "days": Quantity(0, parse_unit("天")),
    "share": Quantity(6, parse_unit("比例")),
}
GRADE = {"grade": Quantity(0, parse_unit("级"), ("A", "B (old)", "C"))}


def value(text: str, decimals: int = 6, **measures: Any) -> Any:
    held = {name: None if name not in measures else Decimal(str(measures[name])) for name in KNOWN}
    return compile_formula(text, KNOWN, decimals=decimals).evaluate(held)


@pytest.mark.parametrize(
    ("text", "measures", "expected"),
    [
        ("ratio(a, b)", {"a": 1, "b": 3}, "0.333333"),
        ("ratio(a, b)", {"a": 2, "b": 3}, "0.666667"),
        ("ratio(a, b)", {"a": -2, "b": 3}, "-0.666667"),
        ("ratio(a, b)", {"a": "0.01", "b": 20000}, "0.000001"),  # 5e-7 is a tie: away from zero
        ("ratio(a, b)", {"a": "-0.01", "b": 20000}, "-0.000001"),
        ("ratio(a, b)", {"a": "0.01", "b": "20000.01"}, "0.000000"),
        ("ratio(a, b)", {"a": 1, "b": 0}, None),
        ("ratio(a, b)", {"a": 1}, None),
        ("ratio(a, b)", {"a": 0, "b": 7}, "0.000000"),
        ("ratio(patents * 100, heads)", {"patents": 1, "heads": 33}, "3.030303"),
        ("coalesce(a, b)", {"b": 5}, "5.000000"),
        ("greatest(a, b)", {"b": 5}, "5.000000"),
        ("least(a, b, 3)", {"b": 5}, "3.000000"),
        ("abs(a - b)", {"a": 1, "b": 3.5}, "2.500000"),
        ("-a", {"a": 1}, "-1.000000"),
        ("case when a > b then 1 when a = b then 0.5 end", {"a": 2, "b": 2}, "0.500000"),
        ("case when a > b then 1 end", {"a": 2}, None),
        ("case when a > b then 1 else 0 end", {"a": 2}, None),  # nobody can say, so nobody may say 0
        ("case when a > b then 1 when b is null then 0.5 else 0 end", {"a": 2}, None),
        ("case when b is null then 0.5 when a > b then 1 else 0 end", {"a": 2}, "0.500000"),
        ("case when a > 5 and a > b then 1 else 0 end", {"a": 2}, "0.000000"),  # whatever b is
        ("case when coalesce(a > b, false) then 1 else 0 end", {"a": 2}, "0.000000"),
        ("least(a, 3)", {}, None),  # a number bounds what is held, and never stands in for it
        ("greatest(a, b, 3)", {}, None),
        ("greatest(ratio(a, b), 0.5)", {"a": 1}, None),
        ("greatest(ratio(a, b), 0.5)", {"a": 1, "b": 4}, "0.500000"),
        ("coalesce(a, 3)", {}, "3.000000"),
        ("case when a in (1, 2) then 1 else 0 end", {"a": 2}, "1.000000"),
        ("a * 0.155", {"a": "0.01"}, "0.001550"),
        ("cagr(a, b, 3)", {"a": 1331, "b": 1000}, "0.100000"),
        ("cagr(a, b, 3)", {"a": "1330.99", "b": 1000}, "0.099997"),
        ("cagr(a, b, 2)", {"a": 2, "b": 1}, "0.414214"),  # sqrt 2 = 1.41421356…
        ("cagr(a, b, 3)", {"a": 0, "b": 1}, "-1.000000"),
        ("cagr(a, b, 3)", {"a": 1, "b": 0}, None),
        ("cagr(a, b, 3)", {"a": -1, "b": 1}, None),
    ],
)
def test_values(text: str, measures: dict[str, Any], expected: str | None) -> None:
    assert value(text, **measures) == (None if expected is None else Decimal(expected))


def test_the_result_is_rounded_to_the_indicators_decimals_half_away_from_zero() -> None:
    assert value("a", decimals=1, a="0.25") == Decimal("0.3")
    assert value("a", decimals=1, a="-0.25") == Decimal("-0.3")
    assert value("a", decimals=0, a="2.49") == Decimal(2)


def test_inputs_are_read_off_the_expression_in_order() -> None:
    formula = compile_formula("case when b > 0 then ratio(a, b) else share end", KNOWN, decimals=6)
    assert formula.inputs == ("b", "a", "share")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a / b", "write ratio(a, b)"),
        ("ratoi(a, b)", "did you mean ratio?"),
        ("sqrt(a)", "sqrt needs a scheme with a tree"),
        ("random()", "unknown function 'random'"),
        ("random()", "allowed are abs, case, cagr"),
        ("least(a, min(a, b))", "unknown function 'min' (did you mean least?)"),
        ("abs()", "not an expression: 'abs()' (something is missing)"),
        ("abs(a, b)", "(too many arguments)"),
        ("a -- b", "`--` would hide the rest as a comment"),
        ("a + /* b + */ a", "`/*` would hide the rest as a comment"),
        ("grade + 1", "a category (A, B (old), C) is compared with its words, not counted with"),
        ("ratio(grade, heads)", "a category (A, B (old), C) is compared"),
        ("ratio(a)", "ratio takes 2 arguments, found 1"),
        ("ratio(a, patent)", "did you mean patents?"),
        ("other.a", "name the measure alone"),
        ("(select 1)", "not allowed"),
        ("a; drop table x", "not allowed"),
        ("a +", "not an expression"),
        ("a ^ 2", "`^` is no sign of a formula: write power(x, y)"),
        ("a ** 2", "`**` is no sign of a formula: write power(x, y)"),
        ("@a", "`@` is no sign of a formula: write abs(x)"),
        ("a >= 60%", "`%` is no sign of a formula: write a share as a decimal"),
        ("a >= 60％", "`％` is no sign of a formula: write a share as a decimal"),
        ("a ≥ 6", "`≥` is no sign of a formula: write >="),
        ("a => 6", "`=>` is no sign of a formula: write >="),
        ("a ＋ 1", "`＋` is no sign of a formula: write +"),
        ("least(a， b)", "`，` is no sign of a formula: write ,"),
        ("a > ６", "`６` is no sign of a formula: write 6"),
        ("a > 1,000", "'1,000' is one number or two: write 1000, or a blank behind the comma"),
        ("least(a, 1,500)", "'1,500' is one number or two"),
        ("least(75,000, a)", "'75,000' is one number or two: write 75000, or a blank behind the comma"),
        ("least(a,75,000)", "'75,000' is one number or two"),
        ("a in (1,000)", "'1,000' is one number or two"),
        ("least(1,250,000, a)", "'1,250,000' is one number or two: write 1250000"),
        ("least(2,500, a)", "least takes one number, found 2 and 500; write thousands without a comma"),
        ("coalesce(a, 2,500)", "'2,500' is one number or two"),
        ("least(a, 0,015)", "'0,015' is one number or two: write 0.015"),
        ("least(share, 0.5, 0.25)", "least takes one number, found 0.5 and 0.25"),
        ("least((2), (500), a)", "least takes one number, found 2 and 500"),
        ("cagr(a, b, 1) >= ratio(a, b)", "hold it against plain numbers of at most 7 places"),
        ("cagr(a, b, 2) >= 0.41421356", "hold it against plain numbers of at most 7 places"),
        ("cagr(a, b, 2) > cagr(b, a, 2)", "hold it against plain numbers of at most 7 places"),
        ("cagr(a, b, 2) in (0, 0.41421356)", "hold it against plain numbers of at most 7 places"),
        ("coalesce(null, null)", "coalesce of null alone"),
        ("a + .5", "not a plain decimal: '.5'; write 0.5"),
        ("a + 5.", "not a plain decimal: '5.'; write 5"),
        ("INP-03 > 1", "INP-03 is inp_03 in a formula"),
        ("'１２'", "text is not allowed"),
        ("1e5 * a", "not a plain decimal"),
        ("a + 1_000", "not a number: '1_000'"),
        ("a + heads", "unit mismatch: 人 and 元"),
        ("a > heads", "unit mismatch"),
        ("coalesce(a, patents)", "unit mismatch"),
        ("case when a then 1 end", "a number stands where a yes/no is needed"),
        ("a + (b > 1)", "a yes/no stands where a number is needed"),
        ("a is true", "only `is null`"),
        ("cagr(a, b, heads)", "years must be a whole number"),
        ("cagr(a, b, 9)", "years must be a whole number"),
        ("sum(a)", "unknown function 'sum'"),
        ("a over (order by b)", "unknown function 'over'"),
        ("cast(a as double)", "unknown function 'cast'"),
        ("share * share * share * share", "at most 18 stay exact"),
        ("ratio(A, b)", "unknown measure 'A' (did you mean a?)"),
        ("a = null", "write `is null`"),
        ("(" * 300 + "a" + ")" * 300, "nested deeper than 150 levels"),
        ("a" + " + 1" * 2000, "nested deeper than 150 levels"),
    ],
)
def test_refusals_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as refused:
        compile_formula(text, KNOWN | GRADE | {"inp_03": Quantity(6, ())}, decimals=6)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "text", ["a in (100,200)", "a in (1,100,200)", "ratio(1,100) * a > 1", "greatest(100, a) < 200"]
)
def test_numbers_of_a_list_are_no_thousands(text: str) -> None:
    assert compile_formula(text, KNOWN, decimals=6).is_condition


@pytest.mark.parametrize(
    ("text", "unit", "fits"),
    [
        ("ratio(a, heads)", "元/人", True),
        ("ratio(patents * 100, heads)", "件/百人", True),
        ("ratio(patents * 1000000, a)", "件/百万元", True),
        ("ratio(a, b)", "比例", True),
        ("ratio(a, b)", "倍", True),
        ("ratio(days, 365.25)", "年", True),
        ("case when a > 0 then 3 end", "档", True),
        ("a > b", "是否", True),
        ("a", "人", False),
        ("ratio(heads, a)", "元/人", False),
        ("a > b", "元", False),
        ("a * b", "元", False),
    ],
)
def test_the_unit_of_the_result_is_checked(text: str, unit: str, fits: bool) -> None:
    if fits:
        compile_formula(text, KNOWN, decimals=6, unit=unit)
    else:
        with pytest.raises(FormulaError, match="unit is"):
            compile_formula(text, KNOWN, decimals=6, unit=unit)


@pytest.mark.parametrize(
    ("text", "unit", "refused"),
    [
        ("a + w", "元", "万元 and 元 meet in `+`"),
        ("case when w > a then 1 end", "档", "万元 and 元 meet in `>`"),
        ("ratio(w, a)", "比例", "万元 and 元 meet in `ratio`"),
        ("ratio(a, w)", "比例", "元 and 万元 meet in `ratio`"),
        ("w", "元", "gives 万元, the indicator's unit is 元"),
        ("1000 * w", "元", "gives 万元, the indicator's unit is 元"),
        ("ratio(patents * 1000000, w)", "件/百万元", "gives 件/万元"),
        ("w", "万元", None),
        ("ratio(w, w)", "比例", None),
        ("10000 * w + a", "元", None),
        ("ratio(w * 10000, a)", "比例", None),
        ("ratio(patents * 1000000, 10000 * w)", "件/百万元", None),
    ],
)
def test_ten_thousand_yuan_and_yuan_do_not_meet(text: str, unit: str, refused: str | None) -> None:
    known = {**KNOWN, "w": Quantity(2, parse_unit("万元"))}
    if refused is None:
        compile_formula(text, known, decimals=6, unit=unit)
    else:
        with pytest.raises(FormulaError) as error:
            compile_formula(text, known, decimals=6, unit=unit)
        assert refused in str(error.value)


def test_a_long_sum_is_no_deep_nesting() -> None:
    assert value("a" + " + 1" * 140, a=1) == 141


def test_a_condition_must_be_a_question() -> None:
    with pytest.raises(FormulaError, match="not a yes/no question"):
        compile_condition("a + b", KNOWN)


# --- the two backends agree ----------------------------------------------------------------------------------------

EXPRESSIONS = [
    "ratio(a, b)",
    "ratio(a - b, greatest(b, 100))",
    "cagr(a, b, 3)",
    "cagr(a, b, 2)",
    "case when cagr(a, b, 1) > 0.1 then a else b end + a",
    "case when a > b then ratio(a, b) when a = 0 then 0.5 else share end",
    "coalesce(ratio(a, heads * 3), ratio(b, heads), 7)",
    "least(a, b, 3.5) - abs(a - b) * 0.25",
    "ratio(ratio(a, b) + share, 3)",
    "case when a in (0, 1, b) or not (heads is null) and a <= b then 1 end",
    "case when a is not null and a <> b then -a else 0 end",
    "ratio(patents * 100, heads) + ratio(patents, heads * 7)",
    "greatest(least(a, 300), b * 0.5, -2)",
    "ratio(case when a > 0 then ratio(a, b) else 0 end + greatest(ratio(a, 7 * b), share, 2), 3)",
    "case when (case when heads = 1 then b > 20 else b > 3 end) or share > 0.5 then a else -a end",
    "least(share, case when a > 5 then share * 2 else 0.5 end)",
    "least(case when heads = 1 then 1 else ratio(a, heads) end, 2)",
    "greatest(share, coalesce(ratio(a, b), 0.25), least(share, 7))",
    "greatest(ratio(a, b), case when heads > 5 then share else 0.25 end)",
]
QUESTIONS = [
    "ratio(a, b) in (0.25, 0.5, 100, ratio(26, 100))",
    "cagr(a, b, 1) >= 0.25",
    "case when cagr(a, b, 1) > 0.1 then ratio(a, b) else 0 end >= 1.25",
    "coalesce(cagr(a, b, 1), share) in (0.25, 0, 1)",
    "case when heads = 1 then b > 20 else b > 3 end",
    "(case when heads = 1 then b > 20 else b > 3 end) or share > 0.5",
    "not (case when heads = 1 then b > 20 else heads is null end) and a > 0",
    "coalesce(case when heads = 1 then a > b end, a > 0, b > 0) or share > 0.5",
    "(least(a, case when heads > 5 then b else 3 end) >= 3) or share > 0.5",
]
MONEY = st.one_of(
    st.none(),
    st.integers(-(10**15), 10**15),
    st.integers(-500, 500),
    st.sampled_from([0, 1, -1, 100, 2_000_000]),
)
ROW = st.tuples(MONEY, MONEY, st.one_of(st.none(), st.integers(0, 9)), MONEY, st.integers(0, 99), st.integers(0, 10**6))


@cache
def _compiled(text: str, decimals: int) -> Formula:
    return compile_formula(text, KNOWN, decimals=decimals)


def _by_column(texts: list[str], rows: list[tuple[Any, ...]], decimals: int) -> list[list[int | None]]:
    columns: dict[str, pa.Array] = {}
    for place, (name, quantity) in enumerate(KNOWN.items()):
        held = [None if r[place] is None else from_scaled(r[place], quantity.decimals) for r in rows]
        columns[name] = pa.array(held, pa.decimal128(38, quantity.decimals))
    loaded = load(pa.table(columns), KNOWN, KNOWN)
    found = [_compiled(text, decimals).column(loaded, len(rows)) for text in texts]
    return [[int(column.values[row]) if column.known[row] else None for column in found] for row in range(len(rows))]


def _facts(row: tuple[Any, ...]) -> dict[str, Decimal | None]:
    return {
        name: None if held is None else from_scaled(held, quantity.decimals)
        for (name, quantity), held in zip(KNOWN.items(), row, strict=True)
    }


@settings(max_examples=12, deadline=None)
@given(st.lists(ROW, min_size=10, max_size=60), st.sampled_from([0, 2, 6]))
def test_columns_give_exactly_what_the_reference_gives(rows: list[tuple[Any, ...]], decimals: int) -> None:
    for found, row in zip(_by_column(EXPRESSIONS, rows, decimals), rows, strict=True):
        facts = _facts(row)
        for text, scaled in zip(EXPRESSIONS, found, strict=True):
            expected = _compiled(text, decimals).evaluate(facts)
            assert (None if scaled is None else from_scaled(scaled, decimals)) == expected, text
    for found, row in zip(_by_column(QUESTIONS, rows, decimals), rows, strict=True):
        facts = _facts(row)
        for text, answer in zip(QUESTIONS, found, strict=True):
            assert (None if answer is None else bool(answer)) == _compiled(text, decimals).evaluate(facts), text


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 10**12), st.integers(-(10**6) + 1, 5 * 10**6), st.sampled_from([-1, 0, 1]))
def test_a_growth_exactly_on_a_rounding_edge_is_decided_by_integers(start: int, millionths: int, nudge: int) -> None:
    """end/start = (1 + (k + ½)/10^6)^2 exactly, and one cent beside it: a float would not know the side."""
    base = 4 * 10**12
    end = (2 * 10**6 + 2 * millionths + 1) ** 2 + nudge
    facts = dict.fromkeys(KNOWN) | {"a": from_scaled(end, 2), "b": from_scaled(base, 2)}
    expected = compile_formula("cagr(a, b, 2)", KNOWN, decimals=6).evaluate(facts)
    exact = Fraction(end, base)
    low, high = Fraction(expected) - Fraction(1, 2 * 10**6), Fraction(expected) + Fraction(1, 2 * 10**6)
    assert (1 + low) ** 2 <= exact <= (1 + high) ** 2
    if nudge == 0:
        away = millionths + 1 if millionths >= 0 else millionths
        assert expected == from_scaled(away, 6)
    row = (end, base, None, None, 0, 0)
    assert _by_column(["cagr(a, b, 2)"], [row], 6) == [[int(Decimal(expected).scaleb(6))]]


@pytest.mark.parametrize("beside", [1, 10**4])
def test_what_does_not_fit_64_bits_is_as_exact(beside: int) -> None:
    """One enterprise beyond 64 bits, beside one within: both get the reference's value."""
    enormous = 10**19 + 7
    rows = [(enormous, beside, None, None, 0, 0), (beside, 3, None, None, 0, 0)]
    texts = ["ratio(a * b, 3)", "ratio(a, b)", "a + b", "abs(a) * 1000", "cagr(a, b, 3)"]
    for found, (a, b, *_) in zip(_by_column(texts, rows, 6), rows, strict=True):
        facts = dict.fromkeys(KNOWN) | {"a": from_scaled(a, 2), "b": from_scaled(b, 2)}
        expected = [_compiled(text, 6).evaluate(facts) for text in texts]
        assert found == [int(Decimal(str(value)).scaleb(6)) for value in expected]
