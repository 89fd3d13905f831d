"""The read API: what is published, as JSON, under an ETag that changes with the generation."""

from __future__ import annotations

from collections.abc import Callable

import jsonschema
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from include.portal.published import Reader
from include.store.warehouse import migrate
from tests.portal.conftest import code, put, town

ANSWERS = {
    "/api/generations": "/api/generations",
    f"/api/points/{code(0)}": "/api/points/{uscc}",
    "/api/lists": "/api/lists",
    "/api/lists/标兵企业": "/api/lists/{name}",
    "/api/lists/创新贷": "/api/lists/{name}",
    "/api/honours/2026": "/api/honours/{year}",
    "/api/search?q=恒创": "/api/search",
}


def test_an_enterprise_adds_up_from_its_lines(browser: TestClient) -> None:
    found = browser.get(f"/points/api/points/{code(2)}").json()
    # 30 points: two fifths from BAS-01, three fifths from INP-03, nothing deducted
    assert found["total"] == "30.000"
    assert {line["indicator"]: line["points"] for line in found["lines"]} == {
        "BAS-01": "12.000",
        "INP-03": "18.000",
        "MGT-21": "0.000",
    }
    assert (found["rank_all"], found["rank_stage"], found["rank_district"]) == (4, 3, 1)
    assert found["ladder"] == [
        {
            "rung": "高新技术企业",
            "holds": False,
            "eligible": False,
            "failed_conditions": [{"condition": "研发费用占比不低于5%", "state": "not_met"}],
        }
    ]


def test_lists_come_in_their_order_and_page_by_page(browser: TestClient) -> None:
    assert [one["name"] for one in browser.get("/points/api/lists").json()] == ["标兵企业", "创新贷"]
    first = browser.get("/points/api/lists/标兵企业?size=1").json()
    second = browser.get(f"/points/api/lists/标兵企业?size=1&page=2&generation={first['generation']}").json()
    assert [(one["uscc"], one["place"], one["robust"]) for one in first["rows"] + second["rows"]] == [
        (code(0), 1, True),
        (code(3), 2, False),
    ]
    assert (first["found"], first["last"]) == (2, 2)
    (loan,) = browser.get("/points/api/lists/创新贷").json()["rows"]
    assert loan["suggested_limit_yuan"] == "3000000.00"


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_is_what_the_document_promises(browser: TestClient, path: str) -> None:
    document = browser.get("/points/api/openapi.json").json()
    ok = document["paths"][ANSWERS[path]]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(browser.get("/points" + path).json(), ok | {"components": document["components"]})


def test_the_document_knows_every_route_and_only_reading(browser: TestClient) -> None:
    document = browser.get("/points/api/openapi.json").json()
    of_real_nights = "/api/points/{uscc}/{indicator}"  # tests/portal/test_behind.py
    assert set(document["paths"]) == {*ANSWERS.values(), of_real_nights}
    assert {method for path in document["paths"].values() for method in path} == {"get"}


@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_that_the_caller_holds_is_not_sent_again(browser: TestClient, path: str) -> None:
    tag = browser.get("/points" + path).headers["etag"]
    again = browser.get("/points" + path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for held in (f"W/{tag}", f'"other",W/{tag}', "*"):  # RFC 9110, 13.1.2
        assert browser.get("/points" + path, headers={"If-None-Match": held}).status_code == 304, held
    assert browser.get("/points" + path, headers={"If-None-Match": '"other", W/"other"'}).status_code == 200


def test_the_tag_changes_with_the_generation(empty: Engine, desk: Callable[..., TestClient]) -> None:
    migrate(empty)
    put(empty, town())
    browser = desk(empty)
    before = browser.get(f"/points/api/points/{code(0)}").headers["etag"]
    put(empty, town())
    answer = browser.get(f"/points/api/points/{code(0)}", headers={"If-None-Match": before})
    assert (answer.status_code, answer.json()["generation"]) == (200, 2)
    assert [(one["id"], one["status"]) for one in browser.get("/points/api/generations").json()] == [
        (2, "current"),
        (1, "superseded"),
    ]


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        (f"/api/points/{code(9)}", 404, "unknown_enterprise"),
        ("/api/points/%F0%9F%98%80", 404, "unknown_enterprise"),
        ("/api/lists/没有", 404, "unknown_list"),
        ("/api/lists/" + "x" * 10_000, 404, "unknown_list"),
        ("/api/lists/标兵企业?page=2", 404, "beyond_last"),
        ("/api/lists/标兵企业?page=one", 422, "bad_request"),
        ("/api/lists/标兵企业?size=1000", 422, "bad_request"),
        ("/api/lists/标兵企业?generation=7", 409, "stale"),
        (f"/api/points/{code(0)}?generation=7", 409, "stale"),
        (f"/api/points/{code(0)}/INP-03?generation=7", 409, "stale"),
        ("/api/search", 422, "bad_request"),
        ("/api/search?q=", 422, "bad_request"),
        ("/api/nothing", 404, "no_such_page"),
    ],
)
def test_bad_input_is_two_fields_of_json(browser: TestClient, path: str, status: int, error: str) -> None:
    answer = browser.get("/points" + path)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "message"}
    assert len(answer.text) < 300


def test_a_reader_of_one_district_gets_no_row_of_another(published: Engine, desk: Callable[..., TestClient]) -> None:
    browser = desk(published, Reader("li", frozenset({"320412"})))
    assert browser.get(f"/points/api/points/{code(0)}").status_code == 404
    assert [one["uscc"] for one in browser.get("/points/api/lists/标兵企业").json()["rows"]] == [code(3)]
    assert browser.get("/points/api/lists/创新贷").json()["found"] == 0
    assert [one["uscc"] for one in browser.get("/points/api/search?q=91320400").json()["rows"]] == [code(2), code(3)]


def test_the_shell_finds_what_the_pages_find(published: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.cli import app

    monkeypatch.setenv("INNOPOINTS_WAREHOUSE_URL", str(published.url))
    lines = CliRunner().invoke(app, ["search", "hengchuang"]).output.splitlines()
    assert lines[0].split() == [code(0), "常州恒创液压机械有限公司", "320411", "成长期", "1", "50.000"]
    assert [line.split()[0] for line in lines[1:]] == [code(1), "2"]
    limited = CliRunner().invoke(app, ["search", "91320400", "--limit", "1"]).output.splitlines()
    assert limited[1:] == ["7 found, the first 1 listed"]
