"""The metrics of a night, as they arrive at a real StatsD listener and at a real OpenTelemetry collector's door."""

from __future__ import annotations

import atexit
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from include.kernel.periods import SHANGHAI
from include.sources.declaration import of_district
from plugins.metrics import GAUGES, metrics, report
from tests.dags.runs import DISTRICT, SCHEME, Notes, run

pytestmark = [pytest.mark.airflow, pytest.mark.services, pytest.mark.usefixtures("metadata")]

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "docs/grafana/innovation_points.json").read_text("utf-8"))
PAGE = (ROOT / "docs/how-to/see-a-night.md").read_text("utf-8")


class Listener:
    """A StatsD server: it takes datagrams and keeps their lines."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.5)
        self.port = self._socket.getsockname()[1]

    def lines(self) -> set[str]:
        found: set[str] = set()
        while True:
            try:
                found |= set(self._socket.recv(65_536).decode().splitlines())
            except TimeoutError:
                return {line for line in found if "innopoints." in line}


class Collector(ThreadingHTTPServer):
    """What an OpenTelemetry collector takes at /v1/metrics: protobuf over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.Door)
        self.taken: list[bytes] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/metrics"
            self.server.taken.append(self.rfile.read(int(self.headers["Content-Length"])))  # type: ignore[attr-defined]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    def gauges(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """(name, tags) → the value that arrived last."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        found = {}
        for content in self.taken:
            for resource in ExportMetricsServiceRequest.FromString(content).resource_metrics:
                for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                    for point in metric.gauge.data_points:
                        tags = tuple(sorted((one.key, one.value.string_value) for one in point.attributes))
                        found[metric.name, tags] = point.as_int if point.HasField("as_int") else point.as_double
        return {key: value for key, value in found.items() if "innopoints" in key[0]}


@pytest.fixture
def sending() -> Iterator[Any]:
    """Makes Airflow read its metrics' settings, as the process of each task does when it begins."""
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
    from opentelemetry import metrics as metrics_api
    from opentelemetry.sdk.metrics import MeterProvider

    def start() -> None:
        stats.initialize(factory=get_stats_factory(), export_legacy_names=False)

    yield start
    atexit.unregister(flush_otel_metrics)  # nobody listens any more when the tests end
    if isinstance(provider := metrics_api.get_meter_provider(), MeterProvider):
        provider.shutdown()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STATSD_ON", "OTEL_ON"):
            patch.setenv(f"AIRFLOW__METRICS__{name}", "False")
        start()


def today() -> str:
    return datetime.now(SHANGHAI).date().isoformat()


def expected() -> dict[tuple[str, tuple[tuple[str, str], ...]], int]:
    """What the notes of a district's night amount to."""
    counts = {"rows_in": 10, "duplicates": 1, "accepted": 8, "quarantined": 1}
    found: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    for dataset in of_district():
        tags = (("dataset", dataset), ("scope", DISTRICT))
        found |= {(f"innopoints.{name}", tags): count for name, count in counts.items()}
    for dataset, scope, days in (("TAX_VAT", DISTRICT, 3), ("IP_PAT", "city", 0)):
        found["innopoints.snapshot_age_days", (("dataset", dataset), ("scope", scope))] = days
    of_district_ = (("district", DISTRICT), ("scheme", SCHEME))
    return found | {
        ("innopoints.enterprises", of_district_): 400,
        ("innopoints.ledger_lines", of_district_): 48_400,
        ("innopoints.generation", (("scheme", SCHEME),)): 7,
    }


def night(dags: dict[str, Any], notes: Notes, as_of: str) -> None:
    notes.due = [{"as_of": as_of, "scheme": SCHEME}]
    assert run(dags[f"innopoints_{DISTRICT}"], {"as_of": as_of})[0] == "success"
    assert run(dags["innopoints_publish"])[0] == "success"


def test_a_night_arrives_at_a_statsd_listener(
    dags: dict[str, Any],
    notes: Notes,
    sending: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("statsd", reason="Airflow speaks StatsD through the package statsd (requirements.txt)")
    listener = Listener()
    settings = {"STATSD_ON": "True", "STATSD_PORT": str(listener.port), "STATSD_INFLUXDB_ENABLED": "True"}
    for name, value in (settings | {"STATSD_HOST": "127.0.0.1"}).items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
    sending()
    night(dags, notes, today())
    tagged = {f"airflow.{name}" + "".join(f",{k}={v}" for k, v in tags): n for (name, tags), n in expected().items()}
    assert listener.lines() == {f"{name}:{count}|g" for name, count in tagged.items()}


def test_a_night_arrives_at_an_opentelemetry_collector(
    dags: dict[str, Any],
    notes: Notes,
    sending: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics

    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    sending()
    night(dags, notes, today())
    flush_otel_metrics()  # what the process of each task does when it ends
    collector.shutdown()
    assert collector.gauges() == {(f"airflow.{name}", tags): count for (name, tags), count in expected().items()}


def test_a_past_day_that_is_run_again_is_no_news(
    dags: dict[str, Any],
    notes: Notes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk.observability import stats

    told: list[str] = []
    monkeypatch.setattr(stats, "gauge", lambda name, *_, **__: told.append(name))
    night(dags, notes, "2026-11-20")
    assert told == []


def test_a_collector_where_nobody_listens_fails_no_task_and_holds_it_up_for_seconds(
    dags: dict[str, Any],
    notes: Notes,
    sending: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics

    monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    sending()
    notes.due = [{"as_of": today(), "scheme": SCHEME}]
    assert run(dags["innopoints_publish"])[0] == "success"
    began = time.monotonic()
    flush_otel_metrics()
    assert time.monotonic() - began < 5


def test_whatever_breaks_in_sending_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.sdk.observability import stats

    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no route to canary")

    monkeypatch.setattr(stats, "gauge", broken)
    night = datetime.now(SHANGHAI).date()
    report("publish", {"as_of": night.isoformat(), "scheme": SCHEME, "generation": 7}, night)
    assert [record.getMessage() for record in caplog.records] == ["metrics: not sent: OSError"]


def test_a_count_that_is_missing_is_not_told() -> None:
    assert list(metrics("validate", {"dataset": "TAX_VAT", "scope": "320411"})) == []
    assert list(metrics("land", {"dataset": "TAX_VAT", "scope": "320411", "rows_in": 3})) == []


def test_what_a_district_brought_in_for_all_is_told_as_what_was_judged() -> None:
    judged = {
        "dataset": "IP_PAT",
        "scope": "city",
        "as_of": "2026-11-20",
        "rows_in": 5,
        "accepted": 4,
        "quarantined": 1,
    }
    told = list(metrics("shared", {"as_of": "2026-11-20", "held": 32, "landed": 1, "accepted": [judged]}))
    tags = {"dataset": "IP_PAT", "scope": "city"}
    assert told == [
        ("innopoints.rows_in", 5, tags),
        ("innopoints.accepted", 4, tags),
        ("innopoints.quarantined", 1, tags),
    ]


def test_every_query_of_the_dashboard_names_a_metric_that_is_sent_and_its_tags() -> None:
    sent = {"airflow_" + name.replace(".", "_"): set(gauge.tags) for name, gauge in GAUGES.items()}
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    assert queries
    asked: set[str] = set()
    for query in queries:
        names = set(re.findall(r"\b[a-z_]+\b(?=\[)", query))
        assert names, query
        assert names <= sent.keys(), query
        grouped = {tag.strip() for found in re.findall(r"by \(([^)]*)\)", query) for tag in found.split(",")}
        assert all(grouped <= sent[name] for name in names), query
        asked |= names
    assert asked == sent.keys()  # and nothing is sent that is not shown


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= DASHBOARD.keys()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        assert {"type", "title", "gridPos", "targets", "datasource"} <= panel.keys()
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    (datasource,) = DASHBOARD["templating"]["list"]
    assert (datasource["type"], datasource["query"]) == ("datasource", "prometheus")


def test_the_page_lists_every_metric_with_its_tags() -> None:
    rows = dict(re.findall(r"^\| `(innopoints\.\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    assert {name: tuple(tags.strip().split(", ")) for name, tags in rows.items()} == {
        name: gauge.tags for name, gauge in GAUGES.items()
    }
