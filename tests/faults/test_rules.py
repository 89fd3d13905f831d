"""Rules that are wrong themselves (rows 29, 30): no record is lost by it, and nothing lands under a broken file."""

from __future__ import annotations

import random
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.contracts import load_contract, require_contract
from include.kernel.connections import Connection
from include.kernel.errors import BadInput, TerminalError
from include.schemes import model
from include.steps.refresh import refresh
from include.validation import cast
from include.validation.judge import Judgement, judge
from include.validation.poison import MOST, RULE_ERROR
from tests.faults.conftest import Measured, Seeds
from tests.faults.scale import scale
from tests.validation.test_judge import DAY, filing, landed

CONTRACT = require_contract("TAX_VAT")
POISON = "0.07"


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of ours that crashes on one figure, as it would on one that nobody has thought of."""
    read = cast._READ["decimal"]

    def crash(column: Any, text: pa.Array) -> pa.Array:
        if pc.any(pc.equal(text, POISON)).as_py():
            raise ZeroDivisionError(f"the record says {POISON}")
        return read(column, text)

    monkeypatch.setitem(cast._READ, "decimal", crash)


def judged(rows: list[dict[str, Any]]) -> Judgement:
    return judge(CONTRACT, landed(CONTRACT, rows), as_of=DAY)


def places(table: pa.Table) -> set[tuple[int, int]]:
    return set(zip(table["_page"].to_pylist(), table["_ordinal"].to_pylist(), strict=True))


@scale(2, 25)
def test_a_row_on_which_a_rule_crashes_waits_and_all_others_are_judged(
    fragile: None, seeds: Seeds, count: int, measured: Measured
) -> None:
    held = 0

    def check(seed: int) -> None:
        nonlocal held
        draw = random.Random(seed)
        rows = [filing(i) for i in range(400)]
        poison, bad = draw.sample(range(400), draw.randint(1, 3)), draw.randrange(400)
        for i in poison:
            rows[i] |= {"XSE": POISON}
        rows[bad] |= {"SBRQ": "unreadable"} if bad not in poison else {}
        found = judged(rows)
        assert found.verdict == "accepted"
        assert found.accepted.num_rows + found.quarantine.num_rows + found.duplicates == 400
        assert not places(found.accepted) & places(found.quarantine)
        reasons = found.quarantine["reasons"].to_pylist()
        waiting = dict(zip(found.quarantine["SBUUID"].to_pylist(), reasons, strict=True))
        assert {name for name, why in waiting.items() if why == [RULE_ERROR]} == {f"f{i:05d}" for i in poison}
        assert len(waiting) == len({*poison, bad})
        assert found.quarantine["XSE"].to_pylist().count(POISON) == len(poison)
        assert places(found.accepted) | places(found.quarantine) == {(1, i) for i in range(400)}
        assert found.to_json()["reasons"][RULE_ERROR] == len(poison)
        held += len(poison)

    seeds.each(count, check)
    measured(29, f"{held} rows that crash a rule held back as {RULE_ERROR}, 0 rows lost in {count} snapshots")


def test_too_many_such_rows_reject_the_snapshot(fragile: None) -> None:
    """Of thirty rows six are more than any contract lets wait."""
    found = judged([filing(i, **({"XSE": POISON} if i < 6 else {})) for i in range(30)])
    assert found.verdict == "rejected"
    assert f"{RULE_ERROR} (6 rows; 6 of 30 in quarantine)" in found.reason


@pytest.mark.parametrize("how_many", [MOST + 1, 40])
def test_a_rule_that_crashes_on_many_rows_is_broken_and_quotes_none(fragile: None, how_many: int) -> None:
    with pytest.raises(TerminalError, match=r"TAX_VAT: a rule cannot be run \(ZeroDivisionError\)") as stopped:
        judged([filing(i, **({"XSE": POISON} if i < how_many else {})) for i in range(40)])
    assert POISON not in str(stopped.value)


def test_a_broken_contract_says_file_and_key(tmp_path: Path) -> None:
    source = Path("include/contracts/datasets/TAX_VAT.yaml").read_text("utf-8")
    (tmp_path / "TAX_VAT.yaml").write_text(source.replace("key:", "kee:", 1), "utf-8")
    with pytest.raises(BadInput, match=r"TAX_VAT\.yaml: key key: Field required"):
        load_contract(tmp_path / "TAX_VAT.yaml")


@pytest.mark.parametrize("broken", ["not YAML", "unknown measure"])
def test_a_broken_rule_file_stops_the_night_before_anything_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    shutil.copytree(model.ROOT / "changzhou_v1", tmp_path / "changzhou_v1")
    monkeypatch.setattr(model, "ROOT", tmp_path)
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path / "home"))
    model.schemes.cache_clear()
    rule = tmp_path / "changzhou_v1" / "input" / "INP-04.yaml"
    text = rule.read_text("utf-8")
    assert "coalesce(operating_revenue_yuan" in text
    unknown = text.replace("coalesce(operating_revenue_yuan", "coalesce(nobody_knows_it", 1)
    instead = {"not YAML": "{ :", "unknown measure": unknown}
    rule.write_text(instead[broken], "utf-8")
    asked: list[str] = []

    def lookup(conn_id: str) -> Connection:
        asked.append(conn_id)
        raise AssertionError("a department was looked up")

    try:
        with pytest.raises(BadInput, match=rule.name):
            refresh(date(2026, 11, 23), ["320411"], "changzhou_v1", lookup=lookup, say=asked.append)
    finally:
        monkeypatch.undo()
        model.schemes.cache_clear()
    assert asked == []
    assert not (tmp_path / "home").exists()
