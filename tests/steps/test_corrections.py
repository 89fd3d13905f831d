"""A correction that its source no longer needs: the night goes on, and somebody is told until it is ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from include.alarms.incident import Incident
from include.cli import main
from include.conformed import correct
from include.contracts import contracts
from include.kernel.connections import Connection, missing
from include.kernel.references import ResultKey
from include.steps.alarm import tell, unfit_corrections
from include.steps.conforming import conform_city
from include.steps.digest import night_digest
from include.steps.stores import lock_of, open_stores
from include.store import lake as places
from tests.alarms import servers
from tests.alarms.servers import WECOM
from tests.steps.test_shared import accepted, bring_in, firm

AS_OF, SCHEME = date(2026, 11, 20), "changzhou_v1"
WAS, IS = "实质审查", "有效"
DECLARED = f"""
- id: status
  scope: city
  key: {{publication_no: CN1A}}
  field: legal_status
  was: {WAS}
  is: {IS}
  who: 陈工，知识产权局
  when: {AS_OF}
  evidence: 知识产权局 2026-11-19 复函，状态漏更新
  expect: 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(correct, "FOLDER", tmp_path)
    declare(tmp_path)
    yield tmp_path
    correct.corrections.cache_clear()


def declare(folder: Path, more: str = "") -> None:
    (folder / "IP_PAT.yaml").write_text(DECLARED + more, encoding="utf-8")
    correct.corrections.cache_clear()


def night(says: str | None) -> str | None:
    """A night of one district in which the patent office says this of its only patent; what is conformed of it."""
    bring_in("REG_ENT", "320411", accepted("REG_ENT", [firm("A", "常州甲有限公司")]))
    patent = {"publication_no": "CN1A", "application_no": "CN1", "assignees": "常州甲有限公司", "legal_status": says}
    for dataset, contract in contracts().items():
        if contract.scope == "city":
            bring_in(dataset, "city", accepted(dataset, [patent] if dataset == "IP_PAT" else []))
    conform_city(AS_OF, holder="test")
    stores, result = open_stores(), ResultKey(AS_OF, "320411", SCHEME)
    with stores.lease(lock_of(result), "test") as lease:
        stores.ledger.record_scored(result, lease=lease, snapshot_set=[], enterprises=1, points_sha="p")
    return stores.lake.read(places.conformed_city(AS_OF), "ip_pat")["legal_status"].to_pylist()[0]


def command(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["innopoints", "corrections", "--as-of", AS_OF.isoformat()])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def nowhere(conn_id: str) -> Connection:
    raise missing(conn_id)


def unfit() -> list[Incident]:
    return unfit_corrections(AS_OF)


def test_one_that_is_in_force_is_counted_and_waits_for_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert night(WAS) == IS
    assert unfit() == []
    assert "declared corrections 已声明的更正: 1 applied" in night_digest(AS_OF, SCHEME).lines
    assert command(monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 corrections as of 2026-11-20, 0 to be ended"


@pytest.mark.parametrize(
    ("says", "state"), [(IS, "repaired"), ("驳回", "changed"), (None, "changed")], ids=["repaired", "changed", "empty"]
)
def test_once_the_source_says_something_else_it_is_told_until_somebody_ends_it(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    says: str | None,
    state: str,
) -> None:
    assert night(says) == says, "what the department says now, and nothing is corrected twice"
    with servers.robots(monkeypatch) as robots:
        lookup = {"innopoints_alarms": Connection("innopoints_alarms", extra={"channels": [WECOM]})}.__getitem__
        assert [tell(unfit, lookup=lookup) for _ in range(3)] == [1, 0, 0]
        [text] = robots.texts["wecom"]
    title = f"a correction no longer fits its source 更正与来源不再相符: IP_PAT/status ({state})"
    lines = night_digest(AS_OF, SCHEME).lines
    assert f"declared corrections 已声明的更正: 1 {state}" in lines
    assert f"- {title} (since {AS_OF})" in lines
    assert command(monkeypatch) == 2
    said = capsys.readouterr().out
    assert f"IP_PAT/status                    city    {state}  look at it and end it (`until`)" in said
    assert title in text
    for value in (WAS, IS, "驳回", "CN1"):
        assert value not in text + said + "".join(lines)

    declare(folder, "  until: 2026-11-21\n")
    assert [one.key for one in unfit()] == ["correction/IP_PAT/status"], "the night of the 20th still looks at it"
    assert command(monkeypatch) == 2

    declare(folder, f"  until: {AS_OF}\n")
    assert unfit() == []
    assert command(monkeypatch) == 0
    assert "over since yesterday 已恢复: 1" in night_digest(AS_OF, SCHEME).lines


def test_one_that_fits_again_is_over(folder: Path) -> None:
    night("驳回")
    tell(unfit, lookup=nowhere)
    assert "open incidents 未了结: 1" in night_digest(AS_OF, SCHEME).lines
    assert night(WAS) == IS
    assert "open incidents 未了结: 0" in night_digest(AS_OF, SCHEME).lines


def test_one_that_ends_next_year_is_told_like_any_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(folder, "  until: 2027-12-31\n")
    night(IS)
    assert [one.key for one in unfit()] == ["correction/IP_PAT/status"]
    assert tell(unfit, lookup=nowhere) == 0  # nobody is there to be told; it is open
    lines = night_digest(AS_OF, SCHEME).lines
    assert "open incidents 未了结: 1" in lines
    assert any("IP_PAT/status (repaired)" in line for line in lines)
    assert command(monkeypatch) == 2
