"""Faults that are planted: a file says which, the truth table says where, and one kind never moves another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from include.contracts import contracts
from include.kernel.errors import BadInput
from include.sandbox.dirt import FIELDS, KINDS, Fault, Faults, as_in_life, read_faults
from include.sandbox.world import World, world

SEED, ENTERPRISES = 7, 45
RECORDS = [kind for kind in KINDS.values() if kind.plant]
NATURAL = {"moved", "ended", "co_owned", "two_units", "cancelled", "rare_characters"}


def planted(*names: str, rate: float = 0.05, seed: int | None = None) -> World:
    return world(SEED, ENTERPRISES, Faults(tuple(Fault(name, rate, KINDS[name].datasets, seed) for name in names)))


def cases(made: World, kind: str) -> set[tuple[str, ...]]:
    columns = ("dataset", "key", "arrived_at", "column", "was", "became", "conclusion")
    return {tuple(row[name] for name in columns) for row in made.planted.to_pylist() if row["kind"] == kind}


@pytest.fixture(scope="module")
def clean() -> World:
    return world(SEED, ENTERPRISES, Faults(()))


def test_all_24_kinds_of_the_catalogue_can_be_planted():
    assert {kind.number for kind in KINDS.values()} == set(range(25))


def test_fields_are_the_contracts_own():
    """The sandbox knows nothing of the contracts; that it speaks of the same columns is said here."""
    assert FIELDS.keys() == contracts().keys()
    for dataset, fields in FIELDS.items():
        contract = contracts()[dataset]
        natives = {column.native for column in contract.columns.values()}
        assert {*fields.names, *filter(None, (fields.code, fields.day, *fields.filing))} <= natives
        assert fields.city == (contract.scope == "city")
        names = [contract.columns[name].native for name in contract.entity.naming]
        assert fields.names[0] in names


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.name)
def test_a_kind_is_planted_where_it_says_and_the_truth_table_says_what_stands_there(kind, clean: World):
    made = planted(kind.name, rate=0.3)
    lines = [row for row in made.planted.to_pylist() if row["kind"] == kind.name]
    assert lines
    for row in lines:
        assert row["dataset"] in kind.datasets
        assert row["conclusion"] in {kind.conclusion, "resolved"}
        assert (row["was"] == row["became"]) == (row["column"] == "")
    touched = {row["dataset"] for row in lines}
    for dataset, table in made.tables.items():
        if dataset not in touched:
            assert table.equals(clean.tables[dataset]), dataset


def test_rate_0_leaves_the_clean_world_untouched(clean: World):
    none = planted(*KINDS, rate=0)
    assert none.planted.equals(clean.planted)
    assert none.enterprises.equals(clean.enterprises)
    assert all(table.equals(clean.tables[name]) for name, table in none.tables.items())
    assert set(clean.planted["kind"].to_pylist()) <= NATURAL


def test_the_same_seed_gives_the_same_faults_and_another_gives_others():
    first, again, other = (planted("code_spelling", "mojibake", seed=seed) for seed in (1, 1, 2))
    assert first.planted.equals(again.planted)
    assert all(table.equals(again.tables[name]) for name, table in first.tables.items())
    for kind in ("code_spelling", "mojibake"):
        assert cases(first, kind) != cases(other, kind)


@pytest.mark.parametrize(
    ("kind", "beside"),
    [
        ("code_spelling", ("check_digit", "excel_code", "unreadable_cell")),
        ("former_name", ("mojibake", "late_filing", "left_zone")),
        ("restated_year", ("unreadable_cell", "void_filing", "revoked_certificate")),
        ("date_format", ("future_date", "duplicate", "duplicated_page")),
    ],
)
def test_planting_one_kind_never_moves_another(kind: str, beside: tuple[str, ...]):
    """It can only take records from it, or, standing later, lose them."""
    alone, among = (cases(planted(*kinds, rate=0.15), kind) for kinds in ((kind,), (kind, *beside)))
    assert among
    assert among <= alone
    assert len(among) > 0.4 * len(alone)


def test_no_record_carries_two_faults():
    made = planted(*(kind.name for kind in RECORDS if kind.name not in ("duplicate", "duplicated_page")), rate=0.05)
    carried: dict[tuple[str, str, str], set[str]] = {}
    for row in made.planted.to_pylist():
        if row["kind"] not in NATURAL and row["dataset"] not in ("TAX_CIT", "ST_QUAL"):
            carried.setdefault((row["dataset"], row["key"], row["arrived_at"]), set()).add(row["kind"])
    assert carried
    assert not [(record, kinds) for record, kinds in carried.items() if len(kinds) > 1]


def test_a_key_names_one_record(clean: World):
    for dataset, fields in FIELDS.items():
        keys = clean.tables[dataset].select(fields.key)
        distinct = keys.group_by(list(fields.key)).aggregate([]).num_rows
        handed_over = pa.compute.sum(pa.compute.equal(clean.tables[dataset]["_fate"], "handed_over")).as_py() or 0
        changes_within_a_state = dataset == "REG_ENT"  # a registration is served once, in its last state
        assert changes_within_a_state or distinct >= keys.num_rows - handed_over, dataset


def test_recoverable_faults_leave_the_truth_as_it_is(clean: World):
    """(A restatement does not: until it has arrived, the figure of the first filing is the true one.)"""
    names = [kind.name for kind in RECORDS if kind.conclusion in ("resolved", "shared", "duplicate", "void")]
    made = planted(*names, rate=0.2)
    assert made.planted.num_rows > 1000
    assert made.enterprises.equals(clean.enterprises)


def test_who_leaves_or_loses_a_certificate_is_so_in_the_truth(clean: World):
    made = planted("left_zone", "deregistered", "revoked_certificate", rate=0.1)
    november = pa.compute.equal(made.enterprises["as_of"], pa.scalar(made.enterprises["as_of"][-1].as_py()))
    then = {row["uscc"]: row for row in made.enterprises.filter(november).to_pylist()}
    before = {row["uscc"]: row for row in clean.enterprises.filter(pa.compute.equal(
        clean.enterprises["as_of"], pa.scalar(clean.enterprises["as_of"][-1].as_py()))).to_pylist()}  # fmt: skip
    left = {row["uscc"] for row in made.planted.to_pylist() if row["conclusion"] == "leaves"}
    lost = {row["uscc"] for row in made.planted.to_pylist() if row["kind"] == "revoked_certificate"}
    assert left
    assert lost
    assert then.keys() == before.keys() - left
    assert {uscc for uscc in then if then[uscc]["high_tech_valid"] != before[uscc]["high_tech_valid"]} == lost - left


def test_under_the_usual_faults_small_snapshots_are_spared(small_world: World):
    for dataset in FIELDS:
        spoilt = [
            r for r in small_world.planted.to_pylist() if r["dataset"] == dataset and r["conclusion"] == "quarantined"
        ]
        for row in spoilt:
            table = small_world.tables[dataset]
            here = table.filter(pa.compute.equal(table["_area"], row["scope"])) if row["scope"] != "city" else table
            assert here.num_rows >= 200 or dataset == "REG_ENT"


KEPT = " | kept: the world that is there | do: "
FILE = "faults:\n  - {kind: code_spelling, rate: 0.05}\n  - {kind: mojibake, rate: 1, seed: 7, datasets: [ST_QUAL]}\n"


def test_a_faults_file_is_read(tmp_path: Path):
    (tmp_path / "faults.yaml").write_text(FILE)
    first, second = read_faults(tmp_path / "faults.yaml").planted
    assert first == Fault("code_spelling", 0.05, KINDS["code_spelling"].datasets, None)
    assert second == Fault("mojibake", 1.0, ("ST_QUAL",), 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faults:\n  - {kind: code_speling, rate: 0.1}",
         f"faults[0]: unknown kind 'code_speling'{KEPT}did you mean code_spelling?"),
        ("faults:\n  - {kind: mojibake, rat: 0.1}", f"unknown key 'rat'{KEPT}did you mean rate?"),
        ("fault:\n  - {kind: mojibake, rate: 0.1}", f"unknown key 'fault'{KEPT}did you mean faults?"),
        ("faults:\n  - {kind: check_digit, rate: 0.1, datasets: [TAX_VTA]}", "did you mean TAX_VAT?"),
        ("faults:\n  - {kind: check_digit, rate: 0.1, datasets: [IP_PAT]}", "unknown dataset of check_digit 'IP_PAT'"),
        ("faults:\n  - {kind: mojibake, rate: 1.5}", f"faults[0].rate: found 1.5{KEPT}write a number from 0 to 1"),
        ("faults:\n  - {kind: mojibake, rate: -0.1}", "faults[0].rate: found -0.1"),
        ("faults:\n  - {kind: mojibake, rate: .nan}", "faults[0].rate: found nan"),
        ("faults:\n  - {kind: mojibake, rate: yes}", "faults[0].rate: found True"),
        ("faults:\n  - {kind: mojibake, rate: '0.1'}", "faults[0].rate: found '0.1'"),
        ("faults:\n  - {kind: mojibake, rate: 0.1, rate: 0.9}", "line 2: key 'rate' stands twice"),
        ("faults:\n  - {kind: mojibake}", "faults[0]: rate is missing"),
        ("faults:\n  - {kind: mojibake, rate: 0.1, seed: -1}", "faults[0].seed: found -1"),
        ("faults:\n  - {kind: mojibake, rate: 0.1, seed: 1.5}", "faults[0].seed: found 1.5"),
        ("faults:\n  - {kind: mojibake, rate: 0.1, datasets: []}", "faults[0].datasets: found a list"),
        ("faults:\n  - mojibake", "faults[0]: found text"),
        ("faults: {}", "faults: found a mapping"),
        ("faults:", "faults: found nothing"),
        ("- 1", "faults: the file is a list"),
        ("", "faults: the file is nothing"),
        ("faults: [", "not readable YAML"),
        ("faults: !!python/object/apply:os.system [id]", "not readable YAML"),
    ],
)  # fmt: skip
def test_a_faults_file_that_is_wrong_is_refused_in_one_line(text: str, said: str, tmp_path: Path):
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_faults(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


def test_the_command_takes_a_faults_file_and_refuses_a_wrong_one_with_exit_2(tmp_path: Path):
    path = tmp_path / "faults.yaml"
    path.write_text("faults:\n  - {kind: mojibak, rate: 0.1}\n")
    command = [sys.executable, "-m", "include", "sandbox", "generate", "--enterprises", "5", "--seed", "1", "--faults"]
    environment = {"INNOPOINTS_HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    refused = subprocess.run([*command, str(path)], env=environment, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 2
    assert "did you mean mojibake?" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    path.write_text(FILE)
    subprocess.run([*command, str(path)], env=environment, check=True, timeout=120)
    assert (tmp_path / "sandbox" / "world" / "truth.parquet").is_file()


def test_faults_as_in_life_scale_and_never_exceed_every_record():
    assert as_in_life(0).planted == ()
    assert all(fault.rate <= 1 for fault in as_in_life(1000).planted)
    usual = {fault.kind: fault.rate for fault in as_in_life().planted}
    assert usual == {kind.name: kind.rate for kind in KINDS.values() if kind.rate > 0}
