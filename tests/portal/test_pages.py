"""Every page in both languages, what it shows, and what bad input comes to: a plain page, never a row too many."""

from __future__ import annotations

import csv
import io
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.routing import APIRoute
from httpx import Response
from openpyxl import load_workbook
from sqlalchemy import Engine
from starlette.testclient import TestClient

from include.kernel.documents import read_yaml
from include.kernel.errors import TransientError
from include.measures.registry import measures
from include.portal import published as published_module
from include.portal.published import Reader
from include.portal.web import HEADERS, make_app
from include.schemes.model import schemes
from include.store import lake as places
from include.store.lake import Lake
from include.store.warehouse import generation, migrate, writing
from tests.portal import every_page
from tests.portal.conftest import FIRMS, ask_nobody, code, put, town
from tests.portal.test_runs import rows

WORDS = Path(published_module.__file__).with_name("words.yaml")

PAGES = [
    "/",
    "/enterprises",
    "/enterprises?q=恒创",
    f"/enterprises/{code(2)}",
    "/rankings",
    "/honours",
    "/honours?list=创新贷",
    "/honours/2026",
    "/scheme",
    "/scheme/INP-03",
    "/scheme/difference?to=national_core",
    "/runs/innopoints_publish/manual__1",
    "/quarantine",
    "/quarantine/TAX_CIT/320411",
    "/waivers",
    "/decisions",
]
EXPORTS = [
    f"{path}.{ending}{query}"
    for ending in ("csv", "xlsx")
    for path, query in (
        ("/tonight", ""),
        ("/enterprises", "?q=恒创"),
        (f"/enterprises/{code(2)}", ""),
        ("/rankings", ""),
        ("/honours", "?list=标兵企业"),
        ("/honours/2026", ""),
        ("/quarantine", ""),
        ("/quarantine/TAX_CIT/320411", ""),
        ("/waivers", ""),
        ("/decisions", ""),
    )
]


def get(browser: TestClient, path: str) -> str:
    answer = browser.get("/points" + path)
    assert answer.status_code == 200, answer.text
    return answer.text


def told(answer: Response) -> str:
    """All that an answer says; of a workbook, every cell."""
    if "spreadsheet" not in answer.headers["content-type"]:
        return answer.text
    return "\n".join(str(cell) for row in cells(answer) for cell in row)


def cells(answer: Response) -> list[tuple[Any, ...]]:
    (sheet,) = load_workbook(io.BytesIO(answer.content)).worksheets
    return list(sheet.iter_rows(values_only=True))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_speaks_both_languages_and_loads_nothing_from_elsewhere(
    browser: TestClient, path: str, lang: str
) -> None:
    text = get(browser, path + ("&" if "?" in path else "?") + f"lang={lang}")
    assert f'<html lang="{lang}">' in text
    assert ("Rankings" in text, "排名" in text) == (lang == "en", lang == "zh")
    assert "<script" not in text
    assert "style=" not in text
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


@pytest.mark.parametrize("path", [*PAGES, *EXPORTS, "/portal.css", "/nothing", "/rankings?page=99", "/rankings?page=x"])
def test_every_answer_carries_the_strict_headers(browser: TestClient, path: str) -> None:
    answer = browser.get("/points" + path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "script-src" not in HEADERS["Content-Security-Policy"]  # default-src 'none' holds for scripts


def test_every_page_is_looked_at_in_a_browser(published: Engine, lake: Lake) -> None:
    app = make_app(published, lake, lambda: Reader("officer"), ask_nobody)
    read = {route.path for route in app.routes if isinstance(route, APIRoute) and "GET" in route.methods}
    for_people = {path for path in read if not path.startswith("/api/") and not path.endswith((".css", ".svg"))}
    assert {one.route for one in every_page.PAGES.values()} == {path for path in for_people if "{ending}" not in path}


def test_a_name_with_a_script_is_text(browser: TestClient) -> None:
    for path in ("/enterprises?q=script", "/rankings", "/honours", f"/enterprises/{code(3)}"):
        assert "常州&lt;script&gt;alert(1)&lt;/script&gt;有限公司" in get(browser, path)


def test_tonight_tells_each_source_and_the_stages_beside_what_was_announced(browser: TestClient) -> None:
    text = get(browser, "/")
    assert "今夜未到" in text
    assert "拒收" in text
    assert "71.4 %" in text
    assert "16 %" in text


def test_tonight_tells_what_became_of_the_declared_corrections_to_whoever_may_see_their_scope(
    published: Engine, desk: Callable[..., TestClient], tmp_path: Path
) -> None:
    held, night = Lake(str(tmp_path)), date(2026, 11, 23)
    of_city = {"outcomes": [["IP_PAT", "patent-status", "city", "applied"]]}
    held.commit(places.conformed_city(night), {}, of_city)
    of_district = {"outcomes": [["TAX_CIT", "five-million", "320411", "repaired"]]}
    held.commit(places.conformed("320411", night), {}, of_district)
    whole = desk(published, lake=held).get("/points/").text
    assert "five-million" in whole
    assert "部门已修正，待终止" in whole
    assert "patent-status" in whole
    assert "已套用" in whole
    own = desk(published, Reader("li", frozenset({"320411"})), lake=held).get("/points/").text
    assert ("five-million" in own, "patent-status" in own) == (True, False)
    elsewhere = desk(published, Reader("wu", frozenset({"320412"})), lake=held).get("/points/").text
    assert "five-million" not in elsewhere


def test_a_portrait_stands_beside_its_stage(browser: TestClient) -> None:
    text = get(browser, f"/enterprises/{code(2)}")
    cells = [line for line in text.replace("<td", "\n<td").splitlines() if line]
    row = cells.index("<td>科技创新投入能力</td>")
    # three fifths of 30, the median of its five peers, and at most 60
    assert cells[row + 1].startswith('<td class="number">18.000')
    assert cells[row + 2].startswith('<td class="number">18.000')
    assert cells[row + 3].startswith('<td class="number">60.000')
    # the five of its stage in their order, nobody of another stage
    assert re.findall(r'/enterprises/(\w+)"', text) == [code(place) for place in range(5)]
    assert "研发费用占比不低于5% (不满足)" in text


def test_what_a_penalty_may_deduct_is_no_part_of_the_most(browser: TestClient) -> None:
    text = get(browser, f"/enterprises/{code(2)}")
    assert ">90</text>" in text  # 30 + 60, without the 10 of MGT-21


@pytest.mark.parametrize(
    ("asked", "heading", "ranks"),
    [
        ("", "全市名次", [1, 2, 3, 4, 5, 6, 7]),
        ("?stage=成长期", "阶段名次", [1, 2, 3, 4, 5]),
        ("?district=320411", "区内名次", [1, 2, 3]),
        ("?stage=初创期&district=320404", "阶段名次", [1, 2]),
    ],
)
def test_the_first_column_of_a_ranking_is_the_rank_of_its_order(
    browser: TestClient, asked: str, heading: str, ranks: list[int]
) -> None:
    text = get(browser, f"/rankings{asked}")
    heads = re.findall(r"<th\b[^>]*>(.*?)</th>", text)
    assert heads[0] == heading
    assert {"全市名次", "阶段名次", "区内名次"} < set(heads)
    assert [int(row[0]) for row in rows(text)] == ranks


def test_every_rank_says_of_how_many(browser: TestClient) -> None:
    # the third of seven in the city is 40; 30 is the fourth, third of the five that grow, first of two in 320412
    text = get(browser, f"/enterprises/{code(2)}")
    shown = dict(re.findall(r"<dt>(\w+名次)</dt><dd>(.*?)</dd>", text))
    assert shown == {"全市名次": "4 / 7", "阶段名次": "3 / 5", "区内名次": "1 / 2"}


@pytest.mark.parametrize(
    ("reason", "zh", "en"),
    [
        (
            "last good result of 320412 (2026-11-20), 3204JK (2026-11-21); 320411 stands on ST_QUAL of 2026-11-19",
            "沿用上次合格结果：武进区 (2026-11-20), 常州经开区 (2026-11-21); 新北区 所依据的是 ST_QUAL of 2026-11-19",
            "last good result of Wujin (2026-11-20), Changzhou Economic Development Zone (2026-11-21); Xinbei",
        ),
        (
            "名单有误; rolled back to generation 1 by anna: 320411 no result of",
            "名单有误; 由 anna 回退到代次 1: 320411 no result of",
            "名单有误; rolled back to generation 1 by anna: 320411 no result of",
        ),
        (
            "generation 7 of 2026-11-30 is newer and stays current",
            "代次 7（2026-11-30）更新，保持现行",
            "generation 7 of 2026-11-30 is newer and stays current",
        ),
    ],
)
def test_why_a_generation_is_what_it_is_is_told_in_the_readers_language(
    empty: Engine, desk: Callable[..., TestClient], reason: str, zh: str, en: str
) -> None:
    migrate(empty)
    put(empty, town())
    with writing(empty) as connection:
        connection.execute(generation.update().values(reason=reason))
    assert zh in get(desk(empty), "/")
    assert en in get(desk(empty), "/?lang=en")


def test_units_are_told_in_the_readers_language(browser: TestClient) -> None:
    for lang, unit in (("zh", "元"), ("en", "yuan")):
        assert unit in {row[1] for row in rows(get(browser, f"/scheme?lang={lang}"))}
    written = {one.unit for scheme in schemes().values() for one in scheme.indicators.values()}
    written |= {one.unit for one in measures().values()}
    assert {unit for unit in written if f"unit_{unit}" not in read_yaml(WORDS)} == set()


def test_what_is_in_an_address_is_not_told_as_done(browser: TestClient) -> None:
    assert "已发起放行流程" in get(browser, "/?asked_for=release")
    answer = browser.get("/points/?asked_for=your password was changed")
    assert answer.status_code == 422
    assert "password" not in re.sub('href="[^"]*"', "", answer.text)


def test_a_table_of_many_columns_names_them_in_every_cell(browser: TestClient) -> None:
    text = get(browser, "/rankings?lang=en")
    table = text.partition('<table class="wide">')[2].partition("</table>")[0]
    heads = re.findall(r"<th\b[^>]*>(.*?)</th>", table)
    rows = table.partition("<tbody>")[2].split("</tr>")[:-1]
    assert len(rows) == len(FIRMS)
    assert [re.findall(r'<td data-label="(.*?)"', row) for row in rows] == [heads] * len(rows)


def test_an_indicator_shows_its_curve_beside_the_table(browser: TestClient) -> None:
    text = get(browser, "/scheme/INP-03")
    # linear(0; 0.1): nothing up to 0, then a straight line to 100 at a tenth
    assert "linear(0; 0.1)" in text
    assert "0 → 100" in text
    assert "<svg" in text


def test_pages_follow_each_other_without_gap_or_overlap(browser: TestClient) -> None:
    seen = [
        place
        for page in (1, 2, 3, 4)
        for place in range(7)
        if f"/{code(place)}" in get(browser, f"/rankings?size=2&page={page}")
    ]
    assert sorted(seen) == list(range(7))


def test_an_export_is_the_page_as_text_that_nothing_computes(browser: TestClient) -> None:
    answer = browser.get("/points/rankings.csv?district=320411")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["name"], row["total"]) for row in rows] == [
        ("常州恒创液压机械有限公司", "50.000"),
        ("常州恒创精密有限公司", "40.000"),
        ("'=cmd|'/c calc'!A1", "10.000"),
    ]


def test_a_workbook_says_who_took_it_when_and_of_what_and_computes_nothing(
    published: Engine, desk: Callable[..., TestClient]
) -> None:
    answer = desk(published, Reader("=li&wang")).get("/points/rankings.xlsx?district=320411&lang=en")
    assert answer.headers["content-disposition"] == 'attachment; filename="rankings.xlsx"'
    (sheet,) = load_workbook(io.BytesIO(answer.content)).worksheets
    mark, head, *rows = sheet.iter_rows()
    assert re.fullmatch(
        r"Taken by =li&wang · \d{4}-\d\d-\d\d \d\d:\d\d · Generation 1 · As of 2026-11-23", mark[0].value
    )
    assert sheet.oddFooter.left.text == mark[0].value.replace("&", "&&")  # one & would begin a command
    assert [cell.value for cell in head][:5] == ["uscc", "name", "district", "stage", "total"]
    assert [(row[1].value, row[4].value, row[4].number_format) for row in rows] == [
        ("常州恒创液压机械有限公司", 50, "0.000"),
        ("常州恒创精密有限公司", 40, "0.000"),
        ("'=cmd|'/c calc'!A1", 10, "0.000"),
    ]
    assert {cell.data_type for row in rows for cell in row} == {"s", "n"}


def test_the_workbook_holds_what_the_csv_holds(browser: TestClient) -> None:
    for path in (path for path in EXPORTS if ".csv" in path):
        text = browser.get("/points" + path).content.decode("utf-8-sig")
        head, *rows = csv.reader(io.StringIO(text))
        _, wide, *deep = cells(browser.get("/points" + path.replace(".csv", ".xlsx")))
        assert list(wide) == head, path
        assert len(deep) == len(rows), path


def test_there_is_no_other_form_than_csv_and_xlsx(browser: TestClient) -> None:
    for ending in ("xls", "json", "csv.exe", "CSV"):
        assert browser.get(f"/points/rankings.{ending}").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nothing", 404, "没有这个页面"),
        ("/enterprises/91320400MA00000099", 404, "没有这个代码的企业"),
        ("/enterprises/" + "9" * 3000, 404, "没有这个代码的企业"),
        ("/enterprises/%00", 404, "没有这个代码的企业"),
        ("/enterprises/..%2f..%2fetc%2fpasswd", 404, "没有这个页面"),
        (f"/enterprises/{code(2)}%27%20OR%201=1", 404, "没有这个代码的企业"),
        ("/enterprises?q=" + "x" * 10_000, 422, "无法理解的参数： q"),
        ("/rankings?page=5", 404, "最后一页是 1"),
        ("/rankings?page=0", 422, "无法理解的参数： page"),
        ("/rankings?page=" + "9" * 400, 422, "无法理解的参数： page"),
        ("/rankings?size=201", 422, "无法理解的参数： size"),
        ("/rankings.csv?size=5001", 422, "无法理解的参数： size"),
        ("/rankings.xlsx?page=2", 404, "最后一页是 1"),
        ("/quarantine/TAX_CIT/320411/0123456789abcdef", 404, "隔离区中没有这一行"),
        ("/quarantine/TAX_CIT/320411?q=" + "x" * 10_000, 422, "无法理解的参数： q"),
        ("/review/one?dataset=IP_PAT&name=x", 422, "无法给出： nothing is conformed as of 2026-11-23"),
        (f"/enterprises/{code(2)}/change", 404, "所依据的记录已不再保存"),
        (f"/enterprises/{code(2)}/INP-03", 404, "所依据的记录已不再保存"),
        ("/scheme/difference.csv?to=national_core", 404, "所依据的记录已不再保存"),
        (f"/enterprises/{code(2)}/change?since=yesterday", 422, "无法理解的参数： since"),
        ("/enterprises/91320400MA00000099/change", 404, "没有这个代码的企业"),
        ("/rankings?stage=%3Cscript%3E", 422, "无法理解的参数： stage"),
        ("/rankings?district=330106", 422, "无法理解的参数： district"),
        ("/rankings?lang=fr", 422, "无法理解的参数： lang"),
        ("/honours?list=没有", 404, "没有这个名单"),
        ("/scheme/INP-99", 404, "没有这个指标"),
        ("/scheme/difference", 422, "无法理解的参数： to"),
        ("/scheme/difference?to=nope", 404, "没有安装这个积分方案： nope"),
        ("/scheme/difference?to=..%2fchangzhou_v1", 404, "没有安装这个积分方案： ../changzhou_v1"),
        ("/scheme/difference?to=tech_sme_2017", 404, "没有安装这个积分方案： tech_sme_2017"),
        ("/scheme/difference?to=national_core&page=2", 404, "最后一页是 1"),
        ("/runs/innopoints_city/" + "9" * 251, 422, "无法理解的参数： run"),
        ("/runs/innopoints_city/%00", 422, "无法理解的参数： run"),
        ("/runs/innopoints_city", 404, "没有这个页面"),
        ("/rankings?generation=99", 409, "较早的发布代次"),
        ("/portal.css/..%2fwords.yaml", 404, "没有这个页面"),
    ],
)
def test_bad_input_is_a_plain_page(browser: TestClient, path: str, status: int, says: str) -> None:
    answer = browser.get("/points" + path)
    assert answer.status_code == status
    assert says in answer.text
    assert "<script" not in answer.text
    assert len(answer.text) < 2000 + len(path)


def test_nothing_can_be_written(browser: TestClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert browser.request(method, "/points/rankings").status_code == 405


def test_a_link_of_an_earlier_generation_says_so(empty: Engine, desk: Callable[..., TestClient]) -> None:
    migrate(empty)
    first = put(empty, town())
    browser = desk(empty)
    assert "青禾生物" in get(browser, f"/rankings?generation={first}")
    put(empty, town([("常州新有限公司", "320411", "成长期", 60)]))
    assert browser.get(f"/points/rankings?generation={first}").status_code == 409
    text = get(browser, "/rankings")  # and what was held in memory is not shown any more
    assert "常州新有限公司" in text
    assert "青禾生物" not in text


def test_before_the_first_publication_the_page_says_that(empty: Engine, desk: Callable[..., TestClient]) -> None:
    answer = desk(empty).get("/points/")
    assert (answer.status_code, "还没有发布任何结果" in answer.text) == (404, True)


def test_a_reader_of_one_district_sees_no_row_of_another(published: Engine, desk: Callable[..., TestClient]) -> None:
    browser = desk(published, Reader("li", frozenset({"320412"})))
    for path in (*PAGES, *EXPORTS):
        text = told(browser.get("/points" + path))
        assert not [place for place in (0, 1, 4, 5, 6) if code(place) in text], path
    assert browser.get(f"/points/enterprises/{code(0)}").status_code == 404
    assert browser.get(f"/points/enterprises/{code(0)}.csv").status_code == 404
    assert browser.get("/points/rankings?district=320411").status_code == 403
    assert "320411" not in browser.get("/points/tonight.csv").text


def test_a_warehouse_that_does_not_answer_is_one_plain_page(
    published: Engine, desk: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(engine: Engine) -> None:
        raise TransientError("the warehouse did not carry out a statement (08006)")

    monkeypatch.setattr(published_module, "reading", down)
    answer = desk(published).get("/points/")
    assert (answer.status_code, "数据仓库没有应答" in answer.text, "08006" in answer.text) == (503, True, False)


def test_what_nobody_foresaw_shows_no_trace(
    published: Engine, desk: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(engine: Engine) -> None:
        raise ValueError("secret 91320400MA00000000")

    monkeypatch.setattr(published_module, "reading", broken)
    answer = desk(published).get("/points/")
    assert (answer.status_code, "未预料" in answer.text) == (500, True)
    assert "secret" not in answer.text
    assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_carries_its_style_and_leads_to_the_sign_in(published: Engine, lake: Lake, status: int) -> None:
    def refuse() -> Reader:
        raise HTTPException(status)

    outer = FastAPI()
    outer.mount("/airflow/points", make_app(published, lake, refuse, ask_nobody))
    answer = TestClient(outer).get("/airflow/points/rankings?lang=en")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert "portal.css" not in answer.text
    sign_in = 'href="/airflow/api/v2/auth/login?next=%2Fairflow%2Fpoints%2Frankings%3Flang%3Den"'
    assert sign_in in answer.text


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_reaches_every_route(published: Engine, lake: Lake, status: int) -> None:
    def refuse() -> Reader:
        raise HTTPException(status)

    outer = FastAPI()
    outer.mount("/points", make_app(published, lake, refuse, ask_nobody))
    browser = TestClient(outer)
    for path in (*PAGES, *EXPORTS, "/portal.css"):
        answer = browser.get("/points" + path)
        assert answer.status_code == status, path
        assert not [name for name, *_ in FIRMS if name in answer.text]
