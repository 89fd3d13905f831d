"""What a task links to: any night's snapshot and result, for those whose district it is; for others a plain page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from fastapi import FastAPI, HTTPException
from sqlalchemy import Engine
from starlette.testclient import TestClient

from include.kernel.references import ResultKey, SnapshotKey
from include.portal.published import Reader
from include.portal.web import make_app
from include.store import lake as places
from include.store.lake import Lake
from include.store.ledger import Ledger
from include.store.warehouse import create_engine, migrate

DAY = date(2026, 11, 23)
OWN, CITY = SnapshotKey("TAX_CIT", "320411", DAY), SnapshotKey("IP_PAT", "city", DAY)
SNAPSHOT, OF_CITY = "/points/snapshots/TAX_CIT/320411/2026-11-23", "/points/snapshots/IP_PAT/city/2026-11-23"
RESULT, RANKED = "/points/results/320411/2026-11-23/manifest", "/points/results/city/2026-11-23/manifest"
SCHEME = "?scheme=changzhou_v1"
ROUTES = [
    *(at + page for at in (SNAPSHOT, OF_CITY) for page in ("", "/manifest", "/quarantine", "/quarantine.csv")),
    *(at + query for at in (RESULT, RANKED) for query in ("", SCHEME)),
]
CHECK = {
    "id": "amount_yuan.cast",
    "title_zh": "金额可读",
    "column": "amount_yuan",
    "severity": "quarantine_rows",
    "checked": 10,
    "failed": 2,
    "passed": False,
    "detail": "",
}
HELD_BACK = "五百万"  # of the fixture `lake`


@pytest.fixture(scope="module")
def judged(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Nothing is published. A refused snapshot of a district, one of the city that is accepted, one only landed, and a
    result of the district and of the city.
    """
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('judged') / 'warehouse.sqlite'}")
    migrate(engine)
    ledger, rows = Ledger(engine), pa.table({"uscc": pa.array(["91320400MA00000001"])})
    for key, verdict in ((OWN, "rejected"), (CITY, "accepted"), (SnapshotKey("TAX_VAT", "320411", DAY), None)):
        with ledger.acquire(str(key), "test", 60) as lease:
            landing = lake.commit(places.landing(key), {"data": rows}, {"declared": 10, "pages": ["a", "b", "c"]})
            common = {"declared": 10, "received": 10, "landing_sha": landing.sha256}
            ledger.record_landed(key, lease=lease, contract_version=1, **common)
            if verdict is None:
                continue
            counts = {"rows_in": 10, "duplicates": 1, "accepted": 7, "quarantined": 2}
            said = {"reason": "snapshot.rows", "accepted_sha": None}
            if verdict == "accepted":
                held = lake.read(places.quarantine(OWN)).slice(0, 0).select(["reasons", "entity", "_page", "_ordinal"])
                judged = {"quarantine": lake.commit(places.quarantine(key), {"data": held}, {}).sha256}
                accepted = lake.commit(places.accepted(key), {"data": rows}, judged)
                said = {"reason": "", "accepted_sha": accepted.sha256}
            ledger.record_verdict(key, lease=lease, verdict=verdict, checks=[CHECK], **said, **counts)
    result = ResultKey(DAY, "320411", "changzhou_v1")
    for place in (places.conformed("320411", DAY), places.points(result), places.conformed_city(DAY)):
        lake.commit(place, {"rows": rows}, {"snapshot_set": [[1], [2]]})
    lake.commit(places.ranked(DAY, "changzhou_v1"), {"rows": rows}, {"moved": 0})
    return engine


@pytest.fixture(scope="module")
def browser(judged: Engine, desk: Callable[..., TestClient]) -> TestClient:
    return desk(judged)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("districts", "own", "city"),
    [(None, 200, 200), ({"320411"}, 200, 404), ({"320412"}, 404, 404), (set(), 404, 404)],
    ids=["the city", "its district", "another district", "none"],
)
def test_each_page_is_for_those_whose_scope_it_is(
    judged: Engine, desk: Callable[..., TestClient], path: str, districts: set[str] | None, own: int, city: int
) -> None:
    reader = Reader("li", None if districts is None else frozenset(districts))
    answer = desk(judged, reader).get(path)
    assert answer.status_code == (city if "/city/" in path else own)
    if answer.status_code == 404:
        assert "没有这份快照或结果" in answer.text
        assert HELD_BACK not in answer.text


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_reaches_every_page(judged: Engine, lake: Lake, status: int) -> None:
    def refuse() -> Reader:
        raise HTTPException(status)

    outer = FastAPI()
    outer.mount("/points", make_app(judged, lake, refuse, lambda *_: None))
    assert {TestClient(outer).get(path).status_code for path in ROUTES} == {status}


def test_the_report_of_a_refused_snapshot_says_why_and_which_check_failed(browser: TestClient) -> None:
    text = browser.get(SNAPSHOT + "?lang=en").text
    for said in ("snapshot.rows", "amount_yuan.cast", ">rejected<", "rows go to quarantine"):
        assert said in text
    assert 'href="/points/snapshots/TAX_CIT/320411/2026-11-23/quarantine?lang=en"' in text
    assert "金额可读" in browser.get(SNAPSHOT).text


def test_a_snapshot_that_only_landed_has_a_manifest_and_no_verdict_yet(browser: TestClient) -> None:
    landed = SNAPSHOT.replace("TAX_CIT", "TAX_VAT")
    assert "尚未校验" in browser.get(landed).text
    assert "landing/TAX_VAT/320411/as_of=2026-11-23" in browser.get(landed + "/manifest").text
    assert browser.get(landed + "/quarantine").status_code == 200


def test_the_rows_held_back_of_a_refused_snapshot_are_shown_and_exported(browser: TestClient) -> None:
    page = browser.get(SNAPSHOT + "/quarantine").text
    assert HELD_BACK in page
    assert 'href="/points/snapshots/TAX_CIT/320411/2026-11-23/quarantine.csv"' in page
    rows = list(csv.DictReader(io.StringIO(browser.get(SNAPSHOT + "/quarantine.csv").content.decode("utf-8-sig"))))
    assert [row["reason"] for row in rows] == ["amount_yuan.cast", "amount_yuan.min", "snapshot.other"]


def test_the_manifest_names_tables_digests_and_how_many_and_no_list_itself(browser: TestClient, lake: Lake) -> None:
    landing = lake.require(places.landing(OWN))
    text = browser.get(SNAPSHOT + "/manifest").text
    assert landing.sha256 in text
    assert landing.tables["data"].sha256 in text
    assert "<tr><td>pages</td><td><code>3</code></td></tr>" in text


def test_a_result_has_its_rooms_in_the_order_in_which_they_came_about(browser: TestClient) -> None:
    text = browser.get(RESULT + SCHEME).text
    assert 0 < text.index("conformed/320411/as_of=2026-11-23") < text.index("points/changzhou_v1/320411")
    assert "points/changzhou_v1" not in browser.get(RESULT).text
    assert "ranked/changzhou_v1/as_of=2026-11-23" in browser.get(RANKED + SCHEME).text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/snapshots/TAX_CIT/320411/2026-11-22", 404),
        ("/snapshots/NOPE/320411/2026-11-23", 404),
        ("/snapshots/TAX_CIT/999999/2026-11-23", 404),
        ("/snapshots/TAX_CIT/320411/yesterday", 422),
        (f"/snapshots/{'X' * 10_000}/320411/2026-11-23", 422),
        ("/snapshots/%3Cscript%3E/320411/2026-11-23", 404),
        ("/results/320411/2020-01-01/manifest", 404),
        ("/results/..%2f..%2fetc/2026-11-23/manifest", 404),
        ("/results/320411/2026-11-23/manifest?scheme=../changzhou_v1", 404),
        ("/snapshots/TAX_CIT/320411/2026-11-23/quarantine?page=2", 404),
    ],
)
def test_what_cannot_be_is_a_plain_page(browser: TestClient, path: str, status: int) -> None:
    answer = browser.get("/points" + path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert "<script>" not in answer.text


def test_before_anything_was_ever_migrated_it_is_a_plain_page(tmp_path: Path, desk: Callable[..., TestClient]) -> None:
    answer = desk(create_engine(f"sqlite:///{tmp_path / 'warehouse.sqlite'}")).get(SNAPSHOT)
    assert (answer.status_code, "Traceback" in answer.text) == (503, False)
