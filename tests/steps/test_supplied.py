"""`innopoints score`: measures in, points out, and everything that is not a plain number or a known name refused."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from pathlib import Path

import pytest

from include.kernel.errors import BadInput
from include.schemes.model import schemes
from include.schemes.tree import tree_schemes
from include.steps.supplied import lint_directory, score_file

SMALL = Path(__file__).parents[1] / "schemes" / "small"
DAY = date(2026, 11, 20)


def _score(tmp_path: Path, *lines: str, scheme: str | None = None) -> list[dict[str, str]]:
    source, out = tmp_path / "measures.csv", tmp_path / "points.csv"
    source.write_text("\n".join(["uscc,stage,measure,value", *lines]) + "\n", encoding="utf-8")
    written = score_file(scheme or str(SMALL), source, out, DAY)
    with out.open(encoding="utf-8", newline="") as lines_out:
        rows = list(csv.DictReader(lines_out))
    assert len(rows) == written
    return rows


def test_supplied_measures_are_scored_line_by_line(tmp_path: Path) -> None:
    """0.05 of 0.1 is 50 raw points: 10 of the 20 that a young enterprise can have."""
    rows = _score(tmp_path, "A,young,rd,1.5", "A,young,revenue,30", "B,,revenue,1000.00")
    found = {(row["uscc"], row["indicator"]): row for row in rows}
    assert found["A", "ABI-01"] == {
        "uscc": "A",
        "stage": "young",
        "indicator": "ABI-01",
        "value": "0.050000",
        "status": "value",
        "points": "10.000",
    }
    assert found["A", "category:ability"]["points"] == "10.000"
    assert found["A", "total"]["points"] == "10.000"
    assert (found["B", "total"]["stage"], found["B", "ABI-01"]["status"]) == ("grown", "not_held")


def test_an_installed_scheme_is_named_by_its_id(tmp_path: Path) -> None:
    rows = _score(tmp_path, "A,,operating_revenue_yuan,1000000000", scheme="changzhou_v1")
    found = {row["indicator"]: row for row in rows}
    assert len(rows) == 121 + 5 + 1
    # 成熟期 foundation: 220 points over 27 units. 23 local at 8.148 and 2 national at 16.296 leave 4 thousandths; the
    # nationals' remainder (.296) is larger than the locals' (.148), so each gets one: 16.297.
    assert (found["BAS-04"]["stage"], found["BAS-04"]["points"]) == ("成熟期", "16.297")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A,,rd,NaN", "line 2: rd: not a plain decimal"),
        ("A,,rd,Infinity", "not a plain decimal"),
        ("A,,rd,1e308", "not a plain decimal"),
        ("A,,rd,１２", "not a plain decimal"),
        ("A,,rd,12%", "not a plain decimal"),
        ('A,,rd,"1,200"', "not a plain decimal"),
        ("A,,rd,", "not a plain decimal"),
        ("A,,rd,-0", "line 2: rd: minus zero |"),
        ("A,,rd,-0.00", "line 2: rd: minus zero |"),
        ("A,,rd,0.001", "more than 2 decimals"),
        ("A,,patens,1", "unknown measure 'patens' (did you mean patents?)"),
        ("A,yung,rd,1", "unknown stage 'yung' (did you mean young?)"),
        (",,rd,1", "uscc is empty"),
        (" ,,rd,1", "uscc is empty"),
        ("A,,rd,1\nA ,,revenue,2", "line 3: uscc has blanks around it"),
        ("A\u200b,,rd,1", "line 2: uscc has blanks around it, or characters that nobody sees"),
        ("A\x00,,rd,1", "line 2: uscc has blanks around it, or characters that nobody sees"),
        ("A,,rd", "columns are uscc, stage, measure, value"),
        ("A,,rd,1,2", "columns are uscc, stage, measure, value"),
        ("A,,rd,1\nA,,rd,2", "line 3: measure rd stands twice"),
        ("A,,rd,1\n\nB,,rd,x", "line 4: rd: not a plain decimal"),  # as an editor counts the lines
        ("A,,rd,1.0000000000001", "line 2: rd: more than 24 digits before the point or 12 after it |"),
        ("A,,rd,1\nA,young,patents,2", "line 3: stage 'young' here, '' above"),
    ],
)
def test_bad_lines_are_refused_and_nothing_is_written(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        _score(tmp_path, line)
    assert reason in str(refused.value)
    assert not (tmp_path / "points.csv").exists()


def test_a_value_too_large_to_be_kept_is_refused_with_its_indicator(tmp_path: Path) -> None:
    scheme = _copy(SMALL, tmp_path, "result/RES-02.yaml", "expression: patents", "expression: patents * 1000000000000")
    with pytest.raises(BadInput, match=r"measures\.csv: RES-02: a value needs more than 38 digits \| kept: nothing"):
        _score(tmp_path, f"A,young,patents,{'9' * 24}", scheme=str(scheme))


def test_a_true_zero_is_a_value(tmp_path: Path) -> None:
    found = {row["indicator"]: row for row in _score(tmp_path, "A,young,patents,0.00")}
    assert (found["ABI-02"]["value"], found["ABI-02"]["points"]) == ("0.00", "0.000")


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a readable CSV"):
        score_file(str(SMALL), tmp_path / "absent.csv", tmp_path / "out.csv", DAY)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("uscc,measure,value\nA,rd,1\n", "in.csv line 1: columns are uscc, stage, measure, value"),
        ("uscc,stage,measure,value,note\n", "in.csv line 1: columns are uscc, stage, measure, value"),
        ("", "in.csv: no row of measures"),
    ],
)
def test_other_columns_are_a_fault_of_the_first_line(content: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=reason):
        score_file(str(SMALL), tmp_path / "in.csv", tmp_path / "out.csv", DAY)


def test_a_file_in_another_encoding_is_to_be_saved_as_utf_8(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("uscc,stage,measure,value\n甲,,rd,1\n".encode("gb18030"))
    with pytest.raises(BadInput, match=r"in\.csv: not UTF-8 at byte 25 .* save it as UTF-8"):
        score_file(str(SMALL), tmp_path / "in.csv", tmp_path / "out.csv", DAY)


def _copy(scheme: Path, to: Path, file: str, old: str, new: str) -> Path:
    shutil.copytree(scheme, to / scheme.name)
    path = to / scheme.name / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return to / scheme.name


INSTALLED = schemes()["changzhou_v1"].directory
WRONG = {
    "points": (
        *(INSTALLED, "cases/BAS-19.yaml", 'raw_points: "60", points: "4.444"', 'raw_points: "60", points: "4.445"'),
        "changzhou_v1/cases/BAS-19.yaml: case 省专精特新: expected points 4.445; found points 4.444",
    ),
    "a value": (
        *(SMALL, "cases/RES-02.yaml", "patents: 5}, expect: {value: 5", "patents: 5}, expect: {value: 6"),
        "small/cases/RES-02.yaml: case 五件: expected value 6; found value 5",
    ),
    "an absence": (
        *(INSTALLED, "cases/BAS-19.yaml", "status: not_held", "status: not_applicable"),
        "changzhou_v1/cases/BAS-19.yaml: case 名单未到，不知有无: "
        "expected status not_applicable; found status not_held",
    ),
    "a stage": (
        *(INSTALLED, "cases/stages.yaml", "{operating_revenue_yuan: 5000000}, expect: 成长期"),
        "{operating_revenue_yuan: 5000000}, expect: 初创期",
        "changzhou_v1/cases/stages.yaml: case 3: expected stage 初创期; found stage 成长期",
    ),
    "points of a tree": (
        *(tree_schemes()["tech_sme_2017"].directory, "cases/STA-01.yaml", "STA-01: 20", "STA-01: 16"),
        "expected STA-01 16; found STA-01 20",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_lint_runs_the_golden_cases_of_the_directory(wrong: str, tmp_path: Path) -> None:
    scheme, file, old, new, finding = WRONG[wrong]
    found = [str(f) for f in lint_directory(_copy(scheme, tmp_path, file, old, new)) if not f.warning]
    assert any(finding in line for line in found), found
    assert all(f"{scheme.name}/{file}: " in line for line in found), found


def test_lint_of_a_directory_without_a_scheme(tmp_path: Path) -> None:
    (tmp_path / "some" / "folder").mkdir(parents=True)
    assert [finding.what for finding in lint_directory(tmp_path)] == ["file is missing"]


def test_lint_of_no_directory(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert [str(finding) for finding in lint_directory(nowhere)] == [f"no scheme directory {nowhere}"]


def test_a_directory_may_be_named_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = _copy(SMALL, tmp_path, "weights.yaml", "ABI-01: 20,", "ABI-01: 20.001,")
    monkeypatch.chdir(directory)
    found = [str(finding) for finding in lint_directory(Path()) if not finding.warning]
    assert found == ["small/weights.yaml: young.ability: the indicators add up to 60.001, the maximum is 60"]
    with pytest.raises(BadInput, match=r"small/weights\.yaml: young\.ability"):
        _score(tmp_path, "A,,rd,1", scheme=".")
