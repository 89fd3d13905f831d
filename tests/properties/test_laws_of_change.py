"""The laws that speak of a change: of order, unit, process, version, stage, record."""

from __future__ import annotations

import csv
import random
import shutil
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.conformed.conform import conform
from include.conformed.register import Register
from include.contracts import Column, require_contract
from include.kernel.errors import BadInput
from include.schemes.compile import Compiled, compile_scheme
from include.schemes.expression import Quantity
from include.schemes.model import load_scheme
from include.steps.supplied import score_file
from include.validation.cast import cast
from tests.properties.city import CITY, DAY, DIRECTORY, FACTS, SMALL, STAGES, Facts, as_bytes, laws, run, table, totals

PROJECT = Path(__file__).parents[2]


def variant(folder: Path, *edits: tuple[str, str, str], day: date = DAY) -> Compiled:
    """The small scheme with texts replaced: (file, old, new), each of which must be found."""
    shutil.copytree(DIRECTORY, folder, dirs_exist_ok=True)
    for file, old, new in edits:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    return compile_scheme(load_scheme(folder), day, {})


# --- 3: order --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reversed_scheme(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The same rules with categories, and the indicators of the weights, written in the opposite order."""
    edits = (
        (
            "scheme.yaml",
            "  - {id: ability, name: {zh: 能力, en: Ability}}\n  - {id: result, name: {zh: 成果, en: Result}}",
            "  - {id: result, name: {zh: 成果, en: Result}}\n  - {id: ability, name: {zh: 能力, en: Ability}}",
        ),
        (
            "weights.yaml",
            "{ABI-01: 20, ABI-02: 20, ABI-03: 20, ABI-04: 10}",
            "{ABI-04: 10, ABI-03: 20, ABI-02: 20, ABI-01: 20}",
        ),
    )
    return variant(tmp_path_factory.mktemp("reversed"), *edits)


@laws
@given(CITY)
def test_law_03_the_order_of_categories_and_indicators_changes_no_points(reversed_scheme, city: list[Facts]) -> None:  # type: ignore[no-untyped-def]
    one, other = run(table(city)), run(table(city), reversed_scheme)
    assert one.points.to_pylist() == other.points.select(one.points.column_names).to_pylist()

    def by_key(line: dict) -> tuple[str, str]:
        return line["uscc"], line["indicator"]

    assert sorted(one.ledger.to_pylist(), key=by_key) == sorted(other.ledger.to_pylist(), key=by_key)


A = "91320411YY00000018"


def filing(number: str, correction: int, amount: str, filed: date) -> dict:
    return {
        "filing_id": number, "uscc": A, "taxpayer_no": A, "name": "常州甲科技有限公司",
        "period_from": date(2025, 1, 1), "period_to": date(2025, 12, 31),
        "form_code": "A100000", "form_version": "2017", "row_number": 1,
        "row_name": "营业收入", "amount_yuan": Decimal(amount), "void_flag": "N",
        "correction_no": correction, "filed_on": filed, "received_at": datetime.combine(filed, datetime.min.time()),
    }  # fmt: skip


def conformed(rows: list[dict]) -> pa.Table:
    contract = require_contract("TAX_CIT")
    names = contract.accepted_schema().names
    filled = [{name: row.get(name) for name in names} | {"_page": 1, "_ordinal": i} for i, row in enumerate(rows)]
    accepted = pa.Table.from_pylist(filled, schema=contract.accepted_schema())
    registry_contract = require_contract("REG_ENT")
    firm = {"uscc": A, "name": "常州甲科技有限公司", "state": "正常", "established_on": date(2015, 3, 1)}
    names = registry_contract.accepted_schema().names
    registry = pa.Table.from_pylist([{name: firm.get(name) for name in names}], registry_contract.accepted_schema())
    return conform(contract, accepted, Register.of(registry, 365), pa.array([A])).table


@laws
@given(st.randoms(use_true_random=False))
def test_law_03_the_order_of_rows_in_a_delivery_changes_nothing_that_counts(chance: random.Random) -> None:
    rows = [filing(f"f{n}", n, f"{n}00.00", date(2026, 5, 20 + n)) for n in range(4)]
    shuffled = rows.copy()
    chance.shuffle(shuffled)
    counted = ["uscc", "filing_id", "correction_no", "amount_yuan"]
    assert conformed(shuffled).select(counted).to_pylist() == conformed(rows).select(counted).to_pylist()


# --- 4: unit and scale -----------------------------------------------------------------------------------------------


@laws
@given(st.lists(st.integers(0, 10**14), min_size=1))
def test_law_04_ten_thousand_yuan_and_yuan_are_the_same_amount(cents: list[int]) -> None:
    in_yuan = Column(native="je", zh="金额", type="decimal", decimals=2, unit="元")
    in_wan = in_yuan.model_copy(update={"native_unit": "万元"})
    amounts = [Decimal(number).scaleb(-2) for number in cents]
    yuan = cast(in_yuan, pa.array([format(amount, "f") for amount in amounts]))
    wan = cast(in_wan, pa.array([format(amount.scaleb(-4), "f") for amount in amounts]))
    padded = cast(in_yuan, pa.array([format(amount, "f") + "000" for amount in amounts]))
    assert yuan.value.to_pylist() == wan.value.to_pylist() == padded.value.to_pylist() == amounts


@laws
@given(CITY, st.integers(2, 1000), STAGES)
def test_law_04_ratios_do_not_feel_the_size_of_the_enterprise(city: list[Facts], times: int, stage: str) -> None:
    """R&D intensity and debt ratio, above and below times the same number. Growth with a floor is no ratio."""
    larger = [{**f, **{n: f[n] and f[n] * times for n in ("revenue", "rd", "debt")}} for f in city]
    pairs = zip(*(run(table(c), stage=stage).ledger.to_pylist() for c in (city, larger)), strict=True)
    assert all(a == b for a, b in pairs if a["indicator"] in ("ABI-01", "ABI-03"))


# --- 7: another process, another number of threads, another hash seed ------------------------------------------------

_ELSEWHERE = """
import hashlib, sys, duckdb
connect = duckdb.connect
duckdb.connect = lambda *a, **k: (lambda c: (c.execute("SET threads = " + sys.argv[1]), c)[1])(connect(*a, **k))
from tests.properties.city import as_bytes, run, table
many = range(400)
city = [{"revenue": i * 7919 % 100000, "rd": i * 31, "patents": i % 900, "debt": i * 17, "age": i % 2000} for i in many]
print(hashlib.sha256(b"".join(as_bytes(run(table(city))))).hexdigest())
"""


def test_law_07_other_processes_threads_and_hash_seeds_give_the_same_bytes() -> None:
    def digest(threads: str, seed: str) -> str:
        environment = {"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": seed, "PYTHONPATH": str(PROJECT)}
        command = [sys.executable, "-c", _ELSEWHERE, threads]
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    digests = {digest("1", "1"), digest("2", "4711"), digest("7", "0")}
    assert len(digests) == 1
    assert all(len(found) == 64 for found in digests)


# --- 8: incremental = full -------------------------------------------------------------------------------------------


@laws
@given(CITY, st.lists(st.tuples(st.integers(0, 24), FACTS), min_size=1, max_size=8))
def test_law_08_changed_enterprises_alone_give_what_a_full_run_gives(
    city: list[Facts], changes: list[tuple[int, Facts]]
) -> None:
    """A random sequence of changes, each recomputing only its enterprise, against one fresh full run."""
    current = list(city)
    held = {row["uscc"]: row for row in run(table(current)).points.to_pylist()}
    for place, facts in changes:
        place %= len(current)
        current[place] = facts
        (row,) = run(table(current).slice(place, 1)).points.to_pylist()
        held[row["uscc"]] = row
    assert list(held.values()) == run(table(current)).points.to_pylist()


# --- 11: weights -----------------------------------------------------------------------------------------------------


@laws
@given(CITY, st.integers(2, 9))
def test_law_11_scaling_all_weights_scales_all_points(scaled_schemes, city: list[Facts], times: int) -> None:  # type: ignore[no-untyped-def]
    """Shares of the maximum stay: each line differs from the scaled one by its own rounding only."""
    one, other = run(table(city)), run(table(city), scaled_schemes[times])
    for line, larger in zip(one.ledger.to_pylist(), other.ledger.to_pylist(), strict=True):
        assert abs(line["points"] * times - larger["points"]) <= Decimal("0.0005") * (times + 1)
    assert one.points["coverage"].to_pylist() == other.points["coverage"].to_pylist()


@pytest.fixture(scope="module")
def scaled_schemes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Compiled]:
    made = {}
    for times in range(2, 10):
        folder = tmp_path_factory.mktemp("scaled")
        shutil.copytree(DIRECTORY, folder, dirs_exist_ok=True)
        for file, number in (("scheme.yaml", r"\b(100|60|40|30|70)\b"), ("weights.yaml", r"(?<=: )(\d+)(?=[,}])")):
            _multiply(folder / file, number, times)
        made[times] = compile_scheme(load_scheme(folder), DAY, {})
        assert made[times].total == SMALL.total * times
    return made


def _multiply(path: Path, number: str, times: int) -> None:
    import re

    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = ("notes:", "version:", "  - {from:", "  - from:")
    changed = [
        line if line.startswith(kept) else re.sub(number, lambda found: str(int(found[1]) * times), line)
        for line in lines
    ]
    path.write_text("".join(changed), encoding="utf-8")


@pytest.mark.parametrize("weight", ["20.000001", "19.999999", "20.001", "19.999"])
def test_law_11_a_weight_off_by_a_millionth_is_refused(tmp_path: Path, weight: str) -> None:
    with pytest.raises(BadInput, match=r"young\.ability"):
        variant(tmp_path, ("weights.yaml", "ability: {ABI-01: 20,", f"ability: {{ABI-01: {weight},"))


# --- 12: versions ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def second_version(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return variant(tmp_path_factory.mktemp("v2"), ("scheme.yaml", 'version: "1"', 'version: "2"'))


@pytest.fixture(scope="module")
def stricter(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """One parameter changed: the second step of the patents needs 4, not 3."""
    return variant(tmp_path_factory.mktemp("stricter"), ("result/RES-02.yaml", "3:60", "4:60"))


@laws
@given(CITY)
def test_law_12_two_versions_of_equal_content_give_equal_points(second_version, city: list[Facts]) -> None:  # type: ignore[no-untyped-def]
    assert as_bytes(run(table(city), second_version)) == as_bytes(run(table(city)))


@laws
@given(CITY)
def test_law_12_one_changed_parameter_touches_only_whom_it_concerns(stricter, city: list[Facts]) -> None:  # type: ignore[no-untyped-def]
    city = [*city, {"patents": 299}, {"patents": 300}, {"patents": 399}, {"patents": 400}]
    before, after = run(table(city)), run(table(city), stricter)
    concerned = {i for i, facts in enumerate(city) if 300 <= (facts.get("patents") or 0) < 400}
    rows = zip(before.points.to_pylist(), after.points.to_pylist(), strict=True)
    assert {i for i, (one, other) in enumerate(rows) if one != other} == concerned
    lines = zip(before.ledger.to_pylist(), after.ledger.to_pylist(), strict=True)
    assert {one["indicator"] for one, other in lines if one["points"] != other["points"]} == {"RES-02"}


@pytest.mark.parametrize(
    ("day", "points"),
    [(date(2026, 6, 30), 18), (date(2026, 7, 1), 6), (date(2026, 7, 2), 6)],
    ids=["the day before", "on the day", "the day after"],
)
def test_law_12_a_rule_changes_on_its_day(tmp_path: Path, day: date, points: int) -> None:
    """3 patents: 60 of 100 raw x 30 points before, 20 of 100 x 30 from 1 July on."""
    old = '  - {from: 2024-01-01, form: "step(1:30; 3:60; 5:100)", reference: ours}\n'
    text = (DIRECTORY / "result" / "RES-02.yaml").read_text(encoding="utf-8")
    new = f'{old}  - {{from: 2026-07-01, form: "step(1:20; 5:100)", reference: ours}}\n'
    assert old in text
    compiled = variant(tmp_path, ("result/RES-02.yaml", old, new), day=day)
    ledger = run(table([{"patents": 300, "age": 2000}], compiled), compiled).ledger.to_pylist()
    assert [line["points"] for line in ledger if line["indicator"] == "RES-02"] == [points]


# --- 13: stages ------------------------------------------------------------------------------------------------------


@laws
@given(CITY)
def test_law_13_into_another_stage_and_back_is_where_one_was(city: list[Facts]) -> None:
    first = run(table(city), stage="young")
    run(table(city), stage="grown")
    assert as_bytes(run(table(city), stage="young")) == as_bytes(first)


def test_law_13_each_stage_counts_by_its_own_weights() -> None:
    """One fact (full R&D intensity) under both stages: 20 of 20 points and 10 of 10; by rule, at the line of 10.00."""
    facts: Facts = {"revenue": 1000, "rd": 10**6}
    found = {}
    for stage in ("young", "grown"):
        ledger = run(table([facts]), stage=stage).ledger.to_pylist()
        found[stage] = next(line["points"] for line in ledger if line["indicator"] == "ABI-01")
    assert found == {"young": 20, "grown": 10}
    by_rule = run(table([{"revenue": 99_999}, {"revenue": 100_000}])).points.to_pylist()
    assert [row["stage"] for row in by_rule] == ["young", "grown"]


# --- 16: what-if -----------------------------------------------------------------------------------------------------


@laws
@given(FACTS, FACTS)
def test_law_16_a_simulated_change_gives_what_the_applied_change_gives(
    tmp_path_factory: pytest.TempPathFactory, before: Facts, change: Facts
) -> None:
    """`innopoints score` (supplied measures, no store is opened) against the nightly functions."""
    folder = tmp_path_factory.mktemp("whatif")
    facts = {**before, **{name: value for name, value in change.items() if value is not None}}
    rows = [
        {"uscc": "e000", "stage": "", "measure": name, "value": _text(value, SMALL.measures[name])}
        for name, value in facts.items()
        if value is not None
    ] or [{"uscc": "e000", "stage": "", "measure": "listings", "value": "0"}]
    facts = facts if any(value is not None for value in facts.values()) else {"listings": 0}
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, ["uscc", "stage", "measure", "value"])
        writer.writeheader()
        writer.writerows(rows)
    score_file(str(DIRECTORY), folder / "in.csv", folder / "out.csv", DAY)
    with (folder / "out.csv").open(encoding="utf-8", newline="") as source:
        simulated = {line["indicator"]: line["points"] for line in csv.DictReader(source)}
    applied = run(table([facts]))
    assert Decimal(simulated["total"]) == totals(applied)[0]
    assert {line["indicator"]: line["points"] for line in applied.ledger.to_pylist()} == {
        line: Decimal(points) for line, points in simulated.items() if line in SMALL.indicators
    }
    assert sorted(path.name for path in folder.iterdir()) == ["in.csv", "out.csv"]


def _text(scaled: int, quantity: Quantity) -> str:
    return format(Decimal(scaled).scaleb(-quantity.decimals), "f")


# --- 17: reversal ----------------------------------------------------------------------------------------------------


def test_law_17_a_correction_and_its_reversal_restore_the_figure_and_leave_every_entry() -> None:
    original = filing("f0", 0, "100.00", date(2026, 5, 20))
    corrected = filing("f1", 1, "70.00", date(2026, 8, 1))
    reversed_again = filing("f2", 2, "100.00", date(2026, 9, 1))

    def amount(*rows: dict) -> list[Decimal]:
        return conformed(list(rows))["amount_yuan"].to_pylist()

    assert amount(original) == amount(original, corrected, reversed_again) == [Decimal("100.00")]
    assert amount(original, corrected) == [Decimal("70.00")]
    history = conformed([original, corrected, reversed_again])
    assert history["first_filed_on"].to_pylist() == [date(2026, 5, 20)]
    assert history["filing_id"].to_pylist() == ["f2"]
