"""Every route there is, as a hostile visitor asks for it: a plain answer that says so, never a trace, never a row too
many. The routes are read off the app, so that a new one is tried before its author thinks of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute
from httpx import Response
from sqlalchemy import Engine, Pool, event
from starlette.testclient import TestClient

from include.portal.published import Reader
from include.portal.web import HEADERS, make_app
from include.steps.review import decide
from include.steps.stores import open_stores
from include.steps.waive import waive
from include.store.lake import Lake
from include.store.warehouse import create_engine
from include.validation.waiver import row_id
from tests.portal.conftest import ANNA, FIRMS, Nights, ask_nobody, code, put_roll
from tests.portal.every_page import PARAMETER
from tests.portal.test_pages import told
from tests.steps.test_review import A, B
from tests.steps.test_waive import FIRST, MISPRINT, VAT

ROUTES = [
    (method, route)
    for route in make_app(create_engine("sqlite:///never-opened.sqlite"), Lake("."), lambda: None, ask_nobody).routes  # type: ignore[arg-type, return-value]
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]


def each(routes: list[tuple[str, APIRoute]]) -> pytest.MarkDecorator:
    """A test of each of these routes."""
    return pytest.mark.parametrize(("method", "route"), routes, ids=[f"{method} {one.path}" for method, one in routes])


every_route = each(ROUTES)

CURRENT, STALE = "2", "1"
GOOD = {
    "uscc": code(2),
    "indicator": "INP-03",
    "dataset": "TAX_VAT",
    "scope": "320411",
    "as_of": str(FIRST),
    "row": row_id(VAT, MISPRINT)[:16],
    "ending": "csv",
    "number": "1",
    "year": "2026",
    "roll": "1",
    "scheme": "changzhou_v1",
    "dag": "innopoints_320411",
    "run": "scheduled__2026-11-19T17:00:00+00:00",
    "lang": "en",
    "page": "1",
    "size": "10",
    "generation": CURRENT,
    "since": "2026-11-22",
    "stage": "",
    "q": "常州",
    "district": "320411",
    "list": "标兵企业",
    "reason": "",
    "asked_for": "release",
    "code": "",
    "evidence": "已核实",
    "name": "标兵企业",
    "proof": ANNA.proof,
    "to": "1",
}
"""A value of every parameter, with which the route is gone through to its end. A new one has to be added."""
ELSE = {
    "/quarantine": {"dataset": ""},
    "/quarantine.{ending}": {"dataset": ""},
    "/review/one": {"dataset": "IP_PAT", "name": "常州恒闯液压有限公司"},
    "/review": {"dataset": "IP_PAT", "name": "常州恒闯液压有限公司", "uscc": A},
    "/release": {"as_of": "2026-11-24"},
    "/results/{scope}/{as_of}/manifest": {"as_of": "2026-11-20"},
    "/rollback": {"reason": "名单有误"},
    "/scheme/difference": {"to": "national_core"},
    "/scheme/difference.{ending}": {"to": "national_core"},
}
HOSTILE = {
    "long": "x" * 10_000,
    "a script": "<script>alert(1)</script>",
    "nothing": "",
    "a quote": "' OR 1=1 --",
    "a formula": "=cmd|'/c calc'!A1",
    "a path": "../../../../etc/passwd",
    "a number": "9" * 400,
    "below": "-1",
    "beyond": "1000000",
    "a NUL": "\0",
    "no day": "2026-02-30",
    "a letter of its own": "\U0001f600\u202e",
}
NOT_UTF8 = "%ff%fe%ed%a0%80"


class Place(NamedTuple):
    """A furnished home in which a row was let pass, a name decided and a year's honours proposed, and its doors: the
    pages as somebody of these districts sees them who may do everything there (None: of the city).
    """

    home: Path
    doors: dict[frozenset[str] | None, TestClient]

    @property
    def door(self) -> TestClient:
        return self.doors[None]


DISTRICTS = (None, frozenset({"320412"}), frozenset[str]())


def furnish(home: Path, desk: Callable[..., TestClient]) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home))
        stores = open_stores()
        put_roll(stores.engine, int(CURRENT))
        waive("TAX_VAT", "320411", FIRST, GOOD["row"], evidence="营业执照原件核对", by="陈工")
        decide(FIRST, "HR_INS", A, "常州金鑫模具有限公司", B, evidence="电话核实，名称为准", by="王")
        readers = {one: Reader("anna", one, ANNA.acts, ANNA.session) for one in DISTRICTS}
        doors = {
            one: desk(stores.engine, reader, stores.lake, lambda person, conf: "manual__1")
            for one, reader in readers.items()
        }
        yield Place(home, doors)
        stores.engine.dispose()


@pytest.fixture(scope="module")
def place(
    furnished: Path, desk: Callable[..., TestClient], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Where nothing is changed."""
    yield from furnish(shutil.copytree(furnished, tmp_path_factory.mktemp("place") / "home"), desk)


@pytest.fixture(scope="module")
def attacked(
    furnished: Path, desk: Callable[..., TestClient], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Where forms may do what they do."""
    yield from furnish(shutil.copytree(furnished, tmp_path_factory.mktemp("attacked") / "home"), desk)


def parameters(route: APIRoute) -> dict[str, set[str]]:
    """The names of what a route is asked, by where they stand."""
    flat = get_flat_dependant(route.dependant)
    held = {"query": flat.query_params, "body": flat.body_params}
    named = {where: {one.alias for one in fields} for where, fields in held.items()}
    return {"path": set(re.findall(PARAMETER, route.path)), **named}


def ask(browser: TestClient, method: str, route: APIRoute, **replaced: str) -> Response:
    """The route with good values but for those replaced; a `raw` one stands in the address as it is."""
    values = GOOD | ELSE.get(route.path, {}) | replaced
    held = parameters(route)

    def escaped(name: str) -> str:
        return values[name] if values[name] == NOT_UTF8 else quote(values[name], safe="")

    path = re.sub(PARAMETER, lambda found: escaped(found[1]), route.path)
    query = "&".join(f"{name}={escaped(name)}" for name in sorted(held["query"]))
    form = urlencode({name: values[name] for name in held["body"]}).replace(quote(NOT_UTF8), NOT_UTF8)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    address = f"/points{path}?{query}" if query else f"/points{path}"
    return browser.request(
        method, address, content=form if method == "POST" else None, headers=headers, follow_redirects=False
    )


def is_plain(answer: Response, home: Path, *also: int) -> bool:
    """Says what is the matter in a few words; nothing of the machinery, and nothing that runs."""
    text, asked = answer.text, str(answer.request.url)
    assert answer.status_code in (200, 303, 400, 403, 404, 405, 409, 413, 422, *also), text[:500]
    said = [
        "Traceback",
        "sqlalchemy",
        str(home),
        *(["<script"] if "html" in answer.headers.get("content-type", "") else []),
    ]
    assert not [word for word in said if word in text], text[:500]
    assert {name: answer.headers[name] for name in HEADERS if name != "Cache-Control"} == {
        name: value for name, value in HEADERS.items() if name != "Cache-Control"
    }
    if answer.status_code >= 400:
        assert len(text) < 3000 + 2 * len(asked)
        if "/api/" in asked:
            assert set(answer.json()) == {"error", "message"}
        else:
            assert "<h1>" in text
    return True


def test_every_parameter_there_is_has_a_good_value() -> None:
    asked = {name for _, route in ROUTES for names in parameters(route).values() for name in names}
    assert asked == set(GOOD)


@each([one for one in ROUTES if one[0] != "POST"])
def test_with_good_values_it_answers(
    place: Place, monkeypatch: pytest.MonkeyPatch, method: str, route: APIRoute
) -> None:
    """Else what is hostile below would only ever be told from the outside. The forms: tests/portal/test_acts.py."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(place.home))
    of_an_enterprise = {
        "/enterprises/{uscc}/change",
        "/enterprises/{uscc}/{indicator}",
        "/api/points/{uscc}/{indicator}",
    }
    not_kept = of_an_enterprise | {"/scheme/difference.{ending}"}
    answer = ask(place.door, method, route)
    assert answer.status_code == (404 if route.path in not_kept else 200), answer.text


@every_route
def test_whatever_is_asked_the_answer_is_plain(
    attacked: Place, monkeypatch: pytest.MonkeyPatch, method: str, route: APIRoute
) -> None:
    monkeypatch.setenv("INNOPOINTS_HOME", str(attacked.home))
    for name in sorted({name for names in parameters(route).values() for name in names}):
        for value in (*HOSTILE.values(), NOT_UTF8):
            assert is_plain(ask(attacked.door, method, route, **{name: value}), attacked.home), (name, value)


@pytest.fixture(scope="module")
def scored(
    nights: Nights, desk: Callable[..., TestClient], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, dict[str, str]]]:
    """Two real nights, so that there is something behind every page; and what is known of them for addresses."""
    home = shutil.copytree(nights.home, tmp_path_factory.mktemp("scored") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home))
        stores = open_stores()
        yield Place(home, {None: desk(stores.engine, ANNA, stores.lake)}), nights.known | {"since": "2026-10-20"}
        stores.engine.dispose()


@every_route
def test_a_request_holds_one_connection_at_a_time(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, method: str, route: APIRoute
) -> None:
    """Else as many at once as there are connections wait for each other: each holds one, and wants a second."""
    if method == "POST":
        door, known = request.getfixturevalue("office").browser(), {}
    else:
        place, known = request.getfixturevalue("scored")
        door = place.door
        monkeypatch.setenv("INNOPOINTS_HOME", str(place.home))
    held, most = 0, 0

    def taken(*_: object) -> None:
        nonlocal held, most
        held += 1
        most = max(most, held)

    def given_back(*_: object) -> None:
        nonlocal held
        held -= 1

    event.listen(Pool, "checkout", taken)
    event.listen(Pool, "checkin", given_back)
    try:
        answer = ask(door, method, route, **known)
    finally:
        event.remove(Pool, "checkout", taken)
        event.remove(Pool, "checkin", given_back)
    assert (most <= 1, held) == (True, 0), answer.text[:500]
    assert answer.status_code in (200, 303, 404, 422), answer.text[:500]  # it was gone through to its end


@pytest.mark.parametrize("file", ["*.json", "*.parquet"])
def test_damage_is_told_plainly_and_where_it_is_stands_in_the_log_alone(
    scored: tuple[Place, dict[str, str]],
    tmp_path: Path,
    desk: Callable[..., TestClient],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    file: str,
) -> None:
    home = shutil.copytree(scored[0].home, tmp_path / "home")
    monkeypatch.setenv("INNOPOINTS_HOME", str(home))
    for damaged in (home / "lake").rglob(file):
        damaged.write_bytes(damaged.read_bytes()[:-8])
    stores = open_stores()
    door = desk(stores.engine, ANNA, stores.lake)
    answers = {
        one.path: ask(door, method, one, **scored[1]) for method, one in ROUTES if method == "GET"
    }  # all of them, on what was read by nobody yet
    stores.engine.dispose()
    for path, answer in answers.items():
        assert is_plain(answer, home, 503), path
    out_of_order = {path for path, answer in answers.items() if answer.status_code == 503}
    assert out_of_order >= {"/enterprises/{uscc}/change", "/api/points/{uscc}/{indicator}", "/scheme/difference"}
    words = ("Tell your administrator", "请通知管理员")  # the API asks for no language
    assert not [path for path in out_of_order if not any(word in answers[path].text for word in words)]
    assert str(home / "lake") in caplog.text


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_refused_at_the_door_sees_nothing(lake: Lake, empty: Engine, status: int) -> None:
    def refuse() -> Reader:
        raise HTTPException(status)

    outer = FastAPI()
    outer.mount("/points", make_app(empty, lake, refuse, ask_nobody))
    browser = TestClient(outer)  # of a warehouse that nobody has made: whoever gets beyond the door, fails there
    for method, route in ROUTES:
        assert ask(browser, method, route).status_code == status, route.path


@every_route
@pytest.mark.parametrize("districts", DISTRICTS[1:], ids=["of another district", "of none"])
def test_nobody_gets_a_row_of_a_district_that_is_not_theirs(
    place: Place, monkeypatch: pytest.MonkeyPatch, method: str, route: APIRoute, districts: frozenset[str]
) -> None:
    """Whatever they may do, and even if they ask for an enterprise by its code."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(place.home))
    others = {code(place): name for place, (name, district, *_) in enumerate(FIRMS) if district not in districts}
    by_code, by_ending = ("{uscc}" in route.path, "{ending}" in route.path)
    for asked in others if by_code else list(others)[:1]:
        for ending in ("csv", "xlsx") if by_ending else ("",):
            answer = ask(place.doors[districts], method, route, uscc=asked, ending=ending, q="9132", district="")
            seen = unescape(told(answer))
            assert [one for one, name in others.items() if name in seen or (one in seen and one != asked)] == []


def of_a_generation(route: APIRoute) -> bool:
    """Whether it can be asked of one generation: not what is kept of a day or of a run, whatever is published."""
    held = parameters(route)
    return "generation" in held["query"] | held["body"] and not route.path.startswith(
        ("/snapshots/", "/results/", "/runs/")
    )


@each([one for one in ROUTES if of_a_generation(one[1])])
def test_a_generation_that_has_passed_is_not_mixed_with_the_present_one(
    place: Place, monkeypatch: pytest.MonkeyPatch, method: str, route: APIRoute
) -> None:
    monkeypatch.setenv("INNOPOINTS_HOME", str(place.home))
    assert ask(place.door, method, route, generation=STALE).status_code == 409
