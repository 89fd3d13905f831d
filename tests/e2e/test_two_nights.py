"""Two nights one after the other: again, out of order, under a second scheme, and what changed between them."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from include.evidence.text import render_change
from include.kernel.errors import BadInput
from include.kernel.references import ResultKey, SnapshotKey
from include.portal import difference as page
from include.portal.published import Reader
from include.portal.web import make_app
from include.schemes.model import require_scheme
from include.sources.declaration import of_district, shared
from include.steps.again import Nights
from include.steps.difference import difference, difference_on, render
from include.steps.explain import explain, explain_change
from include.steps.refresh import refresh
from include.store import lake as places
from include.store.warehouse import PUBLISHED, generation, reading
from tests.e2e.conftest import AS_OF, SCHEME, City
from tests.portal.test_runs import rows

pytestmark = [pytest.mark.services, pytest.mark.long]

DOCS = Path(__file__).parents[2] / "docs"
DISTRICT = "320412"
DAYS = [date(2026, 11, 19), AS_OF]
NATIONAL = "national_core"
ENTERPRISE_POINTS = PUBLISHED["enterprise_points"]


@pytest.fixture(scope="module")
def replayed(departments: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Two nights under the local scheme, then the same two under the national one."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("replayed")
        patch.setenv("INNOPOINTS_HOME", str(home))
        there = departments.moved_to(home)
        for scheme in (SCHEME, NATIONAL):
            for day in DAYS:
                refresh(day, [DISTRICT], scheme, lookup=there.lookup, say=lambda _: None)
        yield there


def _read(city: City, scheme: str, day: date, table: str) -> pa.Table:
    return city.stores.lake.read(places.points(ResultKey(day, DISTRICT, scheme)), table)


def test_the_pointer_stays_with_the_nightly_scheme(replayed: City) -> None:
    with replayed.stores.engine.connect() as connection:
        current = connection.execute(sa.text("SELECT as_of, scheme_id FROM current_generation")).all()
        kept = connection.execute(
            sa.text("SELECT as_of, scheme_id, status FROM generation ORDER BY generation_id")
        ).all()
    assert [(str(on), scheme) for on, scheme in current] == [(AS_OF.isoformat(), SCHEME)]
    assert [(str(on), scheme, status) for on, scheme, status in kept] == [
        ("2026-11-19", SCHEME, "superseded"),
        ("2026-11-20", SCHEME, "current"),
        ("2026-11-19", NATIONAL, "superseded"),
        ("2026-11-20", NATIONAL, "superseded"),
    ]


def test_both_schemes_stand_side_by_side_on_the_same_measures(replayed: City) -> None:
    for day in DAYS:
        local, national = (_read(replayed, scheme, day, "points") for scheme in (SCHEME, NATIONAL))
        assert local["uscc"].to_pylist() == national["uscc"].to_pylist()
        assert set(national["stage"].to_pylist()) <= {"初创期", "成长期", "稳定期"}
        codes = {
            indicator.national: (indicator.id, twin.id)
            for indicator in require_scheme(SCHEME).indicators.values()
            for twin in require_scheme(NATIONAL).indicators.values()
            if indicator.national == twin.national is not None
        }
        assert len(codes) == 18
        values = {
            scheme: {
                (line["uscc"], line["indicator"]): (line["value"], line["status"], line["raw_points"])
                for line in _read(replayed, scheme, day, "ledger").to_pylist()
            }
            for scheme in (SCHEME, NATIONAL)
        }
        for uscc in local["uscc"].to_pylist():
            for here, there in codes.values():
                assert values[SCHEME][uscc, here] == values[NATIONAL][uscc, there]


def test_every_scheme_has_its_own_categories_in_the_warehouse(replayed: City) -> None:
    query = """
        SELECT g.scheme_id, p.uscc, p.total, p.foundation, p.environment, c.category, c.points
        FROM enterprise_points AS p
        INNER JOIN generation AS g ON g.generation_id = p.generation_id
        INNER JOIN category_points AS c ON c.generation_id = p.generation_id AND c.uscc = p.uscc
        WHERE g.as_of = '2026-11-20'
    """
    with replayed.stores.engine.connect() as connection:
        rows = connection.execute(sa.text(query)).all()
    for scheme, columns_held in ((SCHEME, True), (NATIONAL, False)):
        of_scheme = [row for row in rows if row.scheme_id == scheme]
        assert {row.category for row in of_scheme} == set(require_scheme(scheme).category_ids)
        assert all((row.foundation is not None) == columns_held for row in of_scheme)
        if columns_held:
            for row in of_scheme:
                if row.category in ("foundation", "environment"):
                    assert row.points == getattr(row, row.category)


def test_points_under_the_other_scheme_are_explained_and_proved(replayed: City) -> None:
    best = _read(replayed, NATIONAL, AS_OF, "points").sort_by([("total", "descending"), ("uscc", "ascending")])
    found = explain(best["uscc"][0].as_py(), NATIONAL)
    assert found.total == best["total"][0].as_py()
    assert len(found.indicators) == 18


def test_the_change_from_one_scheme_to_the_other_is_the_rules_doing_and_adds_up(replayed: City) -> None:
    best = _read(replayed, NATIONAL, AS_OF, "points").sort_by([("total", "descending"), ("uscc", "ascending")])
    change = explain_change(best["uscc"][0].as_py(), NATIONAL, since=AS_OF, as_of=AS_OF, since_scheme=SCHEME)
    effects = change.total
    assert effects.after == best["total"][0].as_py()
    assert effects.facts == 0  # the same night: the same facts
    assert effects.before + effects.stage + effects.rules == effects.after
    assert len(change.indicators) == 121 + 18
    assert change.records == []


def test_who_moves_between_two_schemes_adds_up_for_every_enterprise(replayed: City) -> None:
    found = difference(SCHEME, NATIONAL, AS_OF, AS_OF)
    moved = found["movement"]
    local, national = (_read(replayed, scheme, AS_OF, "points") for scheme in (SCHEME, NATIONAL))
    totals = {
        scheme: dict(zip(table["uscc"].to_pylist(), table["total"].to_pylist(), strict=True))
        for scheme, table in ((SCHEME, local), (NATIONAL, national))
    }
    assert [move["uscc"] for move in moved["moves"]] == local["uscc"].to_pylist()
    for move in moved["moves"]:
        shares = Fraction(totals[NATIONAL][move["uscc"]]) / 100 - Fraction(totals[SCHEME][move["uscc"]]) / 1000
        assert Fraction(move["stage_effect"]) + Fraction(move["rule_effect"]) == Fraction(move["change"]) == shares
    for move in moved["top_winners"] + moved["top_losers"]:
        effects = [Fraction(cause[name]) for cause in move["causes"] for name in ("stage_effect", "rule_effect")]
        assert sum(effects) == Fraction(move["change"])
    assert "share of the maximum (1000.000 before, 100.000 after)" in render(found)


def _pages(city: City, *districts: str) -> TestClient:
    """Before the pages, as a reader of these districts; of none, as one of the whole city."""
    stores, reader = city.stores, Reader("li", frozenset(districts) or None)
    return TestClient(make_app(stores.engine, stores.lake, lambda: reader, lambda person, conf: ""))


def _moves(browser: TestClient) -> list[dict[str, str]]:
    text = browser.get(f"/scheme/difference.csv?to={NATIONAL}").content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def _published_totals(city: City) -> dict[str, dict[str, Decimal]]:
    """Scheme → code → total of the last night."""
    query = sa.select(generation.c.scheme_id, ENTERPRISE_POINTS.c.uscc, ENTERPRISE_POINTS.c.total).where(
        generation.c.generation_id == ENTERPRISE_POINTS.c.generation_id, generation.c.as_of == AS_OF
    )
    found: dict[str, dict[str, Decimal]] = {SCHEME: {}, NATIONAL: {}}
    with reading(city.stores.engine) as connection:
        for scheme, uscc, total in connection.execute(query):
            found[scheme][uscc] = total
    return found


def test_the_page_of_two_schemes_tells_who_moves_as_the_command_does(replayed: City) -> None:
    moved = difference(SCHEME, NATIONAL, AS_OF, AS_OF)["movement"]
    text = html.unescape(_pages(replayed).get(f"/scheme/difference?to={NATIONAL}").text)
    figures = ("as_of", "enterprises", "winners", "losers", "rank_correlation")
    assert re.findall("<dd>([^<]*)</dd>", text) == [str(moved[name]) for name in figures]

    def shown(share: str) -> str:
        return f"{100 * Decimal(share):+.4f} %" if Decimal(share) else "0"

    told = [row[1:] for row in rows(text)]
    for group in moved["by_stage"] + moved["by_district"]:
        counts = (str(group[name]) for name in ("winners", "losers", "unchanged", "enterprises"))
        assert [shown(group["mean_change"]), *counts] in told
    stages = [[one["after"], str(one["enterprises"])] for one in moved["stages"]]
    assert [row for row in told if row in stages] == stages
    moves = moved["top_winners"] + moved["top_losers"]
    named = re.findall(r'<h3><a href="/enterprises/(\w+)">[^<]+</a> · [^<]* · ([^<]*)</h3>', text)
    assert named == [(move["uscc"], shown(move["change_shown"])) for move in moves]
    for move in moves:
        totals, ranks = (f"{move[f'{name}_before']} → {move[f'{name}_after']}" for name in ("total", "rank"))
        assert f"{totals} · 名次 {ranks}" in text
        cause = move["causes"][0]
        assert re.search(rf"<p>{cause['indicator']} [^;]* {re.escape(shown(cause['shown']))}", text)


def test_the_list_of_who_moves_follows_from_the_published_points_of_both_schemes(replayed: City) -> None:
    totals, moves = _published_totals(replayed), _moves(_pages(replayed))
    assert {move["uscc"] for move in moves} == set(totals[SCHEME]) == set(totals[NATIONAL])
    for move in moves:
        own = {scheme: held[move["uscc"]] for scheme, held in totals.items()}
        assert own == {SCHEME: Decimal(move["total_before"]), NATIONAL: Decimal(move["total_after"])}
        ranks = {scheme: 1 + sum(total > own[scheme] for total in held.values()) for scheme, held in totals.items()}
        assert ranks == {SCHEME: int(move["rank_before"]), NATIONAL: int(move["rank_after"])}
        change = Fraction(own[NATIONAL]) / 100 - Fraction(own[SCHEME]) / 1000
        assert abs(Fraction(move["change"]) - change) <= Fraction(1, 2_000_000)  # rounded at the sixth place
    changes = [Decimal(move["change"]) for move in moves]
    assert changes == sorted(changes, reverse=True)
    text = _pages(replayed).get(f"/scheme/difference?to={NATIONAL}").text
    gain = sum(totals[NATIONAL][code] * 10 > total for code, total in totals[SCHEME].items())
    lose = sum(totals[NATIONAL][code] * 10 < total for code, total in totals[SCHEME].items())
    assert f"<dd>{gain}</dd></div>\n<div><dt>得分降低</dt><dd>{lose}</dd>" in text


def test_who_moves_is_told_page_by_page_after_the_rules_and_to_nobody_of_one_district(replayed: City) -> None:
    browser = _pages(replayed)
    codes, seen = [move["uscc"] for move in _moves(browser)], []
    for number in range(1, -(-len(codes) // 20) + 1):
        text = browser.get(f"/scheme/difference?to={NATIONAL}&size=20&page={number}").text
        assert ("不同的规则" in text) == (number == 1)
        seen += re.findall(r"/enterprises/(\w+)", text[text.index("全部企业") :])
    assert seen == codes
    for district in (DISTRICT, "320411"):
        text = _pages(replayed, district).get(f"/scheme/difference?to={NATIONAL}").text
        assert "不同的规则" in text
        assert not [code for code in codes if code in text]


def test_who_moves_is_worked_out_once_however_many_ask_at_once(replayed: City, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(*given: Any) -> Any:
        asked.append(given[:2])
        return difference_on(*given)

    monkeypatch.setattr(page, "difference_on", counted)
    browser, forms = _pages(replayed), ("", ".csv", "", ".xlsx")
    with ThreadPoolExecutor(len(forms)) as pool:
        answers = list(pool.map(browser.get, [f"/scheme/difference{form}?to={NATIONAL}" for form in forms]))
    assert {answer.status_code for answer in answers} == {200}
    assert asked == [(SCHEME, NATIONAL)]


def test_a_night_that_is_lost_is_one_plain_line_on_the_page(
    replayed: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = shutil.copytree(replayed.home, tmp_path / "lost")
    monkeypatch.setenv("INNOPOINTS_HOME", str(lost))
    shutil.rmtree(lost / "lake" / places.measures(DISTRICT, AS_OF))
    answer = _pages(replayed.moved_to(lost)).get(f"/scheme/difference?to={NATIONAL}")
    assert (answer.status_code, "此处所依据的文件或数据无法读取" in answer.text) == (503, True)


def test_the_same_scheme_in_a_directory_moves_nobody_and_a_night_that_is_not_stored_is_one_line(
    replayed: City,
) -> None:
    found = difference(SCHEME, str(require_scheme(SCHEME).directory), AS_OF, AS_OF)
    assert found["rules"] == []
    assert (found["movement"]["winners"], found["movement"]["losers"]) == (0, 0)
    assert found["movement"]["unit"] == "points"
    with pytest.raises(BadInput, match=r"^as of 2026-11-01: no measures are stored"):
        difference(SCHEME, NATIONAL, date(2026, 11, 1), AS_OF)


def _digests(city: City) -> dict[str, str]:
    """The identity of every committed place of both days: what landed, what was accepted, all that was made of it, and
    the tables that were published.
    """
    lake, found = city.stores.lake, {}
    for day in DAYS:
        keys = [SnapshotKey(*pair, day) for pair in (*shared(), *((one, DISTRICT) for one in of_district()))]
        result = ResultKey(day, DISTRICT, SCHEME)
        for place in (
            *map(places.landing, keys),
            *map(places.accepted, keys),
            *map(places.quarantine, keys),
            places.conformed_city(day),
            places.conformed(DISTRICT, day),
            places.measures(DISTRICT, day),
            places.values(result),
            places.points(result),
            places.ranked(day, SCHEME),
        ):
            found[place] = lake.require(place).sha256
    return found


def test_the_same_night_twice_gives_the_same_bytes_and_no_second_generation(replayed: City) -> None:
    with replayed.stores.engine.connect() as connection:
        generations = connection.scalar(sa.text("SELECT count(*) FROM generation"))
        first = _digests(replayed)
        said = replayed.refresh(AS_OF, [DISTRICT])
        assert _digests(replayed) == first
        assert sum("reused" in line for line in said) == len(shared()) + len(of_district())
        assert connection.scalar(sa.text("SELECT count(*) FROM generation")) == generations


def test_past_days_in_any_order_give_the_bytes_of_the_nights_in_order(
    replayed: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_order = _digests(replayed)
    assert len(set(in_order.values())) > len(in_order) / 2, "the days must differ, or the comparison shows nothing"
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    for day in reversed(DAYS):
        replayed.refresh(day, [DISTRICT])
    assert _digests(replayed) == in_order
    with replayed.stores.engine.connect() as connection:
        assert str(connection.scalar(sa.text("SELECT as_of FROM current_generation"))) == AS_OF.isoformat()


def test_the_change_between_two_nights_adds_up_and_names_the_records(replayed: City) -> None:
    lake = replayed.stores.lake
    before, after = (
        {
            row["uscc"]: row["total"]
            for row in lake.read(places.points(ResultKey(day, DISTRICT, SCHEME)), "points").to_pylist()
        }
        for day in (DAYS[0], AS_OF)
    )
    moved = [code for code in sorted(before) if code in after and after[code] != before[code]]
    assert moved, "nobody's points changed: the test shows nothing"
    schema = json.loads((DOCS / "reference" / "explain.schema.json").read_text(encoding="utf-8"))
    for code in moved[:2]:
        change = explain_change(code, SCHEME, since=DAYS[0])
        effects = change.total
        assert (effects.before, effects.after) == (before[code], after[code])
        assert effects.before + effects.facts + effects.stage + effects.rules == effects.after
        jsonschema.validate(json.loads(change.model_dump_json()), schema, jsonschema.Draft202012Validator)
        assert f"{effects.before} → {effects.after}" in render_change(change)
    with pytest.raises(BadInput, match="both nights are the result of 2026-11-20"):
        explain_change(moved[0], SCHEME, since=AS_OF)


def test_what_is_kept_between_accounts_changes_nothing_of_them(replayed: City) -> None:
    codes, nights = sorted(_read(replayed, SCHEME, AS_OF, "points")["uscc"].to_pylist())[:2], Nights(1 << 30)
    for code in codes:
        for indicator in ("INP-03", "OUT-01"):
            alone = explain(code, SCHEME, indicator=indicator)
            assert explain(code, SCHEME, indicator=indicator, nights=nights) == alone, (code, indicator)
        assert explain_change(code, SCHEME, since=DAYS[0], nights=nights) == explain_change(code, SCHEME, since=DAYS[0])
    last_scored = replayed.stores.ledger.last_scored
    rows = [row for day in DAYS if (row := last_scored(DISTRICT, SCHEME, day))]
    first, second = (nights.conformed(replayed.stores, row) for row in rows)
    assert nights.conformed(replayed.stores, rows[1]) is second, "kept"
    narrow = Nights(max(first.bytes, second.bytes))
    one, other = (narrow.conformed(replayed.stores, row) for row in rows)
    assert narrow.conformed(replayed.stores, rows[1]) is other, "the last one still has room"
    assert narrow.conformed(replayed.stores, rows[0]) is not one, "the one before had to go"


def test_the_pages_tell_the_change_and_the_account_that_the_command_tells(replayed: City) -> None:
    codes = sorted(_read(replayed, SCHEME, AS_OF, "points")["uscc"].to_pylist())
    change, account = explain_change(codes[0], SCHEME, since=DAYS[0]), explain(codes[0], SCHEME, indicator="BAS-01")

    text = _pages(replayed, DISTRICT).get(f"/enterprises/{codes[0]}/change?since={DAYS[0]}").text
    assert f"<dd>{change.total.before}</dd>" in text
    assert f"<dd>{change.total.after}</dd>" in text
    told = {line.indicator for line in change.indicators if f'">{line.indicator} ' in text}
    assert told == {line.indicator for line in change.indicators if line.value_before != line.value_after}
    assert _pages(replayed, DISTRICT).get(f"/enterprises/{codes[0]}/change?since={AS_OF}").status_code == 422
    text = _pages(replayed, DISTRICT).get(f"/enterprises/{codes[0]}/BAS-01").text
    (line,) = account.indicators
    assert line.formula is not None
    assert html.escape(line.formula.with_numbers) in text
    assert all(f'<h3 id="{record.record}">' in text for record in account.records)
    assert account.records
    unknown = _pages(replayed, DISTRICT).get(f"/enterprises/{codes[0]}/BAS-99?lang=en")
    assert (unknown.status_code, "The scheme has no such indicator." in unknown.text) == (404, True)
    for path in ("change", "BAS-01"):
        assert _pages(replayed, "320411").get(f"/enterprises/{codes[0]}/{path}").status_code == 404
