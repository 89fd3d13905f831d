"""The exchange platform's gateway: tokens, signed requests, paging, a pace limit, each department's own envelope.

Rows are written as JSON when the world is generated, so that a page is a slice. Every selection is stable: rows stand
in the order (arrival, key), and `arrivedBefore` never lets a later arrival in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastapi import FastAPI, Request, Response

from include.kernel.periods import SHANGHAI
from include.sandbox.dirt import answers
from include.sandbox.records import HIDDEN, RESOURCES, Resource

PAGE_MAX = 1000
SKEW_SECONDS = 300
TOKEN_SECONDS = 1800
REQUESTS_PER_SECOND = 200.0

_SUCCESS = "成功，已有效查询到数据！"
_REMEMBERED_SELECTIONS = 256


class Refusal(Exception):
    """The department understood the request and refuses it: HTTP 200 with its envelope's failure code."""


def rows_as_json(table: pa.Table, resource: Resource) -> pa.Table:
    """The served columns of each row as one JSON object; empty text is null, whole numbers of `numeric` are numbers."""
    pieces = []
    for name in table.column_names:
        if name.startswith("_"):
            continue
        text = f"to_json(nullif(\"{name}\", ''))::varchar"
        if name in resource.numeric:
            text = f'case when regexp_full_match("{name}", \'-?[0-9]+\') then "{name}" else {text} end'
        pieces.append(f"'\"{name}\":' || coalesce({text}, 'null')")
    hidden = ", ".join(HIDDEN)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("records", table)
        body = " || ',' || ".join(pieces)
        return connection.sql(f"SELECT '{{' || {body} || '}}' AS row, {hidden} FROM records").to_arrow_table()


class Shelf:
    """One resource in memory, and the selections asked of it."""

    def __init__(self, resource: Resource, table: pa.Table) -> None:
        self.resource = resource
        self._rows = table["row"].combine_chunks()
        self._arrival = table["_arrival"].to_numpy()
        self._firm = table["_firm"].to_numpy()
        self._period = table["_period"].cast(pa.string()).to_numpy(zero_copy_only=False).astype("<U10")
        areas = np.asarray(table["_area"].cast(pa.string()).to_numpy(zero_copy_only=False), dtype="<U6")
        self._area = areas
        self._of_area = {str(area): np.flatnonzero(areas == area) for area in np.unique(areas)}
        self._selections: dict[tuple, np.ndarray] = {}

    @property
    def fields(self) -> list[str]:
        """Native field names, in order."""
        return list(json.loads(self._rows[0].as_py())) if len(self._rows) else []

    def select(self, area: str | None, arrived_from: int | None, arrived_before: int, since: str | None) -> np.ndarray:
        """Positions of the rows asked for, in (arrival, key) order."""
        asked = (area, arrived_from, arrived_before, since)
        if asked not in self._selections:
            if len(self._selections) >= _REMEMBERED_SELECTIONS:
                self._selections.pop(next(iter(self._selections)))
            self._selections[asked] = self._select(*asked)
        return self._selections[asked]

    def _select(self, area: str | None, arrived_from: int | None, before: int, since: str | None) -> np.ndarray:
        everywhere = np.arange(int(np.searchsorted(self._arrival, before, side="left")))
        if self.resource.dataset == "REG_ENT":
            _, from_the_end = np.unique(self._firm[everywhere][::-1], return_index=True)
            chosen = np.sort(everywhere[::-1][from_the_end])
            chosen = chosen[self._area[chosen] == area] if area is not None else chosen
        elif area is not None:
            of_area = self._of_area.get(area, everywhere[:0])
            chosen = of_area[: int(np.searchsorted(of_area, len(everywhere), side="left"))]
        else:
            chosen = everywhere
        if arrived_from is not None:
            chosen = chosen[self._arrival[chosen] >= arrived_from]
        if since is not None:
            period = self._period[chosen]
            chosen = chosen[(period == "") | (period >= since)]
        return chosen

    def page(self, positions: np.ndarray) -> bytes:
        """The rows at these positions as a JSON list."""
        return ("[" + ",".join(self._rows.take(pa.array(positions)).to_pylist()) + "]").encode()


def load_shelves(folder: Path) -> dict[str, Shelf]:
    """Resource path (`hr/insured`) → its rows, from the files that generation wrote."""
    return {
        f"{resource.department}/{resource.path}": Shelf(resource, pq.read_table(folder / f"{dataset}.parquet"))
        for dataset, resource in RESOURCES.items()
    }


def write_shelf(path: Path, table: pa.Table, resource: Resource) -> None:
    """Sort by (arrival, key), write the rows as JSON beside what they are selected by."""
    ordered = table.sort_by([("_arrival", "ascending"), *((key, "ascending") for key in resource.key)])
    served = rows_as_json(ordered, resource)
    for name in ("_area", "_period"):
        at = served.column_names.index(name)
        served = served.set_column(at, name, pc.dictionary_encode(served[name]))
    pq.write_table(served, path, compression="zstd", compression_level=1)


def envelope(department: str, rows: bytes, total: int, shelf: Shelf | None, failure: str | None) -> bytes:
    """A page, or a failure, the way this department writes it."""
    message = json.dumps(failure or "", ensure_ascii=False).encode()
    if department == "registry":
        result = json.dumps(_SUCCESS if failure is None else "失败", ensure_ascii=False).encode()
        verdict = (b"true", b"") if failure is None else (b"false", b"E500")
        head = b'{"IsSuccess":%b,"Result":%b,"TotalCount":"%d","DataType":"json",' % (verdict[0], result, total)
        return head + b'"Message":%b,"ErrorFieldList":[],"DataList":%b,"ErrorCode":"%b"}' % (message, rows, verdict[1])
    if department == "tax":
        code = b"00" if failure is None else b"99"
        return b'{"resultCode":"%b","resultData":%b,"resultInfo":%b,"resultTotal":%d}' % (code, rows, message, total)
    if department == "ip":
        fields = json.dumps(shelf.fields if shelf else []).encode()
        code = b"0" if failure is None else b"E500"
        return b'{"status":200,"code":"%b","message":%b,"result":{"total":%d,"data":%b,"fields":%b}}' % (
            code, message, total, rows, fields,
        )  # fmt: skip
    text = b'"success"' if failure is None else message
    return b'{"code":%d,"msg":%b,"data":{"total":%d,"list":%b}}' % (failure is not None, text, total, rows)


class Pace:
    """A bucket that refills evenly and holds one second's worth; full at the start."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._per_second, self._clock = per_second, clock
        self._full = max(1.0, per_second)
        self._held, self._at = self._full, clock()

    def wait(self) -> float:
        """0 = go on; else seconds until the next request is welcome."""
        now = self._clock()
        self._held = min(self._full, self._held + (now - self._at) * self._per_second)
        self._at = now
        if self._held >= 1:
            self._held -= 1
            return 0
        return (1 - self._held) / self._per_second


class Guard:
    """Who may ask: application keys, tokens, signatures."""

    def __init__(
        self, applications: dict[str, tuple[str, str]], token_seconds: float, clock: Callable[[], float]
    ) -> None:
        """`applications`: appKey → (department, secret)."""
        self._applications, self._token_seconds, self._clock = applications, token_seconds, clock
        self._tokens: dict[str, tuple[str, float]] = {}

    def token(self, asked: dict[str, Any]) -> str | None:
        """A fresh token, or None when the proof is wrong or stale."""
        key, timestamp, nonce = (str(asked.get(name, "")) for name in ("appKey", "timestamp", "nonce"))
        if not self._signed(key, f"{key}\n{timestamp}\n{nonce}", str(asked.get("sign", ""))) or not self._fresh(
            timestamp
        ):
            return None
        now = self._clock()
        self._tokens = {token: held for token, held in self._tokens.items() if held[1] > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = (key, now + self._token_seconds)
        return token

    def refusal(self, department: str, path: str, headers: Any, body: bytes) -> str | None:
        """None = welcome; else the code of the refusal."""
        key, timestamp = headers.get("appKey", ""), headers.get("timestamp", "")
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        holder, until = self._tokens.get(token, ("", 0.0))
        if until <= self._clock() or holder != key:
            return "TOKEN_EXPIRED"
        if self._applications[key][0] != department:
            return "DEPARTMENT_NOT_GRANTED"
        digest = hashlib.sha256(body).hexdigest()
        text = f"POST\n{path}\n{timestamp}\n{headers.get('messageId', '')}\n{digest}"
        if not self._signed(key, text, headers.get("sign", "")):
            return "SIGN_INVALID"
        return None if self._fresh(timestamp) else "TIMESTAMP_SKEWED"

    def _signed(self, key: str, text: str, sign: str) -> bool:
        _, secret = self._applications.get(key, ("", ""))
        expected = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return bool(secret) and hmac.compare_digest(expected.encode(), sign.encode())

    def _fresh(self, timestamp: str) -> bool:
        try:
            moment = datetime.fromisoformat(timestamp)
        except ValueError:
            return False
        return moment.tzinfo is not None and abs(moment.timestamp() - self._clock()) <= SKEW_SECONDS


def create_app(
    shelves: dict[str, Shelf],
    applications: dict[str, tuple[str, str]],
    *,
    requests_per_second: float = REQUESTS_PER_SECOND,
    token_seconds: float = TOKEN_SECONDS,
    clock: Callable[[], float] = time.time,
    wrong: dict[tuple[str, str, str], str] | None = None,
) -> FastAPI:
    """The gateway over these shelves, for these applications (appKey → (department, secret)).

    `wrong`: the answers that are wrong on some nights, (dataset, scope, day) → kind of fault.
    """
    app = FastAPI(title="Stand-in departments", docs_url=None, redoc_url=None, openapi_url=None)
    guard = Guard(applications, token_seconds, clock)
    paces = {department: Pace(requests_per_second, clock) for department, _ in applications.values()}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.post("/auth/token")
    async def token(request: Request) -> Response:
        asked = _object(await request.body())
        granted = guard.token(asked) if asked is not None else None
        if granted is None:
            return _refused(401, "SIGN_INVALID")
        return _json(json.dumps({"token": granted, "expiresIn": int(token_seconds)}).encode())

    @app.post("/api/{department}/{resource}")
    async def rows(department: str, resource: str, request: Request) -> Response:
        body = await request.body()
        if code := guard.refusal(department, request.url.path, request.headers, body):
            return _refused(403 if code == "DEPARTMENT_NOT_GRANTED" else 401, code)
        if wait := paces[department].wait():
            return _refused(429, "TOO_FAST", {"Retry-After": str(max(1, math.ceil(wait)))})
        shelf = shelves.get(f"{department}/{resource}")
        if shelf is None:
            return _refused(404, "NO_SUCH_RESOURCE")
        try:
            found, total = _answer(shelf, _object(body), wrong or {})
        except Refusal as refusal:
            return _json(envelope(department, b"[]", 0, shelf, str(refusal)))
        return _json(envelope(department, found, total, shelf, None))

    return app


def _answer(shelf: Shelf, asked: dict[str, Any] | None, wrong: dict[tuple[str, str, str], str]) -> tuple[bytes, int]:
    if asked is None:
        raise Refusal("报文不是JSON对象")
    number, size = _whole(asked, "pageNo", 1), min(_whole(asked, "pageSize", 500), PAGE_MAX)
    area = asked.get("area")
    if area is not None and not isinstance(area, str):
        raise Refusal("area不是文本")
    before = _moment(asked, "arrivedBefore")
    if before is None:
        raise Refusal("缺少arrivedBefore")
    since = asked.get("since")
    if since is not None:
        since = _wall_time(str(since), "%Y-%m-%d", "since").date().isoformat()
    positions = shelf.select(area, _moment(asked, "arrivedFrom"), before, since)
    page, total = shelf.page(positions[(number - 1) * size : number * size]), len(positions)
    dataset = shelf.resource.dataset
    kind = wrong.get((dataset, "city" if area is None else area, str(asked["arrivedBefore"])[:10]))
    return answers.spoil(kind, dataset, page, total) if kind else (page, total)


def _whole(asked: dict[str, Any], name: str, default: int) -> int:
    value = asked.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Refusal(f"{name}不是正整数")
    return value


def _moment(asked: dict[str, Any], name: str) -> int | None:
    """Shanghai wall time as the seconds in which arrivals are kept."""
    if asked.get(name) is None:
        return None
    moment = _wall_time(str(asked[name]), "%Y-%m-%d %H:%M:%S", name)
    return round((moment - datetime(1970, 1, 1, tzinfo=SHANGHAI)) / timedelta(seconds=1))


def _wall_time(text: str, form: str, name: str) -> datetime:
    try:
        return datetime.strptime(text, form).replace(tzinfo=SHANGHAI)
    except ValueError:
        raise Refusal(f"{name}格式错误") from None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _refused(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps({"code": code, "message": "request refused"}).encode()
    return Response(body, status_code=status, media_type="application/json", headers=headers)
