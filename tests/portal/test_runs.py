"""The tab of a run: what its tasks made, for those whose districts it is, and nothing of another run."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
import sqlalchemy as sa
from fastapi import FastAPI
from markupsafe import escape
from sqlalchemy import Engine
from starlette.testclient import TestClient

from include.kernel.references import ResultKey, SnapshotKey
from include.portal.published import Reader
from include.portal.web import make_app
from include.store.lake import Lake
from include.store.ledger import Lease, Ledger, run_publication
from include.store.warehouse import clock, create_engine, migrate, writing
from tests.portal.conftest import ask_nobody, put, put_roll, town
from tests.portal.server import serving

DAY = date(2026, 11, 23)
DAG, RUN = "innopoints_320411", "scheduled__2026-11-22T17:00:00+00:00"
OWN, CITY = SnapshotKey("TAX_CIT", "320411", DAY), SnapshotKey("IP_PAT", "city", DAY)
BLOCKED, UNJUDGED = SnapshotKey("TAX_VAT", "320411", DAY), SnapshotKey("HR_INS", "320411", DAY)
OTHER = SnapshotKey("TAX_CIT", "320412", DAY)
NOTHING = "没有本次运行留下的结果"


def address(dag: str, run: str, lang: str = "zh") -> str:
    """As Airflow's page completes `points/runs/{DAG_ID}/{RUN_ID}`: both by JavaScript's encodeURIComponent."""
    dag_id, run_id = (quote(one, safe="!'()*~") for one in (dag, run))
    return f"/points/runs/{dag_id}/{run_id}" + ("?lang=en" if lang == "en" else "")


def land(ledger: Ledger, lease: Lease, key: SnapshotKey) -> None:
    ledger.record_landed(key, lease=lease, contract_version=1, declared=10, received=10, landing_sha="l")


def judge(ledger: Ledger, lease: Lease, key: SnapshotKey, verdict: str) -> None:
    counts = {"rows_in": 10, "duplicates": 1, "accepted": 7, "quarantined": 2}
    sha = "a" if verdict == "accepted" else None
    ledger.record_verdict(key, lease=lease, verdict=verdict, reason="", checks=[], accepted_sha=sha, **counts)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A run that made something of every kind, and another one of another district."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('runs') / 'warehouse.sqlite'}")
    migrate(engine)
    put_roll(engine, put(engine, town()))  # proposed by a run that is called `run`
    ledger = Ledger(engine)
    with ledger.acquire("night", f"{DAG}/{RUN}/tax_database.land/3", 60) as lease:
        for key, verdict in ((OWN, "accepted"), (CITY, "accepted"), (BLOCKED, "rejected"), (UNJUDGED, None)):
            land(ledger, lease, key)
            if verdict:
                judge(ledger, lease, key, verdict)
        result = ResultKey(DAY, "320411", "changzhou_v1")
        ledger.record_scored(result, lease=lease, snapshot_set=[], enterprises=412, points_sha="p")
        ledger.record_repull(OWN, lease=lease, outcome="rejected", reason="补报", before_sha="a")
        publication = {"generation_id": 1, "as_of": DAY, "scheme": "changzhou_v1", "content_sha": "c"}
        publication |= {"snapshot_set": ledger.snapshot_set([]), "published_by": lease.holder}
        with writing(engine) as connection:
            connection.execute(sa.insert(run_publication).values(**publication, covers_until=clock()))
    with ledger.acquire("another", "innopoints_320412/manual__1/land/0", 60) as lease:
        land(ledger, lease, OTHER)
    return engine


def rows(text: str) -> list[list[str]]:
    """The cells of each row of each table, as they are read."""
    found = re.findall(r"<tr>(.*?)</tr>", text, re.S)
    cells = [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)] for row in found]
    return [[unescape(cell).strip() for cell in row] for row in cells if row]


def test_a_run_tells_what_it_made_with_its_counts_and_links(engine: Engine, desk: Callable[..., TestClient]) -> None:
    text = desk(engine).get(address(DAG, RUN, "en")).text
    day, district, judged = "2026-11-23", "Xinbei (Changzhou National High-tech Zone)", ["2", "10", "1", "7"]
    tax_return = "TAX_CIT Yearly income-tax return, form rows"
    assert rows(text) == [
        ["1", day, "changzhou_v1", "current", "Manifest"],
        [district, "412", "Manifest", day, "changzhou_v1"],
        ["HR_INS Insured headcount per unit and month", district, "Landed; not judged yet.", "", "10", "", "", day],
        ["IP_PAT Patents, bibliographic data and legal status", "the city", "accepted", *judged, day],
        [tax_return, district, "accepted", *judged, day],
        ["TAX_VAT VAT returns", district, "rejected", *judged, day],
        [tax_return, district, "rejected; what was in use stays in use", day],
    ]
    links = set(re.findall(r'<td[^>]*><a href="([^"]*)"', text))
    assert links == {
        *(f"/points/results/{one}/2026-11-23/manifest?scheme=changzhou_v1&amp;lang=en" for one in ("320411", "city")),
        *(f"/points/snapshots/{key.dataset}/{key.scope}/2026-11-23?lang=en" for key in (OWN, CITY, BLOCKED, UNJUDGED)),
    }


@pytest.mark.parametrize(
    ("districts", "own", "of_city"),
    [({"320411"}, True, False), ({"320412"}, False, False), (set(), False, False)],
    ids=["its district", "another district", "none"],
)
def test_rows_of_a_scope_that_is_not_the_readers_are_left_out(
    engine: Engine, desk: Callable[..., TestClient], districts: set[str], own: bool, of_city: bool
) -> None:
    text = desk(engine, Reader("li", frozenset(districts))).get(address(DAG, RUN)).text
    assert ("TAX_CIT" in text, "412" in text, "IP_PAT" in text) == (own, own, of_city)
    assert "changzhou_v1" in text  # of the publication, which is everybody's


def test_a_run_of_other_districts_one_that_made_nothing_and_one_nobody_knows_are_told_alike(
    engine: Engine, desk: Callable[..., TestClient]
) -> None:
    browser = desk(engine, Reader("li", frozenset({"320411"})))
    answers = [
        browser.get(address(*run)) for run in (("innopoints_320412", "manual__1"), (DAG, "manual__1"), ("x", "y"))
    ]
    told = {re.sub(r"(manual__1|x y|innopoints_\d+|[xy])", "", answer.text) for answer in answers}
    assert {answer.status_code for answer in answers} == {200}
    assert all(NOTHING in answer.text for answer in answers)
    assert not any("TAX_CIT" in text for text in told)
    assert "TAX_CIT" in desk(engine).get(address("innopoints_320412", "manual__1")).text


def test_what_another_run_landed_anew_is_no_longer_of_the_first(
    tmp_path_factory: pytest.TempPathFactory, desk: Callable[..., TestClient]
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('anew') / 'warehouse.sqlite'}")
    migrate(engine)
    ledger = Ledger(engine)
    for run in ("manual__1", "manual__2"):
        with ledger.acquire("night", f"{DAG}/{run}/land/0", 60) as lease:
            land(ledger, lease, OWN)
    assert NOTHING in desk(engine).get(address(DAG, "manual__1")).text
    assert "TAX_CIT" in desk(engine).get(address(DAG, "manual__2")).text


def test_a_run_that_proposed_a_years_honours_leads_to_them(engine: Engine, desk: Callable[..., TestClient]) -> None:
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE honour_roll SET proposed_by = 'innopoints_honours/manual__1'"))
    text = desk(engine).get(address("innopoints_honours", "manual__1")).text
    link = '<a href="/points/honours/2026?scheme=changzhou_v1&amp;roll=1">2026 changzhou_v1</a>'
    assert f"{link}: 公示中，异议截止 2026-12-07" in text


def test_whatever_an_id_holds_its_address_leads_to_it_in_both_languages(tmp_path: Path, lake: Lake) -> None:
    """Over a real server: a test client takes escapes off once more than a server does."""
    engine = create_engine(f"sqlite:///{tmp_path / 'warehouse.sqlite'}")
    migrate(engine)
    ledger, outer = Ledger(engine), FastAPI()
    outer.mount("/points", make_app(engine, lake, lambda: Reader("officer"), ask_nobody))
    with serving(outer) as server:
        for run in (RUN, "a/b", "50%_~.x", "a%2Fb", "夜 班?x#y&z", "<b>'\"</b>", "a//b", "a\\b"):
            with ledger.acquire("night", f"{DAG}/{run}/land/0", 60) as lease:
                land(ledger, lease, OWN)
            page = requests.get(server + address(DAG, run), timeout=10).text
            assert f"<h1>运行: {escape(f'{DAG} {run}')}</h1>" in page
            assert "TAX_CIT" in page, run
            (other,) = re.findall(r'class="language" href="([^"]*)"', page)
            in_english = requests.get(server + unescape(other), timeout=10).text
            assert "TAX_CIT Yearly income-tax return" in in_english, run
