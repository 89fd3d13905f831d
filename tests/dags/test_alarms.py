"""Whole runs in which much fails: each incident is told once, and no channel, dead or alive, changes how a run ends."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.utils.types import DagRunType

from include.alarms import channels
from include.embedded.environment import free_ports
from include.kernel.periods import SHANGHAI
from include.sources.declaration import of_district, sources
from include.steps import alarm, digest
from plugins import run_plan
from plugins.task_wrapper import connection_from_airflow
from tests.alarms import servers
from tests.alarms.servers import DINGTALK, FEISHU, SECRETS, WECOM, Mail, Robots
from tests.dags.runs import DISTRICT, SCHEME, Notes, run

pytestmark = [pytest.mark.airflow, pytest.mark.services, pytest.mark.usefixtures("metadata")]

PAUSE_OF_A_NIGHT = alarm.PAUSE_SECONDS
SECONDS_OF_AIRFLOW = 20
"""So long Airflow leaves the process of a task that has failed (core.task_success_overtime)."""
OF_TAX = [dataset for dataset in of_district() if dataset in sources()["tax_database"].datasets]


@pytest.fixture
def notes(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Notes in the place of the steps, but the alarms are real, and do not wait between two tries."""
    monkeypatch.setattr(alarm, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(digest, "PAUSE_SECONDS", 0)
    return notes


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
    notes.due = [{"as_of": day, "scheme": SCHEME} for day in ("2026-11-18", "2026-11-19")]
    notes.failing |= {("publish", "2026-11-18"), ("publish", "2026-11-19")}
    run(dags["innopoints_publish"])
    [text] = robots.texts["feishu"]
    assert f"publication blocked 发布被拦: {SCHEME}" in text


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
    notes.due = [{"as_of": day, "scheme": SCHEME} for day in ("2026-11-18", "2026-11-19")]
    notes.failing.add(("publish", "2026-11-18"))
    _, states = run(dags["innopoints_publish"])
    assert states == {
        "due": ["success"],
        "publication.rank": ["success", "success"],
        "publication.publish": ["failed", "success"],
        "published_tonight": ["upstream_failed"],
    }
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


NOT_PUBLISHED = f"not published by its deadline 逾期未发布: {SCHEME}"


@pytest.mark.parametrize("told_at_six", [False, True])
def test_a_night_without_a_sweep_is_told_with_its_digest_unless_it_was_told_at_six(
    dags: dict[str, Any], notes: Notes, robots: Robots, monkeypatch: pytest.MonkeyPatch, told_at_six: bool
) -> None:
    """The sweep's DAG was paused, or another run of it was at it: there is no run that could be late."""
    connect(monkeypatch, WECOM)
    monkeypatch.setattr(run_plan, "is_scheduled", lambda context: True)
    tonight = datetime.now(SHANGHAI).date()
    if told_at_six:
        alarm.tell(lambda: alarm.unpublished(tonight, SCHEME), lookup=connection_from_airflow)
    for _ in range(2):
        assert run(dags["innopoints_digest"], {"as_of": tonight.isoformat()})[0] == "success"
    incident, of_night = robots.texts["wecom"]
    assert incident.splitlines()[1] == NOT_PUBLISHED
    assert "open incidents 未了结: 1" in of_night
    assert f"- {NOT_PUBLISHED} (since {tonight})" in of_night


@pytest.mark.parametrize(("scheduled", "scheme"), [(False, SCHEME), (True, "national_core")])
def test_a_digest_by_hand_or_of_another_scheme_calls_no_night_late(
    dags: dict[str, Any],
    notes: Notes,
    robots: Robots,
    monkeypatch: pytest.MonkeyPatch,
    scheduled: bool,
    scheme: str,
) -> None:
    """By hand it may be three in the morning, and what is told once is not told again at six."""
    connect(monkeypatch, WECOM)
    monkeypatch.setattr(run_plan, "is_scheduled", lambda context: scheduled)
    tonight = datetime.now(SHANGHAI).date().isoformat()
    assert run(dags["innopoints_digest"], {"as_of": tonight, "scheme": scheme})[0] == "success"
    [of_night] = robots.texts["wecom"]
    assert NOT_PUBLISHED not in of_night


def test_only_a_run_of_the_schedule_is_scheduled() -> None:
    kinds = ["scheduled", "manual", "backfill", "asset_triggered", "operator_triggered"]
    found = [run_plan.is_scheduled({"dag_run": SimpleNamespace(run_type=DagRunType(kind))}) for kind in kinds]
    assert found == [True, False, False, False, False]


@pytest.mark.long
def test_what_no_channel_took_is_tried_again_by_whoever_meets_it_and_stands_in_the_next_digest(
    dags: dict[str, Any],
    notes: Notes,
    robots: Robots,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A robot that never answers, one that answers 500, a mail host where nobody listens; with the waits of a night."""
    caplog.set_level(logging.INFO, "innopoints")
    monkeypatch.setattr(alarm, "PAUSE_SECONDS", PAUSE_OF_A_NIGHT)
    (closed,) = free_ports(1)
    dead = f"mailto://alarms:m4ilpass@127.0.0.1:{closed}?from=a@zone.example&to=b@zone.example&mode=insecure"
    connect(monkeypatch, WECOM, FEISHU, fallback=dead)
    robots.does = {"wecom": "hang", "feishu": "500"}
    notes.failing.add(("conform", DISTRICT))
    _, states = run(dags[f"innopoints_{DISTRICT}"], {"as_of": "2026-11-18"})
    assert (states["conform"], states["score"]) == (["failed"], ["upstream_failed"])
    [failed] = [record for record in caplog.records if record.levelno == logging.ERROR and record.name == "innopoints"]
    [said] = [record for record in caplog.records if record.getMessage().startswith("alarms: ")]
    assert said.getMessage() == "alarms: not taken by wecom, feishu after 2 tries; fallback taken by 0 of 1"
    assert 2 * channels.WAIT_SECONDS < said.created - failed.created < SECONDS_OF_AIRFLOW

    robots.does = {"wecom": "500", "feishu": "500"}
    for day in ("2026-11-19", "2026-11-20"):
        run(dags[f"innopoints_{DISTRICT}"], {"as_of": day})
    assert robots.asked["feishu"] == 3  # two tries of the first night, one of the second, then no more
    assert run(dags["innopoints_digest"], {"as_of": "2026-11-20"})[0] == "success"
    assert robots.texts == {"wecom": [], "dingtalk": [], "feishu": []}

    robots.does.clear()
    assert run(dags["innopoints_digest"], {"as_of": "2026-11-21"})[0] == "success"
    for name in ("wecom", "feishu"):
        [text] = robots.texts[name]
        assert "- a district was not scored 辖区未算出: 320411 新北区 (since 2026-11-20)" in text
    assert not [secret for secret in SECRETS if secret in caplog.text]
