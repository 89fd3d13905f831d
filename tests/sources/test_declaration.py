"""`source.yaml` is read strictly, and reading it costs a DAG file nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from include.contracts import contracts, require_contract
from include.kernel.errors import BadInput
from include.sources.declaration import FOLDER, load_source, place_of, source_of, sources


def test_every_contract_is_delivered_by_its_source_and_every_source_delivers() -> None:
    delivered = {dataset: source.source for source in sources().values() for dataset in source.datasets}
    assert delivered == {dataset: contract.source for dataset, contract in contracts().items()}


def test_reading_the_declarations_and_the_pull_imports_nothing_heavy() -> None:
    heavy = ("pandas", "pyarrow.compute", "requests", "sqlalchemy", "great_expectations")
    code = (
        "import sys; from include.sources.pull import pull; from include.sources.declaration import sources; sources();"
        f"print([module for module in {heavy} if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_contract_of_an_unknown_source_says_which_folder_to_add() -> None:
    stray = require_contract("REG_ENT").model_copy(update={"source": "customs"})
    with pytest.raises(BadInput, match=r"do: add include/sources/customs/source.yaml or use one of banks,"):
        source_of(stray)
    unlisted = require_contract("REG_ENT").model_copy(update={"source": "ip_office"})
    with pytest.raises(BadInput, match=r"ip_office/source.yaml: dataset REG_ENT is not under `datasets`"):
        source_of(unlisted)


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("kind: rest", "kind: ftp", "key kind: found 'ftp', allowed rest, database, filedrop"),
        ("pool_slots: 2", "pool_slots: many", "key pool_slots: Input should be a valid integer"),
        ("page_size: 1000", "page_size: 5000", "key page_size: Input should be less than or equal to 1000; found 5000"),
        ("page_size: 1000", "pagesize: 1000", "key (file): found 'pagesize', allowed source, title_zh,"),
        ("equals: ", "equal: ", "key envelope.ok: found 'equal', allowed path, equals"),
        ("owner: ", "# owner: ", "key owner: Field required"),
        ("source: registry", "source: register", "key source: found 'register', allowed 'registry'"),
        ("REG_ENT: {", "REG_PPL: {", "key datasets: found 'REG_PPL', allowed REG_ENT"),
        ("registry/enterprises", "../enterprises", "key datasets.REG_ENT.resource: String should match"),
        ("source: registry", "source: [", "not readable YAML"),
    ],
)
def test_a_broken_declaration_names_file_key_found_and_allowed(
    tmp_path: Path, found: str, instead: str, said: str
) -> None:
    text = (FOLDER / "registry" / "source.yaml").read_text(encoding="utf-8")
    assert found in text
    path = tmp_path / "registry" / "source.yaml"
    path.parent.mkdir()
    path.write_text(text.replace(found, instead, 1), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_source(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("客户名称: 企业名称", "客户名称: 客户", "中国银行科技信贷月报_*.xlsx: unknown '客户'"),
        ("客户名称: 企业名称", "客户名称: 产品", "named twice '产品'"),
        ("          客户名称: 企业名称\n", "", "missing '企业名称'"),
        ("{银行: 中国银行, 统一社会信用代码: null}", "{银行: 中国银行}", "missing '统一社会信用代码'"),
    ],
)
def test_a_format_of_its_own_accounts_for_every_field_once(tmp_path: Path, found: str, instead: str, said: str) -> None:
    text = (FOLDER / "banks" / "source.yaml").read_text(encoding="utf-8")
    assert found in text
    path = tmp_path / "banks" / "source.yaml"
    path.parent.mkdir()
    path.write_text(text.replace(found, instead, 1), encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_source(path)
    assert said in str(refused.value)
    assert f"{path}: key datasets.FIN_LOAN.files" in str(refused.value)


def test_identifiers_of_a_view_cannot_carry_a_statement(tmp_path: Path) -> None:
    text = (FOLDER / "tax_database" / "source.yaml").read_text(encoding="utf-8")
    path = tmp_path / "tax_database" / "source.yaml"
    path.parent.mkdir()
    path.write_text(text.replace("view: V_SB_ZZS", 'view: "V; DROP TABLE x"'), encoding="utf-8")
    with pytest.raises(BadInput, match=r"key datasets.TAX_VAT.view"):
        load_source(path)


@pytest.mark.parametrize(
    ("dataset", "page", "first"),
    [
        ("FIN_LOAN", "邮储银行_科创贷款_20261105.xlsx", ("row", 2)),  # a header
        ("FIN_LOAN", "中国银行科技信贷月报_20261105.xlsx", ("row", 3)),  # a title and a header
        ("FIN_LOAN", "上海银行科技金融统计表_20261105.xlsx", ("row", 4)),  # two titles and a header
        ("MIIT_QUAL", "专精特新名单_20261215.xlsx", ("row", 4)),  # a title, groups, a header
        ("ST_QUAL", "高企名单_20261105.csv", ("row", 2)),
        ("REG_ENT", "page-00002.json", ("record", 1)),
        ("TAX_CIT", "rows-00001.json", ("record", 1)),
        ("ST_QUAL", "no longer agreed.csv", ("record", 1)),
    ],
)
def test_a_record_is_found_where_a_person_looks_for_it(dataset: str, page: str, first: tuple[str, int]) -> None:
    assert place_of(require_contract(dataset), page, 0) == first
    assert place_of(require_contract(dataset), page, 9) == (first[0], first[1] + 9)
