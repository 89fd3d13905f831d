"""What can go wrong between a department and us, byte by byte: replies cut anywhere, and replies that only trickle."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from tests.sources.gateway import Fault, send

Handler = BaseHTTPRequestHandler


def _raw(handler: Handler, content: bytes) -> None:
    handler.close_connection = True
    handler.wfile.write(content)


def _head(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()


def _chunk(part: bytes) -> bytes:
    return f"{len(part):x}\r\n".encode() + part + b"\r\n"


def short_length(handler: Handler, whole: bytes, at: int) -> None:
    _raw(handler, _head(f"Content-Length: {len(whole)}") + whole[:at])


def closed_without_length(handler: Handler, whole: bytes, at: int) -> None:
    _raw(handler, _head() + whole[:at])


def unterminated_chunk(handler: Handler, whole: bytes, at: int) -> None:
    _raw(handler, _head("Transfer-Encoding: chunked") + _chunk(whole)[: at + 2])


def clean_end_after_a_part(handler: Handler, whole: bytes, at: int) -> None:
    _raw(handler, _head("Transfer-Encoding: chunked") + (_chunk(whole[:at]) if at else b"") + b"0\r\n\r\n")


def truncated_json(handler: Handler, whole: bytes, at: int) -> None:
    send(handler, 200, whole[:at])


def truncated_gzip(handler: Handler, whole: bytes, at: int) -> None:
    packed = gzip.compress(whole, mtime=0)
    part = packed[: at * len(packed) // len(whole)]
    send(handler, 200, part, {"Content-Length": str(len(part)), "Content-Encoding": "gzip"})


HALF_PAGES: list[Callable[[Handler, bytes, int], None]] = [
    short_length,
    closed_without_length,
    unterminated_chunk,
    clean_end_after_a_part,
    truncated_json,
    truncated_gzip,
]


def cut(kind: Callable[[Handler, bytes, int], None], share: float) -> Fault:
    """A reply of this kind that ends after a share of its bytes, at least one short."""
    return lambda handler, whole: kind(handler, whole, min(int(share * len(whole)), len(whole) - 1))


def drip(before: Callable[[bytes], bytes], pause: float = 0.02) -> Fault:
    """What `before` makes of the body is sent one byte at a time, for as long as anybody listens."""

    def fault(handler: Handler, whole: bytes) -> None:
        handler.close_connection = True
        try:
            for byte in before(whole):
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(pause)
        except OSError:
            return

    return fault


DRIPS = {
    "status line": lambda whole: b"HTTP/1.1 200 " + b"O" * 1000,
    "header": lambda whole: b"HTTP/1.1 200 OK\r\nX-Wait: " + b"o" * 1000,
    "length of a chunk": lambda whole: _head("Transfer-Encoding: chunked") + b"1;" + b"o" * 1000,
    "body with its length": lambda whole: _head(f"Content-Length: {len(whole)}") + whole,
    "body without a length": lambda whole: _head() + whole,
}


def silent(handler: Handler, whole: bytes) -> None:
    """The request is taken and nothing comes."""
    handler.close_connection = True
    time.sleep(1)
