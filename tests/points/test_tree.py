"""A scheme with a tree, through the door of `innopoints score`: published results and arithmetic on paper."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal, getcontext
from pathlib import Path

import pytest

from include.kernel.errors import BadInput
from include.schemes.lint import lint_directory
from include.steps.supplied import score_file

SCHEMES = Path(__file__).parents[1] / "schemes"
DAY = date(2026, 11, 20)


def score(tmp_path: Path, scheme: Path, given: dict[str, dict[str, str]]) -> dict[str, dict[str, dict[str, str]]]:
    """Enterprise → row name → row."""
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    rows = [f"{one},,{name},{value}" for one, held in given.items() for name, value in held.items()]
    source.write_text("\n".join(["uscc,stage,measure,value", *rows]) + "\n", encoding="utf-8")
    score_file(str(scheme), source, out, DAY)
    found: dict[str, dict[str, dict[str, str]]] = {}
    with out.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["uscc"], {})[row["indicator"]] = row
    return found


# Human Development Report 2020, table 1: life expectancy, expected and mean years of schooling, income; the index.
PUBLISHED = {
    "Norway": ("82.4", "18.1", "12.9", "66494", "0.957"),
    "Ireland": ("82.3", "18.7", "12.7", "68371", "0.955"),
    "Switzerland": ("83.8", "16.3", "13.4", "69394", "0.955"),
    "Hong Kong": ("84.9", "16.9", "12.3", "62985", "0.949"),
    "Iceland": ("83.0", "19.1", "12.8", "54682", "0.949"),
    "Germany": ("81.3", "17.0", "14.2", "55314", "0.947"),
    "China": ("76.9", "14.0", "8.1", "16057", "0.761"),
    "Niger": ("62.4", "6.5", "2.1", "1201", "0.394"),
}
NAMES = ["life_expectancy_years", "expected_schooling_years", "mean_schooling_years", "gni_per_head"]


def _on_paper(life: str, expected: str, mean: str, income: str) -> Decimal:
    """Technical note 1: the cube of the index, with schooling capped at its goalpost (18 years)."""
    getcontext().prec = 60
    health = (Decimal(life) - 20) / 65
    education = (min(Decimal(expected), Decimal(18)) / 18 + Decimal(mean) / 15) / 2
    return health * education * (Decimal(income) / 100).ln() / Decimal(750).ln()


def test_the_human_development_index_is_that_of_the_technical_note(tmp_path: Path) -> None:
    """Three places, decided on the cube: h is right when (h - 0.0005)³ <= L·E·I < (h + 0.0005)³.

    The report prints rounded inputs, so its own last place may differ by one.
    """
    given = {country: dict(zip(NAMES, figures, strict=False)) for country, figures in PUBLISHED.items()}
    found = score(tmp_path, SCHEMES / "hdi", given)
    half = Decimal("0.0005")
    for country, (*figures, published) in PUBLISHED.items():
        index = Decimal(found[country]["total"]["points"])
        assert (index - half) ** 3 <= _on_paper(*figures) < (index + half) ** 3
        assert abs(index - Decimal(published)) <= Decimal("0.001")
    # Ireland and Switzerland 0.956, Hong Kong and Iceland 0.949: ranks follow the shown places and are shared.
    ranks = {country: rows["rank"]["value"] for country, rows in found.items()}
    assert [ranks[c] for c in PUBLISHED] == ["1", "2", "2", "4", "4", "6", "7", "8"]


def test_a_dimension_that_is_not_held_leaves_no_index_but_an_interval(tmp_path: Path) -> None:
    """Life alone: (82.3 - 20)/65 = 0.9584615…; the best case is its cube root 0.98595…, the worst 0."""
    found = score(tmp_path, SCHEMES / "hdi", {"X": {"life_expectancy_years": "82.3"}})["X"]
    assert (found["total"]["points"], found["total"]["status"]) == ("", "not_held")
    assert (found["total_low"]["points"], found["total_high"]["points"]) == ("0.000", "0.986")
    assert found["coverage"]["value"] == "0.333333"
    assert "rank" not in found


@pytest.mark.parametrize(("schooling", "points"), [("18", "1"), ("18.0001", "1"), ("9", "0.5"), ("0", "0")])
def test_a_goalpost_is_a_cap(schooling: str, points: str, tmp_path: Path) -> None:
    found = score(tmp_path, SCHEMES / "hdi", {"X": {"expected_schooling_years": schooling}})
    assert found["X"]["EDU-01"]["points"] == points


# --- a scheme of three figures whose tree a test writes ------------------------------------------------------------

LINE = """
id: {id}
name: {{zh: 甲, en: A figure}}
unit: 分
decimals: exact
direction: higher_better
formula:
  - {{from: 2024-01-01, expression: {measure}, reference: ours}}
curve:
  - {{from: 2024-01-01, form: "given(0; 100)", reference: ours}}
"""
HEAD = """
id: written
version: "1"
title: {zh: 试, en: Written}
authority: tests
valid: {from: 2024-01-01}
notes: a test writes the tree
"""


def written(directory: Path, tree: str, rest: str = "", *, maximum: str = "100") -> Path:
    """Indicators AAA-01, BBB-01, CCC-01 give the points of the measures a, b, c; `tree` is the body of `nodes`."""
    scheme = directory / "written"
    (scheme / "indicators").mkdir(parents=True)
    for name in ("a", "b", "c"):
        code = f"{name.upper() * 3}-01"
        (scheme / "indicators" / f"{code}.yaml").write_text(LINE.format(id=code, measure=name), encoding="utf-8")
    measures = "".join(f"  {name}: {{unit: 分, decimals: 6, zh: 甲}}\n" for name in ("a", "b", "c"))
    (scheme / "measures.yaml").write_text(f"measures:\n{measures}", encoding="utf-8")
    rule = f"tree:\n  - from: 2024-01-01\n    reference: ours\n    root: total\n    maximum: {maximum}\n{tree}"
    (scheme / "scheme.yaml").write_text(HEAD + rule + rest, encoding="utf-8")
    return scheme


def nodes(total: str, **others: str) -> str:
    body = "".join(f"      {name}: {{{of}}}\n" for name, of in {"total": total, **others}.items())
    return f"    nodes:\n{body}"


ALL = "of: [AAA-01, BBB-01, CCC-01]"


@pytest.mark.parametrize(
    ("total", "maximum", "given", "points"),
    [
        (f"kind: sum, {ALL}", "300", "1 2 3.5", "6.5"),
        (f"kind: sum, {ALL}, cap: 250", "250", "90 80 80", "250"),
        (f"kind: sum, {ALL}, cap: 250", "250", "90 80 80.000001", "250"),
        (f"kind: sum, {ALL}, cap: 250", "250", "90 80 79.999999", "249.999999"),
        (f"kind: sum, {ALL}, floor: 10", "300", "1 2 3.5", "10"),
        ("kind: sum, of: {AAA-01: 1, BBB-01: 0.5, CCC-01: 1/4}", "175", "10 10 10", "17.5"),
        (f"kind: mean, {ALL}", "100", "1 0 0", "0.333333333333"),  # 1/3
        (f"kind: mean, {ALL}, round: {{mode: half_up, decimals: 2}}", "100", "2 0 0", "0.67"),
        ("kind: mean, of: {AAA-01: 0.2, BBB-01: 0.3, CCC-01: 0.5}", "100", "10 20 30", "23"),
        ("kind: mean, of: {AAA-01: 1/3, BBB-01: 1/3, CCC-01: 1/3}", "100", "1 2 6", "3"),
        ("kind: mean, of: {AAA-01: 20, BBB-01: 30, CCC-01: 50}, weights_total: 100", "100", "10 20 30", "23"),
        (f"kind: geometric_mean, zero: gives_zero, {ALL}", "100", "1 8 27", "6"),  # 216 = 6³
        ("kind: geometric_mean, zero: gives_zero, of: {AAA-01: 0.5, BBB-01: 0.25, CCC-01: 0.25}", "100", "4 1 16", "4"),
        ("kind: geometric_mean, zero: gives_zero, of: {AAA-01: 0.5, BBB-01: 0.25, CCC-01: 0.25}", "100", "16 1 1", "4"),
        ("kind: geometric_mean, zero: gives_zero, of: {AAA-01: 0.5, BBB-01: 0.5, CCC-01: 0}", "100", "4 9 0", "6"),
        (f"kind: geometric_mean, zero: gives_zero, {ALL}", "100", "0 8 27", "0"),
        (f"kind: harmonic_mean, zero: gives_zero, {ALL}", "100", "2 3 6", "3"),  # 3 / (1/2 + 1/3 + 1/6)
        # 1 / (0.5/2 + 0.25/4 + 0.25/4) = 1 / 0.375
        (
            "kind: harmonic_mean, zero: gives_zero, of: {AAA-01: 0.5, BBB-01: 0.25, CCC-01: 0.25}",
            "100",
            "2 4 4",
            "2.666666666667",
        ),
        (f"kind: geometric_mean, zero: refused, {ALL}", "100", "1 8 27", "6"),
        (f"kind: best_of, {ALL}", "100", "2 3 1", "3"),
        (f"kind: least_of, {ALL}", "100", "2 3 1", "1"),
        ("kind: best_of, of: {AAA-01: 1, BBB-01: 0.5, CCC-01: 0.5}", "100", "2 6 1", "3"),
        # ties: 0.125 and 0.375 at two places tell half up from half to even, 0.375 alone does not
        (f"kind: best_of, {ALL}, round: {{mode: half_up, decimals: 2}}", "100", "0.125 0 0", "0.13"),
        (f"kind: best_of, {ALL}, round: {{mode: half_even, decimals: 2}}", "100", "0.125 0 0", "0.12"),
        (f"kind: best_of, {ALL}, round: {{mode: half_even, decimals: 2}}", "100", "0.375 0 0", "0.38"),
        # √(0.25 · 0.0625) = 0.125 exactly: a root computed in decimals must still see the tie
        (
            "kind: geometric_mean, zero: gives_zero, of: {AAA-01: 0.5, BBB-01: 0.5, CCC-01: 0},"
            " round: {mode: half_up, decimals: 2}",
            "100",
            "0.25 0.0625 5",
            "0.13",
        ),
    ],
)
def test_a_node_gives_what_paper_gives(total: str, maximum: str, given: str, points: str, tmp_path: Path) -> None:
    scheme = written(tmp_path, nodes(total), maximum=maximum)
    held = dict(zip("abc", given.split(), strict=True))
    assert score(tmp_path, scheme, {"X": held})["X"]["total"]["points"] == points


def test_a_tree_has_any_depth_and_rounds_where_it_says(tmp_path: Path) -> None:
    """2/3 rounded to 0.7 in the middle: (0.7 + 1)/2 = 0.85 → 0.9; rounded only at the root: 0.8333… → 0.8."""
    deep = nodes(
        "kind: mean, of: [upper, CCC-01], round: {mode: half_up, decimals: 1}",
        upper="kind: best_of, of: [middle]",
        middle="kind: sum, of: {AAA-01: 1/3, BBB-01: 2/3}, round: {mode: half_up, decimals: 1}",
    )
    found = score(tmp_path, written(tmp_path, deep), {"X": {"a": "0", "b": "1", "c": "1"}})["X"]
    assert [found[f"node:{n}"]["points"] for n in ("middle", "upper", "total")] == ["0.7", "0.7", "0.9"]
    late = deep.replace("2/3}, round: {mode: half_up, decimals: 1}", "2/3}")
    again = tmp_path / "again"
    again.mkdir()
    assert score(again, written(again, late), {"X": {"a": "0", "b": "1", "c": "1"}})["X"]["total"]["points"] == "0.8"


@pytest.mark.parametrize(("mode", "line", "total"), [("half_up", "0.3", "0.6"), ("half_even", "0.2", "0.4")])
def test_lines_that_are_rounded_add_up_as_they_are_shown(mode: str, line: str, total: str, tmp_path: Path) -> None:
    """0.25 twice: 0.5 unrounded; the third, at least 0 and at most 100, is not held."""
    tree = f"    round_indicators: {{mode: {mode}, decimals: 1}}\n" + nodes(f"kind: sum, {ALL}")
    found = score(tmp_path, written(tmp_path, tree, maximum="300"), {"X": {"a": "0.25", "b": "0.25"}})["X"]
    assert (found["AAA-01"]["points"], found["BBB-01"]["points"], found["total"]["points"]) == (line, line, total)
    assert (found["total_low"]["points"], found["total_high"]["points"]) == (total, f"100{total[1:]}")


def test_a_formula_node_reads_points_and_values(tmp_path: Path) -> None:
    """1 - harmonic mean / arithmetic mean, as inequality indices do: 1 - (2·3·6/(3+6)) / 4.5 = 1/9."""
    tree = nodes(
        "kind: formula, expression: '1 - ratio(low, high)', maximum: 1, round: {mode: half_up, decimals: 3}",
        low="kind: harmonic_mean, zero: gives_zero, of: [AAA-01, BBB-01]",
        high="kind: formula, expression: 'ratio(aaa_01_points + bbb_01 + 0 * ccc_01, 2)', maximum: 100",
    )
    found = score(tmp_path, written(tmp_path, tree, maximum="1"), {"X": {"a": "3", "b": "6", "c": "1"}})
    assert found["X"]["total"]["points"] == "0.111"


@pytest.mark.parametrize(
    ("absent", "points", "status", "low", "high"),
    [
        ("no_points", "10", "", "10", "43.333333333333"),
        ("left_out", "15", "", "10", "43.333333333333"),
        ("no_result", "", "not_held", "10", "43.333333333333"),
    ],
)
def test_what_is_not_held_is_never_silently_zero(
    absent: str, points: str, status: str, low: str, high: str, tmp_path: Path
) -> None:
    """10, 20 and nothing: (10+20+0)/3 = 10, (10+20)/2 = 15; at most (10+20+100)/3 = 43.33…"""
    tree = f"    absent: {absent}\n" + nodes(f"kind: mean, {ALL}")
    found = score(tmp_path, written(tmp_path, tree), {"X": {"a": "10", "b": "20"}})["X"]
    assert (found["total"]["points"], found["total"]["status"]) == (points, status)
    assert (found["total_low"]["points"], found["total_high"]["points"]) == (low, high)
    assert found["coverage"]["value"] == "0.666667"
    assert found["CCC-01"]["status"] == "not_held"


GATES = """
gates:
  - from: 2024-01-01
    reference: ours
    entry: [{id: counted, name: c is at most 50, when: c <= 50}]
    pass:
      - {id: from_60, name: at least 60, when: total >= 60}
      - {id: over_70, name: more than 70, when: total > 70}
      - {id: block, name: a block of 20, when: block >= 20}
    direct: [{id: route, name: c is 7, when: c = 7}]
"""


@pytest.mark.parametrize(
    ("given", "answers"),
    [
        ("40 20 1", "pass fail pass fail"),  # exactly 60
        ("39.999 20 1", "fail fail pass fail"),  # 59.999
        ("50 20 1", "pass fail pass fail"),  # exactly 70 is not more than 70
        ("50.001 20 1", "pass pass pass pass"),  # 70.001
        ("60 19.999 1", "pass pass fail fail"),  # the block misses its minimum
        ("0 0 7", "fail fail fail direct"),
        ("50.001 20 51", "pass pass pass fail"),  # entry
        ("59.9994 0 1", "fail fail fail fail"),  # shown 59.999
        ("40.9996 20 51", "pass fail pass fail"),
        ("39.9995 20 1", "pass fail pass fail"),  # 59.9995 is shown as 60.000: gates come after rounding
    ],
)
def test_gates_are_strict_as_written_and_come_after_rounding(given: str, answers: str, tmp_path: Path) -> None:
    tree = (
        nodes(
            "kind: sum, of: [AAA-01, block], round: {mode: half_up, decimals: 3}", block="kind: sum, of: [BBB-01]"
        ).replace("block]", "block, zero]")
        + "      zero: {kind: sum, of: {CCC-01: 0}}\n"
    )
    scheme = written(tmp_path, tree, GATES, maximum="200")
    found = score(tmp_path, scheme, {"X": dict(zip("abc", given.split(), strict=True))})["X"]
    rows = [found[name]["status"] for name in ("gate:from_60", "gate:over_70", "gate:block", "passed")]
    assert rows == answers.split()


def with_a_ratio(directory: Path, gates: str, expression: str, decimals: str = "6") -> Path:
    """CCC-01 is a ratio of the measures a and b, whose own points do not matter."""
    scheme = written(directory, nodes(f"kind: sum, {ALL}"), gates, maximum="300")
    path = scheme / "indicators/CCC-01.yaml"
    text = path.read_text(encoding="utf-8").replace("expression: c,", f'expression: "{expression}",')
    text = text.replace("unit: 分", "unit: 比例").replace("decimals: exact", f"decimals: {decimals}")
    path.write_text(text.replace("given(0; 100)", "linear(0; 1)"), encoding="utf-8")
    for name in ("AAA-01", "BBB-01"):
        other = scheme / f"indicators/{name}.yaml"
        text = other.read_text(encoding="utf-8").replace("given(0; 100)", "linear(0; 100)")
        other.write_text(text, encoding="utf-8")
    measures = scheme / "measures.yaml"
    text = measures.read_text(encoding="utf-8").replace("  c: {unit: 分, decimals: 6, zh: 甲}\n", "")
    measures.write_text(text, encoding="utf-8")
    return scheme


@pytest.mark.parametrize(
    ("rd", "sales", "answers"),
    [
        ("6000000.00", "200000000.00", "0.030000 pass fail"),  # exactly 3 %
        ("5999999.99", "200000000.00", "0.029999 fail fail"),  # 0.02999999995, half up 0.030000
        ("6000000.01", "200000000.00", "0.030001 pass pass"),  # 0.03000000005
    ],
)
def test_a_gate_on_a_ratio_is_decided_by_cross_multiplication(
    rd: str, sales: str, answers: str, tmp_path: Path
) -> None:
    """No rounding crosses the line of a gate: what is shown lies on the side that is counted."""
    gates = """
gates:
  - from: 2024-01-01
    reference: ours
    pass:
      - {id: from_3, name: at least 3 %, when: ccc_01 >= 0.03}
      - {id: over_3, name: more than 3 %, when: 0.03 < ccc_01}
"""
    scheme = with_a_ratio(tmp_path, gates, "ratio(a, b)")
    found = score(tmp_path, scheme, {"X": {"a": rd, "b": sales}})["X"]
    assert [found["CCC-01"]["value"], found["gate:from_3"]["status"], found["gate:over_3"]["status"]] == answers.split()


@pytest.mark.parametrize("name", ["AAA-01", "aaa_01", "aaa_01_points"])
def test_a_node_does_not_take_the_name_of_an_indicator(name: str, tmp_path: Path) -> None:
    tree = nodes(f"kind: sum, of: [{name}, CCC-01]", **{name: "kind: sum, of: [BBB-01]"})
    with pytest.raises(BadInput) as refused:
        score(tmp_path, written(tmp_path, tree, maximum="200"), {"X": {"a": "1"}})
    assert f"written/scheme.yaml: key tree from 2024-01-01: nodes.{name}: an indicator has this name" in str(
        refused.value
    )


@pytest.mark.parametrize("kind", ["kind: sum, of: [{}]", "kind: formula, expression: '{}', maximum: 300"])
@pytest.mark.parametrize(("levels", "refused"), [(400, False), (1200, True)])
def test_a_tree_is_deep_but_not_bottomless(kind: str, levels: int, refused: bool, tmp_path: Path) -> None:
    chain = {f"d{n}": kind.format(f"d{n + 1}") for n in range(levels)}
    tree = nodes("kind: sum, of: [d0]", **chain, **{f"d{levels}": f"kind: sum, {ALL}"})
    scheme = written(tmp_path, tree, maximum="300")
    if refused:
        with pytest.raises(BadInput, match=r"scheme\.yaml: key tree from 2024-01-01: nodes: more than 500 levels"):
            score(tmp_path, scheme, {"X": {"a": "1"}})
    else:
        assert score(tmp_path, scheme, {"X": {"a": "1"}})["X"]["total"]["points"] == "1"


def test_a_zero_that_a_mean_refuses_is_refused_where_it_comes(tmp_path: Path) -> None:
    scheme = written(tmp_path, nodes(f"kind: geometric_mean, zero: refused, {ALL}"))
    with pytest.raises(BadInput, match=r"X: node total: a geometric_mean of a member with 0 points"):
        score(tmp_path, scheme, {"X": {"a": "0", "b": "1", "c": "1"}})


def test_a_geometric_mean_of_points_that_may_be_negative_is_refused_with_its_node(tmp_path: Path) -> None:
    scheme = written(tmp_path, nodes(f"kind: geometric_mean, zero: gives_zero, {ALL}"))
    path = scheme / "indicators/AAA-01.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("given(0;", "given(-1;"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"scheme.yaml: nodes.total: a geometric_mean of a negative number"):
        score(tmp_path, scheme, {"X": {"a": "1", "b": "1", "c": "1"}})


@pytest.mark.parametrize(
    ("formula", "c", "value"),
    [
        ("exp(c)", "-999999999", "0"),
        ("power(10, c)", "-1000000", "0"),
        ("power(c, 3)", "-2", "-8"),
        ("power(-1, c)", "1000001", "-1"),
        ("power(-1, c)", "1000000", "1"),
        ("power(10, c) - power(10, 59)", "59", "0"),
        ("power(10, c) - 9 * power(10, 59.5 - 0.5)", "59", "-8" + "0" * 59),
    ],
)
def test_a_power_is_as_large_or_small_as_it_is(formula: str, c: str, value: str, tmp_path: Path) -> None:
    found = score(tmp_path, _with_formula(tmp_path, formula), {"X": {"a": "1", "b": "1", "c": c}})["X"]
    assert found["CCC-01"]["value"] == value


@pytest.mark.parametrize(
    ("formula", "c", "function"),
    [
        ("exp(c)", "200", "exp"),
        ("exp(c)", "999999999", "exp"),
        ("exp(c)", "138.156", "exp"),  # ln 10 x 60 = 138.1551…
        ("power(10, c)", "60", "power"),
        ("power(10, c)", "80.5", "power"),
        ("power(10, c)", "1000000", "power"),
    ],
)
def test_a_power_too_large_is_refused_with_its_place(formula: str, c: str, function: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        score(tmp_path, _with_formula(tmp_path, formula), {"X": {"a": "1", "b": "1", "c": c}})
    expected = f"in.csv X: CCC-01: {function}(…) gives a number of more than 60 digits before the point"
    assert expected in str(refused.value)


@pytest.mark.parametrize("when", ["aaa_01_points > exp(1000)", "total + power(10, 70) > aaa_01_points"])
def test_a_number_too_large_in_a_gate_is_refused_with_its_place(when: str, tmp_path: Path) -> None:
    gates = f"gates:\n  - {{from: 2024-01-01, reference: ours, pass: [{{id: far, name: far, when: '{when}'}}]}}\n"
    with pytest.raises(BadInput, match=r"gates\.pass: far: .*gives a number of more than 60 digits before the point"):
        score(tmp_path, written(tmp_path, nodes(f"kind: sum, {ALL}"), gates, maximum="300"), {"X": {"a": "1"}})


@pytest.mark.parametrize(
    ("formula", "c", "value"),
    [
        ("ratio(ln(c), ln(2))", "8", "3"),
        ("ratio(ln(c), ln(10))", "1000", "3"),
        ("sqrt(c) * sqrt(c)", "3", "3"),
        ("power(power(c, ratio(1, 3)), 3)", "5", "5"),
        ("exp(ln(c))", "7", "7"),
        ("exp(ln(c))", "12345678901234567890.123456", "12345678901234567890.123456"),
        ("3 + ln(c) - 3 * ln(2)", "8", "3"),
        ("coalesce(ratio(c, ln(c) - 3 * ln(2)), 4)", "8", "4"),  # nothing below the line
        ("coalesce(ln(3 * ln(2) - ln(c)), 4)", "8", "4"),
        ("power(0 - c, ratio(ln(8), ln(2)))", "-2", "8"),
        ("case when ln(c) = 3 * ln(2) then 1 else 0 end", "8", "1"),
        ("case when sqrt(c) * sqrt(c) in (3) then 1 else 0 end", "3", "1"),
        ("3 * power(ratio(c, 27), ratio(1, 3))", "1", "1"),
    ],
)
@pytest.mark.parametrize("decimals", ["exact", "6"])
def test_logarithms_and_roots_that_come_out_even_lie_on_the_line(
    formula: str, c: str, value: str, decimals: str, tmp_path: Path
) -> None:
    """log2 8 = 3, ∛5³ = 5: at the line, not a hair above or below it; so in the points, the gate and what is shown."""
    gates = f"gates:\n  - {{from: 2024-01-01, reference: ours, pass: [{{id: g, name: g, when: ccc_01 = {value}}}]}}\n"
    scheme = _with_formula(tmp_path, formula)
    path = scheme / "indicators/CCC-01.yaml"
    text = path.read_text(encoding="utf-8").replace("decimals: exact", f"decimals: {decimals}")
    path.write_text(text.replace("linear(0; 100)", f"step(>={value}:50; >{value}:100)"), encoding="utf-8")
    with (scheme / "scheme.yaml").open("a", encoding="utf-8") as file:
        file.write(gates)
    found = score(tmp_path, scheme, {"X": {"a": "1", "b": "1", "c": c}})["X"]
    assert (found["CCC-01"]["points"], found["gate:g"]["status"]) == ("50", "pass")
    assert Decimal(found["CCC-01"]["value"]) == Decimal(value)


GEOMETRIC = "kind: geometric_mean, zero: gives_zero"
PRODUCT = {"half": "kind: formula, maximum: 10000, expression: 'aaa_01_points * bbb_01_points'"}
ROOTS = {
    "half": "kind: formula, maximum: 1000, expression: 'aaa_01_points * sqrt(bbb_01_points) * sqrt(bbb_01_points)'"
}
THRICE = {"half": "kind: sum, of: {mean: 3}", "mean": GEOMETRIC + ", of: {AAA-01: 1/3, BBB-01: 2/3}"}


@pytest.mark.parametrize(
    ("others", "most", "curve", "a", "b", "points"),
    [
        (ROOTS, "1100", "given(0; 100)", "10", "3", "30"),
        (PRODUCT, "10100", "sqrt_linear(0; 10000)", "2", "8", "4"),  # √2 · √8
        (THRICE, "400", "log_linear(1; 1000)", "10", "10", "100"),  # ln 10 / ln 1000 = 1/3
    ],
)
def test_a_node_on_logarithms_and_roots_that_comes_out_even_meets_its_gate(
    others: dict[str, str], most: str, curve: str, a: str, b: str, points: str, tmp_path: Path
) -> None:
    gates = f"""gates:
  - from: 2024-01-01
    reference: ours
    pass: [{{id: at, name: g, when: half >= {points}}}, {{id: past, name: g, when: total > {points}}}]
"""
    scheme = written(tmp_path, nodes("kind: sum, of: [half, CCC-01]", **others), gates, maximum=most)
    for name in ("AAA-01", "BBB-01"):
        path = scheme / f"indicators/{name}.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("given(0; 100)", curve), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"a": a, "b": b, "c": "0"}})["X"]
    assert [found[gate]["status"] for gate in ("gate:at", "gate:past")] == ["pass", "fail"]
    assert found["total"]["points"] == points


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("decimals: exact", "decimals: 1.5", "key decimals: from 0 to 12, or exact, found '1.5'"),
        ("decimals: exact", "decimals: 13", "key decimals: from 0 to 12, or exact, found '13'"),
        ("decimals: exact", "decimals: exact\nfull: 0", "key full: Input should be greater than 0, found '0'"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_with_what_can(old: str, new: str, said: str, tmp_path: Path) -> None:
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL}"), maximum="300")
    path = scheme / "indicators/CCC-01.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        score(tmp_path, scheme, {"X": {"a": "1"}})
    assert said in str(refused.value)


def test_a_gate_that_names_an_indicator_by_its_id_is_told_its_name(tmp_path: Path) -> None:
    gates = "gates:\n  - {from: 2024-01-01, reference: ours, pass: [{id: g, name: g, when: AAA-01 > 1}]}\n"
    with pytest.raises(BadInput, match="AAA-01 is aaa_01 in a formula, its points aaa_01_points"):
        score(tmp_path, written(tmp_path, nodes(f"kind: sum, {ALL}"), gates, maximum="300"), {"X": {"a": "1"}})


def test_equal_totals_share_a_rank_by_whatever_logarithms_they_came(tmp_path: Path) -> None:
    """ln 1 + ln 6 and ln 2 + ln 3."""
    ranks = "ranks: [{from: 2024-01-01, reference: ours, ranked: exact, ties: competition}]\n"
    half = "kind: formula, maximum: 10, expression: 'ln(aaa_01_points) + ln(bbb_01_points)'"
    scheme = written(tmp_path, nodes("kind: sum, of: [half, CCC-01]", half=half), ranks, maximum="110")
    given = {f"X{one}": {"a": str(a), "b": str(b), "c": "0"} for one, (a, b) in enumerate([(1, 6), (2, 3), (3, 4)])}
    found = score(tmp_path, scheme, given)
    assert [found[one]["rank"]["value"] for one in given] == ["2", "2", "1"]


def _with_formula(directory: Path, formula: str) -> Path:
    """CCC-01 is a formula of c, whose points are 0 up to 0 and 100 from 100 on."""
    scheme = written(directory, nodes(f"kind: sum, {ALL}"), maximum="300")
    path = scheme / "indicators/CCC-01.yaml"
    text = path.read_text(encoding="utf-8").replace("given(0; 100)", "linear(0; 100)").replace("unit: 分", "unit: 倍")
    path.write_text(text.replace("expression: c,", f'expression: "{formula}",'), encoding="utf-8")
    measures = scheme / "measures.yaml"
    text = measures.read_text(encoding="utf-8")
    measures.write_text(text.replace("  c: {unit: 分", "  c: {unit: 倍"), encoding="utf-8")
    return scheme


ENTRY = "{id: small, name: c at most 50, when: c <= 50}"
ROUTE = "{id: route, name: c is 7, when: c = 7}"


@pytest.mark.parametrize(
    ("kinds", "c", "passed"),
    [
        (f"direct: [{ROUTE}]", "7", "direct"),
        (f"direct: [{ROUTE}]", "8", "fail"),  # the only way in is closed
        (f"entry: [{ENTRY}], direct: [{ROUTE}]", "50", "fail"),
        (f"entry: [{ENTRY}], direct: [{ROUTE}]", "7", "direct"),
        (f"entry: [{ENTRY}]", "50", "pass"),  # entry alone decides
        (f"entry: [{ENTRY}]", "51", "fail"),
    ],
)
def test_gates_of_few_kinds_let_in_whom_they_name(kinds: str, c: str, passed: str, tmp_path: Path) -> None:
    gates = f"\ngates:\n  - {{from: 2024-01-01, reference: ours, {kinds}}}\n"
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL}"), gates, maximum="300")
    assert score(tmp_path, scheme, {"X": {"a": "90", "b": "90", "c": c}})["X"]["passed"]["status"] == passed


@pytest.mark.parametrize("kind", ["entry", "pass", "direct"])
def test_what_nobody_knows_opens_no_gate(kind: str, tmp_path: Path) -> None:
    gates = f"\ngates:\n  - {{from: 2024-01-01, reference: ours, {kind}: [{ENTRY}]}}\n"
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL}"), gates, maximum="300")
    found = score(tmp_path, scheme, {"X": {"a": "90", "b": "90"}})["X"]
    assert (found["gate:small"]["status"], found["gate:small"]["value"]) == ("unknown", "")
    assert (found["passed"]["status"], found["passed"]["value"]) == ("fail", "0")


RANKS = """
ranks:
  - {from: 2024-01-01, reference: ours, ranked: RANKED, ties: TIES, cascade: [CASCADE]}
"""
CITY = {"P": "3 1 9", "Q": "2.004 1 5", "R": "2.003 5 1", "S": "1 9 9"}


@pytest.mark.parametrize(
    ("ranked", "ties", "cascade", "expected"),
    [
        ("shown", "competition", "", "1 2 2 4"),
        ("shown", "dense", "", "1 2 2 3"),
        ("shown", "average", "", "1 2.5 2.5 4"),
        ("shown", "ordinal", "BBB-01", "1 3 2 4"),
        ("shown", "competition", "CCC-01", "1 2 3 4"),
        ("exact", "competition", "", "1 2 3 4"),  # rank before rounding: 2.004 beats 2.003
        ("exact", "competition", "BBB-01", "1 2 3 4"),
        ("shown", "competition, first: lowest", "", "4 2 2 1"),
    ],
)
def test_ties_are_as_declared(ranked: str, ties: str, cascade: str, expected: str, tmp_path: Path) -> None:
    rest = RANKS.replace("RANKED", ranked).replace("TIES", ties).replace("CASCADE", cascade)
    tree = nodes("kind: sum, of: {AAA-01: 1, BBB-01: 0, CCC-01: 0}, round: {mode: half_up, decimals: 2}")
    scheme = written(tmp_path, tree, rest)
    for order in (list(CITY), list(reversed(CITY))):
        given = {one: dict(zip("abc", CITY[one].split(), strict=True)) for one in order}
        found = score(tmp_path, scheme, given)
        assert [found[one]["rank"]["value"] for one in CITY] == expected.split()


def test_in_a_cascade_a_true_zero_stands_above_what_is_not_held(tmp_path: Path) -> None:
    rest = RANKS.replace("RANKED", "shown").replace("TIES", "ordinal").replace("CASCADE", "CCC-01")
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL}"), rest, maximum="300")
    found = score(tmp_path, scheme, {"P": {"a": "1", "b": "1"}, "Q": {"a": "1", "b": "1", "c": "0"}})
    assert [found[one]["rank"]["value"] for one in "PQ"] == ["2", "1"]


def test_a_rule_holds_from_its_day(tmp_path: Path) -> None:
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL}"), maximum="300")
    text = (scheme / "scheme.yaml").read_text(encoding="utf-8")
    later = text.split("tree:\n")[1].replace("2024-01-01", "2025-01-01").replace("kind: sum", "kind: mean")
    (scheme / "scheme.yaml").write_text(text + later.replace("maximum: 300", "maximum: 100"), encoding="utf-8")
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("uscc,stage,measure,value\nX,,a,3\nX,,b,3\nX,,c,3\n", encoding="utf-8")
    for day, total in ((date(2024, 12, 31), "9"), (date(2025, 1, 1), "3")):
        score_file(str(scheme), source, out, day)
        assert f"X,全部,total,,,{total}\n" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(("given", "points"), [("10 20", "15"), ("10", "")])
def test_a_mean_of_what_is_held_asks_for_enough_members(given: str, points: str, tmp_path: Path) -> None:
    tree = nodes(f"kind: mean, absent: left_out, at_least: 2, {ALL}")
    held = dict(zip("abc", given.split(), strict=False))
    assert score(tmp_path, written(tmp_path, tree), {"X": held})["X"]["total"]["points"] == points


STAGES = """
stages: [{id: young, name_en: young}, {id: grown, name_en: grown}]
rule:
  - from: 2024-01-01
    reference: ours
    bases:
      - {name: 甲, highest_of: [c], unit: 分, decimals: 0, edge: "[a,b)", bounds: [50], reference: ours}
    otherwise: young
"""


def test_weights_and_ranks_may_differ_by_stage(tmp_path: Path) -> None:
    """Below c = 50 young: 0.9 a + 0.1 b; from 50 on grown: half and half. Each stage has its own first."""
    tree = nodes("kind: mean, of: {AAA-01: {young: 0.9, grown: 0.5}, BBB-01: {young: 0.1, grown: 0.5}, CCC-01: 0}")
    rest = RANKS.replace("RANKED", "shown").replace("TIES", "competition").replace("cascade: [CASCADE]", "SCOPES")
    scheme = written(tmp_path, tree, rest.replace("SCOPES", "scopes: [all, stage]"))
    (scheme / "stages.yaml").write_text(STAGES, encoding="utf-8")
    given = {"P": {"a": "10", "b": "20", "c": "49"}, "Q": {"a": "10", "b": "20", "c": "50"}, "R": {"a": "1", "b": "1"}}
    found = score(tmp_path, scheme, given)
    shown = {who: [rows["total"]["stage"], rows["total"]["points"]] for who, rows in found.items()}
    assert shown == {"P": ["young", "11"], "Q": ["grown", "15"], "R": ["young", "1"]}
    assert [found[w]["rank"]["value"] for w in "PQR"] == ["2", "1", "3"]
    assert [found[w]["rank:stage"]["value"] for w in "PQR"] == ["1", "1", "2"]


def test_what_does_not_apply_is_told_apart_and_leaves_the_coverage(tmp_path: Path) -> None:
    scheme = written(tmp_path, "    not_applicable: left_out\n" + nodes(f"kind: mean, {ALL}"))
    path = scheme / "indicators" / "CCC-01.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("expression: c,", "expression: c, applicable_when: a > 5,"), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"a": "4", "b": "8"}, "Y": {"a": "6", "b": "9"}})
    assert (found["X"]["CCC-01"]["status"], found["X"]["total"]["points"]) == ("not_applicable", "6")
    assert (found["X"]["total_high"]["points"], found["X"]["coverage"]["value"]) == ("6", "1.000000")
    assert (found["Y"]["CCC-01"]["status"], found["Y"]["total"]["points"]) == ("not_held", "5")
    assert found["Y"]["coverage"]["value"] == "0.666667"


BELOW_MINUS_5, MINUS_5 = "189999999.99", "190000000.00"  # of 200,000,000.00
BELOW_5, PLUS_5 = "209999999.99", "210000000.00"


@pytest.mark.parametrize(
    ("when", "a", "answer"),
    [
        ("ccc_01 >= -0.05", BELOW_MINUS_5, "fail"),
        ("ccc_01 >= -0.05", MINUS_5, "pass"),
        ("ccc_01 < -0.05", BELOW_MINUS_5, "pass"),
        ("ccc_01 between -0.05 and 1", BELOW_MINUS_5, "fail"),
        ("ccc_01 >= 0.02 + 0.03", BELOW_5, "fail"),
        ("ccc_01 >= 0.02 + 0.03", PLUS_5, "pass"),
        ("100 * ccc_01 >= 5", BELOW_5, "fail"),
        ("least(ccc_01, 1) >= 0.05", BELOW_5, "fail"),
        ("least(ccc_01, 1) >= 0.05", PLUS_5, "pass"),
        ("ccc_01 <> 0", "200000000.01", "pass"),
        ("not ccc_01 = 0", "200000000.01", "pass"),
        ("ccc_01 <> 0", "200000000.00", "fail"),
        ("ccc_01 in (0, 1)", "200000000.01", "fail"),
    ],
)
def test_a_gate_of_any_form_is_decided_by_the_exact_value(when: str, a: str, answer: str, tmp_path: Path) -> None:
    """The growth of a over 200,000,000.00, by cross-multiplication; six places would round it onto the line."""
    gates = f"gates:\n  - {{from: 2024-01-01, reference: ours, pass: [{{id: g, name: g, when: '{when}'}}]}}\n"
    scheme = with_a_ratio(tmp_path, gates, "ratio(a - b, b)")
    found = score(tmp_path, scheme, {"X": {"a": a, "b": "200000000.00"}})["X"]
    assert found["gate:g"]["status"] == answer


@pytest.mark.parametrize(
    ("condition", "decimals", "said"),
    [
        ("100 * ccc_01 >= 30", "2", "a comparison counts with ccc_01, which is rounded to 2 decimals: hold it against"),
        ("ccc_01 >= 0.1 + aaa_01_points", "2", "a comparison counts with ccc_01"),
        ("least(ccc_01, 1) >= 0.3", "2", "a comparison counts with ccc_01"),
        ("ccc_01 in (0.1, aaa_01_points)", "2", "a comparison counts with ccc_01"),
        ("ccc_01 >= 0.305", "2", "ccc_01 is rounded to 2 decimals and compared with a number of more"),
        ("ccc_01 >= 0.3", "2", None),
        ("ccc_01 >= 0.1 + 0.2", "2", None),
        ("100 * ccc_01 >= 30", "exact", None),
    ],
)
def test_a_formula_node_does_not_decide_by_what_is_only_shown(
    condition: str, decimals: str, said: str | None, tmp_path: Path
) -> None:
    """2999/10000 is below 0.3, though shown as 0.30 where no line is drawn. Outside a condition, 100 · 0.30 is 30."""
    expression = f"case when {condition} then 20 else 0 end + 100 * ccc_01 + 0 * aaa_01_points + 0 * bbb_01_points"
    scheme = with_a_ratio(tmp_path, "", "ratio(a, b)", decimals=decimals)
    path = scheme / "scheme.yaml"
    text = path.read_text(encoding="utf-8").replace("maximum: 300", "maximum: 120")
    total = f"kind: formula, maximum: 120, expression: '{expression}'"
    path.write_text(text.replace(f"kind: sum, {ALL}", total), encoding="utf-8")
    if said is None:
        found = score(tmp_path, scheme, {"X": {"a": "2999", "b": "10000"}})["X"]
        assert found["total"]["points"] == ("29" if decimals == "2" else "29.99")  # shown below its line: 0.29
    else:
        with pytest.raises(BadInput) as refused:
            score(tmp_path, scheme, {"X": {"a": "2999", "b": "10000"}})
        assert f"written/scheme.yaml: key tree from 2024-01-01: nodes.total: {said}" in str(refused.value)


@pytest.mark.parametrize(
    ("curve", "decimals", "gate", "value"),
    [
        ("step(>1:50; >=2:100)", "0", "total >= 0", None),  # 1.2 is neither 1 nor 2
        ("step(>1:50; >=2:100)", "1", "total >= 0", "1.2"),
        ("step(>=1:50; >2:100)", "0", "total >= 0", "1"),
        ("step(>1:50; >2:100)", "0", "total >= 0", "2"),
        ("step(>1:50; >=3:100)", "0", "total >= 0", "2"),
        ("step(>1:100)", "0", "ccc_01 < 2", None),
        ("linear(0; 1)", "0", "ccc_01 in (1, 2)", None),
        ("step(>1:50; >=2:100)", "exact", "total >= 0", "1.2"),
    ],
)
def test_between_two_lines_a_rounded_value_has_room(
    curve: str, decimals: str, gate: str, value: str | None, tmp_path: Path
) -> None:
    gates = f"gates:\n  - {{from: 2024-01-01, reference: ours, pass: [{{id: g, name: g, when: '{gate}'}}]}}\n"
    scheme = with_a_ratio(tmp_path, gates, "ratio(a, b)", decimals=decimals)
    path = scheme / "indicators/CCC-01.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("linear(0; 1)", curve), encoding="utf-8")
    if value is None:
        with pytest.raises(BadInput, match=r"CCC-01\.yaml: key decimals: between 1 and 2, which are told apart"):
            score(tmp_path, scheme, {"X": {"a": "12", "b": "10"}})
    else:
        assert score(tmp_path, scheme, {"X": {"a": "12", "b": "10"}})["X"]["CCC-01"]["value"] == value


def test_a_formula_node_compares_counts_as_it_likes(tmp_path: Path) -> None:
    """Nothing is rounded of a figure that has no more places than are shown."""
    expression = "case when 2 * ccc_01 >= 30 then 20 else 0 end + 0 * aaa_01 + 0 * bbb_01"
    total = f"kind: formula, maximum: 20, expression: '{expression}'"
    scheme = written(tmp_path, nodes(total), maximum="20")
    path = scheme / "indicators/CCC-01.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("decimals: exact", "decimals: 6"), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"a": "1", "b": "1", "c": "15"}, "Y": {"a": "1", "b": "1", "c": "14.999999"}})
    assert [found[one]["total"]["points"] for one in ("X", "Y")] == ["20", "0"]


def test_a_gate_between_two_shown_values_moves_neither_value_nor_points(tmp_path: Path) -> None:
    """0.45 at no place is 0, with or without a gate at 0.4; the gate looks at 0.45."""
    gates = "gates:\n  - {from: 2024-01-01, reference: ours, pass: [{id: g, name: g, when: ccc_01 >= 0.4}]}\n"
    scheme = with_a_ratio(tmp_path, gates, "ratio(a, b)", decimals="0")
    found = score(tmp_path, scheme, {"X": {"a": "45", "b": "100"}})["X"]
    assert (found["CCC-01"]["value"], found["CCC-01"]["points"], found["gate:g"]["status"]) == ("0", "0", "pass")


@pytest.mark.parametrize(
    ("edge", "a", "stage"),
    [
        ("[a,b)", "299.6", "young"),  # 2.996 is below 3, shown as 3.00
        ("[a,b)", "300", "grown"),
        ("(a,b]", "300.4", "grown"),  # 3.004 is above 3
        ("(a,b]", "300", "young"),
    ],
)
def test_a_stage_bound_is_not_crossed_by_rounding(edge: str, a: str, stage: str, tmp_path: Path) -> None:
    scheme = written(tmp_path, nodes(f"kind: mean, {ALL}"))
    text = STAGES.replace(
        "highest_of: [c], unit: 分, decimals: 0", "highest_of: ['ratio(a, b)'], unit: 倍, decimals: 2"
    )
    text = text.replace('edge: "[a,b)", bounds: [50]', f'edge: "{edge}", bounds: [3]')
    (scheme / "stages.yaml").write_text(text, encoding="utf-8")
    for name in ("AAA-01", "BBB-01"):
        path = scheme / f"indicators/{name}.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("given(0; 100)", "linear(0; 100)"), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"a": a, "b": "100", "c": "1"}})["X"]
    assert found["total"]["stage"] == stage


def test_a_measure_that_only_a_formula_reads_is_missing_like_any_other(tmp_path: Path) -> None:
    """20 points and up to 10 more; held are three members of 100 of the 310."""
    extra = "kind: formula, expression: d, maximum: 10"
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL[:-1]}, extra]", extra=extra), maximum="310")
    with (scheme / "measures.yaml").open("a", encoding="utf-8") as measures:
        measures.write("  d: {unit: 分, decimals: 6, zh: 甲}\n")
    given = {"a": "20", "b": "0", "c": "0"}
    found = score(tmp_path, scheme, {"X": given, "Y": {**given, "d": "8"}})
    assert _shown(found["X"], "total", "total_low", "total_high") == ["20", "20", "30"]
    assert found["X"]["coverage"]["value"] == "0.967742"
    assert _shown(found["Y"], "total", "total_low", "total_high") == ["28", "28", "28"]


def test_the_interval_of_a_formula_that_falls_holds_all_that_it_may_give(tmp_path: Path) -> None:
    """a - b + c with c = 5 alone: from 0 - 100 + 5 to 100 - 0 + 5. The worst of all and the best of all are 5 both."""
    total = "kind: formula, expression: 'aaa_01_points - bbb_01_points + ccc_01_points', minimum: -100, maximum: 200"
    found = score(
        tmp_path, written(tmp_path, nodes(total), maximum="200"), {"X": {"c": "5"}, "Y": {"a": "7", "c": "5"}}
    )
    assert _shown(found["X"], "total_low", "total_high") == ["-95", "105"]
    assert _shown(found["Y"], "total_low", "total_high") == ["-88", "12"]


def test_an_index_of_inequality_keeps_its_declared_ends_where_a_quotient_may_be_anything(tmp_path: Path) -> None:
    total = "kind: formula, expression: '1 - ratio(least(aaa_01_points, bbb_01_points), ccc_01_points)', maximum: 1"
    found = score(tmp_path, written(tmp_path, nodes(total), maximum="1"), {"X": {"a": "1", "c": "2"}})["X"]
    assert _shown(found, "total_low", "total_high") == ["0.5", "1"]  # ratio of at least 0 and at most 1 to 2


def test_the_interval_holds_the_total_of_today(tmp_path: Path) -> None:
    """c gives 5 at the least once it is known, and nothing while it is not."""
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL}"), maximum="210")
    path = scheme / "indicators/CCC-01.yaml"
    text = path.read_text(encoding="utf-8").replace("given(0; 100)", "step(below:5; >=1:10)")
    path.write_text(text.replace("decimals: exact", "decimals: exact\nfull: 10"), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"a": "1", "b": "1"}})["X"]
    assert _shown(found, "total", "total_low", "total_high") == ["2", "2", "12"]


def test_what_has_no_result_and_hides_nothing_has_no_interval(tmp_path: Path) -> None:
    """A true zero of a: the scheme says that such a mean has no result, and nothing more will come."""
    scheme = written(tmp_path, nodes(f"kind: geometric_mean, zero: no_result, {ALL}"))
    found = score(tmp_path, scheme, {"X": {"a": "0", "b": "8", "c": "27"}})["X"]
    assert _shown(found, "total", "total_low", "total_high") == ["", "", ""]


@pytest.mark.parametrize(
    ("expression", "falls"),
    [
        ("aaa_01_points - bbb_01_points", "total falls as bbb_01_points grows@total"),
        ("100 - (100 - aaa_01_points) + bbb_01_points", None),
        ("aaa_01_points * bbb_01_points", None),
        ("aaa_01_points * (bbb_01_points - 200)", "total falls as aaa_01_points grows@total"),
        ("(aaa_01_points - 101) * (bbb_01_points - 101)", "total falls as aaa_01_points grows@total"),
        ("ratio(100 * aaa_01_points, 1 + bbb_01_points)", "total falls as bbb_01_points grows@total"),
        ("ratio(aaa_01_points, bbb_01_points - 101)", "total falls as aaa_01_points grows@total"),
        ("greatest(aaa_01_points, 0 - bbb_01_points)", "total falls as bbb_01_points grows@total"),
        ("sqrt(aaa_01_points) + ln(1 + bbb_01_points)", None),
        ("case when bbb_01_points > 5 then 1 else aaa_01_points end", None),  # nobody can tell
        ("case when aaa_01_points >= 10 then aaa_01_points + bbb_01_points else 0 end", None),
        ("abs(aaa_01_points) + power(aaa_01_points * bbb_01_points, 0.5)", None),
        ("ratio(2 * aaa_01_points * bbb_01_points, aaa_01_points + bbb_01_points)", None),
        ("100 - half", "total falls as half grows@half, total"),
        ("aaa_01 - bbb_01", None),  # values: without one there is no result
    ],
)
def test_lint_finds_where_it_pays_to_withhold(expression: str, falls: str | None, tmp_path: Path) -> None:
    total = f"kind: formula, expression: '{expression} + 0 * ccc_01_points', minimum: -90000, maximum: 90000"
    half = {"half": f"kind: mean, {ALL}"} if "half" in expression else {}
    scheme = written(tmp_path, nodes(total, **half), maximum="90000")
    expected = []
    if falls:
        said, _, at = falls.partition("@")
        expected = [f"{said}, so who withholds that gains: write absent: no_result in {at}"]
    assert [f.what for f in lint_directory(scheme, {}) if "withholds" in f.what][:1] == expected
    silent = scheme / "scheme.yaml"
    silent.write_text(
        silent.read_text(encoding="utf-8").replace("    root:", "    absent: no_result\n    root:"), encoding="utf-8"
    )
    assert not [f for f in lint_directory(scheme, {}) if "withholds" in f.what]


@pytest.mark.parametrize(
    ("expression", "maximum", "most"),
    [
        ("aaa_01_points + bbb_01_points + 0 * ccc_01_points", "500", "200"),
        ("aaa_01_points + bbb_01_points + 0 * ccc_01_points", "200", None),
        ("100 * least(aaa_01_points, 1) + aaa_01_points + 0 * bbb_01_points + 0 * ccc_01_points", "300", "200"),
        ("sqrt(aaa_01_points) * sqrt(100) + 0 * bbb_01_points + 0 * ccc_01_points", "100", None),
        ("aaa_01 + bbb_01 + 0 * ccc_01_points", "500", None),  # their measures have no end
    ],
)
def test_lint_finds_a_maximum_that_a_formula_never_gives(
    expression: str, maximum: str, most: str | None, tmp_path: Path
) -> None:
    total = f"kind: formula, expression: '{expression}', maximum: {maximum}"
    scheme = written(tmp_path, nodes(total), maximum=maximum)
    said = [f.what for f in lint_directory(scheme, {}) if "never gives" in f.what]
    assert said == ([f"total: the formula never gives more than {most}, maximum is {maximum}"] if most else [])


@pytest.mark.parametrize(("most", "found"), [("7.999999", True), ("8", False)])
def test_lint_knows_what_a_logarithm_reaches(most: str, found: bool, tmp_path: Path) -> None:
    """log2 8 = 3."""
    gates = "gates:\n  - {from: 2024-01-01, reference: ours, pass: [{id: g, name: g, when: ccc_01 >= 3}]}\n"
    scheme = _with_formula(tmp_path, "ratio(ln(c), ln(2))")
    with (scheme / "scheme.yaml").open("a", encoding="utf-8") as file:
        file.write(gates)
    path = scheme / "measures.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  c: {unit: 倍", f"  c: {{least: 1, most: {most}, unit: 倍"), encoding="utf-8")
    said = [f.what for f in lint_directory(scheme, {}) if "no enterprise can meet" in f.what]
    assert said == (["gates.pass: g: no enterprise can meet 'ccc_01 >= 3'"] if found else [])


@pytest.mark.parametrize(("most", "found"), [("99.999999", True), ("100", False)])
def test_lint_finds_full_points_out_of_reach_of_what_may_be_supplied(most: str, found: bool, tmp_path: Path) -> None:
    scheme = written(tmp_path, nodes(f"kind: sum, {ALL}"), maximum="300")
    path = scheme / "measures.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  c: {unit: 分", f"  c: {{most: {most}, unit: 分"), encoding="utf-8")
    said = [f.what for f in lint_directory(scheme, {}) if "never gives" in f.what]
    full = f"curve from 2024-01-01: the formula never gives more than {most}: no enterprise reaches the full 100 points"
    assert said == ([full] if found else [])


@pytest.mark.parametrize(
    ("expression", "rest", "said"),
    [
        ("aaa_01_points * bbb_01_points + ccc_01_points", "maximum: 100", "gives up to 10100, maximum is 100"),
        ("aaa_01_points - bbb_01_points + ccc_01_points", "maximum: 200", "gives down to -100, minimum is 0"),
        ("2 * aaa_01 + 0 * bbb_01 + 0 * ccc_01", "maximum: 100", "the formula gives 120, and declares from 0 to 100"),
    ],
)
def test_a_formula_keeps_to_what_it_declares(expression: str, rest: str, said: str, tmp_path: Path) -> None:
    maximum = rest.rpartition(" ")[2]
    scheme = written(tmp_path, nodes(f"kind: formula, expression: '{expression}', {rest}"), maximum=maximum)
    with pytest.raises(BadInput, match=said):
        score(tmp_path, scheme, {"X": {"a": "60", "b": "1", "c": "1"}})


def test_the_most_points_are_those_that_rounding_gives(tmp_path: Path) -> None:
    """Three of 2.5 points, each rounded to 3, are 9, although 3 x 2.5 is 7.5; and ten times that is 90."""
    for total, maximum, points in (
        (f"kind: sum, {ALL}", "9", "9"),
        ("kind: formula, expression: '10 * half', maximum: 90", "90", "90"),
    ):
        half = {"half": f"kind: sum, {ALL}, round: {{mode: half_up, decimals: 0}}"} if "half" in total else {}
        tree = nodes(total, **half).replace(
            "    nodes:", "    round_indicators: {mode: half_up, decimals: 0}\n    nodes:"
        )
        scheme = written(tmp_path / maximum, tree, maximum=maximum)
        for name in ("AAA-01", "BBB-01", "CCC-01"):
            path = scheme / f"indicators/{name}.yaml"
            text = path.read_text(encoding="utf-8").replace("given(0; 100)", "linear(0; 100)")
            path.write_text(text.replace("decimals: exact", "decimals: exact\nfull: 2.5"), encoding="utf-8")
        found = score(tmp_path, scheme, {"X": {"a": "100", "b": "100", "c": "100"}})["X"]
        assert found["total"]["points"] == points
        assert not [one for one in lint_directory(scheme, {}) if "most" in one.what or "never gives" in one.what]


def test_a_maximum_without_an_end_is_written_to_twelve_places(tmp_path: Path) -> None:
    """√(20 · 30) = √600 = 24.494897427831780…"""
    tree = nodes("kind: geometric_mean, zero: gives_zero, of: {AAA-01: 0.5, BBB-01: 0.5, CCC-01: 0}")
    scheme = written(tmp_path, tree, maximum="24.494897427832")
    for name, full in (("AAA-01", 20), ("BBB-01", 30)):
        path = scheme / f"indicators/{name}.yaml"
        text = path.read_text(encoding="utf-8").replace("given(0; 100)", f"given(0; {full})")
        path.write_text(text.replace("decimals: exact", f"decimals: exact\nfull: {full}"), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"a": "20", "b": "30", "c": "0"}})["X"]
    assert found["total"]["points"] == "24.494897427832"
    wrong = scheme / "scheme.yaml"
    wrong.write_text(wrong.read_text(encoding="utf-8").replace("427832", "427831"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"the most points are 24\.4948974278317"):
        score(tmp_path, scheme, {"X": {"a": "20", "b": "30", "c": "0"}})


def _shown(found: dict[str, dict[str, str]], *rows: str) -> list[str]:
    return [found[row]["points"] for row in rows]


def test_a_growth_over_five_years(tmp_path: Path) -> None:
    """1.1⁵ = 1.61051."""
    scheme = with_a_ratio(tmp_path, "", "cagr(a, b, 5)", decimals="exact")
    found = score(tmp_path, scheme, {"X": {"a": "1.61051", "b": "1"}})["X"]
    assert (found["CCC-01"]["value"], found["CCC-01"]["points"]) == ("0.1", "10")
