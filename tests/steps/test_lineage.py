"""Lineage of one step: what is told when, and that a lineage server, whatever it does, changes no run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from include.kernel.errors import BadInput, TerminalError
from include.kernel.settings import settings
from include.steps import lineage
from include.steps.lineage import landing_work, publishing_work, scoring_work, traced, validating_work
from tests.steps.lineage_server import LineageServer, lineage_server, proper

NIGHT = date(2026, 11, 20)
COUNTS = {"rows_in": 10, "duplicates": 1, "accepted": 7, "quarantined": 2}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LineageServer]:
    with lineage_server() as held:
        monkeypatch.setenv("INNOPOINTS_LINEAGE_URL", held.url)
        yield held


@traced(validating_work)
def judge(dataset: str, scope: str, as_of: date, *, holder: str) -> dict[str, Any]:
    return dict(COUNTS)


@traced(landing_work)
def refuse(dataset: str, scope: str, as_of: date, *, holder: str) -> dict[str, Any]:
    raise TerminalError("the amount of 91320400MA00000001 is 5,000,000", where="canary")


def rows(event: dict[str, Any], side: str) -> dict[str, int]:
    """Dataset → its row count, as far as it has one."""
    return {
        one["name"]: facet["rowCount"]
        for one in event[side]
        for facet in one[f"{side.removesuffix('s')}Facets"].values()
    }


def test_a_step_tells_when_it_begins_and_when_it_ends_with_its_counts(server: LineageServer) -> None:
    assert judge("TAX_VAT", "320411", NIGHT, holder="test") == COUNTS
    start, end = server.events
    proper(start)
    proper(end)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert start["job"] == end["job"] == {"namespace": "innopoints", "name": "validate/TAX_VAT/320411", "facets": {}}
    assert (rows(start, "inputs"), rows(start, "outputs")) == ({}, {})
    assert rows(end, "inputs") == {"landing/TAX_VAT/320411": 10}
    assert rows(end, "outputs") == {"dataset/TAX_VAT/320411": 7, "quarantine/TAX_VAT/320411": 2}
    assert end["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2026-11-20T00:00:00+08:00"


def test_each_run_has_an_id_of_its_own(server: LineageServer) -> None:
    for _ in range(3):
        judge("TAX_VAT", "320411", NIGHT, holder="test")
    assert len({event["run"]["runId"] for event in server.events}) == 3


def test_a_failure_is_told_by_its_kind_alone_and_still_raised(server: LineageServer) -> None:
    with pytest.raises(TerminalError, match="5,000,000"):
        refuse("TAX_VAT", "320411", NIGHT, holder="test")
    end = server.events[-1]
    proper(end)
    assert (end["eventType"], end["run"]["facets"]["errorMessage"]["message"]) == ("FAIL", "TerminalError")
    assert (rows(end, "inputs"), rows(end, "outputs")) == ({}, {})
    for canary in ("5,000,000", "91320400MA00000001", "canary"):
        assert canary not in str(server.events)


def test_one_step_begins_where_the_one_before_it_ends() -> None:
    landed, judged = landing_work("TAX_VAT", "320411", NIGHT), validating_work("TAX_VAT", "320411", NIGHT)
    scored, published = scoring_work("320411", NIGHT, "changzhou_v1"), publishing_work(NIGHT, "changzhou_v1")
    assert landed.inputs == ("source/tax_database",)
    assert landed.outputs == judged.inputs
    assert judged.outputs[0] in scored.inputs
    assert validating_work("IP_PAT", "city", NIGHT).outputs[0] in scored.inputs
    assert set(scored.outputs) <= set(published.inputs)
    assert "published/enterprise_points" in published.outputs


def test_without_the_setting_nobody_is_asked(server: LineageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INNOPOINTS_LINEAGE_URL")
    assert judge("TAX_VAT", "320411", NIGHT, holder="test") == COUNTS
    assert server.asked == 0


@pytest.mark.parametrize("does", ["500", "404", "302", "hang", "nobody listens"])
def test_a_server_that_does_not_take_it_changes_nothing_and_is_asked_once(
    server: LineageServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, does: str
) -> None:
    monkeypatch.setattr(lineage, "WAIT_SECONDS", 0.3)
    if does == "nobody listens":
        monkeypatch.setenv("INNOPOINTS_LINEAGE_URL", "http://127.0.0.1:1")
    else:
        server.does = does
    caplog.set_level(logging.INFO, "innopoints")
    began = time.monotonic()
    assert judge("TAX_VAT", "320411", NIGHT, holder="test") == COUNTS
    assert time.monotonic() - began < 3
    assert server.asked == (0 if does == "nobody listens" else 1)
    [said] = [record.getMessage() for record in caplog.records if record.name == "innopoints"]
    assert said.startswith("lineage: START of validate/TAX_VAT/320411 not taken: ")
    assert "127.0.0.1" not in said
    with pytest.raises(TerminalError):
        refuse("TAX_VAT", "320411", NIGHT, holder="test")


@pytest.mark.parametrize(
    "given", ["marquez:5000", "ftp://h", "http://", "http://user:canary@h", "http://[::1", "http://h?key=canary"]
)
def test_an_address_that_cannot_be_is_refused_with_one_line(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("INNOPOINTS_LINEAGE_URL", given)
    with pytest.raises(BadInput, match="setting INNOPOINTS_LINEAGE_URL is not usable") as refused:
        settings()
    assert "canary" not in str(refused.value)
