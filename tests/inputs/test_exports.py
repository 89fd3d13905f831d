"""Whatever an officer opens in a spreadsheet holds text and numbers, and nothing that it would compute."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from include.cli import main
from include.kernel.cells import harmless
from tests.inputs.conftest import Refused

FORMULAS = [
    "=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1+1", "－2+3",
    "＠SUM(A1)", " =1+1", "\u200b=1+1", "\ufeff=1+1", "\u202e=1+1", "-12 万", "－１２", "+86 519", "-1e5", '=HYPERLINK("http://x")',
]  # fmt: skip
NUMBERS = ["0", "-12.50", "+3", "12500.000", "-0.5"]
TEXTS = ["", "常州甲有限公司", "<img src=x onerror=alert(1)>", "91320411YY00000018", "甲=乙", "A-1", "'quoted", "㐀𠮷"]


@pytest.mark.parametrize("cell", FORMULAS, ids=ascii)
def test_what_begins_like_a_formula_is_marked_as_text(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", [*NUMBERS, *TEXTS])
def test_numbers_stay_numbers_and_other_text_stays_as_it_is(cell: str) -> None:
    assert harmless(cell) == cell


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def _written(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as sink:
        csv.writer(sink).writerows(rows)
    return path


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["innopoints", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def test_scored_measures_carry_no_formula_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A code with blanks around it or invisible signs has no way in (`tests/steps/test_supplied.py`); the others do."""
    scheme = Path(__file__).parents[1] / "schemes" / "hdi"
    cells = [cell for cell in FORMULAS if cell == cell.strip() and cell.isprintable()]
    rows = [["uscc", "stage", "measure", "value"]] + [[cell, "", "life_expectancy_years", "70"] for cell in cells]
    source, out = _written(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    _run(monkeypatch, "score", "--scheme", str(scheme), "--measures", str(source), "--out", str(out))
    lines = _table(out)
    assert len(cells) > 4
    assert {line["uscc"] for line in lines} == {f"'{cell}" for cell in cells}
    assert {line["value"] for line in lines if line["indicator"] == "LIF-01"} == {"70"}


def test_resolved_names_carry_no_formula_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [cell for cell in FORMULAS if ";" not in cell]
    names = _written(tmp_path / "names.csv", [["name"], *([cell] for cell in cells)])
    known = [["uscc", "name"], ["91320411YY00000018", "常州甲有限公司"], ["=1+1", "=1+1"]]
    registry, out = _written(tmp_path / "registry.csv", known), tmp_path / "out.csv"
    _run(monkeypatch, "resolve", "--names", str(names), "--registry", str(registry), "--out", str(out))
    lines = _table(out)
    assert len(lines) == len(cells)
    for line in lines:
        assert not any(harmless(cell) != cell for cell in line.values()), line


@pytest.mark.parametrize("onto", ["names.csv", "registry.csv", "link.csv"])
def test_no_result_is_written_over_what_it_is_made_of(refused: Refused, tmp_path: Path, onto: str) -> None:
    names = _written(tmp_path / "names.csv", [["name"], ["常州甲有限公司"]])
    registry = _written(tmp_path / "registry.csv", [["uscc", "name"], ["91320411YY00000018", "常州甲有限公司"]])
    (tmp_path / "link.csv").symlink_to(names)
    before = [path.read_bytes() for path in (names, registry)]
    said = refused("resolve", "--names", str(names), "--registry", str(registry), "--out", str(tmp_path / onto))
    assert "it is what the result is made of | kept: nothing was written" in said
    assert [path.read_bytes() for path in (names, registry)] == before
