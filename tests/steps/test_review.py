"""The review queue as an officer works it: look, decide, look again, take back."""

from __future__ import annotations

import csv
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from include.cli import main
from include.conformed.enterprises import ENTERPRISES
from include.conformed.unresolved import UNRESOLVED
from include.contracts import require_contract
from include.kernel.references import ResultKey, SnapshotKey
from include.steps.conforming import decided
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.decisions import run_name_decision
from include.store.warehouse import writing

NIGHT, DISTRICT = date(2026, 11, 20), "320411"
A, B = "91320411YY00000018", "91320411YY00000280"
WAITS = [
    ("IP_PAT", "none", None, "常州恒闯液压有限公司", None, 7),
    ("IP_PAT", "none", None, "广州毫不相干贸易有限公司", None, 90),
    ("IP_PAT", "institution", None, "常州大学", None, 50),
    ("IP_PAT", "person", None, None, None, 400),
    ("IP_PAT", "branch", None, "=常州金鑫模具有限公司上海分公司", None, 2),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    leave_open(open_stores())
    return tmp_path


def leave_open(stores: Stores) -> None:
    """A night in which the city's patents and one district's insurance left something open."""
    contract = require_contract("REG_ENT")
    firms = [{"uscc": A, "name": "常州恒创液压有限公司"}, {"uscc": B, "name": "常州金鑫模具有限公司"}]
    firms[1]["former_names"] = "常州金鑫模具厂@2019-06-30；常州模具厂"
    firms = [{"established_on": date(2015, 3, 1), "state": "正常"} | firm for firm in firms]
    rows = [{name: firm.get(name) for name in contract.accepted_schema().names} for firm in firms]
    key = SnapshotKey("REG_ENT", DISTRICT, NIGHT)
    registry = pa.Table.from_pylist(rows, contract.accepted_schema())
    accepted = stores.lake.commit(places.accepted(key), {"data": registry}, {})
    members = [["REG_ENT", DISTRICT, NIGHT.isoformat(), accepted.sha256]]

    def unresolved(rows: list[tuple]) -> pa.Table:
        columns = zip(*rows, strict=True)
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, UNRESOLVED, strict=True)], UNRESOLVED)

    stores.lake.commit(places.conformed_city(NIGHT), {"unresolved": unresolved(WAITS)}, {"snapshot_set": members})
    own = unresolved([("HR_INS", "two_enterprises", A, "常州金鑫模具有限公司", f"{A};{B}", 12)])
    here = pa.Table.from_pylist([{name: firm.get(name) for name in ENTERPRISES.names} for firm in firms], ENTERPRISES)
    stores.lake.commit(
        places.conformed(DISTRICT, NIGHT), {"unresolved": own, "enterprises": here}, {"snapshot_set": members}
    )
    result = ResultKey(NIGHT, DISTRICT, "changzhou_v1")
    with stores.lease(f"result/{result}", "test") as lease:
        stores.ledger.record_scored(result, lease=lease, snapshot_set=members, enterprises=2, points_sha="a")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["innopoints", "review", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def waiting(home: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[list[str]]:
    out = home / "queue.csv"
    assert run(monkeypatch, "list", "--as-of", "2026-11-22", "--out", str(out), *arguments) == 0
    with out.open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))[1:]


HENG = ["IP_PAT", "none", "7", "", "常州恒闯液压有限公司", A, "常州恒创液压有限公司"]
BRANCH = ["IP_PAT", "branch", "2", "", "'=常州金鑫模具有限公司上海分公司", B, "常州金鑫模具有限公司"]
TWO = [
    "HR_INS",
    "two_enterprises",
    "12",
    A,
    "常州金鑫模具有限公司",
    f"{A};{B}",
    "常州恒创液压有限公司;常州金鑫模具有限公司",
]
WHO = ["--evidence", "电话核实", "--by", "王"]


def test_what_waits_is_listed_most_rows_first_with_those_it_may_mean(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert waiting(home, monkeypatch) == [TWO, HENG, BRANCH]
    assert waiting(home, monkeypatch, "--dataset", "HR_INS") == [TWO]
    capsys.readouterr()
    assert run(monkeypatch, "list", "--as-of", "2026-11-20") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "3 wait as of 2026-11-20, 21 rows"
    assert said[1].endswith(f"常州恒闯液压有限公司  <- {A} 常州恒创液压有限公司")


def test_what_is_decided_waits_no_longer_until_it_is_revoked(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on = ["--as-of", "2026-11-20"]
    patents = ["decide", "--dataset", "IP_PAT", "--name", "常州恒闯 液压有限公司", *on, *WHO]
    assert run(monkeypatch, *patents, "--uscc", A.lower()) == 0
    assert run(monkeypatch, "decide", "--dataset", "HR_INS", "--code", A, "--name", TWO[4], "--nobody", *on, *WHO) == 0
    assert waiting(home, monkeypatch) == [BRANCH]
    assert run(monkeypatch, "revoke", "1", *WHO) == 0
    assert waiting(home, monkeypatch) == [HENG, BRANCH]
    capsys.readouterr()
    assert run(monkeypatch, "decisions") == 0
    said = capsys.readouterr().out
    assert f"王: IP_PAT  常州恒闯液压有限公司 means {A}\n       电话核实\n" in said
    assert f"王: HR_INS {A} 常州金鑫模具有限公司 means nobody\n" in said
    assert "revokes 1\n" in said


def test_a_rerun_sees_what_was_decided_before_its_date_began(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--name", "常州恒闯液压有限公司", "--uscc", A, "--as-of", "2026-11-20"]
    assert run(monkeypatch, "decide", "--dataset", "IP_PAT", *words, *WHO) == 0
    stores = open_stores()
    noon_in_shanghai = "2026-11-19 04:00:00"
    with writing(stores.engine) as connection:
        connection.exec_driver_sql(f"UPDATE {run_name_decision.name} SET decided_at = '{noon_in_shanghai}'")
    assert decided(stores, date(2026, 11, 19)) == {}
    assert decided(stores, date(2026, 11, 20)) == {"IP_PAT": {("", "常州恒闯液压有限公司"): A}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--dataset", "NOPE"], "unknown dataset 'NOPE'"),
        (["list", "--as-of", "2026-11-19"], "nothing is conformed as of 2026-11-19 or before"),
        (["decide", "--dataset", "IP_PAT", "--name", HENG[4], *WHO], "give either --uscc or --nobody"),
        (["decide", "--dataset", "IP_PAT", "--name", HENG[4], "--uscc", A, "--nobody", *WHO], "give either"),
        (["decide", "--dataset", "HR_INS", "--name", HENG[4], "--uscc", A, *WHO], "no record of HR_INS with this code"),
        (["decide", "--dataset", "IP_PAT", "--name", "常州大学", "--nobody", *WHO], "no record of IP_PAT"),
        (
            ["decide", "--dataset", "IP_PAT", "--name", HENG[4], "--uscc", "91320411YY0000036T", *WHO],
            "this code is not registered",
        ),
        (
            ["decide", "--dataset", "IP_PAT", "--name", HENG[4], "--uscc", A, "--evidence", " ", "--by", "王"],
            "no evidence",
        ),
        (["revoke", "1", *WHO], "there is no decision 1"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_one_line(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    dated = arguments if "--as-of" in arguments or arguments[0] == "revoke" else [*arguments, "--as-of", "2026-11-20"]
    assert run(monkeypatch, *dated) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
