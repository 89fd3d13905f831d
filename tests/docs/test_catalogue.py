"""The generated catalogue: drift is found and named, pages lead down to the native columns, pictures are whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from include.measures.origins import origins
from include.measures.registry import measures
from include.schemes.model import require_scheme

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SCHEMES = ("changzhou_v1", "national_core")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the generator reads and writes, which a test may spoil."""
    for folder in ("include", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def generate(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "docs" / "generate.py"), *options]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120)


@pytest.mark.long
def test_a_changed_curve_drifts_until_the_pages_are_written_again(checkout: Path) -> None:
    rule = checkout / "include/schemes/changzhou_v1/foundation/BAS-01.yaml"
    text = rule.read_text(encoding="utf-8")
    assert "step(1:30" in text
    rule.write_text(text.replace("step(1:30", "step(1:35"), encoding="utf-8")
    stray = checkout / "docs/reference/changzhou_v1/BAS-99.md"
    stray.write_text("left over", encoding="utf-8")
    drifted = generate(checkout, "--check")
    assert drifted.returncode == 1
    for name in ("changzhou_v1.md", "changzhou_v1/BAS-01.md", "changzhou_v1/BAS-01.svg", "changzhou_v1/BAS-99.md"):
        assert name in drifted.stderr
    assert generate(checkout).returncode == 0
    assert generate(checkout, "--check").returncode == 0
    assert not stray.exists()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_indicator_has_a_page_and_a_picture_that_the_index_leads_to(scheme: str) -> None:
    index = (REFERENCE / f"{scheme}.md").read_text(encoding="utf-8")
    for indicator in require_scheme(scheme).indicators.values():
        page = (REFERENCE / scheme / f"{indicator.id}.md").read_text(encoding="utf-8")
        assert f"({scheme}/{indicator.id}.md)" in index
        assert f"]({indicator.id}.svg)" in page
        assert indicator.name.zh in page
        assert indicator.name.en in page
        drawn = (REFERENCE / scheme / f"{indicator.id}.svg").read_text(encoding="utf-8")
        assert len(re.findall('stroke-width="2"', drawn)) >= 2
        assert not re.search(r'(?:x|y|x1|y1|x2|y2|cx|cy)="[^"]*\.', drawn), "coordinates are whole numbers"


def test_every_decision_is_on_the_page_of_decisions() -> None:
    for scheme in SCHEMES:
        page = (REFERENCE / scheme / "decisions.md").read_text(encoding="utf-8")
        for indicator in require_scheme(scheme).indicators.values():
            assert (f"[{indicator.id}]({indicator.id}.md)" in page) == bool(indicator.decision)


def test_links_of_the_catalogue_lead_somewhere() -> None:
    for page in REFERENCE.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_measure_is_followed_to_the_columns_it_is_made_of() -> None:
    known = measures()
    assert origins(known["graduates_hired"]) == {"HR_INS": ("unit_no", "month", "graduates_insured", "received_at")}
    rd = origins(known["rd_expense_deduction_yuan"])
    assert set(rd) == {"TAX_RDD"}
    assert {"rd_expense_yuan", "tax_year"} <= set(rd["TAX_RDD"])
    assert "super_deduction_yuan" not in rd["TAX_RDD"]
    page = (REFERENCE / "changzhou_v1" / "INP-01.md").read_text(encoding="utf-8")
    assert "NDYFFYXJ 年度研发费用小计" in page


def test_every_measure_of_records_has_columns() -> None:
    for measure in measures().values():
        for dataset, columns in origins(measure).items():
            assert columns, f"{measure.name} reads nothing of {dataset}"
