"""Departments behind the signed gateway: a token, signed requests, pages with a total, each department's envelope.

A page is asked for at most `Patience.tries` times, whatever went wrong with it. Every try is signed anew, because a
signature ages (300 s) and a message id is used once; that is why the retries are ours and not the HTTP adapter's.

Pages are cut from records that may change meanwhile: one withdrawn and one added leave the total as it was, while the
record at the edge of two pages is skipped. So what takes several pages is read until two readings are alike.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3

from include.kernel.areas import CITY
from include.kernel.connections import Connection
from include.kernel.errors import TerminalError, TransientError
from include.kernel.periods import SHANGHAI
from include.sources.deadline import Session
from include.sources.declaration import RestSource
from include.sources.encoding import decode
from include.sources.reply import KEPT, Fields, Page, Patience, Request

# No honest page of a thousand rows comes near; a reply that goes on for ever, or a bomb, does.
LARGEST_PAGE = 128 * 1024 * 1024
_BLOCK = 64 * 1024
READINGS = 3
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what fits in a header, and nothing that could end it
_BUSY = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class _Reply:
    """One page: `digests` of its rows, in their order."""

    total: int
    raw: bytes
    rows: list[dict[str, str | None]]

    @cached_property
    def digests(self) -> list[bytes]:
        return [hashlib.sha256(json.dumps(row, sort_keys=True).encode()).digest() for row in self.rows]


class _Later(TransientError):
    """Ask for this page again, not before `wait` seconds."""

    def __init__(self, what: str, *, where: str, wait: float = 0) -> None:
        super().__init__(what, where=where, kept=KEPT, todo="nothing; the task asks again")
        self.wait = wait


def pages(
    source: RestSource, request: Request, connection: Connection, fields: Fields, patience: Patience, where: str
) -> Generator[Page, None, int]:
    """The pages of a reading that another one has confirmed: the same rows, in whatever order. One page alone is one
    reply, which nothing can shift.
    """
    before: list[bytes] | None = None
    with _Gateway(source, request, connection, fields, patience, where) as gateway:
        for _ in range(READINGS):
            replies = _reading(gateway, source.page_size)
            rows = sorted(digest for reply in replies or () for digest in reply.digests)
            if replies and (len(replies) == 1 or rows == before):
                for number, reply in enumerate(replies, start=1):
                    yield Page(number, f"page-{number:05d}.json", reply.raw, reply.rows)
                return replies[0].total
            before = rows if replies else None
    raise TransientError(
        f"the records change while they are read: of {READINGS} readings no two in a row are alike",
        where=where,
        kept=KEPT,
        todo="nothing; the task asks again",
    )


def _reading(gateway: _Gateway, page_size: int) -> list[_Reply] | None:
    """Page after page until the total that the first page declared; None when a later page declares another. Every
    page must be as long as that total says, and differ from the pages before it.
    """
    seen: set[bytes] = set()
    replies = [gateway.page(1, seen)]
    total = replies[0].total
    for number in range(2, max(1, -(-total // page_size)) + 1):
        replies.append(gateway.page(number, seen))
        if replies[-1].total != total:
            return None
    return replies


class _Gateway:
    """One department for the length of one pull: the session, the token, the pace.

    It never follows a redirect, takes nothing from the environment (proxies, .netrc) and names no secret in an error.
    """

    def __init__(
        self,
        source: RestSource,
        request: Request,
        connection: Connection,
        fields: Fields,
        patience: Patience,
        where: str,
    ) -> None:
        self._source, self._request, self._connection = source, request, connection
        self._fields, self._patience, self._where = fields, patience, where
        self._base = connection.host.rstrip("/") + (f":{connection.port}" if connection.port else "")
        if not _is_address(self._base):
            raise self._misconfigured("its host is no plain http(s) address")
        if not (_TOKEN.fullmatch(connection.login) and connection.password):
            raise self._misconfigured("it lacks the appKey (login) or the secret (password)")
        self._session = Session()
        self._session.trust_env = False
        self._session.verify = connection.extra.get("ca") or True  # never unchecked
        self._token: str | None = None
        self._next_at = 0.0

    def __enter__(self) -> _Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def page(self, number: int, seen: set[bytes]) -> _Reply:
        """One page, asked for until it comes whole or patience ends. `seen` holds the digests of the pages before."""
        growing = tenacity.wait_exponential_jitter(self._patience.backoff, jitter=self._patience.backoff)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, _Later) else 0
            return min(max(asked, growing(state)), self._patience.longest_wait)

        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._patience.tries),
            wait=wait,
            retry=tenacity.retry_if_exception_type(_Later),
            reraise=True,
        )
        return again(self._page, number, seen)

    def _page(self, number: int, seen: set[bytes]) -> _Reply:
        where = f"{self._where} page {number}"
        reply = self._read(self._ask(number, where), where)
        expected = min(self._source.page_size, reply.total - (number - 1) * self._source.page_size)
        if len(reply.rows) != max(expected, 0):
            raise _Later(f"{len(reply.rows)} rows came, {expected} were due of a total of {reply.total}", where=where)
        digest = b"".join(reply.digests)
        if reply.rows and digest in seen:
            raise _Later("repeats an earlier page", where=where)
        seen.add(digest)
        return reply

    def _read(self, raw: bytes, where: str) -> _Reply:
        envelope = self._source.envelope
        try:
            document = json.loads(
                decode(raw, self._source.encoding),
                parse_float=str,
                parse_int=str,
                parse_constant=str,
                object_pairs_hook=_object,
            )
        except UnicodeDecodeError as error:
            raise _Later(f"not {self._source.encoding} at byte {error.start} of {len(raw)}", where=where) from None
        except (json.JSONDecodeError, RecursionError):
            raise _Later(f"not whole JSON ({len(raw)} bytes)", where=where) from None
        if self._scalar(document, envelope.ok.path, where) != envelope.ok.equals:
            code, message = self._scalar(document, envelope.ok.path, where), _at(document, envelope.message)
            raise _Later(f"the department reports a failure: {_harmless(code, message)}", where=where)
        total = self._scalar(document, envelope.total, where) or ""
        if not re.fullmatch(r"\d{1,12}", total, re.ASCII):
            raise self._other_envelope(envelope.total, where)
        rows = _at(document, envelope.rows)
        if rows is None and int(total) == 0:
            rows = []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._other_envelope(envelope.rows, where)
        return _Reply(int(total), raw, [self._row(row, where) for row in rows])

    def _row(self, row: dict[str, Any], where: str) -> dict[str, str | None]:
        self._fields.account(row, where)
        try:
            return {name: _text(row[name]) for name in self._fields.registered if name in row}
        except TypeError:
            nested = sorted(name for name in self._fields.registered if isinstance(row.get(name), (list, dict)))
            raise TerminalError(
                f"the contract is broken, fields are no longer plain values: {', '.join(nested)}",
                where=where,
                kept=KEPT,
                todo="ask the department what changed, then correct the dataset's contract",
            ) from None

    def _scalar(self, document: Any, path: str, where: str) -> str | None:
        try:
            return _text(_at(document, path))
        except TypeError:
            raise self._other_envelope(path, where) from None

    def _ask(self, number: int, where: str) -> bytes:
        """One signed request. An expired token is renewed once; refused again, it is a matter of credentials."""
        request = self._request
        asked = {
            "pageNo": number,
            "pageSize": self._source.page_size,
            "area": None if request.scope == CITY else request.scope,
            "arrivedBefore": request.arrived_before.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
            "since": request.since.isoformat() if request.since else None,
        }
        body = json.dumps({name: value for name, value in asked.items() if value is not None}).encode()
        path = f"/api/{self._source.datasets[request.dataset].resource}"
        for renewed in (False, True):
            token = self._token = self._token or self._log_in(where)
            timestamp, message_id = _now(), str(uuid.uuid4())
            signed_path = urlsplit(self._base).path + path
            signed = "\n".join(["POST", signed_path, timestamp, message_id, hashlib.sha256(body).hexdigest()])
            headers = {
                "Authorization": f"Bearer {token}",
                "appKey": self._connection.login,
                "messageId": message_id,
                "timestamp": timestamp,
                "sign": self._sign(signed),
            }
            status, reply = self._send(path, body, headers, where)
            if status == 200:
                return reply
            if renewed or b"TOKEN_EXPIRED" not in reply:
                break
            self._token = None
        raise self._refused(where)

    def _log_in(self, where: str) -> str:
        key, timestamp, nonce = self._connection.login, _now(), uuid.uuid4().hex
        proof = {
            "appKey": key,
            "timestamp": timestamp,
            "nonce": nonce,
            "sign": self._sign(f"{key}\n{timestamp}\n{nonce}"),
        }
        status, reply = self._send("/auth/token", json.dumps(proof).encode(), {}, where)
        if status != 200:
            raise self._refused(where)
        try:
            token = json.loads(reply)["token"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _Later("the token reply came broken", where=where) from None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _Later("the token reply came broken", where=where)
        return token

    def _sign(self, text: str) -> str:
        return hmac.new(self._connection.password.encode(), text.encode(), hashlib.sha256).hexdigest()

    def _send(self, path: str, body: bytes, headers: dict[str, str], where: str) -> tuple[int, bytes]:
        """Status (200, 401 or 403) and whole body of one POST; every other answer and every fault raises."""
        self._keep_pace()
        try:
            with (
                self._session.deadline(self._patience.page),
                self._session.post(
                    self._base + path,
                    data=body,
                    headers={"Content-Type": "application/json", **headers},
                    timeout=(self._patience.connect, self._patience.read),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                status = response.status_code
                if status in _BUSY:
                    wait = self._retry_after(response.headers.get("Retry-After"))
                    raise _Later(f"HTTP {status}", where=where, wait=wait)
                if status not in (200, 401, 403):
                    raise TerminalError(
                        f"HTTP {status}" + (", a redirect, is not followed" if 300 <= status < 400 else ""),
                        where=where,
                        kept=KEPT,
                        todo=f"check the address in Connection {self._connection.conn_id!r} and the source's resource",
                    )
                answer = _body(response, where)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise TerminalError(
                    "its TLS certificate does not hold: expired, for another name, or signed by nobody we trust",
                    where=where,
                    kept=KEPT,
                    todo=f"ask the department, or correct the extra `ca` in Connection {self._connection.conn_id!r}",
                ) from None
            if not self._session.late:
                raise _Later(f"the connection failed ({type(error).__name__})", where=where) from None
        if self._session.late:
            raise _Later(f"not whole after the {self._patience.page:g} s that one page may take", where=where)
        return status, answer

    def _keep_pace(self) -> None:
        """At most `requests_per_second`, evenly spaced; the Airflow pool bounds how many tasks ask at once."""
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / self._source.requests_per_second

    def _retry_after(self, header: str | None) -> float:
        """Seconds or an HTTP date, never more than the longest wait; what is neither counts as not sent."""
        if header is None:
            return 0
        try:
            return urllib3.Retry(retry_after_max=math.ceil(self._patience.longest_wait)).parse_retry_after(header)
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            return 0

    def _refused(self, where: str) -> TerminalError:
        return TerminalError(
            "the department refuses our credentials",
            where=where,
            kept=KEPT,
            todo=f"correct appKey and secret in Connection {self._connection.conn_id!r}, or this machine's clock, by "
            "which requests are signed; then clear the task",
        )

    def _misconfigured(self, what: str) -> TerminalError:
        return TerminalError(
            f"Connection {self._connection.conn_id!r}: {what}",
            where=self._where,
            kept=KEPT,
            todo="correct it in Airflow (Admin > Connections)",
        )

    def _other_envelope(self, path: str, where: str) -> TerminalError:
        return TerminalError(
            f"the reply is not this department's envelope: {path!r} is not what it was",
            where=where,
            kept=KEPT,
            todo=f"compare the reply with `envelope` in include/sources/{self._source.source}/source.yaml",
        )


def _body(response: requests.Response, where: str) -> bytes:
    """The whole body, if it is no larger than a page can be. One shorter than its Content-Length raises in urllib3."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(_BLOCK, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_PAGE:
            raise TerminalError(f"more than {LARGEST_PAGE} bytes in one page", where=where, kept=KEPT)
    return b"".join(pieces)


def _is_address(text: str) -> bool:
    """http(s), a host and perhaps a path: no credentials, no query, nothing that ends a line."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and text.isprintable()
            and not set(text) & set("@?# ")
        )
    except ValueError:
        return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that stands twice nobody could say which value is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise json.JSONDecodeError("a key stands twice", "", 0)
    return found


def _now() -> str:
    """The moment a request is signed: protocol, not business; nothing that lands depends on it."""
    return datetime.now(SHANGHAI).isoformat(timespec="seconds")


def _at(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _text(value: Any) -> str | None:
    """A JSON value as the text it was written as (numbers arrive here as their literals)."""
    if isinstance(value, str):
        # JSON can write half a surrogate pair, which no UTF-8 file can hold: it stays as it was written, `\\ud840`.
        return value.encode("utf-8", "backslashreplace").decode() if not value.isascii() else value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    raise TypeError("not a plain value")


def _harmless(code: str | None, message: Any) -> str:
    """A department's verdict. Its words may name whoever was asked about, so only their number is repeated."""
    told = code if code and re.fullmatch(r"[A-Za-z0-9_-]{1,20}", code) else "unreadable"
    return f"code {told}, with a message of {len(message) if isinstance(message, str) else 0} characters"
