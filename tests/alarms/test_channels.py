"""A message reaches people through whatever still works, in time, and never raises: against real servers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.alarms import channels as room
from include.alarms.channels import Channels, channels, cut, deliver
from include.alarms.incident import Message
from include.kernel.connections import Connection
from include.kernel.errors import BadInput
from tests.alarms import servers
from tests.alarms.servers import DINGTALK, FEISHU, SECRETS, WECOM, Mail, Robots, within

pytestmark = pytest.mark.services

LINK = "https://airflow.zone.example/dags/innopoints_320411"
SHORT = Message(
    "创新积分 2026-11-20 · 快照拒收", ("创新积分 2026-11-20", "快照拒收: TAX_VAT/320411", "rows_in 120"), LINK
)
LONG = Message(
    "创新积分 2026-11-20 · 摘要", tuple(f"- 数据源第 {n} 号: {n}/0/0; 1,200, 1,180, 20; 0 d" for n in range(900)), LINK
)
ALL = (WECOM, DINGTALK, FEISHU)
NAMES = ("wecom", "dingtalk", "feishu")


@pytest.fixture
def robots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Robots]:
    """The three robots, all well."""
    with servers.robots(monkeypatch) as held:
        yield held


@pytest.fixture
def mail() -> Iterator[Mail]:
    """A mail host."""
    with servers.mail() as held:
        yield held


def test_every_channel_reads_the_same_short_message_once(robots: Robots, mail: Mail) -> None:
    assert deliver(Channels((*ALL, mail.address)), SHORT, tries=3, pause_seconds=0)
    text = "\n".join([*SHORT.lines, LINK])
    assert robots.texts == {name: [text] for name in NAMES}
    [(subject, body)] = mail.taken
    assert subject == SHORT.subject
    assert body.split() == text.split()
    assert any("timestamp=" in path and "sign=" in path for path in robots.paths), "DingTalk's signature"


def test_a_long_digest_is_cut_at_a_line_within_the_bytes_of_each_channel(robots: Robots, mail: Mail) -> None:
    deliver(Channels((*ALL, mail.address)), LONG, tries=1, pause_seconds=0)
    for name, limit in (("wecom", 2048), ("dingtalk", 20_000), ("feishu", 20_000)):
        [text] = robots.texts[name]
        assert limit * 0.85 < len(text.encode()) <= limit, name
        *kept, tail, link = text.split("\n")
        assert tuple(kept) == LONG.lines[: len(kept)]
        assert tail.startswith(f"… {len(LONG.lines) - len(kept)} more lines")
        assert link == LINK
    assert robots.largest <= 20_000  # DingTalk and Feishu count the whole request
    assert mail.taken[0][1].count("数据源") == 900


def test_what_just_fits_is_not_cut_and_one_byte_less_is() -> None:
    whole = "\n".join([*SHORT.lines, LINK])
    size = len(whole.encode())
    assert cut(SHORT, size) == whole
    assert "… 1 more lines" in cut(Message("s", (*SHORT.lines, "x" * 200), LINK), size + 150)
    assert len(cut(SHORT, 20).encode()) <= 20


@pytest.mark.parametrize("does", ["500", "429", "404", "302", "errcode", "hang", "trickle", "page"])
@pytest.mark.parametrize("name", NAMES)
def test_a_channel_that_fails_in_any_way_is_tried_again_and_mail_steps_in(
    robots: Robots, mail: Mail, name: str, does: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Robots throttle with status 200 and a code of their own; a log-in page is status 200 too."""
    robots.does[name] = does
    only = (ALL[NAMES.index(name)],)
    if does in ("hang", "trickle"):
        monkeypatch.setattr(room, "WAIT_SECONDS", 0.4)
    begun = time.monotonic()
    assert not deliver(Channels(only), SHORT, tries=2, pause_seconds=0)
    assert within(4, begun)
    assert robots.asked[name] == 2
    if does not in ("hang", "trickle"):
        assert deliver(Channels(only, (mail.address,)), SHORT, tries=1, pause_seconds=0)
        assert len(mail.taken) == 1


def test_only_those_that_did_not_take_it_are_asked_again(robots: Robots, mail: Mail) -> None:
    robots.does["dingtalk"] = "500"
    assert deliver(Channels(ALL, (mail.address,)), SHORT, tries=3, pause_seconds=0)
    assert robots.asked == {"wecom": 1, "dingtalk": 3, "feishu": 1}
    assert len(mail.taken) == 1


def test_a_channel_that_comes_back_makes_the_fallback_needless(robots: Robots, mail: Mail) -> None:
    robots.does["wecom"] = "500"

    def recover(_: float) -> None:
        robots.does["wecom"] = "ok"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room.time, "sleep", recover)
        assert deliver(Channels((WECOM,), (mail.address,)), SHORT, tries=3, pause_seconds=1)
    assert (len(robots.texts["wecom"]), mail.taken) == (1, [])


def test_where_nobody_answers_it_is_over_in_time_and_one_line_says_so(
    robots: Robots, mail: Mail, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAIT_SECONDS", 0.4)
    caplog.set_level(logging.DEBUG)
    robots.does = {"wecom": "hang", "dingtalk": "trickle", "feishu": "500"}
    mail.refuses = True
    begun = time.monotonic()
    assert not deliver(Channels(ALL, (mail.address,)), SHORT, tries=2, pause_seconds=0)
    assert within(4, begun)
    said = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    assert said == ["alarms: not taken by wecom, dingtalk, feishu after 2 tries; fallback taken by 0 of 1"]
    assert not [secret for secret in SECRETS if secret in caplog.text]


def test_a_port_where_nobody_listens_is_no_error(robots: Robots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.NotifyWeComBot, "notify_url", "http://127.0.0.1:1/?key={key}")
    dead = "mailto://127.0.0.1:1?from=a@zone.example&to=b@zone.example&mode=insecure"
    assert not deliver(Channels((WECOM, dead)), SHORT, tries=3, pause_seconds=0)


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1/metadata",
        "file:///etc/passwd",
        "https://169.254.169.254/latest",
        "wecombot://k e y/../",
        "dingtalk://?",
        "s3cret-nonsense",
        "",
    ],
)
def test_an_address_that_is_none_of_ours_is_refused_in_one_line_without_repeating_it(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BadInput) as error:
        channels(Connection("innopoints_alarms", extra={"channels": [address]}))
    said = str(error.value) + caplog.text
    assert not address or address not in said
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("extra", [{"channels": "wecombot://k"}, {"channels": [1]}, {"fallback": {"a": 1}}])
def test_an_extra_of_another_shape_is_refused(extra: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="is not a list of addresses"):
        channels(Connection("innopoints_alarms", extra=dict(extra)))


def test_no_secret_stands_in_a_log_at_any_level(
    robots: Robots, mail: Mail, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    deliver(Channels((*ALL, mail.address)), SHORT, tries=1, pause_seconds=0)
    robots.does = dict.fromkeys(NAMES, "500")
    deliver(Channels((*ALL, mail.address)), SHORT, tries=1, pause_seconds=0)
    assert not [secret for secret in SECRETS if secret in caplog.text]
