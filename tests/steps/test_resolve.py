"""`innopoints resolve`: a list of names to credit codes, as an officer runs it."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from include.cli import main

REGISTRY = """\ufeffuscc,name,former_names
91320411YY00000018,常州恒创液压机械有限公司,常州旧创液压有限公司@2022-05-01
91320411YY00000280,常州金鑫（江苏）模具有限公司,常州老鑫模具厂；常州鑫鑫模具有限公司
９1320411yy0000036T,常州同名有限公司,
91320411YY0000044M,常州同名有限公司,
"""


def resolve(folder: Path, monkeypatch: pytest.MonkeyPatch, names: str | bytes, registry: str = REGISTRY) -> int:
    for name, content in (("names.csv", names), ("registry.csv", registry)):
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    arguments = ["--names", "names.csv", "--registry", "registry.csv", "--out", "out.csv"]
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["innopoints", "resolve", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("name", "uscc", "tier", "candidates"),
    [
        ("常州恒创液压机械有限公司", "91320411YY00000018", "exact", ""),
        (" 常州恒创液压\u200b机械有限公司", "91320411YY00000018", "exact", ""),
        ("常州金鑫(江苏)模具有限公司", "91320411YY00000280", "exact", ""),
        ("常州旧创液压有限公司", "91320411YY00000018", "alias", ""),
        ("常州老鑫模具厂", "91320411YY00000280", "alias", ""),
        ("常州鑫鑫模具有限公司", "91320411YY00000280", "alias", ""),
        ("常州同名有限公司", "", "review", "91320411YY0000036T;91320411YY0000044M"),
        ("常州恒创液压机械股份有限公司", "", "review", "91320411YY00000018"),
        ("常州恒闯液压机械有限公司", "", "review", "91320411YY00000018"),
        ("常州恒创液压机械有限公司上海分公司", "", "branch", "91320411YY00000018"),
        ("常州大学", "", "institution", ""),
        ("张三丰", "", "person", ""),
        ("扎西多吉", "", "none", ""),
        ("西门子公司", "", "none", ""),
        ("SIEMENS AG", "", "none", ""),
        ("深圳腾飞航空科技有限公司", "", "none", ""),
    ],
)
def test_each_name_has_its_tier_and_only_equal_ones_a_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, uscc: str, tier: str, candidates: str
) -> None:
    assert resolve(tmp_path, monkeypatch, f"name\n{name}\n") == 0
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert text == f"name,uscc,tier,candidates\n{name},{uscc},{tier},{candidates}\n"


def test_lines_keep_their_order_and_a_cell_of_several_names_gives_a_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = '序号,name\n1,常州大学；常州恒创液压机械有限公司;张三丰\n2,常州大学\n3,\n4,""\n'
    assert resolve(tmp_path, monkeypatch, listed) == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as lines:
        found = [(row["name"], row["tier"]) for row in csv.DictReader(lines)]
    firm = ("常州恒创液压机械有限公司", "exact")
    assert found == [
        ("常州大学", "institution"),
        firm,
        ("张三丰", "person"),
        ("常州大学", "institution"),
        ("", "none"),
        ("", "none"),
    ]
    said = capsys.readouterr().out
    assert said == "6 names written to out.csv: exact 1, alias 0, review 0, branch 0, institution 2, person 1, none 2\n"


@pytest.mark.parametrize(
    "name", ["=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "＝1+1", "＋1", "－1", "＠A1"]
)
def test_a_name_that_a_spreadsheet_would_compute_is_made_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert resolve(tmp_path, monkeypatch, f'name\n"{name}"\n') == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as lines:
        assert [row["name"] for row in csv.DictReader(lines)] == [f"'{name}"]


@pytest.mark.parametrize(
    "cell", ["常州恒创液压机械有限公司;", "；常州恒创液压机械有限公司", "常州恒创液压机械有限公司;；;"]
)
def test_a_semicolon_with_nothing_behind_it_hides_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    assert resolve(tmp_path, monkeypatch, f"name\n{cell}\n") == 0
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert text == "name,uscc,tier,candidates\n常州恒创液压机械有限公司,91320411YY00000018,exact,\n"


def test_a_code_that_the_registry_gives_two_names_is_left_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stands there twice under one name, with two telephones say, is no doubt at all."""
    registry = (
        "uscc,name,phone\n91320411YY00000018,常州恒创液压有限公司,1\n91320411YY00000018,常州永创机械有限公司,2\n"
        "91320411YY00000280,常州金鑫（江苏）模具有限公司,3\n91320411YY00000280,常州金鑫(江苏)模具有限公司,4\n"
    )
    names = "name\n常州恒创液压有限公司\n常州永创机械有限公司\n常州金鑫(江苏)模具有限公司\n"
    assert resolve(tmp_path, monkeypatch, names, registry) == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "常州恒创液压有限公司,,review,91320411YY00000018",
        "常州永创机械有限公司,,review,91320411YY00000018",
        "常州金鑫(江苏)模具有限公司,91320411YY00000280,exact,",
    ]


FAILING = """uscc,name,former_names
91320411MA1ABCDE1I,常州错码一有限公司,常州旧错有限公司
12345,常州错码二有限公司,
=cmd|'/c calc'!A1,常州算式有限公司,
９１３２０４１１ＹＹ００００００１８,常州恒创液压机械有限公司,
91320411YY00000019,常州金鑫模具有限公司,
91320411yy 00000280,常州金鑫模具有限公司,
"""


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("常州错码一有限公司", ",review,"),
        ("常州旧错有限公司", ",review,"),
        ("常州错码二有限公司", ",review,"),
        ("常州错码二科技有限公司", ",review,"),  # like one whose code nobody can trust
        ("常州算式有限公司", ",review,"),
        ("常州恒创液压机械有限公司", "91320411YY00000018,exact,"),
        ("常州金鑫模具有限公司", ",review,91320411YY00000280"),
    ],
)
def test_a_code_that_fails_its_check_is_never_given_to_a_name_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, answer: str
) -> None:
    assert resolve(tmp_path, monkeypatch, f"name\n{name}\n{name}\n", FAILING) == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1:] == [f"{name},{answer}"] * 2
    told = capsys.readouterr().err
    assert "innopoints: registry.csv: 4 of 6 codes fail the check of GB 32100, at line 2, 3, 4, 6 | kept: " in told
    assert " | do: " in told
    assert told.count("\n") == 1
    assert "常州" not in told


def test_of_many_codes_that_fail_the_first_few_lines_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = "uscc,name\n" + "".join(f"{number},常州甲{number}有限公司\n" for number in range(7))
    assert resolve(tmp_path, monkeypatch, GOOD, registry) == 0
    assert "7 of 7 codes fail the check of GB 32100, at line 2, 3, 4, 5, 6 and 2 more |" in capsys.readouterr().err


def test_a_text_too_long_for_a_name_is_for_review_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The longest registered names have about a hundred characters; 30,000 of them kept two minutes busy."""
    longest, longer = "有限公司" * 50, "有限公司" * 7500
    assert resolve(tmp_path, monkeypatch, f"name\n{longest}\n{longer}\n{longer}\n") == 0
    said = capsys.readouterr()
    assert said.err.startswith("innopoints: names.csv: 2 names have more than 200 characters, at line 3, 4 | kept: ")
    assert said.err.count("\n") == 1
    assert ("review 2, " in said.out, "none 1\n" in said.out) == (True, True)


GOOD = "name\n常州大学\n"


@pytest.mark.parametrize(
    ("names", "registry", "said"),
    [
        ("", REGISTRY, "names.csv line 1: no column 'name'"),
        ("企业名称\n常州大学\n", REGISTRY, "names.csv line 1: no column 'name'"),
        ("name,name\na,b\n", REGISTRY, "names.csv line 1: more than one column 'name'"),
        ("name\n常州大学,多\n", REGISTRY, "names.csv line 2: not as many cells as there are columns"),
        ("name,x\n常州大学\n", REGISTRY, "names.csv line 2: not as many cells as there are columns"),
        ('name\n"常州大学\n', REGISTRY, "names.csv: not a readable CSV"),
        (GOOD, "", "registry.csv line 1: no column 'uscc'"),
        (GOOD, "uscc\nA\n", "registry.csv line 1: no column 'name'"),
        (GOOD, "uscc,name\n", "registry.csv: no enterprise"),
        (GOOD, "uscc,name\n,常州甲有限公司\n", "registry.csv line 2: no uscc"),
        (GOOD, "uscc,name\n91320411YY00000018, \n", "registry.csv line 2: no name"),
        (GOOD, "uscc,name,former_names\nA,甲,旧@2023-02-30\n", "registry.csv line 2: a former name is neither"),
        (GOOD, "uscc,name,former_names\nA,甲,旧@一月\n", "registry.csv line 2: a former name is neither"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: str,
    registry: str,
    said: str,
) -> None:
    assert resolve(tmp_path, monkeypatch, names, registry) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"innopoints: {said}")
    assert error.count("\n") == 1
    assert "nothing was written" in error
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_is_not_utf_8_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert resolve(tmp_path, monkeypatch, GOOD.encode("gbk")) == 2
    assert capsys.readouterr().err == (
        "innopoints: names.csv: not UTF-8 | kept: nothing was written | do: save it as CSV UTF-8\n"
    )


def test_files_that_are_not_there_or_cannot_be_written_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out.csv").mkdir()
    assert resolve(tmp_path, monkeypatch, GOOD) == 2
    assert capsys.readouterr().err.startswith("innopoints: out.csv: cannot be written: ")
    monkeypatch.setattr(
        sys, "argv", ["innopoints", "resolve", "--names", "no.csv", "--registry", "no.csv", "--out", "o"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("innopoints: no.csv: not a readable CSV: ")
