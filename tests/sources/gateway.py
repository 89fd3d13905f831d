"""A department's gateway in a thread, speaking the real protocol, with the faults a test puts on its list.

It signs nothing off that it has not checked: token, appKey, age and signature, so a driver that signs badly fails here.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY, SECRET = "app-tax-1", "canary-secret-5c1f"

Fault = Callable[[BaseHTTPRequestHandler, bytes], None]


class Department:
    """Rows, and what is wrong with the next replies. `faults` maps the number of an API request (from 1) to a fault,
    `after` to what becomes of the rows once that request is answered.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.total: Callable[[int], int] = lambda page: len(self.rows)
        self.faults: dict[int, Fault] = {}
        self.after: dict[int, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {}
        self.reply: Callable[[list[dict[str, Any]], int], Any] = self._envelope
        self.page_of: Callable[[int], int] = lambda page: page
        self.rewrite: Callable[[bytes], bytes] = lambda whole: whole
        self.token_lives_for = 10**9
        self.asked: list[dict[str, Any]] = []
        self.message_ids: list[str] = []
        self.tokens = 0
        self._uses_left = 0
        self.url = ""

    def _envelope(self, rows: list[dict[str, Any]], total: int) -> Any:
        return {"resultCode": "00", "resultData": rows, "resultInfo": "", "resultTotal": total}

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if handler.path == "/auth/token":
            self._token(handler, json.loads(body))
        else:
            self._page(handler, body)

    def _token(self, handler: BaseHTTPRequestHandler, proof: dict[str, str]) -> None:
        text = f"{proof['appKey']}\n{proof['timestamp']}\n{proof['nonce']}"
        if proof["appKey"] != KEY or not hmac.compare_digest(proof["sign"], _sign(text)):
            send(handler, 401, b'{"code":"SIGN_INVALID"}')
            return
        self.tokens += 1
        self._uses_left = self.token_lives_for
        send(handler, 200, json.dumps({"token": f"canary-token-{self.tokens}", "expiresIn": 1800}).encode())

    def _page(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.asked.append(json.loads(body))
        headers = handler.headers
        self.message_ids.append(headers["messageId"])
        signed = "\n".join(
            ["POST", handler.path, headers["timestamp"], headers["messageId"], hashlib.sha256(body).hexdigest()]
        )
        if headers["sign"] != _sign(signed) or headers["appKey"] != KEY:
            send(handler, 401, b'{"code":"SIGN_INVALID"}')
            return
        self._uses_left -= 1
        if self._uses_left < 0 or headers["Authorization"] != f"Bearer canary-token-{self.tokens}":
            send(handler, 401, b'{"code":"TOKEN_EXPIRED"}')
            return
        asked = self.asked[-1]
        number, size = self.page_of(asked["pageNo"]), asked["pageSize"]
        page = self.rows[(number - 1) * size : number * size]
        whole = self.rewrite(json.dumps(self.reply(page, self.total(asked["pageNo"])), ensure_ascii=False).encode())
        self.rows = self.after.get(len(self.asked), lambda rows: rows)(self.rows)
        fault = self.faults.get(len(self.asked))
        if fault:
            fault(handler, whole)
        else:
            send(handler, 200, whole)


@contextmanager
def serving(department: Department) -> Iterator[Department]:
    """The department on a free loopback port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            department.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        department.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield department
        finally:
            server.shutdown()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int, **headers: str) -> Fault:
    """An error status, with headers (`Retry_After="3"`)."""
    return lambda handler, whole: send(handler, code, b"{}", {n.replace("_", "-"): v for n, v in headers.items()})


def instead(body: bytes) -> Fault:
    """HTTP 200 with another body."""
    return lambda handler, whole: send(handler, 200, body)


def short_length(handler: BaseHTTPRequestHandler, whole: bytes) -> None:
    """Half the body under the full Content-Length, then the connection ends."""
    handler.close_connection = True
    send(handler, 200, whole[: len(whole) // 2], {"Content-Length": str(len(whole))})


def closed_without_length(handler: BaseHTTPRequestHandler, whole: bytes) -> None:
    """Half the body, no length, connection closed."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(whole[: len(whole) // 2])


def half_chunked(handler: BaseHTTPRequestHandler, whole: bytes) -> None:
    """Half the body in chunks that end cleanly."""
    _chunked(handler, whole[: len(whole) // 2], b"0\r\n\r\n")


def unterminated_chunk(handler: BaseHTTPRequestHandler, whole: bytes) -> None:
    """Half the body in a chunk, then the connection ends."""
    _chunked(handler, whole[: len(whole) // 2], b"")


def truncated_gzip(handler: BaseHTTPRequestHandler, whole: bytes) -> None:
    """Half of a compressed body, its length honest."""
    packed = gzip.compress(whole)
    send(
        handler, 200, packed[: len(packed) // 2], {"Content-Length": str(len(packed) // 2), "Content-Encoding": "gzip"}
    )


def half_the_rows(handler: BaseHTTPRequestHandler, whole: bytes) -> None:
    """Whole JSON with the right total and half of the page's rows."""
    envelope = json.loads(whole)
    envelope["resultData"] = envelope["resultData"][: len(envelope["resultData"]) // 2]
    send(handler, 200, json.dumps(envelope).encode())


def dropped(handler: BaseHTTPRequestHandler, whole: bytes) -> None:
    """The connection ends without an answer."""
    handler.close_connection = True


def _chunked(handler: BaseHTTPRequestHandler, body: bytes, end: bytes) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n" + end)


def _sign(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
