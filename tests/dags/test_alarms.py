"""Whole runs in which much fails: each incident is told once, and no channel, dead or alive, changes how a run ends."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.sources.declaration import of_district, sources
from include.steps import alarm, digest
from tests.alarms import servers
from tests.alarms.servers import DINGTALK, FEISHU, SECRETS, WECOM, Mail, Robots
from tests.dags.test_wiring import DISTRICT, Notes, metadata, run  # noqa: F401 (Airflow's own tables)

pytestmark = [pytest.mark.airflow, pytest.mark.services]

OF_TAX = [dataset for dataset in of_district() if dataset in sources()["tax_database"].datasets]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Notes:
    """Notes in the place of the steps, but the alarms are real, over a ledger of their own."""
    import include

    taken = Notes(set())
    taken.alarm, taken.digest = alarm, digest  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "include.steps", taken)
    monkeypatch.setattr(include, "steps", taken, raising=False)
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_INNOPOINTS_TEST", '{"conn_type": "http", "host": "http://127.0.0.1:1"}')
    monkeypatch.setattr(alarm, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(digest, "PAUSE_SECONDS", 0)
    return taken


@pytest.fixture
def robots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Robots]:
    with servers.robots(monkeypatch) as held:
        yield held


@pytest.fixture
def mail() -> Iterator[Mail]:
    with servers.mail() as held:
        yield held


def connect(monkeypatch: pytest.MonkeyPatch, *channels: str, fallback: str = "") -> None:
    """The Connection, as Airflow finds it in the environment."""
    extra = {"channels": list(channels), "fallback": [fallback] if fallback else []}
    value = json.dumps({"conn_type": "generic", "extra": extra})
    monkeypatch.setitem(os.environ, "AIRFLOW_CONN_INNOPOINTS_ALARMS", value)


def test_a_department_that_is_down_for_all_its_datasets_is_told_once(
    dags: dict[str, Any], notes: Notes, robots: Robots, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, WECOM, DINGTALK, FEISHU, mail.address)
    notes.failing |= {("land", dataset) for dataset in OF_TAX}
    _, states = run(dags[f"innopoints_{DISTRICT}"])
    assert states["tax_database.land"] == ["failed"] * len(OF_TAX)
    assert states["score"] == ["success"]
    for texts in robots.texts.values():
        [text] = texts
        assert "a department did not deliver 部门未交付: tax_database" in text
        assert f"/dags/innopoints_{DISTRICT}/runs/" in text
    assert len(mail.taken) == 1


def test_a_rejected_snapshot_and_a_district_that_cannot_be_scored_are_two(
    dags: dict[str, Any], notes: Notes, robots: Robots, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, WECOM)
    notes.failing |= {("validate", "TAX_VAT"), ("conform", DISTRICT)}
    for _ in range(2):  # the second night's run meets both again
        run(dags[f"innopoints_{DISTRICT}"])
    titles = sorted(text.splitlines()[1] for text in robots.texts["wecom"])
    assert titles == [
        "a district was not scored 辖区未算出: 320411 新北区",
        "a snapshot could not be judged 快照未能校验: TAX_VAT/320411",
    ]


def test_a_blocked_publication_is_told_by_its_scheme(
    dags: dict[str, Any], notes: Notes, robots: Robots, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, FEISHU)
    notes.due = [{"as_of": day, "scheme": "changzhou_v1"} for day in ("2026-11-18", "2026-11-19")]
    notes.failing |= {("publish", "2026-11-18"), ("publish", "2026-11-19")}
    run(dags["innopoints_publish"])
    [text] = robots.texts["feishu"]
    assert "publication blocked 发布被拦: changzhou_v1" in text


@pytest.mark.parametrize(
    "does", ["500", "hang", "errcode", "nobody listens", "no Connection", "a wrong one", "no ledger"]
)
def test_a_run_ends_the_same_whatever_the_channels_do(
    dags: dict[str, Any],
    notes: Notes,
    robots: Robots,
    does: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from include.alarms import channels

    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(channels, "WAIT_SECONDS", 0.3)
    robots.does = dict.fromkeys(robots.texts, does)
    dead = "mailto://alarms:m4ilpass@127.0.0.1:1?from=a@zone.example&to=b@zone.example&mode=insecure"
    if does == "nobody listens":
        monkeypatch.setattr(channels.NotifyWeComBot, "notify_url", "http://127.0.0.1:1/?key={key}")
    if does == "no ledger":
        monkeypatch.setenv("INNOPOINTS_WAREHOUSE_URL", "postgresql://nobody@127.0.0.1:1/none")
    if does == "a wrong one":
        connect(monkeypatch, "json://127.0.0.1/m4ilpass")
    elif does != "no Connection":
        connect(monkeypatch, WECOM, fallback=dead)
    notes.failing.add(("land", "TAX_VAT"))
    _, states = run(dags[f"innopoints_{DISTRICT}"])
    others = {task: set(found) for task, found in states.items() if not task.startswith("tax_database.")}
    assert others.pop("score") == {"success"}
    assert set.union(*others.values()) == {"success"}
    assert states["tax_database.land"].count("failed") == 1
    assert "alarms: " in caplog.text
    assert not [secret for secret in SECRETS if secret in caplog.text]


def test_the_digest_is_sent_once_however_often_it_runs_and_is_green_where_nobody_takes_it(
    dags: dict[str, Any], notes: Notes, robots: Robots, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(dags["innopoints_digest"])[0] == "success"  # no Connection
    connect(monkeypatch, WECOM)
    robots.does["wecom"] = "500"
    assert run(dags["innopoints_digest"], {"as_of": "2026-11-18"})[0] == "success"
    robots.does.clear()
    for _ in range(3):
        assert run(dags["innopoints_digest"], {"as_of": "2026-11-20"})[0] == "success"
    [text] = robots.texts["wecom"]
    assert text.startswith("创新积分 2026-11-20 · NOT PUBLISHED 未发布")
    assert text.endswith("/plugin/innovation-points")


def test_a_form_and_a_run_by_hand_that_is_refused_tell_nobody(
    dags: dict[str, Any], notes: Notes, robots: Robots, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, WECOM)
    assert run(dags[f"innopoints_{DISTRICT}"], {"asof": "2026-11-20"})[0] == "failed"
    form = {"districts": [DISTRICT], "date_from": "2026-11-20", "date_to": "2026-11-19", "reason": "nothing"}
    assert run(dags["innopoints_backfill"], form)[0] == "failed"
    assert robots.texts["wecom"] == []
