"""What a failure means, what the digest says, and that neither names a record, tells twice, or fails anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from include.alarms.incident import Incident
from include.contracts import contracts, require_contract
from include.kernel.connections import Connection, missing
from include.kernel.errors import TerminalError
from include.kernel.references import ResultKey, SnapshotKey
from include.publish.generations import publish
from include.steps.alarm import failure, pairs, tell
from include.steps.digest import night_digest, send_digest
from include.steps.stores import Stores, lock_of, open_stores
from include.store.alarms import alarm
from tests.alarms import servers
from tests.alarms.servers import DINGTALK, FEISHU, WECOM, Mail, Robots
from tests.publish.conftest import make_tables

DAY, AREA, SCHEME = date(2026, 11, 20), "320411", "changzhou_v1"
OF_TAX = [pair for pair in pairs() if contracts()[pair[0]].source == "tax_database"]


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    return open_stores()


@pytest.fixture
def robots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Robots]:
    with servers.robots(monkeypatch) as held:
        yield held


@pytest.fixture
def mail() -> Iterator[Mail]:
    with servers.mail() as held:
        yield held


def reaching(*channels: str, fallback: str = "") -> Callable[[str], Connection]:
    """A lookup that knows the alarms' Connection only."""
    extra = {"channels": list(channels), "fallback": [fallback] if fallback else []}
    return {"innopoints_alarms": Connection("innopoints_alarms", extra=extra)}.__getitem__


def nowhere(conn_id: str) -> Connection:
    raise missing(conn_id)


def judged(stores: Stores, dataset: str, scope: str, day: date = DAY, verdict: str = "accepted") -> None:
    """A snapshot of 100 rows in the ledger, two of them in quarantine."""
    key = SnapshotKey(dataset, scope, day)
    with stores.lease(lock_of(key), "test") as lease:
        stores.ledger.record_landed(
            key, lease=lease, contract_version=require_contract(dataset).version, declared=100, received=100,
            landing_sha="l",
        )  # fmt: skip
        stores.ledger.record_verdict(
            key, lease=lease, verdict=verdict, rows_in=100, duplicates=0, accepted=98, quarantined=2,
            reason="volume: 10 rows of 常州某某公司" if verdict == "rejected" else None, checks=[],
            accepted_sha="a" if verdict == "accepted" else None,
        )  # fmt: skip


def silent(day: date = DAY, source: str = "tax_database") -> list[Incident]:
    return failure("land", day, name="x", source=source, dataset="TAX_VAT", scope=AREA)


def test_every_dataset_and_district_of_a_silent_department_is_one_message(stores: Stores, robots: Robots) -> None:
    lookup = reaching(WECOM, DINGTALK, FEISHU)
    assert [tell(silent, lookup=lookup) for _ in range(20)] == [1] + [0] * 19
    assert {name: len(texts) for name, texts in robots.texts.items()} == {"wecom": 1, "dingtalk": 1, "feishu": 1}
    [text] = robots.texts["wecom"]
    assert text.startswith("创新积分 2026-11-20\na department did not deliver 部门未交付: tax_database")
    assert f"snapshots missing 缺 {len(OF_TAX)}" in text
    held = alarm(stores.engine, "source/tax_database")
    assert held is not None
    assert held.times_seen == 20


def test_a_department_that_answers_again_and_falls_silent_again_is_two_incidents(
    stores: Stores, robots: Robots
) -> None:
    lookup = reaching(WECOM)
    tell(silent, lookup=lookup)
    for dataset, scope in OF_TAX[:-1]:
        judged(stores, dataset, scope)
    assert tell(silent, lookup=lookup) == 0, "one of its datasets is missing still"
    judged(stores, *OF_TAX[-1])
    assert "over since yesterday 已恢复: 1" in night_digest(DAY, SCHEME).lines
    assert tell(lambda: silent(DAY + timedelta(1)), lookup=lookup) == 1
    assert len(robots.texts["wecom"]) == 2


def test_a_rejected_snapshot_says_how_many_rows_and_is_over_once_one_is_accepted(
    stores: Stores, robots: Robots
) -> None:
    judged(stores, "TAX_VAT", AREA, verdict="rejected")
    met = failure("validate", DAY, name="x", dataset="TAX_VAT", scope=AREA, link="http://airflow/log")
    assert [(one.key, one.counts["rows_in"], one.counts["quarantined"]) for one in met] == [
        ("snapshot/TAX_VAT/320411", 100, 2)
    ]
    tell(lambda: met, lookup=reaching(WECOM))
    [text] = robots.texts["wecom"]
    assert text.endswith("http://airflow/log")
    assert "常州" not in text
    judged(stores, "TAX_VAT", AREA, DAY + timedelta(1))
    assert "open incidents 未了结: 0" in night_digest(DAY + timedelta(1), SCHEME).lines


def test_what_all_share_is_told_by_the_departments_that_owe_it(stores: Stores) -> None:
    for dataset, scope in pairs():
        if contracts()[dataset].source not in ("ip_office", "banks"):
            judged(stores, dataset, scope)
    met = failure("shared", DAY, name="x", district=AREA)
    assert {one.key for one in met} == {"source/ip_office", "source/banks"}


@pytest.mark.parametrize(
    ("step", "known", "key"),
    [
        ("conform", {"district": AREA}, "district/320411"),
        ("plan", {"district": AREA}, "district/320411"),
        ("publish", {"scheme": SCHEME}, "publication/changzhou_v1"),
        ("rank", {"scheme": SCHEME}, "publication/changzhou_v1"),
        ("conform", {}, "task/innopoints_city/conform"),
        ("validate", {"district": AREA}, "task/innopoints_city/conform"),  # a mapped task that was killed: which?
    ],
)
def test_each_failure_has_its_key(stores: Stores, step: str, known: dict[str, str], key: str) -> None:
    assert [one.key for one in failure(step, DAY, name="innopoints_city/conform", **known)] == [key]


def test_a_district_and_a_publication_are_over_once_scored_and_published(stores: Stores) -> None:
    tell(lambda: failure("score", DAY, name="x", district=AREA), lookup=nowhere)
    tell(lambda: failure("publish", DAY, name="x", scheme=SCHEME), lookup=nowhere)
    assert "open incidents 未了结: 2" in night_digest(DAY, SCHEME).lines
    result = ResultKey(DAY, AREA, SCHEME)
    with stores.lease(lock_of(result), "test") as lease:
        stores.ledger.record_scored(result, lease=lease, snapshot_set=[], enterprises=12, points_sha="p")
    said = night_digest(DAY, SCHEME).lines
    assert "open incidents 未了结: 1" in said
    assert any(line.startswith("districts scored tonight 辖区: 1 of 7; without any: ") for line in said)
    published(stores)
    said = night_digest(DAY, SCHEME).lines
    assert said[0] == "创新积分 2026-11-20 · published 已发布"
    assert "current generation 当前代次: 1 of 2026-11-20, changzhou_v1" in said
    assert "open incidents 未了结: 0" in said


def published(stores: Stores) -> None:
    tables: dict[str, pa.Table] = make_tables()
    with stores.lease("publish", "test") as lease:
        publish(
            stores.engine, lease=lease, as_of=DAY, scheme_id=SCHEME, scheme_version="1",
            snapshot_set=stores.ledger.snapshot_set([]), content_sha="c", points={}, tables=tables,
            reason="",
        )  # fmt: skip


def test_dead_channels_and_a_dead_mail_host_fail_nothing_and_the_next_to_meet_it_tries_once_more(
    stores: Stores, robots: Robots, mail: Mail, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    robots.does = {"wecom": "500", "dingtalk": "errcode"}
    mail.refuses = True
    lookup = reaching(WECOM, DINGTALK, fallback=mail.address)
    assert [tell(silent, lookup=lookup) for _ in range(5)] == [0] * 5
    assert (robots.asked["wecom"], robots.asked["dingtalk"]) == (3, 3)
    said = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    assert said == [
        "alarms: not taken by wecom, dingtalk after 2 tries; fallback taken by 0 of 1",
        "alarms: not taken by wecom, dingtalk after 1 tries; fallback taken by 0 of 1",
    ]
    assert "- a department did not deliver" in "\n".join(night_digest(DAY, SCHEME).lines), "the digest has it"


def test_a_channel_that_takes_a_message_and_denies_it_is_read_three_times_at_most(
    stores: Stores, robots: Robots
) -> None:
    robots.does = dict.fromkeys(robots.texts, "lies")
    for _ in range(10):
        tell(silent, lookup=reaching(WECOM, DINGTALK, FEISHU))
    assert {len(texts) for texts in robots.texts.values()} == {3}


@pytest.mark.parametrize(
    "extra", [{}, {"channels": "wecombot://k"}, {"channels": ["http://169.254.169.254/"]}, {"channels": ["s3cret"]}]
)
def test_a_connection_that_cannot_be_used_is_one_line_and_no_try_is_lost(
    stores: Stores, robots: Robots, extra: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "innopoints")
    given = Connection("innopoints_alarms", extra=dict(extra))
    assert tell(silent, lookup=(lambda _: given) if extra else nowhere) == 0
    [said] = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    assert said.startswith("alarms: nothing is sent: ")
    assert "s3cret" not in said
    assert "169.254" not in said
    assert tell(silent, lookup=reaching(WECOM)) == 1


def test_whatever_goes_wrong_inside_is_one_line_without_its_text(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    def finds() -> list[Incident]:
        raise ValueError("金丝雀欧阳某 876543210.98")

    def ledger_is_down() -> list[Incident]:
        raise TerminalError("the warehouse did not carry out a statement (SQLITE_FULL)")

    assert [tell(finds, lookup=nowhere), tell(ledger_is_down, lookup=nowhere)] == [0, 0]
    said = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    assert said[0].startswith("alarms: finds (test_alarm.py:")
    assert "unforeseen ValueError" in said[0]
    assert "金丝雀" not in said[0]
    assert said[1].startswith("alarms: the warehouse did not")


def test_the_digest_counts_each_source_and_is_sent_once(stores: Stores, robots: Robots) -> None:
    for number, (dataset, scope) in enumerate(OF_TAX):
        if number:
            judged(stores, dataset, scope, verdict="rejected" if number == 1 else "accepted")
        judged(stores, dataset, scope, DAY - timedelta(3))
    lines = night_digest(DAY, SCHEME, link="http://airflow/plugin/innovation-points").lines
    tonight = len(OF_TAX) - 1
    assert f"- tax_database: {tonight - 1}/1/1; {tonight * 100:,}, {tonight * 98:,}, {tonight * 2}; 3 d" in lines
    missing_of_banks = sum(contracts()[dataset].source == "banks" for dataset, _ in pairs())
    assert f"- banks: 0/0/{missing_of_banks}; 0, 0, 0; not all ever delivered" in lines
    assert lines[0] == "创新积分 2026-11-20 · NOT PUBLISHED 未发布"
    assert "waiting for a person 待处理: 1 blocked deliveries, an unknown number of names" in lines
    sent = [send_digest(DAY, SCHEME, holder="test", lookup=reaching(WECOM), pause_seconds=0)["sent"] for _ in range(3)]
    assert sent == [1, 0, 0]
    [text] = robots.texts["wecom"]
    assert text.startswith(lines[0])
    assert len(text.encode()) <= 2048
    next_night = send_digest(DAY + timedelta(1), SCHEME, holder="test", lookup=reaching(WECOM), pause_seconds=0)
    assert next_night["sent"] == 1


def test_the_digest_goes_by_mail_where_the_robots_are_dead_and_fails_nothing_where_mail_is_too(
    stores: Stores, robots: Robots, mail: Mail
) -> None:
    robots.does = {"wecom": "429"}
    lookup = reaching(WECOM, fallback=mail.address)
    assert send_digest(DAY, SCHEME, holder="test", lookup=lookup, pause_seconds=0)["sent"] == 1
    assert robots.asked["wecom"] == 3
    assert [subject for subject, _ in mail.taken] == ["创新积分 2026-11-20 · NOT PUBLISHED 未发布"]
    mail.refuses = True
    after = DAY + timedelta(1)
    assert send_digest(after, SCHEME, holder="test", lookup=lookup, pause_seconds=0)["sent"] == 0
    assert send_digest(after, SCHEME, holder="test", lookup=nowhere, pause_seconds=0)["sent"] == 0
