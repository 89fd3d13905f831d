"""Lint finds every planted fault and nothing beside it, says where it stands, and passes the installed schemes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from include.measures.registry import measures
from include.schemes.lint import lint, lint_directory
from include.schemes.model import load_scheme, schemes
from include.schemes.tree import tree_schemes

Broken = Callable[[str, str, str], Path]


def found_in(directory: Path) -> list[str]:
    """The findings that stop a publication."""
    return [str(finding) for finding in lint_directory(directory, {}) if not finding.warning]


@pytest.mark.parametrize("scheme", sorted(schemes()))
def test_the_installed_schemes_have_no_findings(scheme: str) -> None:
    found = lint(schemes()[scheme], measures(), schemes().values())
    assert [str(finding) for finding in found if not finding.warning] == []


def test_the_small_scheme_has_no_findings(small: Path) -> None:
    assert found_in(small) == []


FAULTS: dict[str, tuple] = {
    "weights above the maximum by the last decimal": (
        ("weights.yaml", "ABI-01: 20,", "ABI-01: 20.001,"),
        "small/weights.yaml: young.ability: the indicators add up to 60.001, the maximum is 60",
    ),
    "weights below the maximum": (
        ("weights.yaml", "RES-01: 30,", "RES-01: 29.999,"),
        "small/weights.yaml: grown.result: the indicators add up to 69.999, the maximum is 70",
    ),
    "a zero that is not written": (
        ("weights.yaml", ", RES-03: 0}", "}"),
        "small/weights.yaml: key young.result: RES-03 is not written",
    ),
    "a stage without a weight": (
        ("weights.yaml", "grown:", "grow:"),
        "small/weights.yaml: key weights from 2024-01-01: unknown 'grow' (did you mean grown?)",
    ),
    "a category that does not add up to the total": (
        ("scheme.yaml", "grown: {ability: 30, result: 70}", "grown: {ability: 29, result: 70}"),
        ("weights.yaml", "grown:\n        ability: {ABI-01: 10", "grown:\n        ability: {ABI-01: 9"),
        "small/scheme.yaml: maxima grown: the categories add up to 99, the total is 100",
    ),
    "a curve that falls where higher is better": (
        ("result/RES-02.yaml", "step(1:30; 3:60; 5:100)", "step(1:60; 3:30; 5:100)"),
        "small/result/RES-02.yaml: curve from 2024-01-01: segment 3 runs against higher_better",
    ),
    "a direction that the curve contradicts": (
        ("result/RES-02.yaml", "direction: higher_better", "direction: lower_better"),
        "small/result/RES-02.yaml: curve from 2024-01-01: segment 2 runs against lower_better",
    ),
    "a range that is good in two places": (
        ("ability/ABI-03.yaml", "band(0; 0.2; 0.6; 1)", "step(0.1:100; 0.2:0; 0.6:100; 1:0)"),
        "small/ability/ABI-03.yaml: curve from 2024-01-01: segment 4 runs against range",
    ),
    "a cap that the curve does not reach": (
        ("result/RES-02.yaml", "5:100", "5:99"),
        "small/result/RES-02.yaml: curve from 2024-01-01: no value reaches 100 raw points",
    ),
    "a cap that the formula does not reach": (
        ("result/RES-02.yaml", "expression: patents", "expression: least(patents, 4)"),
        "small/result/RES-02.yaml: curve from 2024-01-01: the formula never gives more than 4: "
        "no enterprise reaches 100 raw points",
    ),
    "a range that is never left": (
        ("ability/ABI-03.yaml", "band(0; 0.2; 0.6; 1)", "linear(0; 0.6)"),
        "small/ability/ABI-03.yaml: curve from 2024-01-01: the points only rise: that is no range",
    ),
    "a penalty that cannot take all it may": (
        ("ability/ABI-04.yaml", "2:-100", "2:-90"),
        "small/ability/ABI-04.yaml: curve from 2024-01-01: a penalty runs from 0 to -100",
    ),
    "a unit that is not the formula's": (
        ("ability/ABI-01.yaml", "unit: 比例", "unit: 人"),
        "small/ability/ABI-01.yaml: formula from 2024-01-01: gives 比例, the indicator's unit is 人",
    ),
    "a ratio of things that do not go together": (
        ("ability/ABI-01.yaml", "ratio(rd,", "ratio(age,"),
        "small/ability/ABI-01.yaml: formula from 2024-01-01: gives 年/元, the indicator's unit is 比例",
    ),
    "an edge without a case": (
        ("cases/RES-02.yaml", "value: 3, raw_points: 60, points: 12", "value: 2, raw_points: 30, points: 6"),
        "small/cases/RES-02.yaml: RES-02 has no golden case at 3",
    ),
    "an edge without a case just below": (
        ("cases/RES-02.yaml", "value: 2, raw_points: 30, points: 6", "value: 1, raw_points: 30, points: 6"),
        "small/cases/RES-02.yaml: RES-02 has no golden case at 2",
    ),
    "a bend without a case": (
        ("cases/ABI-01.yaml", "value: 0.1, raw_points: 100, points: 20", "value: 0.05, raw_points: 50, points: 10"),
        "small/cases/ABI-01.yaml: ABI-01 has no golden case at 0.100000",
    ),
    "a measure without a reader": (
        ("measures.yaml", "  certificate:", "  assets: {unit: 元, decimals: 2, zh: 资产}\n  certificate:"),
        "small/measures.yaml: no formula, stage, list or flag reads measure assets",
    ),
    "a flag that is no measure": (
        ("ability/ABI-01.yaml", "sources: [S]", "sources: [S]\nflags: [certificat]"),
        "small/ability/ABI-01.yaml: flags: unknown measure 'certificat' (did you mean certificate?)",
    ),
    "one national code twice": (
        ("ability/ABI-01.yaml", "id: ABI-01", "id: ABI-01\nnational: N03"),
        ("result/RES-02.yaml", "id: RES-02", "id: RES-02\nnational: N03"),
        "small/result/RES-02.yaml: national N03 is ABI-01 already",
    ),
    "a list that asks for an unknown value": (
        ("lists.yaml", "abi_01 >= 0.05", "aby_01 >= 0.05"),
        "small/lists.yaml: 培育: 研发强度不低于5%: unknown measure 'aby_01' (did you mean abi_01?)",
    ),
    "a quotient that is not exact": (
        ("ability/ABI-01.yaml", "ratio(rd, revenue)", "rd / revenue"),
        "small/ability/ABI-01.yaml: formula from 2024-01-01: `/` is not exact; "
        "write ratio(a, b), whose side of every line is exact",
    ),
    "a misspelt key": (
        ("ability/ABI-01.yaml", "expression:", "expresion:"),
        "small/ability/ABI-01.yaml: key formula.0.expresion: unknown key; allowed are from, reference, expression, "
        "applicable_when, provisional_when (did you mean expression?)",
    ),
    "a stand-in that asks for an unknown measure": (
        ("ability/ABI-01.yaml", "reference: ours", "provisional_when: revenu is null\n    reference: ours"),
        "small/ability/ABI-01.yaml: formula from 2024-01-01.provisional_when: unknown measure 'revenu' "
        "(did you mean revenue?)",
    ),
    "a fault that begins later": (
        (
            "result/RES-02.yaml",
            "reference: ours}\n",
            'reference: ours}\n  - {from: 2030-01-01, form: "step(1:100; 3:60; 5:100)", reference: ours}\n',
        ),
        "small/result/RES-02.yaml: curve from 2030-01-01: segment 3 runs against higher_better",
    ),
}
"""What is planted, (file, old, new) each, and the one finding."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_the_one_finding(fault: str, broken: Broken) -> None:
    *edits, finding = FAULTS[fault]
    for file, old, new in edits:
        directory = broken(file, old, new)
    assert found_in(directory) == [finding]


def test_an_indicator_without_a_golden_case_is_the_one_finding(broken: Broken) -> None:
    directory = broken("scheme.yaml", "id: small", "id: small")
    (directory / "cases/RES-03.yaml").unlink()
    assert found_in(directory) == ["small/cases/RES-03.yaml: RES-03 has no golden case"]


def test_cases_of_no_indicator_are_the_one_finding(broken: Broken) -> None:
    directory = broken("scheme.yaml", "id: small", "id: small")
    text = (directory / "cases/RES-03.yaml").read_text(encoding="utf-8")
    (directory / "cases/REST-3.yaml").write_text(text, encoding="utf-8")
    assert found_in(directory) == ["small/cases/REST-3.yaml: the scheme has no indicator REST-3 (did you mean RES-03?)"]


def test_a_zero_written_for_every_stage_is_no_fault_but_a_heavy_indicator_is_a_warning(small: Path) -> None:
    warnings = [str(finding) for finding in lint_directory(small, {}) if finding.warning]
    assert (
        "warning: small/scheme.yaml: maxima from 2024-01-01: young.ability is more than half of the total" in warnings
    )
    heavy = "warning: small/weights.yaml: weights from 2024-01-01: young.ability.ABI-01 is more than a quarter of it"
    assert heavy in warnings
    assert not any("RES-03" in warning for warning in warnings)


def test_a_quarter_and_a_half_themselves_are_no_warning(broken: Broken) -> None:
    broken("scheme.yaml", "young: {ability: 60, result: 40}", "young: {ability: 50, result: 50}")
    broken("weights.yaml", "ABI-01: 20, ABI-02: 20, ABI-03: 20", "ABI-01: 12.5, ABI-02: 18.75, ABI-03: 18.75")
    directory = broken("weights.yaml", "RES-01: 20, RES-02: 20, RES-03: 0", "RES-01: 25, RES-02: 12.5, RES-03: 12.5")
    said = [str(finding) for finding in lint_directory(directory, {})]
    assert not any("young.ability is" in line or "young.result is" in line for line in said)
    assert not any("ABI-01 is more" in line and "young" in line for line in said)
    assert any("young.ability.ABI-02 is more than a quarter" in line for line in said)


def test_a_catalogue_measure_that_no_installed_scheme_reads_is_found(small: Path) -> None:
    """The small scheme brings what it reads itself; beside it, only `idle` is delivered and read by nobody."""
    catalogue = measures()
    idle = {**catalogue, "idle_figure_yuan": catalogue["net_profit_yuan"]}
    found = lint(load_scheme(small), idle, schemes().values())
    assert [str(finding) for finding in found if not finding.warning] == [
        "measure idle_figure_yuan: no formula, stage, list or flag of any installed scheme reads it"
    ]


@pytest.mark.parametrize("scheme", list(tree_schemes()))
def test_the_installed_schemes_with_a_tree_have_no_findings(scheme: str) -> None:
    assert lint_directory(tree_schemes()[scheme].directory, {}) == []


TREE_FAULTS: dict[str, tuple] = {
    "an edge without a case": (
        "cases/RDI-02.yaml",
        "25000000.00",
        "25000001.00",
        "tech_sme_2017/cases: RDI-02 has no golden case at 0.25",
    ),
    "an edge without a case below": (
        "cases/RDI-01.yaml",
        "4999999.99",
        "4000000.00",
        "tech_sme_2017/cases: RDI-01 has no golden case just below 0.05",
    ),
    "a gate that nobody passes": (
        "scheme.yaml",
        "total >= 60",
        "total > 100",
        "tech_sme_2017/scheme.yaml: gates.pass: score: no enterprise can meet 'total > 100'",
    ),
    "a gate that asks for more than all points beside something else": (
        "scheme.yaml",
        "total >= 60",
        "total >= 100.000001 and employees > 1",
        "tech_sme_2017/scheme.yaml: gates.pass: score: no enterprise can meet 'total >= 100.000001 and employees > 1'",
    ),
    "an entry below what the measure declares": (
        "scheme.yaml",
        "employees <= 500",
        "employees < 0",
        "tech_sme_2017/scheme.yaml: gates.entry: employees: no enterprise can meet 'employees < 0'",
    ),
    "an entry above what the measure declares": (
        "scheme.yaml",
        "is_resident_enterprise = 1",
        "is_resident_enterprise > 1",
        "tech_sme_2017/scheme.yaml: gates.entry: resident: no enterprise can meet 'is_resident_enterprise > 1'",
    ),
    "a direct route for more than all points": (
        "scheme.yaml",
        "when: has_led_standard = 1",
        "when: has_led_standard = 1 and rd_input > 50",
        "tech_sme_2017/scheme.yaml: gates.direct: standard: no enterprise can meet"
        " 'has_led_standard = 1 and rd_input > 50'",
    ),
    "a gate on more points than the indicator has": (
        "scheme.yaml",
        "sta_01_points > 0",
        "not sta_01_points <= 20",
        "tech_sme_2017/scheme.yaml: gates.pass: staff: no enterprise can meet 'not sta_01_points <= 20'",
    ),
    "a gate on a value that the formula never gives": (
        "scheme.yaml",
        "has_bad_record = 0",
        "has_bad_record = 0 and ach_01 > 5",
        "tech_sme_2017/scheme.yaml: gates.entry: record: no enterprise can meet 'has_bad_record = 0 and ach_01 > 5'",
    ),
    "a check that nothing meets": (
        "measures.yaml",
        "technology_staff <= employees",
        "employees < 0",
        "tech_sme_2017/measures.yaml: checks: staff_within_employees: no enterprise can meet 'employees < 0'",
    ),
    "a gate that asks nothing": (
        "scheme.yaml",
        "employees <= 500",
        "1 = 1",
        "tech_sme_2017/scheme.yaml: condition employees asks nothing",
    ),
    "points that fall": (
        "indicators/RDI-01.yaml",
        "0.03:20; 0.04:30",
        "0.03:30; 0.04:20",
        "tech_sme_2017/indicators/RDI-01.yaml: curve from 2017-05-03: the points run against higher_better",
    ),
    "a cap that is not reached": (
        "indicators/STA-01.yaml",
        "full: 20",
        "full: 25",
        "tech_sme_2017/indicators/STA-01.yaml: curve from 2017-05-03: no value reaches the full 25 points, at most 20",
    ),
    "a range that is never left": (
        "indicators/STA-01.yaml",
        "direction: higher_better",
        "direction: range",
        "tech_sme_2017/indicators/STA-01.yaml: curve from 2017-05-03: the points only rise: that is no range",
    ),
    "a maximum that is not reached": (
        "scheme.yaml",
        "maximum: 100",
        "maximum: 110",
        "tech_sme_2017/scheme.yaml: key tree from 2017-05-03: the most points are 100, maximum is 110",
    ),
}


TWICE = "the points rise again after they fell: a range is good in one place only"
RATIO, STEPS = "ratio(technology_staff, employees)", "step(0.10:4; 0.15:8; 0.20:12; 0.25:16; 0.30:20)"


@pytest.mark.parametrize(
    ("curve", "findings"),
    [
        (
            "piecewise(0:0; 1:20; 2:0; 3:20)",
            ["the points rise again after they fell: a range is good in one place only"],
        ),
        ("band(0; 0.2; 0.4; 1)", []),
    ],
)
def test_a_range_in_a_tree_is_good_in_one_place(curve: str, findings: list[str], tmp_path: Path) -> None:
    copy = tmp_path / "tech_sme_2017"
    shutil.copytree(tree_schemes()["tech_sme_2017"].directory, copy)
    path = copy / "indicators/STA-01.yaml"
    text = path.read_text(encoding="utf-8").replace("direction: higher_better", "direction: range")
    assert STEPS in text
    path.write_text(text.replace(STEPS, curve), encoding="utf-8")
    at = "tech_sme_2017/indicators/STA-01.yaml: curve from 2017-05-03: "
    assert found_in(copy) == [at + finding for finding in findings]


@pytest.mark.parametrize(
    ("old", "new", "bound"),
    [
        (RATIO, f"least({RATIO}, 0.30)", None),
        (RATIO, f"least({RATIO}, 0.2999999)", "more than 0.2999999"),  # shown as 0.300000, but on its own side
        (STEPS, "linear(0; 0.3)", None),
        (f"{RATIO}@{STEPS}", f"least({RATIO}, 0.3)@linear(0; 0.3)", None),
        (f"{RATIO}@{STEPS}", f"least({RATIO}, 0.299999)@linear(0; 0.3)", "more than 0.299999"),
        (f"higher_better@{STEPS}", "lower_better@linear(0.3; 0)", None),
        (f"higher_better@{RATIO}@{STEPS}", f"lower_better@greatest({RATIO}, 0.1)@linear(0.3; 0)", "less than 0.1"),
    ],
)
def test_in_a_tree_too_a_formula_reaches_the_full_points(old: str, new: str, bound: str | None, tmp_path: Path) -> None:
    copy = tmp_path / "tech_sme_2017"
    shutil.copytree(tree_schemes()["tech_sme_2017"].directory, copy)
    path = copy / "indicators/STA-01.yaml"
    text = path.read_text(encoding="utf-8")
    for piece, other in zip(old.split("@"), new.split("@"), strict=True):
        assert piece in text
        text = text.replace(piece, other)
    path.write_text(text, encoding="utf-8")
    said = [line.partition("never gives ")[2] for line in found_in(copy) if "the formula never gives" in line]
    assert said == ([f"{bound}: no enterprise reaches the full 20 points"] if bound else [])


def test_a_measure_that_only_an_earlier_rule_reads_has_a_reader(tmp_path: Path) -> None:
    """The earlier rule stays, so that past days replay; its measure must stay with it."""
    copy = tmp_path / "tech_sme_2017"
    shutil.copytree(tree_schemes()["tech_sme_2017"].directory, copy)
    path = copy / "indicators/RDI-02.yaml"
    head, curve = path.read_text(encoding="utf-8").split("curve:")
    later = "  - {from: 2030-01-01, expression: 'ratio(rd_expense_yuan, total_assets_yuan)', reference: ours}\n"
    path.write_text(f"{head}{later}curve:{curve}", encoding="utf-8")
    assert not [line for line in found_in(copy) if "has no reader" in line]


def planted(scheme: Path, tmp_path: Path, file: str, old: str, new: str) -> Path:
    """A copy of an installed scheme with a fault in one of its files."""
    copy = tmp_path / scheme.name
    shutil.copytree(scheme, copy)
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    return copy


@pytest.mark.parametrize("fault", TREE_FAULTS)
def test_a_fault_planted_in_a_scheme_with_a_tree_is_the_one_finding(fault: str, tmp_path: Path) -> None:
    file, old, new, finding = TREE_FAULTS[fault]
    assert found_in(planted(tree_schemes()["tech_sme_2017"].directory, tmp_path, file, old, new)) == [finding]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("percentile_stage >= 0.60", "percentile_stage >= 1.5", "no enterprise can meet 'percentile_stage >= 1.5'"),
        ("when: inp_02 > 0}", "when: total > 1000}", "no enterprise can meet 'total > 1000'"),
        ("when: inp_02 > 0}", "when: 'inp_02 > 0 and coverage in (2, 3)'}", "no enterprise can meet"),
        ("value: 0.25", "value: 25", "robust_shift: a share lies between 0 and 1"),
        (
            "when: inp_02 > 0}",
            "when: 100 * inp_02 > 5}",
            "inp_02 is counted with, and only what is shown of it is known",
        ),
        ("when: inp_02 > 0}", "when: inp_02 > inp_03}", "inp_02 is counted with"),
        ("when: inp_02 > 0}", "when: 'inp_02 in (1, 2) or inp_02 + 1 > 5'}", "inp_02 is counted with"),
        (
            "when: inp_02 > 0}",
            "when: inp_02 > 0 and inp_02 < 0.000001}",
            "inp_02: between 0 and 0.000001, which are told apart from it, lies no value of 6 decimals",
        ),
        ("when: inp_02 > 0}", "when: inp_02 > 0.0000001}", "inp_02 is held against 1E-7, and shown with 6 decimals"),
    ],
)
def test_a_list_that_asks_for_more_than_there_is_is_the_one_finding(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    copy = planted(schemes()["changzhou_v1"].directory, tmp_path, "lists.yaml", old, new)
    found = lint(load_scheme(copy), measures(), schemes().values())
    (finding,) = {str(one) for one in found if not one.warning}
    assert said in finding
    assert "changzhou_v1/lists.yaml" in finding


@pytest.mark.parametrize("when", ["bas_17 + bas_18 >= 1", "greatest(bas_17, bas_18) = 1", "abs(bas_17) = 1"])
def test_a_list_may_count_with_what_nothing_rounds(when: str, tmp_path: Path) -> None:
    copy = planted(
        schemes()["changzhou_v1"].directory, tmp_path, "lists.yaml", "when: inp_02 > 0}", f"when: '{when}'}}"
    )
    assert not [one for one in lint(load_scheme(copy), measures(), schemes().values()) if not one.warning]
