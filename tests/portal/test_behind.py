"""What stands behind published points, on two real nights: warnings read off the records, accounts for programs, and
both only as long as they speak of what is published.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from include.kernel.references import SnapshotKey
from include.portal import desk as desk_module
from include.portal.published import Reader
from include.steps import city
from include.steps.explain import explain
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.warehouse import PUBLISHED, reading
from tests.portal.conftest import Nights

BEFORE, AS_OF, SCHEME, DISTRICT = date(2026, 10, 20), date(2026, 11, 20), "changzhou_v1", "320411"
DOCS = Path(__file__).parents[2] / "docs"
IN_PART = "The records of that night are not at hand"
Open = Callable[..., TestClient]


@pytest.fixture
def stores(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """The home, to be read only."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(nights.home))
    found = open_stores()
    yield found
    found.engine.dispose()


@pytest.fixture
def own(nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    """A copy of the home, to do things to."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(shutil.copytree(nights.home, tmp_path / "home")))
    found = open_stores()
    yield found
    found.engine.dispose()


def get(desk: Open, stores: Stores, path: str, reader: Reader = Reader("officer")) -> Any:
    return desk(stores.engine, reader, stores.lake).get("/points" + path)


def published(stores: Stores, table: str, **where: str) -> list[Any]:
    """Rows of the current generation, the second of the home."""
    rows = PUBLISHED[table]
    named = [rows.c[name] == value for name, value in where.items()]
    with reading(stores.engine) as connection:
        return list(connection.execute(sa.select(rows).where(rows.c.generation_id == 2, *named)))


def somebody(stores: Stores) -> str:
    return str(published(stores, "enterprise_profile", district=DISTRICT)[0].uscc)


def score_anew(stores: Stores) -> None:
    """The district's same points are kept and told to the ledger as made anew: another result than was published."""
    held = stores.ledger.last_scored(DISTRICT, SCHEME, AS_OF)
    assert held is not None
    place = places.points(held.result)
    points = stores.lake.require(place, held.points_sha)
    tables = {name: stores.lake.read(place, name, version=held.points_sha) for name in points.tables}
    anew = stores.lake.commit(place, tables, {**points.facts, "anew": True})
    about = {"snapshot_set": held.members, "enterprises": held.enterprises, "points_sha": anew.sha256}
    with stores.lease("test", "test") as lease:
        stores.ledger.record_scored(held.result, lease=lease, **about)


def test_a_certificate_that_ends_soon_is_warned_of_with_its_number_and_day(stores: Stores, desk: Open) -> None:
    accepted = stores.lake.read(places.accepted(SnapshotKey("ST_QUAL", "city", AS_OF))).to_pylist()
    once = Counter((row["enterprise_name"], row["qualification"]) for row in accepted)
    profiles = {row.name: row.uscc for row in published(stores, "enterprise_profile")}
    soon = [
        row
        for row in accepted
        if row["enterprise_name"] in profiles
        and once[row["enterprise_name"], row["qualification"]] == 1
        and row["status"] == "有效"
        and row["valid_until"]
        and AS_OF <= row["valid_until"] <= AS_OF + timedelta(days=180)
    ]
    assert soon, "nobody's certificate of these districts ends within half a year: look with another seed"
    for row in soon:
        shown = get(desk, stores, f"/enterprises/{profiles[row['enterprise_name']]}?lang=en").text
        assert f"{row['valid_until']}: {row['qualification']} <code>{row['certificate_no']}</code>" in shown
        assert IN_PART not in shown


def test_a_row_in_quarantine_is_linked_for_those_who_may_open_it(stores: Stores, desk: Open) -> None:
    districts = {row.uscc: row.district for row in published(stores, "enterprise_profile")}
    held = [
        (row.uscc, source)
        for source in published(stores, "source_quality", scope="city")
        if source.quarantined
        for row in published(stores, "enterprise_profile")
        if row.uscc
        in str(stores.lake.read(places.quarantine(SnapshotKey(source.dataset, "city", source.as_of)))["entity"])
    ]
    assert held, "no row of these districts waits in a city's register: look with another seed"
    for uscc, source in held:
        link = f"/points/quarantine/{source.dataset}/city/"
        page = f"/enterprises/{uscc}"
        assert link in get(desk, stores, page).text
        shown = get(desk, stores, page, Reader("li", frozenset({districts[uscc]})))
        assert (shown.status_code, link in shown.text) == (200, False)


def test_an_account_for_programs_is_that_of_the_published_line(stores: Stores, nights: Nights, desk: Open) -> None:
    uscc, indicator = nights.known["uscc"], nights.known["indicator"]
    (line,) = published(stores, "points_ledger", uscc=uscc, indicator=indicator)
    (total,) = published(stores, "enterprise_points", uscc=uscc)
    answer = get(desk, stores, f"/api/points/{uscc}/{indicator}")
    found = answer.json()
    (told,) = found["indicators"]
    assert (told["points"], found["total"], found["as_of"]) == (str(line.points), str(total.total), str(AS_OF))
    jsonschema.validate(found, json.loads((DOCS / "reference" / "explain.schema.json").read_text(encoding="utf-8")))
    again = desk(stores.engine, Reader("officer"), stores.lake).get(
        f"/points/api/points/{uscc}/{indicator}", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


def told(page: str) -> dict[str, str]:
    """What each pair of word and figure says."""
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page, re.DOTALL)
    return {word: re.sub("<.*?>", " ", figure).strip() for word, figure in pairs}


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


@pytest.mark.parametrize("kind", ["next edge", "without a record", "held back", "provisional"])
def test_the_page_of_an_account_shows_all_that_its_document_holds(
    stores: Stores, nights: Nights, desk: Open, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    account = explain(nights.known["uscc"], SCHEME, as_of=AS_OF)
    line = next(line for line in account.indicators if line.curve.next_edge)
    if kind != "next edge":  # made of it: of one enterprise nobody knows what it lacks
        changes: dict[str, Any] = {
            "without a record": {"missing": ["TAX_CIT", "TAX_RDD"], "status": "not_held", "value": None},
            "held back": {"held_back": ["TAX_VAT"]},
            "provisional": {"provisional": True, "points_high": line.points + 1},
        }[kind]
        line = line.model_copy(update=changes)
        monkeypatch.setattr(desk_module, "explain", lambda *_, **__: account.model_copy(update={"indicators": [line]}))
    page = get(desk, stores, f"/enterprises/{account.uscc}/{line.indicator}?lang=en").text
    shown, piece, edge = told(page), line.curve.segment, line.curve.next_edge
    assert shown["Interval of the points"] == f"{line.points_low} – {line.points_high}"
    assert ("provisional" in shown["Value"]) == line.provisional
    for word, datasets in (
        ("Would have to hold a record", line.missing),
        ("Holds records in quarantine", line.held_back),
    ):
        assert re.findall(r"[A-Z]+(?:_[A-Z]+)+", shown.get(word, "")) == datasets
    assert ("Segment of the curve" in shown, "Next edge" in shown) == (piece is not None, edge is not None)
    if piece:
        assert shown["Segment of the curve"] == str(piece.number)
        for word, end in (("From (with)", piece.lower), ("To (without)", piece.upper)):
            assert shown[word] == "-" if end is None else number(shown[word]) == end
    if edge:
        assert (number(shown["Next edge"]), number(shown["Distance"])) == (edge.at, edge.distance)
        gains = [number(one) for one in re.findall(r"[+-][\d,.]+", shown["Gain"])]
        assert gains == [edge.points_gain, edge.raw_points_gain]
    assert re.findall("[\u4e00-\u9fff]+", shown["Value"] + shown["Status"]) == []


@pytest.mark.parametrize(
    ("uscc", "indicator", "status", "word"),
    [
        ("91320411YY99999999", "INP-03", 404, "unknown_enterprise"),
        (None, "INP-99", 404, "unknown_indicator"),
        (None, "x" * 10_000, 404, "unknown_indicator"),
    ],
)
def test_an_account_of_nothing_is_refused_in_plain_words(
    stores: Stores, nights: Nights, desk: Open, uscc: str | None, indicator: str, status: int, word: str
) -> None:
    answer = get(desk, stores, f"/api/points/{uscc or nights.known['uscc']}/{indicator}")
    assert (answer.status_code, answer.json()["error"]) == (status, word)


def test_an_account_of_another_district_is_like_one_that_is_not_there(
    stores: Stores, nights: Nights, desk: Open
) -> None:
    path = f"/api/points/{nights.known['uscc']}/{nights.known['indicator']}"
    answer = get(desk, stores, path, Reader("li", frozenset({"320404"})))
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_enterprise")


def test_what_was_scored_anew_is_not_shown_behind_the_older_points(own: Stores, desk: Open) -> None:
    uscc = somebody(own)
    assert IN_PART not in get(desk, own, f"/enterprises/{uscc}?lang=en").text
    score_anew(own)
    shown = get(desk, own, f"/enterprises/{uscc}?lang=en")
    assert (shown.status_code, IN_PART in shown.text) == (200, True)
    elsewhere = published(own, "enterprise_profile", district="320412")[0].uscc
    assert IN_PART not in get(desk, own, f"/enterprises/{elsewhere}?lang=en").text


@pytest.mark.parametrize("path", ["/api/points/{}/INP-03", "/enterprises/{}/INP-03", "/enterprises/{}/change"])
def test_an_account_waits_for_the_publication_of_what_was_scored_anew(own: Stores, desk: Open, path: str) -> None:
    uscc = somebody(own)
    score_anew(own)
    answer = get(desk, own, path.format(uscc) + "?lang=en")
    assert (answer.status_code, "scored anew after this publication" in answer.text) == (409, True)


def test_a_change_is_told_since_the_districts_last_result_before_the_one_published(own: Stores, desk: Open) -> None:
    """Where the newest publication carries a district's older result over too."""
    link, night = f"/enterprises/{somebody(own)}/change", AS_OF + timedelta(days=1)
    assert f"{link}?since={BEFORE}" in get(desk, own, f"/enterprises/{somebody(own)}").text
    city.rank(night, SCHEME, holder="test")
    city.publish(night, SCHEME, holder="test")
    shown = get(desk, own, f"/enterprises/{somebody(own)}").text
    assert f"数据日期 {night}" in shown
    assert f"{link}?since={BEFORE}" in shown
    assert get(desk, own, f"{link}?since={BEFORE}").status_code == 200


@pytest.mark.parametrize(("lang", "says"), [("zh", "没有两次不同的结果"), ("en", "no two results")])
@pytest.mark.parametrize("since", ["2026-11-20", "2026-10-19"], ids=["the same night", "before the first"])
def test_a_change_that_cannot_be_told_keeps_the_date_and_the_way_back(
    stores: Stores, desk: Open, lang: str, says: str, since: str
) -> None:
    uscc = somebody(stores)
    answer = get(desk, stores, f"/enterprises/{uscc}/change?since={since}&lang={lang}")
    assert (answer.status_code, says in answer.text) == (422, True)
    assert f'name="since" value="{since}"' in answer.text
    assert f'href="/points/enterprises/{uscc}' in answer.text
    assert "--since" not in answer.text


@pytest.mark.parametrize("place", ["conformed", "measures"])
def test_a_damaged_file_behind_the_points_costs_the_warnings_only(own: Stores, desk: Open, place: str) -> None:
    uscc = somebody(own)
    for file in (Path(own.lake.root) / getattr(places, place)(DISTRICT, AS_OF)).glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-8])
    shown = get(desk, own, f"/enterprises/{uscc}?lang=en")
    assert (shown.status_code, IN_PART in shown.text) == (200, True)
