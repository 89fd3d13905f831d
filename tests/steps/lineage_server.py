"""A real HTTP server that plays a lineage server, and the shape of what the specification lets arrive there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jsonschema

_FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {
            "_producer": {"type": "string", "pattern": "^[a-z]+:"},
            "_schemaURL": {"type": "string", "pattern": r"^https://openlineage\.io/spec/facets/\d-\d-\d/(\w+)\.json#/\$defs/"},
        },
    },
}  # fmt: skip
_NAMED = {"namespace": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1}}


def _datasets(kind: str, facet: str, needs: list[str]) -> dict[str, Any]:
    counted = {"type": "object", "required": needs, "properties": {"rowCount": {"type": "integer", "minimum": 0}}}
    facets = {"allOf": [_FACETS, {"properties": {facet: counted}, "additionalProperties": False}]}
    item = {
        "type": "object",
        "required": ["namespace", "name"],
        "properties": {**_NAMED, "facets": _FACETS, kind: facets},
    }
    return {"type": "array", "items": item}


# What OpenLineage 2-0-2 asks of a RunEvent and of the facets that we send, in our own words; beyond it, no other key.
RUN_EVENT = {
    "type": "object",
    "required": ["eventType", "eventTime", "producer", "schemaURL", "run", "job", "inputs", "outputs"],
    "additionalProperties": False,
    "properties": {
        "eventType": {"enum": ["START", "COMPLETE", "FAIL"]},
        "eventTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$"},
        "producer": {"type": "string", "pattern": "^[a-z]+:"},
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": {
                    "allOf": [
                        _FACETS,
                        {
                            "additionalProperties": False,
                            "properties": {
                                "nominalTime": {"required": ["nominalStartTime"]},
                                "errorMessage": {"required": ["message", "programmingLanguage"]},
                            },
                        },
                    ]
                },
            },
        },
        "job": {"type": "object", "required": ["namespace", "name"], "properties": {**_NAMED, "facets": _FACETS}},
        "inputs": _datasets("inputFacets", "dataQualityMetrics", ["rowCount", "columnMetrics"]),
        "outputs": _datasets("outputFacets", "outputStatistics", ["rowCount"]),
    },
}


def proper(event: dict[str, Any]) -> None:
    """Raise unless the event is one that the specification allows."""
    jsonschema.Draft202012Validator(RUN_EVENT, format_checker=jsonschema.FormatChecker(["uuid"])).validate(event)


@dataclass
class LineageServer:
    """What arrived, and what the server does: `ok`, a status such as `500`, or `hang`."""

    url: str = ""
    does: str = "ok"
    asked: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def lineage_server() -> Iterator[LineageServer]:
    """On loopback, for as long as the context lasts."""
    held = LineageServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            held.asked += 1
            if held.does == "hang":
                held.over.wait(30)
                return
            if held.does == "ok" and self.path == "/api/v1/lineage":
                held.events.append(body)
            self.send_response({"ok": 201}.get(held.does) or int(held.does))
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield held
    finally:
        held.over.set()
        server.shutdown()
        server.server_close()
