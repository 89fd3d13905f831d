"""Real servers that play the group robots and a mail host: they take messages, or behave badly on demand."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.header import decode_header, make_header
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot

WECOM, DINGTALK, FEISHU = "wecombot://wecom-key", "dingtalk://5ecret@d1ngt0ken", "feishu://feishu-token"
SECRETS = ["wecom-key", "5ecret", "d1ngt0ken", "feishu-token", "m4ilpass"]


@dataclass
class Robots:
    """What arrived at each robot; and what it does: `ok`, a status such as `429`, `errcode`, `hang`, `trickle`, `page`,
    or `lies` (takes the message and says that it did not)."""

    port: int = 0
    does: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=lambda: {"wecom": [], "dingtalk": [], "feishu": []})
    asked: dict[str, int] = field(default_factory=lambda: {"wecom": 0, "dingtalk": 0, "feishu": 0})
    paths: list[str] = field(default_factory=list)
    largest: int = 0
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def robots(patch: Any) -> Iterator[Robots]:
    """A server on loopback in the place of the three hosts."""
    held = Robots()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            name = self.path.split("/")[1].partition("?")[0]
            does = held.does.get(name, "ok")
            held.asked[name] += 1
            held.paths.append(self.path)
            held.largest = max(held.largest, len(raw))
            if does in ("ok", "lies"):
                said = json.loads(raw)
                held.texts[name].append(said["content"]["text"] if name == "feishu" else said["text"]["content"])
            if does == "hang":
                held.over.wait(30)
                return
            refused = {"errcode": 45009, "errmsg": "api freq out of limit", "code": 11232, "msg": "frequency limited"}
            good = {"errcode": 0, "code": 0}
            answer = (
                b"<html>log in</html>" if does == "page" else json.dumps(good if does == "ok" else refused).encode()
            )
            self.send_response(int(does) if does.isdigit() else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if does == "trickle":
                for byte in answer:
                    if held.over.wait(0.2):
                        return
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
            else:
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    here = f"http://127.0.0.1:{held.port}"
    patch.setattr(NotifyWeComBot, "notify_url", here + "/wecom?key={key}")
    patch.setattr(NotifyDingTalk, "notify_url", here + "/dingtalk?access_token={token}")
    patch.setattr(NotifyFeishu, "notify_url", here + "/feishu/{token}/")
    try:
        yield held
    finally:
        held.over.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mail:
    """What a mail host took: subject and text of each; `refuses` answers 451 to everybody who is to be written to."""

    port: int = 0
    refuses: bool = False
    taken: list[tuple[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """As apprise wants it."""
        return f"mailto://alarms:m4ilpass@127.0.0.1:{self.port}?from=alarms@zone.example&to=duty@zone.example&mode=insecure"


@contextmanager
def mail() -> Iterator[Mail]:
    """A mail host on loopback that speaks as much SMTP as a client needs."""
    held = Mail()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 mail.zone.example")
            while raw := self.rfile.readline():
                verb = raw.decode().split()[0].upper() if raw.strip() else ""
                if verb == "EHLO":
                    self.say("250-mail.zone.example\r\n250 AUTH PLAIN")
                elif verb == "AUTH":
                    self.say("235 welcome")
                elif verb == "RCPT" and held.refuses:
                    self.say("451 come again")
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (line := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(line.decode())
                    held.taken.append(_read("".join(lines)))
                    self.say("250 taken")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 well")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()


def _read(text: str) -> tuple[str, str]:
    parsed = message_from_string(text)
    subject = str(make_header(decode_header(parsed["Subject"])))
    part = next(one for one in parsed.walk() if one.get_content_type() == "text/plain")
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return subject, payload.decode()


def within(seconds: float, since: float) -> bool:
    """Has no more than this gone by?"""
    return time.monotonic() - since < seconds
