"""What stands behind published points, on two real nights: warnings read off the records, accounts for programs, and
both only as long as they speak of what is published.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Barrier, Event
from time import monotonic, sleep
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from include.kernel.references import ResultKey, SnapshotKey
from include.portal import desk as desk_module
from include.portal.city import City
from include.portal.desk import MOST_WAITING, Desk, Sorry
from include.portal.published import Reader
from include.publish.generations import rollback
from include.schemes.model import require_scheme
from include.steps import city, compute, publish, rank, score
from include.steps import difference as steps_difference
from include.steps.explain import explain
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.warehouse import PUBLISHED, reading
from tests.portal.conftest import Nights

BEFORE, AS_OF, SCHEME, DISTRICT = date(2026, 10, 20), date(2026, 11, 20), "changzhou_v1", "320411"
DOCS = Path(__file__).parents[2] / "docs"
POOL = 15
"""Connections that a process may hold at once: SQLAlchemy's five, and ten more when they are needed."""
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


def score_anew(stores: Stores, uscc: str) -> None:
    """The district is scored anew on other measures: nothing is held of one enterprise any more."""
    place = places.measures(DISTRICT, AS_OF)
    facts, table = stores.lake.require(place).facts, stores.lake.read(place, "measures")
    spoilt = pc.equal(table["uscc"].cast(pa.string()), uscc)
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(at, field, pc.if_else(spoilt, pa.scalar(None, field.type), table[field.name]))
    stores.lake.commit(place, {"measures": table}, facts)
    compute(DISTRICT, AS_OF, SCHEME, holder="test")
    score(DISTRICT, AS_OF, SCHEME, holder="test")


def publish_and_roll_back(stores: Stores) -> None:
    rank(AS_OF, SCHEME, holder="test")
    made = publish(AS_OF, SCHEME, holder="test", drift_accepted_by="test")
    assert (made["generation"], made["status"]) == (3, "current")
    rollback(stores.engine, 2, by="test", reason="test")


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
    assert found.pop("generation") == 2
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


@pytest.mark.parametrize(
    "is_rolled_back",
    [
        pytest.param(False, id="scored anew", marks=pytest.mark.long),
        pytest.param(True, id="published and rolled back"),
    ],
)
def test_what_is_published_is_explained_whatever_was_scored_since(
    own: Stores, desk: Open, is_rolled_back: bool
) -> None:
    uscc = somebody(own)
    indicator = next(line.indicator for line in published(own, "points_ledger", uscc=uscc) if line.points > 0)
    pages = {path: f"/enterprises/{uscc}{path}?lang=en" for path in ("", f"/{indicator}", "/change")}
    before = {path: get(desk, own, address).text for path, address in pages.items()}
    score_anew(own, uscc)
    (total,) = published(own, "enterprise_points", uscc=uscc)
    scored = own.ledger.last_scored(DISTRICT, SCHEME, AS_OF)
    assert scored is not None
    points = own.lake.read(places.points(scored.result), "points", version=scored.points_sha)
    assert points.filter(pc.equal(points["uscc"], uscc))["total"].to_pylist() != [total.total]
    if is_rolled_back:
        publish_and_roll_back(own)
    assert {path: get(desk, own, address).text for path, address in pages.items()} == before
    assert IN_PART not in before[""]
    account = get(desk, own, f"/api/points/{uscc}/{indicator}").json()
    (line,) = published(own, "points_ledger", uscc=uscc, indicator=indicator)
    told = account["indicators"][0]
    assert (account["generation"], account["total"], told["points"]) == (2, str(total.total), str(line.points))
    text = get(desk, own, "/scheme/difference.csv?to=national_core").content.decode("utf-8-sig")
    compared = {row["uscc"]: row for row in csv.DictReader(io.StringIO(text))}
    assert {code: (Decimal(row["total_before"]), int(row["rank_before"])) for code, row in compared.items()} == {
        row.uscc: (row.total, row.rank_all) for row in published(own, "enterprise_points")
    }


def test_a_scheme_that_is_not_valid_on_the_night_is_compared_by_the_rules_of_a_day_that_is_told(
    stores: Stores, desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/scheme/difference?to=national_core"
    assert "不在有效期内" not in get(desk, stores, address).text
    national = require_scheme("national_core")
    later = national.identity.valid.model_copy(update={"since": date(2027, 1, 1)})
    next_year = national.model_copy(update={"identity": national.identity.model_copy(update={"valid": later})})
    monkeypatch.setattr(
        steps_difference, "require_scheme", lambda name: {"national_core": next_year}.get(name) or require_scheme(name)
    )
    text = get(desk, stores, address).text
    assert "<code>national_core</code> 该方案在这一夜不在有效期内，所用规则取自 2027-01-01" in text
    assert f"<dd>{AS_OF}</dd>" in text


@pytest.mark.parametrize("path", ["/api/points/{}/INP-03", "/enterprises/{}/INP-03", "/enterprises/{}/change"])
def test_what_is_not_kept_any_more_cannot_be_explained(own: Stores, desk: Open, path: str) -> None:
    uscc = somebody(own)
    own.lake.erase(places.points(ResultKey(AS_OF, DISTRICT, SCHEME)))
    answer = get(desk, own, path.format(uscc) + "?lang=en")
    assert (answer.status_code, "are not kept any more" in answer.text) == (404, True)
    shown = get(desk, own, "/scheme/difference?to=national_core").text
    assert "所依据的记录已不再保存；已发布的结果不受影响。 新北区" in shown
    answer = get(desk, own, "/scheme/difference.csv?to=national_core")
    assert (answer.status_code, f"不受影响。 {DISTRICT}</p>" in answer.text) == (404, True)


def test_so_many_wait_for_an_account_and_the_others_are_asked_to_come_again(stores: Stores) -> None:
    desk, too_many = Desk(stores.engine, stores.lake), 5

    def derive() -> str:
        try:
            with desk.deriving():
                return "derived"
        except Sorry as sorry:
            return f"{sorry.status} {sorry.word}"

    with ThreadPoolExecutor(MOST_WAITING + too_many) as people:
        with desk.deriving():
            others = [people.submit(derive) for _ in range(MOST_WAITING - 1 + too_many)]
            last = monotonic() + 20
            while sum(one.done() for one in others) < too_many and monotonic() < last:
                sleep(0.01)
        told = Counter(one.result() for one in others)
    assert told == {"derived": MOST_WAITING - 1, "503 busy": too_many}
    assert derive() == "derived"


def test_whoever_is_asked_to_come_again_is_told_when(
    stores: Stores, desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many(self: Desk) -> None:
        raise Sorry(503, "busy")

    monkeypatch.setattr(Desk, "deriving", too_many)
    answer = get(desk, stores, f"/api/points/{somebody(stores)}/INP-03")
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "busy", "5")


def test_who_waits_for_the_index_of_names_holds_no_connection(
    stores: Stores, desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reads everybody anew; as many as there are connections, and more, wait for it."""
    begun, go_on, read_everybody = Event(), Event(), City.of

    def slowly(*of: Any) -> City:
        begun.set()
        assert go_on.wait(60)
        return read_everybody(*of)

    monkeypatch.setattr(City, "of", slowly)
    browser = desk(stores.engine, Reader("officer"), stores.lake)
    search = partial(browser.get, "/points/api/search?q=a")
    with ThreadPoolExecutor(POOL + 5) as people:
        try:
            waiting = [people.submit(search) for _ in range(POOL + 5)]
            assert begun.wait(60)
            last = monotonic() + 20
            while stores.engine.pool.checkedout() > 1 and monotonic() < last:
                sleep(0.01)
            sleep(0.5)  # whoever would take one has had the time
            held = stores.engine.pool.checkedout()
            others = browser.get("/points/api/generations").status_code
        finally:
            go_on.set()
        assert {one.result().status_code for one in waiting} == {200}
    assert (held, others) == (1, 200)


@pytest.mark.parametrize("place", ["conformed", "measures"])
def test_a_file_that_cannot_be_opened_costs_the_warnings_only(own: Stores, desk: Open, place: str) -> None:
    uscc = somebody(own)
    for file in (Path(own.lake.root) / getattr(places, place)(DISTRICT, AS_OF)).glob("*.parquet"):
        file.unlink()
        file.mkdir()
    shown = get(desk, own, f"/enterprises/{uscc}?lang=en")
    assert (shown.status_code, IN_PART in shown.text) == (200, True)


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


def test_of_the_first_result_no_change_is_offered_and_asked_for_it_is_refused(own: Stores, desk: Open) -> None:
    uscc = somebody(own)
    rollback(own.engine, 1, by="chief", reason="test")
    assert f"/enterprises/{uscc}/change" not in get(desk, own, f"/enterprises/{uscc}").text
    answer = get(desk, own, f"/enterprises/{uscc}/change")
    assert (answer.status_code, "没有更早的结果可比" in answer.text) == (422, True)


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


def test_more_people_at_once_than_there_are_connections_are_all_answered(stores: Stores, desk: Open) -> None:
    path = f"/enterprises/{somebody(stores)}"
    assert get(desk, stores, path).status_code == 200
    together, first = Barrier(POOL), iter(range(POOL))

    def until_none_is_left(*_: object) -> None:
        if next(first, None) is not None:
            together.wait(20)

    browser = desk(stores.engine, Reader("officer"), stores.lake)
    sa.event.listen(stores.engine, "checkout", until_none_is_left)
    try:
        with ThreadPoolExecutor(POOL + 5) as people:
            answers = list(people.map(browser.get, ["/points" + path] * (POOL + 5)))
    finally:
        sa.event.remove(stores.engine, "checkout", until_none_is_left)
    assert [answer.status_code for answer in answers] == [200] * (POOL + 5)
