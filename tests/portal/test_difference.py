"""The rules of another scheme beside those of the generation, whether or not it can be told who moves. Who moves, on
real nights: tests/e2e/test_two_nights.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from include.portal import difference as page
from include.portal.published import Reader
from include.steps.difference import rule_difference
from tests.portal.test_runs import rows

LOCAL, NATIONAL = "changzhou_v1", "national_core"
ADDRESS = f"/points/scheme/difference?to={NATIONAL}"


def test_every_rule_that_differs_is_told_in_the_readers_language(browser: TestClient) -> None:
    rules = rule_difference(LOCAL, NATIONAL)["rules"]
    assert len(rules) > 121 - 18, "every local indicator that is none of the national ones, and more"
    text = browser.get(ADDRESS).text
    told = rows(text)
    of_weights = [rule for rule in rules if rule["what"].startswith("weight in")]
    assert [(row[0].split()[0], *row[2:]) for row in told if row[1].startswith("最高分值")] == [
        (rule["subject"].split()[0], rule["from"] or "", rule["before"] or "-", rule["after"] or "-")
        for rule in of_weights
    ]
    assert len(told) == len(rules)
    assert [row[1] for row in told if row[1].isascii()] == []
    assert "weight in start-up" in [row[1] for row in rows(browser.get(ADDRESS + "&lang=en").text)]


def test_categories_are_told_by_their_names(browser: TestClient) -> None:
    for lang, (before, after) in {
        "": ("科技创新基础能力: 150", "技术创新指标: 50"),
        "&lang=en": ("Foundation: 150", "Technology innovation: 50"),
    }.items():
        told = [row for row in rows(browser.get(ADDRESS + lang).text) if before in row[3]]
        assert [after in row[4] for row in told] == [True]


def test_a_scheme_beside_itself_differs_in_nothing(browser: TestClient) -> None:
    assert "没有不同的规则" in browser.get(f"/points/scheme/difference?to={LOCAL}").text


def test_the_page_of_the_scheme_leads_to_every_other_nightly_one(browser: TestClient) -> None:
    text = browser.get("/points/scheme").text
    links = re.findall(r'href="/points(/scheme/difference[^"]*)"', text)
    assert links == [f"/scheme/difference?to={NATIONAL}&amp;generation=1"]
    assert browser.get("/points" + links[0].replace("&amp;", "&")).status_code == 200


def test_where_no_night_is_stored_it_says_so(browser: TestClient) -> None:
    text = browser.get(ADDRESS).text
    assert (
        "无法得知谁的得分变动： 已发布结果所依据的记录已不再保存；已发布的结果不受影响。 钟楼区 新北区 武进区" in text
    )
    assert "全部企业" not in text


@pytest.mark.parametrize("districts", [{"320411"}, set()], ids=["of one district", "of none"])
def test_who_may_not_see_the_whole_city_is_told_that_and_no_night_is_looked_at(
    published: Engine, desk: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, districts: set[str]
) -> None:
    monkeypatch.setattr(page, "difference_on", lambda *_: pytest.fail("who moves was worked out for nobody"))
    browser = desk(published, Reader("li", frozenset(districts)))
    text = browser.get(ADDRESS).text
    assert "只向负责全市的人员显示" in text
    assert len(rows(text)) == len(rule_difference(LOCAL, NATIONAL)["rules"])
    for ending in ("csv", "xlsx"):
        answer = browser.get(f"/points/scheme/difference.{ending}?to={NATIONAL}")
        assert (answer.status_code, "只向负责全市的人员开放" in answer.text) == (403, True)
