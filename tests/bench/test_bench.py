"""The benchmark at a tiny size: both sides give the same ledger and ranks, and the report says what it promises.

How fast it is, `make bench` says; no test is timed.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.bench.compare import compare
from include.bench.run import PHASES
from include.bench.synthetic import Enterprises, accepted, samples
from include.bench.world import write
from include.cli import main
from include.contracts import contracts
from include.steps.district import compiled

AS_OF = date(2026, 11, 23)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    arguments = ["bench", "--enterprises", "2", "--enterprises", "3", "--repeats", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["innopoints", *arguments, "--as-of", AS_OF.isoformat(), "--out", str(out)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    return json.loads(out.read_text(encoding="utf-8"))


def test_both_sides_give_the_same_ledger_and_ranks(report: dict) -> None:
    of_scheme = report["indicators"]
    assert [(size["enterprises"], size["equal"], size["cells"]) for size in report["sizes"]] == [
        (2, True, 2 * of_scheme),
        (3, True, 3 * of_scheme),
    ]


def test_the_report_names_every_phase_of_both_sides_with_time_and_memory(report: dict) -> None:
    for size in report["sizes"]:
        for side in ("innopoints", "best_effort"):
            assert list(size[side]) == [*PHASES, "total"]
            for phase in size[side].values():
                assert phase["wall_seconds"] >= 0
                assert phase["peak_bytes"] > 10 * 2**20
        assert list(size["ratio"]) == [*PHASES, "total"]
        ours, best = (size[side]["total"]["wall_seconds"] for side in ("innopoints", "best_effort"))
        assert size["ratio"]["total"]["wall_seconds"] == pytest.approx(ours / best, abs=0.006)
    assert report["machine"]["cores"] >= 1
    assert [(step["from"], step["to"]) for step in report["growth"]] == [(2, 3)]


def test_a_ledger_that_differs_in_one_cell_is_noticed(tmp_path: Path) -> None:
    from include.bench import best_effort, pipeline
    from include.bench.meter import Meter

    world = write(tmp_path / "world", AS_OF, 1, seed=1)
    with Meter() as meter:
        pipeline.run(world, "changzhou_v1", tmp_path / "ours", meter)
        best_effort.run(world, "changzhou_v1", tmp_path / "best", meter)
    rules, district = compiled("changzhou_v1", AS_OF), world.districts[0]
    assert compare(world, rules, tmp_path / "ours", tmp_path / "best").differences == []
    file = tmp_path / "best" / f"{district}.parquet"
    ledger = pq.read_table(file)
    points = ledger["points"].to_pylist()
    points[-1] += 1
    changed = ledger.set_column(ledger.column_names.index("points"), "points", pa.array(points, ledger["points"].type))
    pq.write_table(changed, file)
    found = compare(world, rules, tmp_path / "ours", tmp_path / "best")
    last = list(rules.indicators)[-1]
    assert [line.split(": ")[0] for line in found.differences] == [f"{district} {last} points"]


@pytest.mark.parametrize("dataset", contracts())
def test_every_contract_can_be_drawn_as_it_declares(dataset: str) -> None:
    contract = contracts()[dataset]
    enterprises = Enterprises.of("320411", 1, 200)
    table = accepted(contract, enterprises, AS_OF, seed=3)
    assert table.schema.equals(contract.accepted_schema())
    assert table.num_rows >= 60
    assert table.equals(accepted(contract, enterprises, AS_OF, seed=3)), "the same seed gives the same rows"
    key = list(zip(*(table[name].to_pylist() for name in contract.key), strict=True))
    assert len(set(key)) == len(key)
    for name, column in contract.columns.items():
        held = [value for value in table[name].to_pylist() if value is not None]
        assert len(held) == table.num_rows or not column.required, name
        if column.allowed:
            assert set(held) <= set(column.allowed), name


def test_samples_match_their_pattern() -> None:
    for pattern in ("[A-T]", r"(CN|ZL)?[0-9]{12}\.?[0-9X]", "3204[0-9A-Z]{2}"):
        found = samples(pattern)
        assert len(found) > 10
        assert all(re.fullmatch(pattern, text) for text in found)
