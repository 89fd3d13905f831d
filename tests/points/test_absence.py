"""What is not held, under a scheme with a tree: never a better answer, and an interval that holds all that may come.

The scheme is the one of `test_tree`: AAA-01, BBB-01, CCC-01 give the points of the measures a, b, c, from 0 to 100; a
test writes the tree and changes a line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from include.kernel.errors import BadInput
from tests.points.test_tree import ALL, nodes, score, written

INSTALLED = Path(__file__).parents[2] / "include/schemes"
SUM = nodes(f"kind: sum, {ALL}")


def changed(scheme: Path, line: str, *changes: tuple[str, str]) -> Path:
    """The scheme with other words in the file of a line."""
    path = scheme / f"indicators/{line}.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return scheme


def with_formula(
    tmp_path: Path, expression: str, curve: str = "given(0; 100)", total: str = SUM, most: str = "300"
) -> Path:
    scheme = written(tmp_path, total, maximum=most)
    return changed(scheme, "CCC-01", ("expression: c,", f'expression: "{expression}",'), ("given(0; 100)", curve))


def total(found: dict[str, dict[str, str]]) -> list[str]:
    return [found[row]["points"] for row in ("total", "total_low", "total_high")]


def test_who_hides_whether_an_indicator_applies_has_no_points_of_it(tmp_path: Path) -> None:
    scheme = changed(
        written(tmp_path, SUM, maximum="300"), "CCC-01", ("expression: c,", "expression: c, applicable_when: a > 5,")
    )
    rest = {"b": "1", "c": "10"}
    found = score(tmp_path, scheme, {"hidden": rest, "no": {**rest, "a": "0"}, "yes": {**rest, "a": "6"}})
    assert [found[one]["CCC-01"]["status"] for one in found] == ["not_held", "not_applicable", "value"]
    assert total(found["hidden"]) == ["1", "1", "111"]  # a from 0 to 100, and c's 10 points where it applies
    assert found["hidden"]["coverage"]["value"] == "0.333333"
    assert total(found["no"]) == ["1", "1", "1"]
    assert total(found["yes"]) == ["17", "17", "17"]


@pytest.mark.parametrize("expression", ["least(c, 75)", "greatest(c, 1)", "greatest(least(c, 75), 1)"])
def test_a_goalpost_does_not_stand_in_for_what_it_bounds(expression: str, tmp_path: Path) -> None:
    found = score(tmp_path, with_formula(tmp_path, expression), {"hidden": {"a": "0", "b": "0"}})["hidden"]
    assert (found["CCC-01"]["status"], found["CCC-01"]["points"]) == ("not_held", "0")
    assert found["total"]["points"] == "0"


@pytest.mark.parametrize(("expression", "most"), [("least(c, 75)", "75"), ("greatest(c, 1)", "100")])
def test_a_goalpost_bounds_what_may_come(expression: str, most: str, tmp_path: Path) -> None:
    found = score(tmp_path, with_formula(tmp_path, expression), {"hidden": {"a": "0", "b": "0"}})["hidden"]
    assert total(found) == ["0", "0", most]


def test_else_is_no_answer_to_what_is_not_held(tmp_path: Path) -> None:
    scheme = with_formula(tmp_path, "case when c > 0 then 0 else 10 end")
    rest = {"a": "0", "b": "0"}
    found = score(tmp_path, scheme, {"hidden": rest, "sued": {**rest, "c": "1"}, "clean": {**rest, "c": "0"}})
    assert total(found["hidden"]) == ["0", "0", "10"]
    assert (total(found["sued"]), total(found["clean"])) == (["0", "0", "0"], ["10", "10", "10"])
    assert found["hidden"]["CCC-01"]["status"] == "not_held"


@pytest.mark.parametrize(
    ("expression", "ends"),
    [
        ("greatest(a, c)", ["10", "10", "100"]),  # the better of two bases, one of them not held
        ("least(a, c)", ["10", "0", "10"]),
        ("coalesce(c, a)", ["10", "0", "100"]),
        ("coalesce(a, c)", ["10", "10", "10"]),  # c could say nothing more
        ("coalesce(c, 0) + a", ["10", "10", "100"]),
        ("case when a = 10 then a else c end", ["10", "10", "10"]),
        ("case when a = 10 or c > 5 then 7 else 3 end", ["7", "7", "7"]),
        ("case when c is null then 3 else 7 end", ["3", "3", "7"]),
        # what stands on nothing else than what is decided is decided too
        ("ratio(coalesce(a, c), 2)", ["5", "5", "5"]),
        ("least(coalesce(a, c), 8)", ["8", "8", "8"]),
        ("case when coalesce(a, c) >= 5 and not (a < 5 and c > 0) then 7 else 3 end", ["7", "7", "7"]),
        ("case when (a > 0 or c > 0) and a > 5 then 7 else 3 end", ["7", "7", "7"]),
        ("coalesce(a, c) + least(c, 20)", ["0", "0", "30"]),
    ],
)
def test_what_reads_past_something_stays_open_until_it_is_held(
    expression: str, ends: list[str], tmp_path: Path
) -> None:
    """Measured against c of 0 and more; a is 10, and stands in the formula alone."""
    scheme = with_formula(
        tmp_path, expression, total=nodes("kind: sum, of: {AAA-01: 0, BBB-01: 0, CCC-01: 1}"), most="100"
    )
    measures = scheme / "measures.yaml"
    text = measures.read_text(encoding="utf-8").replace("c: {unit: 分,", "c: {unit: 分, least: 0,")
    measures.write_text(text, encoding="utf-8")
    assert total(score(tmp_path, scheme, {"X": {"a": "10", "b": "0"}})["X"]) == ends


def test_a_mean_that_leaves_out_may_be_that_of_the_best_alone(tmp_path: Path) -> None:
    """A gives at most 10 and applies where c is above 0, B at most 100: without A the mean is B."""
    tree = nodes("kind: mean, of: [AAA-01, BBB-01], not_applicable: left_out", rest="kind: sum, of: [total, CCC-01]")
    tree = tree.replace("total:", "mean:").replace("rest:", "total:").replace("[total,", "[mean,")
    scheme = written(tmp_path, tree, maximum="155")
    changed(
        scheme,
        "AAA-01",
        ("expression: a,", "expression: a, applicable_when: c > 0,"),
        ("given(0; 100)", "given(0; 10)"),
    )
    changed(scheme, "AAA-01", ("decimals: exact", "decimals: exact\nfull: 10"))
    with pytest.raises(BadInput, match="the most points are 200, maximum is 155"):
        score(tmp_path, scheme, {"X": {"b": "100"}})
    path = scheme / "scheme.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("maximum: 155", "maximum: 200"), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"b": "100"}, "Y": {"b": "100", "c": "0"}, "Z": {"b": "0", "c": "1"}})
    assert total(found["X"]) == ["50", "50", "200"]  # (0 + 100)/2 now; 100 + 100 where c excuses A; 50 + 0 at the least
    assert total(found["Y"]) == ["100", "100", "100"]
    assert total(found["Z"]) == ["1", "1", "6"]  # c's own point, and 0 to 10 of A in a mean of two


def test_what_may_stay_without_a_value_counts_as_that_too(tmp_path: Path) -> None:
    """A = a/b: 2 points at the least, but none where b is 0; the total waits for C."""
    tree = nodes("kind: sum, of: [some, CCC-01], absent: no_result", some="kind: sum, of: [AAA-01, BBB-01]")
    scheme = written(tmp_path, tree, maximum="210")
    changed(scheme, "AAA-01", ("expression: a,", 'expression: "ratio(a, b)",'), ("unit: 分", "unit: 比例"))
    changed(
        scheme, "AAA-01", ("given(0; 100)", "step(below:2; >=0.5:10)"), ("decimals: exact", "decimals: exact\nfull: 10")
    )
    assert total(score(tmp_path, scheme, {"X": {"a": "1"}})["X"]) == ["", "0", "210"]


def test_a_gate_on_a_node_of_which_nothing_is_held_is_unknown(tmp_path: Path) -> None:
    gates = """
gates:
  - from: 2024-01-01
    reference: ours
    entry:
      - {id: risk_low, name: at most 5, when: risk <= 5}
"""
    tree = nodes("kind: sum, of: [risk, CCC-01]", risk="kind: sum, of: [AAA-01, BBB-01]")
    scheme = written(tmp_path, tree, gates, maximum="300")
    found = score(tmp_path, scheme, {"hidden": {"c": "4"}, "known": {"a": "2", "b": "3", "c": "4"}})
    assert [found[one]["gate:risk_low"]["status"] for one in ("hidden", "known")] == ["unknown", "pass"]
    assert [found[one]["passed"]["status"] for one in ("hidden", "known")] == ["fail", "pass"]


def test_a_measure_of_a_formula_node_keeps_to_its_declared_ends(tmp_path: Path) -> None:
    tree = nodes(
        "kind: formula, expression: 'c * aaa_01_points + 0 * bbb_01_points + 0 * ccc_01_points', maximum: 1000"
    )
    scheme = written(tmp_path, tree, maximum="1000")
    measures = scheme / "measures.yaml"
    text = measures.read_text(encoding="utf-8").replace("c: {unit: 分,", "c: {unit: 分, least: 0, most: 10,")
    measures.write_text(text, encoding="utf-8")
    assert total(score(tmp_path, scheme, {"X": {"a": "5", "b": "0"}})["X"])[1:] == ["0", "50"]


def test_the_points_of_an_expert_lie_in_the_band_that_is_known(tmp_path: Path) -> None:
    scheme = with_formula(tmp_path, "c", "chosen(>=0:1-2; >=3:3-5; >=6:6-8)", most="208")
    changed(scheme, "CCC-01", ("decimals: exact", "decimals: exact\nfull: 8"))
    changed(
        scheme,
        "CCC-01",
        ("reference: ours}\n", "reference: ours}\n"),
        ('6-8)", reference', '6-8)", chosen_by: d, reference'),
    )
    with (scheme / "measures.yaml").open("a", encoding="utf-8") as measures:
        measures.write("  d: {unit: 分, decimals: 2, zh: 甲}\n")
    rest = {"a": "0", "b": "0"}
    found = score(tmp_path, scheme, {"X": {**rest, "c": "4"}, "Y": rest, "Z": {**rest, "d": "4"}})
    assert total(found["X"]) == ["0", "0", "5"]
    assert total(found["Y"]) == ["0", "0", "8"]
    assert total(found["Z"]) == ["0", "0", "4"]  # the points are chosen, only their band is not known


def test_what_lies_just_past_the_most_of_a_measure_is_not_reached(tmp_path: Path) -> None:
    scheme = with_formula(tmp_path, "c", "step(>=5:50; >10:100)")
    measures = scheme / "measures.yaml"
    text = measures.read_text(encoding="utf-8").replace("c: {unit: 分,", "c: {unit: 分, least: 0, most: 10,")
    measures.write_text(text, encoding="utf-8")
    assert total(score(tmp_path, scheme, {"X": {"a": "0", "b": "0"}})["X"]) == ["0", "0", "50"]


def test_what_does_not_apply_is_written_as_its_node_takes_it(tmp_path: Path) -> None:
    tree = nodes(f"kind: mean, {ALL}").replace("    nodes:", "    not_applicable: left_out\n    nodes:")
    scheme = changed(written(tmp_path, tree), "CCC-01", ("expression: c,", "expression: c, applicable_when: c > 5,"))
    found = score(tmp_path, scheme, {"X": {"a": "1", "b": "2", "c": "3"}})["X"]
    assert (found["CCC-01"]["points"], found["total"]["points"]) == ("", "1.5")


def test_a_figure_too_large_for_what_does_not_apply_disturbs_nobody(tmp_path: Path) -> None:
    scheme = with_formula(tmp_path, "case when exp(a) > 5 then c else 0 end")
    changed(scheme, "CCC-01", ('end",', 'end", applicable_when: a <= 100,'))
    changed(scheme, "AAA-01", ("given(0; 100)", "linear(0; 100)"))
    found = score(tmp_path, scheme, {"X": {"a": "1000", "b": "3"}})["X"]
    assert (found["CCC-01"]["status"], total(found)) == ("not_applicable", ["103", "103", "103"])


def test_a_bound_that_depends_on_what_is_held_does_not_stand_in_either(tmp_path: Path) -> None:
    scheme = with_formula(tmp_path, "least(c, case when a > 5 then 20 else 10 end)")
    found = score(tmp_path, scheme, {"X": {"a": "6", "b": "0"}, "Y": {"a": "6", "b": "0", "c": "3"}})
    assert (found["X"]["CCC-01"]["status"], total(found["X"])) == ("not_held", ["6", "6", "26"])
    assert found["Y"]["CCC-01"]["points"] == "3"


@pytest.mark.parametrize(
    ("expression", "given", "points"),
    [
        ("least(case when a = 0 then 1 else c end, 8)", {"a": "0", "c": "5"}, "1"),
        ("greatest(case when a > 5 then 3 else c end, 2)", {"a": "6", "c": "5"}, "3"),
        ("greatest(case when a > 5 then 3 else c end, 2)", {"a": "0", "c": "1"}, "2"),
        ("least(c, coalesce(b, 1))", {"a": "0", "c": "5", "b": "0"}, "0"),
    ],
)
def test_where_all_is_held_a_number_counts_that_a_case_gives(
    expression: str, given: dict[str, str], points: str, tmp_path: Path
) -> None:
    found = score(tmp_path, with_formula(tmp_path, expression), {"X": {"b": "0", **given}})["X"]
    assert (found["CCC-01"]["status"], found["CCC-01"]["points"]) == ("value", points)
    ends = total(found)
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize("bound", ["coalesce(b, 1)", "case when b is null then 1 else b end", "greatest(b, 1)"])
def test_with_nothing_held_no_form_of_a_bound_stands_in(bound: str, tmp_path: Path) -> None:
    found = score(tmp_path, with_formula(tmp_path, f"least(c, {bound})"), {"X": {"a": "0"}})["X"]
    assert (found["CCC-01"]["status"], found["total"]["points"]) == ("not_held", "0")


@pytest.mark.parametrize("chosen", ["99", "-5", "2.5"])
def test_a_choice_that_no_band_holds_does_not_widen_what_may_come(chosen: str, tmp_path: Path) -> None:
    scheme = with_formula(tmp_path, "c", "chosen(>=0:1-2; >=3:3-5; >=6:6-8)", most="208")
    changed(
        scheme,
        "CCC-01",
        ('6-8)", reference', '6-8)", chosen_by: d, reference'),
        ("decimals: exact", "decimals: exact\nfull: 8"),
    )
    with (scheme / "measures.yaml").open("a", encoding="utf-8") as measures:
        measures.write("  d: {unit: 分, decimals: 2, zh: 甲}\n")
    assert total(score(tmp_path, scheme, {"X": {"a": "0", "b": "0", "d": chosen}})["X"]) == ["0", "0", "8"]


def test_of_a_bound_that_is_a_measure_or_a_number_the_number_does_not_stand_in(tmp_path: Path) -> None:
    scheme = with_formula(tmp_path, "least(c, case when a > 5 then b else 10 end)")
    given = {
        "number": {"a": "1", "b": "2"},
        "measure": {"a": "6", "b": "2"},
        "held": {"a": "1", "b": "2", "c": "3"},
    }
    found = score(tmp_path, scheme, given)
    assert [found[one]["CCC-01"]["status"] for one in given] == ["not_held", "value", "value"]
    assert [found[one]["CCC-01"]["points"] for one in given] == ["0", "2", "3"]


def test_a_gate_knows_that_what_does_not_apply_gives_nothing(tmp_path: Path) -> None:
    gates = """
gates:
  - from: 2024-01-01
    reference: ours
    pass:
      - {id: few, name: at most 5, when: fines <= 5}
"""
    tree = nodes("kind: sum, of: [AAA-01, BBB-01, fines]", fines="kind: sum, of: [CCC-01]")
    scheme = written(tmp_path, tree, gates, maximum="300")
    changed(scheme, "CCC-01", ("expression: c,", "expression: c, applicable_when: a > 5,"))
    found = score(tmp_path, scheme, {"X": {"a": "0", "c": "50"}, "Y": {"a": "6"}})
    assert [found[one]["gate:few"]["status"] for one in ("X", "Y")] == ["pass", "unknown"]


def test_a_formula_node_that_reads_a_held_measure_has_a_value(tmp_path: Path) -> None:
    tree = nodes("kind: formula, expression: 'c + aaa_01_points + 0 * bbb_01_points + 0 * ccc_01_points', maximum: 200")
    found = score(tmp_path, written(tmp_path, tree, maximum="200"), {"X": {"c": "50"}})["X"]
    assert (found["node:total"]["status"], total(found)) == ("value", ["50", "50", "150"])


def test_a_node_whose_measure_is_not_held_is_not_held_though_its_members_do_not_apply(tmp_path: Path) -> None:
    extra = "kind: formula, expression: 'coalesce(b, 0) + aaa_01_points', maximum: 200"
    tree = nodes("kind: sum, of: [BBB-01, CCC-01, extra]", extra=extra)
    scheme = changed(written(tmp_path, tree, maximum="400"), "BBB-01", ("expression: b,", "expression: c,"))
    changed(scheme, "AAA-01", ("expression: a,", "expression: a, applicable_when: c > 0,"))
    found = score(tmp_path, scheme, {"X": {"c": "0"}, "Y": {"c": "0", "b": "7"}})
    assert [found[one]["node:extra"]["status"] for one in found] == ["not_held", "value"]


def test_a_node_that_only_now_leaves_all_out_waits(tmp_path: Path) -> None:
    expression = "case when aaa_01_points is null then 7 else bbb_01_points end + 0 * coalesce(ccc_01_points, 0)"
    rule = "maximum: 100, absent: left_out, not_applicable: left_out"
    scheme = written(tmp_path, nodes(f"kind: formula, expression: '{expression}', {rule}"))
    changed(scheme, "AAA-01", ("expression: a,", "expression: a, applicable_when: c > 0,"))
    changed(scheme, "CCC-01", ("expression: c,", "expression: c, applicable_when: c > 0,"))
    found = score(tmp_path, scheme, {"X": {"c": "0"}, "Y": {"c": "0", "b": "0"}})
    assert total(found["Y"]) == ["7", "7", "7"]
    today, low, high = total(found["X"])
    assert today == ""
    assert int(low) <= 7 <= int(high)


@pytest.mark.parametrize(("given", "status"), [({}, "not_held"), ({"b": "0"}, "value")])
def test_a_formula_node_over_measures_alone_is_held_with_them(
    given: dict[str, str], status: str, tmp_path: Path
) -> None:
    gates = """
gates:
  - from: 2024-01-01
    reference: ours
    pass:
      - {id: few, name: at most 5, when: extra <= 5}
"""
    extra = "kind: formula, expression: 'coalesce(b, 0)', maximum: 50"
    tree = nodes("kind: sum, of: [AAA-01, BBB-01, CCC-01, extra]", extra=extra)
    found = score(tmp_path, written(tmp_path, tree, gates, maximum="350"), {"X": {"c": "0", **given}})["X"]
    answer = {"not_held": "unknown", "value": "pass"}[status]
    assert (found["node:extra"]["status"], found["gate:few"]["status"]) == (status, answer)


@pytest.mark.parametrize(
    ("expression", "handling", "given", "ends"),
    [
        # A from 0 to 10, or none and then no result; B is 4
        ("aaa_01_points + bbb_01_points", "absent: left_out", {"b": "4"}, ["", "4", "14"]),
        ("aaa_01_points + bbb_01_points", "not_applicable: left_out", {"b": "4"}, ["4", "4", "14"]),
        ("least(aaa_01_points, bbb_01_points)", "absent: left_out", {"b": "4"}, ["4", "0", "4"]),
        ("greatest(aaa_01_points, bbb_01_points)", "absent: left_out", {"b": "4"}, ["4", "4", "10"]),
        ("coalesce(aaa_01_points, bbb_01_points)", "absent: left_out", {"b": "4"}, ["4", "0", "10"]),
        # A does not apply, for good, and takes the result
        ("aaa_01_points + bbb_01_points", "not_applicable: no_result", {"c": "0"}, ["", "", ""]),
    ],
)
def test_a_formula_node_is_as_narrow_as_what_it_reads(
    expression: str, handling: str, given: dict[str, str], ends: list[str], tmp_path: Path
) -> None:
    total_node = f"kind: formula, expression: '{expression} + 0 * ccc_01_points', maximum: 200, {handling}"
    scheme = written(tmp_path, nodes(total_node), maximum="200")
    changed(scheme, "CCC-01", ("expression: c,", 'expression: "0 * b",'))
    changed(
        scheme,
        "AAA-01",
        ("expression: a,", "expression: a, applicable_when: c > 0,"),
        ("given(0; 100)", "given(0; 10)"),
        ("decimals: exact", "decimals: exact\nfull: 10"),
    )
    assert total(score(tmp_path, scheme, {"X": {"b": "0", **given}})["X"]) == ends


@pytest.mark.parametrize(
    ("line", "root", "given", "ends"),
    [
        # a case without `else` may be nothing, so x stands alone
        ("least(case when a > 5 then 5 end, c)", "ccc_01_points", "a=0", ["", "0", "100"]),
        # its points are at their most whatever c is, its value is not
        ("a + coalesce(c, 0)", "least(ccc_01, 100)", "a=100", ["100", "100", "100"]),
        ("a + coalesce(c, 0)", "0.5 * ccc_01", "a=100", ["50", "50", "1000"]),
    ],
)
def test_a_node_is_open_with_all_that_it_reads(
    line: str, root: str, given: str, ends: list[str], tmp_path: Path
) -> None:
    rest = " + 0 * aaa_01_points + 0 * bbb_01_points + 0 * ccc_01_points"
    tree = nodes(f"kind: formula, expression: '{root}{rest}', maximum: 1000, absent: no_result")
    scheme = with_formula(tmp_path, line, "linear(0; 100)", total=tree, most="1000")
    measures = scheme / "measures.yaml"
    text = measures.read_text(encoding="utf-8").replace("c: {unit: 分,", "c: {unit: 分, least: 0, most: 1900,")
    measures.write_text(text, encoding="utf-8")
    name, _, value = given.partition("=")
    assert total(score(tmp_path, scheme, {"X": {name: value, "b": "0"}})["X"]) == ends


def test_whether_it_applies_may_stay_unknown_for_good(tmp_path: Path) -> None:
    """C applies where a/b is at least one half, which nobody can say where b is 0: then it is left out of the mean."""
    tree = nodes("kind: mean, of: [BBB-01, CCC-01], absent: left_out", others="kind: sum, of: [mean, AAA-01]")
    tree = tree.replace("total:", "mean:").replace("others:", "total:")
    scheme = written(tmp_path, tree, maximum="200")
    changed(scheme, "CCC-01", ("expression: c,", 'expression: c, applicable_when: "ratio(a, b) >= 0.5",'))
    found = score(tmp_path, scheme, {"X": {"a": "1", "c": "0"}, "Y": {"a": "1", "b": "0", "c": "0"}})
    assert total(found["Y"]) == ["1", "1", "1"]  # b gives 0 points, and C is left out
    assert total(found["X"])[:2] == ["1", "1"]


def test_a_node_that_may_yet_be_left_out_is_open(tmp_path: Path) -> None:
    """The bonus of 0 is known without b; but with b held it does not apply, like its one member, and is left out."""
    tree = nodes(
        "kind: mean, of: [bonus, rest], not_applicable: left_out",
        bonus="kind: formula, expression: 'case when aaa_01_points >= 60 then b else 0 end', maximum: 100, "
        "not_applicable: left_out",
        rest="kind: mean, of: [BBB-01, CCC-01]",
    )
    scheme = changed(written(tmp_path, tree), "BBB-01", ("expression: b,", "expression: c,"))
    changed(scheme, "AAA-01", ("expression: a,", "expression: a, applicable_when: c > 50,"))
    found = score(tmp_path, scheme, {"X": {"c": "40"}, "Y": {"c": "40", "b": "3"}})
    assert (total(found["X"]), total(found["Y"])) == (["20", "20", "40"], ["40", "40", "40"])


def test_what_can_have_no_value_is_closed_whatever_else_is_missing(tmp_path: Path) -> None:
    """a/0 is nobody's number: neither an expert's choice nor the measure itself makes points of it."""
    scheme = with_formula(tmp_path, "ratio(a, b)", "chosen(>=0:1-2; >=3:3-5)", most="205")
    changed(
        scheme,
        "CCC-01",
        ("unit: 分", "unit: 比例"),
        ("decimals: exact", "decimals: 2\nfull: 5"),
        ('3-5)", reference', '3-5)", chosen_by: d, reference'),
    )
    with (scheme / "measures.yaml").open("a", encoding="utf-8") as measures:
        measures.write("  d: {unit: 分, decimals: 2, zh: 甲}\n")
    rest = {"a": "1", "b": "0"}
    assert total(score(tmp_path, scheme, {"X": rest})["X"]) == ["1", "1", "1"]
    assert total(score(tmp_path, scheme, {"X": {"b": "0"}})["X"]) == ["0", "0", "100"]  # a's own points, and no more
    scheme = written(tmp_path / "applies", SUM, maximum="300")
    changed(scheme, "CCC-01", ("expression: c,", 'expression: c, applicable_when: "ratio(a, b) > 1",'))
    assert total(score(tmp_path, scheme, {"X": rest})["X"]) == ["1", "1", "1"]


def test_a_tiny_divisor_is_none(tmp_path: Path) -> None:
    """Without logarithms or roots nothing near 0 is taken for 0, and with b held it has points."""
    scheme = with_formula(tmp_path, "ratio(1, a * a * a * a * a * a * a) * 0 + b")
    for line in ("AAA-01", "BBB-01", "CCC-01"):
        changed(scheme, line, ("unit: 分", "unit: 比例"))
    measures = scheme / "measures.yaml"
    measures.write_text(measures.read_text(encoding="utf-8").replace("unit: 分", "unit: 比例"), encoding="utf-8")
    found = score(tmp_path, scheme, {"X": {"a": "0.000001"}, "Y": {"a": "0.000001", "b": "100"}})
    assert total(found["Y"])[0] == "200.000001"
    assert total(found["X"])[2] == "200.000001"


def test_a_node_that_has_points_today_may_yet_be_left_out(tmp_path: Path) -> None:
    """Today AAA-01, of which nobody knows whether it applies, counts as 0; if it does not, both nodes are left out. The
    ends are those of each member by itself: that c decides on both is not looked through.
    """
    tree = nodes(
        "kind: mean, of: [par, rest]",
        par="kind: formula, expression: 'coalesce(b, p)', maximum: 100, not_applicable: left_out",
        p="kind: sum, of: [AAA-01], not_applicable: left_out",
        rest="kind: sum, of: [BBB-01], cap: 100",
    ).replace("[par, rest]}", "[par, rest], not_applicable: left_out}")
    tree = tree.replace("[BBB-01], cap: 100", "[BBB-01, CCC-01], cap: 100")
    scheme = changed(written(tmp_path, tree), "AAA-01", ("expression: a,", "expression: a, applicable_when: c > 50,"))
    changed(scheme, "BBB-01", ("expression: b,", "expression: a,"))
    found = score(tmp_path, scheme, {"X": {"a": "10", "b": "50"}, "Y": {"a": "10", "b": "50", "c": "0"}})
    assert total(found["Y"]) == ["10", "10", "10"]  # the rest alone
    today, low, high = total(found["X"])
    assert (today, low, high) == ("30", "10", "100")  # the rest alone lies between 10 and its cap


@pytest.mark.parametrize("scheme", ["innovative_sme_2022", "tech_sme_2017"])
def test_who_has_no_revenue_yet_is_open_only_for_what_may_come(scheme: str, tmp_path: Path) -> None:
    """Shares of nothing can have no points: 40 of the 100 of the one rule (INN-02, SPE-02), 50 of the other's."""
    given = {
        "innovative_sme_2022": {"operating_revenue_yuan": "0"},
        "tech_sme_2017": {"sales_revenue_yuan": "0", "cost_and_expense_yuan": "0"},
    }[scheme]
    found = score(tmp_path, INSTALLED / scheme, {"X": given})["X"]
    assert found["total_high"]["points"] == {"innovative_sme_2022": "60", "tech_sme_2017": "50"}[scheme]


def test_a_level_worked_out_from_a_ratio_is_not_rounded_and_may_be_looked_up(tmp_path: Path) -> None:
    scheme = with_formula(
        tmp_path,
        "case when ratio(a, b) >= 0.5 then 2 when ratio(a, b) >= 0.3 then 1 else 0 end",
        "lookup(1:10; 2:20; otherwise:0)",
        most="220",
    )
    changed(scheme, "CCC-01", ("decimals: exact", "decimals: 0\nfull: 20"))
    found = score(tmp_path, scheme, {"X": {"a": "1", "b": "2"}, "Y": {"a": "3", "b": "10"}, "Z": {"a": "1"}})
    assert [found[one]["CCC-01"]["points"] for one in ("X", "Y", "Z")] == ["20", "10", "0"]
    assert found["Z"]["CCC-01"]["status"] == "not_held"
