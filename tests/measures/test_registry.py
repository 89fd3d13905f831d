"""Headers are read strictly, and every measure is there for somebody."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import sqlglot
import yaml

from include.contracts import contracts
from include.contracts.code_lists import CODES, code_list
from include.kernel.errors import BadInput, TerminalError
from include.measures.registry import measures, read_subject, subjects
from include.schemes.lint import lint
from include.schemes.model import require_scheme

HEADER = """/*
subject: sample
grain: one row per enterprise
inputs: [enterprises, tax_fin]
outputs:
  profit_yuan: {unit: 元, decimals: 2, datasets: [TAX_FIN], zh: 利润}
*/
SELECT 1
"""


def test_a_correct_header_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sample.sql"
    path.write_text(HEADER, encoding="utf-8")
    subject = read_subject(path)
    assert (subject.sql, subject.outputs[0].name, subject.outputs[0].datasets) == (
        "SELECT 1",
        "profit_yuan",
        ("TAX_FIN",),
    )


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("/*\n", "--\n", "no header"),
        ("grain: one row per enterprise", "grain: one row per filing", "grain"),
        ("decimals: 2, ", "", "outputs.profit_yuan.decimals"),
        ("zh: 利润", "zh: 利润, en: profit", "outputs.profit_yuan.en"),
        ("tax_fin]", "tax_fon]", "tax_fon"),
        ("[TAX_FIN]", "[TAX_CIT]", "TAX_CIT"),
        ("profit_yuan:", "Profit:", "Profit"),
        ("subject: sample", "subject: other", "other"),
    ],
)
def test_a_wrong_header_is_refused_naming_the_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "sample.sql"
    path.write_text(HEADER.replace(old, new), encoding="utf-8")
    with pytest.raises(BadInput, match=re.escape(named)) as refusal:
        read_subject(path)
    assert "sample.sql" in str(refusal.value)


def test_the_registry_needs_no_database() -> None:
    code = "import sys, include.measures.registry as r; r.measures(); sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", list(subjects()))
def test_the_sql_is_one_select_that_spark_can_be_given(name: str) -> None:
    statements = sqlglot.transpile(subjects()[name].sql, read="duckdb", write="spark")
    assert len(statements) == 1
    # A decimal divided by a decimal is a double: quotients are integer divisions only.
    assert not list(sqlglot.parse_one(subjects()[name].sql, read="duckdb").find_all(sqlglot.exp.Div))


def test_every_figure_has_a_reader_and_every_formula_its_figures() -> None:
    """A measure is read by a formula, the stage rule or the lists; a flag is named by the notes of an indicator."""
    scheme = require_scheme("changzhou_v1")
    assert [f for f in lint(scheme, measures()) if not f.warning and "golden case" not in f.what] == []
    texts = [scheme.stages.model_dump_json(), scheme.lists.model_dump_json() if scheme.lists else ""]
    for indicator in scheme.indicators.values():
        texts += [f"{rule.expression} {rule.applicable_when or ''}" for rule in indicator.formula]
    words = set(re.findall(r"[a-z_0-9]+", " ".join(texts)))
    notes = set(re.findall(r"flag_[a-z_0-9]+", " ".join(f"{i.notes} {i.decision}" for i in scheme.indicators.values())))
    figures = {name for name in measures() if not name.startswith("flag_")}
    assert figures - words == set()
    assert notes == set(measures()) - figures


def test_an_indicator_names_the_datasets_that_its_formula_reads() -> None:
    for indicator in require_scheme("changzhou_v1").indicators.values():
        for rule in indicator.formula:
            read = {name for name in re.findall(r"[a-z_0-9]+", rule.expression) if name in measures()}
            assert {d for name in read for d in measures()[name].datasets} == set(indicator.sources), indicator.id


def test_the_catalogue_is_whole() -> None:
    indicators = require_scheme("changzhou_v1").indicators
    per_category = {"BAS": 25, "INP": 27, "MGT": 22, "OUT": 33, "ENV": 14}
    assert {head: sum(name.startswith(head) for name in indicators) for head in per_category} == per_category
    excused = [indicator for indicator in indicators.values() if not indicator.formula]
    assert [i.id for i in excused if set(i.sources) <= contracts().keys()] == []
    national = sorted(i.national for i in indicators.values() if i.national)
    assert national == [f"N{number:02}" for number in range(1, 19)]


def test_a_code_list_holds_from_its_first_edition() -> None:
    assert code_list("qualifications", date(2021, 4, 30)).num_rows == 7
    with pytest.raises(TerminalError, match="2021-04-29"):
        code_list("qualifications", date(2021, 4, 29))
    with pytest.raises(BadInput, match="tax_form_rows"):
        code_list("nonesuch", date(2026, 1, 1))


def test_no_code_list_says_a_thing_twice() -> None:
    for path in CODES.glob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for edition in document.get("editions", [document]):
            rows = [tuple(sorted((key, str(value)) for key, value in row.items())) for row in edition["rows"]]
            assert len(rows) == len(set(rows)), path.name
