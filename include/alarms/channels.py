"""Bring a message to people: group robots of WeCom, DingTalk and Feishu, and e-mail, each by its address for apprise.

Nothing here raises for a channel that is down, slow, throttled or refuses: what came of it is returned, and logged in
one line that names the kind of channel and never its address, which is its secret.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from apprise import Apprise, NotifyBase, NotifyFormat
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.email import NotifyEmail
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot

from include.alarms.incident import Message
from include.kernel.connections import Connection
from include.kernel.errors import BadInput

log = logging.getLogger("innopoints")
# Both write addresses into their lines, and the address of a robot is its key. A filter outlasts whoever configures the
# logging anew, as Airflow does; a logger that is only disabled speaks again then.
logging.getLogger("apprise").addFilter(lambda _: False)
logging.getLogger("urllib3.connectionpool").addFilter(lambda record: record.levelno > logging.DEBUG)

# Bytes of text that each takes. WeCom: 2,048 of content. DingTalk and Feishu: 20,000 of the whole request. apprise
# counts characters, and one of Chinese is three bytes: so we cut, and apprise finds nothing left to cut.
LIMITS: dict[type[NotifyBase], tuple[str, int]] = {
    NotifyWeComBot: ("wecom", 2_048),
    NotifyDingTalk: ("dingtalk", 18_000),
    NotifyFeishu: ("feishu", 18_000),
    NotifyEmail: ("e-mail", 200_000),
}
WAIT_SECONDS = 4.0
"""What one channel may take for one message, all told: it hangs in a thread of its own and is left there."""


@dataclass(frozen=True)
class Channels:
    """Where messages go, and where they go instead when one of those does not take them."""

    first: tuple[str, ...]
    fallback: tuple[str, ...] = ()


def channels(connection: Connection) -> Channels:
    """The addresses of a Connection's extra: `{"channels": [...], "fallback": [...]}`. An error never repeats one."""
    found: dict[str, tuple[str, ...]] = {}
    for name in ("channels", "fallback"):
        given = connection.extra.get(name, [])
        if not isinstance(given, list) or not all(isinstance(one, str) and _opened(one) for one in given):
            raise BadInput(
                f"extra {name!r} is not a list of addresses of WeCom, DingTalk, Feishu or e-mail",
                where=f"Connection {connection.conn_id}",
                kept="nothing was sent",
                todo="write wecombot://KEY, dingtalk://[SECRET@]TOKEN, feishu://TOKEN, mailtos://USER:PASSWORD@HOST?to=…",
            )
        found[name] = tuple(given)
    return Channels(found["channels"], found["fallback"])


def deliver(to: Channels, message: Message, *, tries: int, pause_seconds: float) -> bool:
    """Send to every channel, again to those that did not take it, then to the fallback for those that never did.

    True when somebody took it.
    """
    left = list(to.first)
    for number in range(tries):
        if number and left:
            time.sleep(pause_seconds)
        left = _untaken(left, message)
    taken = len(to.first) - len(left)
    if left or not to.first:
        missed = _untaken(to.fallback, message)
        taken += len(to.fallback) - len(missed)
        if left or missed:
            log.warning(
                "alarms: not taken by %s after %d tries; fallback taken by %d of %d",
                ", ".join(map(_kind, left)) or "any channel",
                tries,
                len(to.fallback) - len(missed),
                len(to.fallback),
            )
    return taken > 0


def cut(message: Message, limit: int) -> str:
    """The text within `limit` bytes of UTF-8: whole lines, how many more there are, and always the link."""
    link = [message.link] if message.link else []
    for kept in range(len(message.lines), 0, -1):
        more = len(message.lines) - kept
        tail = [f"… {more} more lines, see the link 其余见链接" if link else f"… {more} more lines"] if more else []
        text = "\n".join([*message.lines[:kept], *tail, *link])
        if len(text.encode()) <= limit:
            return text
    return message.lines[0].encode()[:limit].decode(errors="ignore")


def _untaken(addresses: Sequence[str], message: Message) -> list[str]:
    """Those that did not take the message; all are asked at once."""
    done: dict[int, bool] = {}

    def ask(place: int, address: str) -> None:
        try:
            done[place] = _send(address, message)
        except Exception as error:  # noqa: BLE001 - its text may quote the address
            log.warning("alarms: %s: %s", _kind(address), type(error).__name__)

    threads = [threading.Thread(target=ask, args=placed, daemon=True) for placed in enumerate(addresses)]
    last = time.monotonic() + WAIT_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(last - time.monotonic(), 0))
    return [address for place, address in enumerate(addresses) if not done.get(place)]


def _send(address: str, message: Message) -> bool:
    """One message to one channel, once."""
    channel = _opened(address)
    assert channel is not None
    channel.socket_connect_timeout = channel.socket_read_timeout = WAIT_SECONDS
    text = cut(message, LIMITS[type(channel)][1])
    if isinstance(channel, NotifyWeComBot):
        return _post(channel, channel.api_url, {"msgtype": "text", "text": {"content": text}})
    if isinstance(channel, NotifyDingTalk):
        signed = dict(zip(("timestamp", "sign"), channel.get_signature(), strict=True)) if channel.secret else {}
        said = {"msgtype": "text", "text": {"content": text}, "at": {"atMobiles": channel.targets, "isAtAll": False}}
        return _post(channel, channel.notify_url.format(token=channel.token), said, signed)
    if isinstance(channel, NotifyFeishu):
        said = {"msg_type": "text", "content": {"text": text}}
        return _post(channel, channel.notify_url.format(token=channel.token), said)
    return bool(channel.notify(body=text, title=message.subject, body_format=NotifyFormat.TEXT))


def _post(channel: Any, url: str, said: dict[str, Any], signed: dict[str, str] | None = None) -> bool:
    """Robots throttle and refuse with status 200 and a code in their answer, which apprise takes for a delivery by
    all but Feishu's; so apprise reads the address and signs, and we ask and read the answer.
    """
    try:
        reply = requests.post(
            url,
            data=json.dumps(said, ensure_ascii=False).encode(),  # \uXXXX would double the bytes, which are counted
            headers={"Content-Type": "application/json; charset=utf-8"},
            params=signed,
            timeout=channel.request_timeout,
            verify=channel.verify_certificate,
            allow_redirects=False,
        )
        answer = reply.json() if reply.status_code == 200 else {}
        return isinstance(answer, dict) and answer.get("errcode", answer.get("code")) == 0
    except (requests.RequestException, ValueError):
        return False


def _opened(address: str) -> NotifyBase | None:
    """The channel of an address; None for one that is none of ours: no message goes to just any host."""
    channel = Apprise.instantiate(address, suppress_exceptions=True)
    return channel if type(channel) in LIMITS else None


def _kind(address: str) -> str:
    channel = _opened(address)
    return LIMITS[type(channel)][0] if channel else "unknown"
