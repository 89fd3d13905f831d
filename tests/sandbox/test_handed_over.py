"""The front-end database, the drop folder, the Connections, and the truth table against what is handed over."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
import stat
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from include.contracts import require_contract
from include.kernel.connections import Connection
from include.kernel.periods import arrival_cutoff
from include.sandbox.dirt import FIELDS, as_in_life
from include.sandbox.drop_folders import DROP_FOLDERS
from include.sandbox.dropfolder import BATCH, SUM_ROW
from include.sandbox.front_ends import FRONT_ENDS
from include.sandbox.records import RESOURCES
from include.sandbox.serve import DEPARTMENTS, connections, generate
from include.sandbox.tax import FORM_ROWS
from include.sandbox.world import World
from include.sources.declaration import source_of, sources
from include.sources.pull import Request, pull
from tests.sandbox.conftest import ENTERPRISES, SEED

# Dataset → its view, by front end.
VIEWS = {
    "policy_platform": {"POL_CASH": "V_ZCDX_LS"},
    "front_end": {"TAX_CIT": "V_SB_QYSDS", "TAX_VAT": "V_SB_ZZS", "TAX_PAY": "V_ZS_JKXX", "TAX_FIN": "V_CWBB"},
}
ALL_VIEWS = [dataset for views in VIEWS.values() for dataset in views]


@pytest.fixture(scope="module")
def folder(home: Path) -> Path:
    return home / "sandbox" / "world"


def listed(folder: Path, names: list[str]) -> list[dict[str, str]]:
    """Every line of the lists of these names, total rows of workbooks left out."""
    lines: list[dict[str, str]] = []
    for path in sorted(folder.iterdir()):
        if path.stem.rpartition("_")[0] not in names:
            continue
        if path.suffix == ".csv":
            lines += list(csv.DictReader(io.StringIO(path.read_bytes().decode("gb18030"))))
        elif path.suffix == ".xlsx":
            _, header, lower, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
            grouped = not all(header)  # merged headings leave gaps
            columns = [below or above for above, below in zip(header, lower, strict=True)] if grouped else header
            rows = rows if grouped else [lower, *rows]
            lines += [dict(zip(columns, ["" if c is None else str(c) for c in row], strict=True)) for row in rows[:-1]]
    return lines


def statements(folder: Path) -> list[dict[str, str]]:
    """Every line of every bank's statement, in the words that the source declares for that bank's columns."""
    contract, as_of = require_contract("FIN_LOAN"), date(2028, 1, 1)
    request = Request("FIN_LOAN", "city", as_of, arrival_cutoff(as_of), None)
    connection = Connection("innopoints_banks", "generic", extra={"path": str(folder)})
    pages = pull(source_of(contract), contract, request, connection)
    return [{name: value or "" for name, value in row.items()} for page in pages for row in page.rows]


@pytest.fixture(scope="module")
def handed_over(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Dataset → all rows as a client can get them."""
    found = {
        dataset: listed(folder / "drop" / department.name, [kind.list for kind in kinds])
        for department in DROP_FOLDERS.values()
        for dataset, kinds in department.datasets.items()
    }
    found["FIN_LOAN"] = statements(folder / "drop" / "banks")
    for dataset in RESOURCES:
        rows = pq.read_table(folder / "gateway" / f"{dataset}.parquet")["row"].to_pylist()
        found[dataset] = [
            {name: "" if value is None else str(value) for name, value in json.loads(row).items()} for row in rows
        ]
    for front_end, views in VIEWS.items():
        with sqlite3.connect(f"file:{folder / front_end}.sqlite?mode=ro", uri=True) as database:
            database.row_factory = sqlite3.Row
            for dataset, view in views.items():
                rows = database.execute(f'SELECT * FROM "{view}"')
                found[dataset] = [{name: row[name] or "" for name in row.keys()} for row in rows]  # noqa: SIM118
    return found


def test_every_planted_record_is_in_what_is_handed_over(folder: Path, handed_over):
    truth = pq.read_table(folder / "truth.parquet").to_pylist()
    held = {
        dataset: Counter("|".join(row[name] for name in fields.key) for row in handed_over[dataset])
        for dataset, fields in FIELDS.items()
    }
    planted = {dataset: [line for line in truth if line["dataset"] == dataset] for dataset in FIELDS}
    for dataset, lines in planted.items():
        assert all(held[dataset][line["key"]] for line in lines), dataset
        twice = [line for line in lines if line["conclusion"] == "duplicate"]
        assert all(held[dataset][line["key"]] >= 2 for line in twice), dataset
    assert len({line["kind"] for line in truth}) >= 15


def test_the_front_end_holds_what_the_world_holds(small_world: World, handed_over):
    for dataset in ALL_VIEWS:
        table = small_world.tables[dataset]
        names = [name for name in table.column_names if not name.startswith("_")]
        expected = Counter(zip(*(table[name].to_pylist() for name in names), strict=True))
        assert Counter(tuple(row[name] for name in names) for row in handed_over[dataset]) == expected


def test_every_bank_says_the_same_in_its_own_words(small_world: World, handed_over):
    table = small_world.tables["FIN_LOAN"]
    names = [name for name in table.column_names if not name.startswith("_")]
    expected = Counter(zip(*(table[name].to_pylist() for name in names), strict=True))
    assert Counter(tuple(row[name] for name in names) for row in handed_over["FIN_LOAN"]) == expected
    assert len({row["银行"] for row in handed_over["FIN_LOAN"]}) == 6


def test_the_front_end_cannot_be_written(home: Path, folder: Path):
    for conn_id, front_end in FRONT_ENDS.items():
        assert not stat.S_IMODE((folder / f"{front_end.name}.sqlite").stat().st_mode) & 0o222
        assert connections(home)[conn_id]["extra"]["url"].startswith("sqlite:///")


def test_form_rows_move_between_form_versions(handed_over):
    layouts = {(row["BBH"], row["BDDM"], int(row["EWBHXH"]), row["HMC"]) for row in handed_over["TAX_CIT"]}
    old = {("2017", form, row, name) for form, _, row, _, name in FORM_ROWS}
    new = {("2022", form, row, name) for form, _, _, row, name in FORM_ROWS}
    assert layouts == old | new
    assert {row["BBH"] for row in handed_over["TAX_CIT"] if row["SKSSQQ"] == "2021-01-01"} == {"2017"}
    assert {row["BBH"] for row in handed_over["TAX_CIT"] if row["SKSSQQ"] == "2022-01-01"} == {"2022"}


def test_each_list_has_a_marker_that_fits(folder: Path):
    folders = [folder / "drop" / department.name for department in DROP_FOLDERS.values()]
    files = [path for one in folders for path in one.iterdir() if path.suffix != ".ok"]
    assert len(files) > 40
    for path in files:
        marker = dict(line.split("=") for line in Path(f"{path}.ok").read_text().splitlines())
        assert marker["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix == ".csv":
            rows = len(list(csv.reader(io.StringIO(path.read_bytes().decode("gb18030"))))) - 1
        else:
            header = next(openpyxl.load_workbook(path).active.iter_rows(min_row=2, max_row=2, values_only=True))
            rows = openpyxl.load_workbook(path).active.max_row - (2 if all(header) else 3) - 1
        assert int(marker["rows"]) == rows


def test_workbooks_have_a_title_two_header_rows_and_a_total(folder: Path, small_world: World):
    sheet = openpyxl.load_workbook(folder / "drop" / "science_bureau" / "梯度名单_20251115.xlsx").active
    title, groups, names, *rows = list(sheet.iter_rows(values_only=True))
    columns = [name for name in small_world.tables["ST_QUAL"].column_names if not name.startswith("_")]
    assert title[0].startswith("常州市高成长企业")
    assert [name or group for name, group in zip(names, groups, strict=True)] == [*BATCH, *columns]
    assert "C2:D2" in sheet.merged_cells
    assert rows[-1][:2] == (SUM_ROW, len(rows) - 1)


def test_a_rare_character_survives_the_csv(folder: Path, handed_over):
    names = {line["企业名称"] for line in handed_over["ST_QUAL"]}
    assert any(character in name for name in names for character in "䶮㛃𬭎")


def test_connections_are_private_complete_and_new_at_each_generation(home: Path, tmp_path: Path):
    path = home / "sandbox" / "connections.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = connections(home)
    assert set(first) == {source.connection for source in sources().values()}
    generate(home, ENTERPRISES, SEED)
    assert connections(home) == first
    generate(tmp_path, ENTERPRISES, SEED, as_in_life(0))
    other = connections(tmp_path)
    http = [conn_id for conn_id, given in first.items() if given["conn_type"] == "http"]
    assert len(http) == len(DEPARTMENTS)
    assert not {first[c]["password"] for c in http} & {other[c]["password"] for c in http}


def test_the_truth_counts_valid_inventions_as_the_records_do(folder: Path, small_world: World):
    """Recounted from the served records: the last version of each B record, its assignees by their names."""
    for as_of in ("2026-06-15", "2026-11-20"):
        records = small_world.tables["IP_PAT"].sort_by("_arrival")
        last: dict[str, dict[str, str]] = {}
        for row in records.to_pylist():
            if row["UpdateTime"] < as_of and row["_fate"] != "quarantined":
                last[row["PublicationNumber"]] = row
        them = small_world.firms
        by_name = dict(zip(them.name.tolist(), them.uscc.tolist(), strict=True))
        by_name |= {
            name: code for name, code in zip(them.former_name.tolist(), them.uscc.tolist(), strict=True) if name
        }
        shares: Counter[str] = Counter()
        for row in last.values():
            if row["KindCodeDesc"] == "发明授权" and row["LegalStatusDesc"] == "有效":
                owners = row["AssigneeStringList"].replace("(", "（").replace(")", "）").split(";")
                for owner in owners:
                    shares[by_name.get(owner, "")] += 1 / len(owners)
        truth = pq.read_table(
            folder / "truth_enterprises.parquet", filters=[("as_of", "=", pa.scalar(as_of).cast(pa.date32()))]
        )
        for code, expected in zip(truth["uscc"].to_pylist(), truth["valid_inventions"].to_pylist(), strict=True):
            assert abs(shares[code] - float(expected)) < 1e-9
        assert sum(shares.values()) > 20


@pytest.mark.services
def test_postgresql_serves_the_same_views_and_nothing_else_to_the_reader(
    new_postgresql_database: Callable[[], str], tmp_path: Path, handed_over
):
    generate(tmp_path, ENTERPRISES, SEED, database_url=new_postgresql_database())
    for conn_id, front_end in FRONT_ENDS.items():
        engine = sa.create_engine(connections(tmp_path)[conn_id]["extra"]["url"])
        with engine.connect() as reader:
            for dataset, view in VIEWS[front_end.name].items():
                rows = reader.execute(sa.text(f'SELECT * FROM "{view}"')).mappings().all()
                names = sorted(rows[0])
                served = Counter(tuple(str(row[name] or "") for name in names) for row in rows)
                assert served == Counter(tuple(row[name] for name in names) for row in handed_over[dataset])
        for forbidden in ('SELECT 1 FROM front_end."SB_SBB"', f"CREATE TABLE {front_end.name}.mine (a int)"):
            with engine.connect() as reader, pytest.raises(sa.exc.DBAPIError):
                reader.execute(sa.text(forbidden))
        engine.dispose()
