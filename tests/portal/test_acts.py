"""What people do from the pages: for those allowed only, from a form of their own session, under their name."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from httpx import Response
from starlette.testclient import TestClient

from include.portal.acts import act_routes
from include.portal.desk import Desk
from include.portal.published import Act, Reader
from include.portal.web import LARGEST_FORM
from include.publish.generations import generations
from include.store.decisions import decisions
from include.store.ledger import run_release, run_rollback
from include.store.waivers import waivers
from include.store.warehouse import reading
from tests.portal.conftest import ANNA, Office
from tests.steps.test_review import A

HELD = "/quarantine/TAX_VAT/320411"
REVIEW = "/review/one?dataset=IP_PAT&name=常州恒闯液压有限公司"
FORMS: dict[str, tuple[Act, dict[str, Any]]] = {
    "/rollback": ("roll_back", {"to": "1", "reason": "名单有误"}),
    "/release": ("release", {"dataset": "TAX_VAT", "scope": "320411", "as_of": "2026-11-24"}),
    HELD: ("waive", {"row": "", "evidence": "营业执照原件核对"}),
    "/waivers/1": ("waive", {"evidence": "看错了"}),
    "/review": ("decide", {"dataset": "IP_PAT", "name": "常州恒闯液压有限公司", "uscc": A, "evidence": "电话核实"}),
    "/decisions/1": ("decide", {"evidence": "看错了"}),
}
"""Every form with the act that it takes, and an answer that would do something."""


def form(browser: TestClient, page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that a page shows, as a browser would send them along."""
    text = browser.get("/points" + page).text
    found = re.search(rf'<form class="act" method="post" action="/points{re.escape(action)}">(.*?)</form>', text, re.S)
    assert found, f"no form for {action} on {page}"
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found[1])
    return {name: unescape(value) for name, value in hidden}


def send(browser: TestClient, action: str, answers: dict[str, str], **headers: str) -> Response:
    return browser.post("/points" + action, data=answers, headers=headers, follow_redirects=False)


def written(office: Office) -> list[int]:
    """How many entries everything has that a form can write, and the generation that is current."""
    engine = office.stores.engine
    with reading(engine) as connection:
        counted = [
            connection.scalars(sa.select(sa.func.count()).select_from(t)).one() for t in (run_rollback, run_release)
        ]
    current = [one.id for one in generations(engine) if one.status == "current"]
    return [*counted, len(waivers(engine)), len(decisions(engine)), len(office.asked), *current]


def answers_to(office: Office, action: str) -> dict[str, str]:
    held = re.search(rf"{HELD}/([0-9a-f]{{16}})", office.browser().get("/points" + HELD).text)
    assert held
    given = FORMS[action][1] | ({"row": held[1]} if action == HELD else {})
    return {"proof": ANNA.proof, "generation": str(office.second), **given}


def test_the_forms_tested_here_are_all_there_are(office: Office) -> None:
    routes = act_routes(Desk(office.stores.engine, office.stores.lake), lambda person, conf: "")
    known = {re.sub(r"/1$", "/{number}", path).replace("TAX_VAT/320411", "{dataset}/{scope}") for path in FORMS}
    assert {(route.path, *route.methods) for route in routes.routes} == {(path, "POST") for path in known}  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", FORMS)
def test_nothing_is_done_for_who_may_not_or_with_a_form_from_elsewhere(office: Office, action: str) -> None:
    act, _ = FORMS[action]
    answers, before = answers_to(office, action), written(office)
    everything_else = Reader("ben", acts=ANNA.acts - {act}, session=ANNA.session)
    elsewhere = Reader("li", frozenset({"320412"}), ANNA.acts, ANNA.session)
    other_session = Reader("anna", acts=ANNA.acts, session="another session")
    without_session = Reader("anna", acts=ANNA.acts)
    refused = {
        "no act": send(office.browser(everything_else), action, answers),
        "another district": send(office.browser(elsewhere), action, answers),
        "another session": send(office.browser(other_session), action, answers),
        "no session": send(office.browser(without_session), action, answers | {"proof": ""}),
        "no proof": send(office.browser(), action, {k: v for k, v in answers.items() if k != "proof"}),
        "proof of no letters": send(office.browser(), action, answers | {"proof": "证明"}),
        "another site": send(office.browser(), action, answers, **{"Sec-Fetch-Site": "cross-site"}),
        "a neighbour": send(office.browser(), action, answers, **{"Sec-Fetch-Site": "same-site"}),
    }
    assert {why: answer.status_code for why, answer in refused.items()} == dict.fromkeys(refused, 403)
    assert [why for why, answer in refused.items() if len(answer.text) > 2500 or "Traceback" in answer.text] == []
    assert written(office) == before


@pytest.mark.parametrize("action", FORMS)
def test_a_form_made_for_another_generation_is_refused_plainly(office: Office, action: str) -> None:
    before = written(office)
    answer = send(office.browser(), action, answers_to(office, action) | {"generation": str(office.first)})
    assert (answer.status_code, "较早的发布代次" in answer.text) == (409, True)
    assert written(office) == before


@pytest.mark.parametrize("action", FORMS)
def test_a_form_that_says_nothing_or_too_much_is_refused_plainly(office: Office, action: str) -> None:
    answers, before = answers_to(office, action), written(office)
    proved = {"proof": answers["proof"]}
    assert send(office.browser(), action, proved).status_code == 422
    for field in set(answers) - {"proof"}:
        answer = send(office.browser(), action, answers | {field: "x" * 10_000})
        assert (answer.status_code, len(answer.text) < 2500) == (422, True), field
    assert send(office.browser(), action, answers | {"padding": "x" * LARGEST_FORM}).status_code == 413
    assert written(office) == before


@pytest.mark.parametrize("action", FORMS)
def test_no_act_answers_to_get(office: Office, action: str) -> None:
    before = written(office)
    office.browser().get(f"/points{action}", params=answers_to(office, action))
    assert written(office) == before


def test_a_form_of_unknown_length_is_not_read(office: Office) -> None:
    def drops() -> Iterator[bytes]:
        yield b"proof=x"

    assert office.browser().post("/points/rollback", content=drops()).status_code == 413


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=%zz&proof=%ff"),
        ("multipart/form-data", b"no boundary"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=proof; filename=a\r\n\r\nb\r\n--x--",
        ),
        ("", b"\x00"),
    ],
    ids=["json", "broken", "no_boundary", "a_file", "nothing"],
)
@pytest.mark.parametrize("action", FORMS)
def test_what_is_no_form_is_refused_plainly(office: Office, action: str, kind: str, body: bytes) -> None:
    before = written(office)
    answer = office.browser().post("/points" + action, content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 403, 422)
    assert len(answer.text) < 2500
    assert written(office) == before


def test_only_who_may_act_is_shown_a_form(office: Office) -> None:
    pages = ["/", *re.findall(rf"{HELD}/[0-9a-f]{{16}}", office.browser().get("/points" + HELD).text), REVIEW]
    may, may_not = office.browser(), office.browser(Reader("vera"))
    shown = [may.get("/points" + page).text.count('<form class="act"') for page in pages]
    assert shown == [2, 1, 0, 1]  # the second row in quarantine is unreadable, which nobody can waive
    for page in pages:
        answer = may_not.get("/points" + page)
        assert (answer.status_code, 'method="post"' in answer.text) == (200, False), page


def test_a_delivery_of_another_district_is_not_shown_to_wait(office: Office) -> None:
    for districts, shown in ((frozenset({"320411"}), True), (frozenset({"320412"}), False)):
        text = office.browser(Reader("li", districts, ANNA.acts, ANNA.session)).get("/points/").text
        assert ("snapshot.unit" in text) == ('action="/points/release"' in text) == shown
        assert 'action="/points/rollback"' not in text, "a roll-back concerns the whole city"


def test_a_roll_back_is_done_and_says_by_whom(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    browser = office.browser()
    answers = form(browser, "/", "/rollback") | {"to": str(office.first), "reason": "科技局\n撤回名单"}
    with caplog.at_level(logging.INFO, "include.portal"):
        answer = send(browser, "/rollback", answers, **{"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/points/")
    with reading(office.stores.engine) as connection:
        (row,) = connection.execute(sa.select(run_rollback))
    assert (row.from_generation, row.to_generation, row.decided_by, row.reason) == (
        *(office.second, office.first, "anna"),
        "科技局 撤回名单",
    )
    assert caplog.messages == [f"roll_back by anna: from generation {office.second} to {office.first}"]
    text = browser.get("/points/").text
    assert f"由 anna 回退到代次 {office.first}: 科技局" in text
    again = send(browser, "/rollback", answers)
    assert again.status_code == 409, "sent twice, it is a form of a generation that is not current any more"


def test_nobody_rolls_back_to_what_is_not_there(office: Office) -> None:
    answers = form(office.browser(), "/", "/rollback") | {"to": "99", "reason": "名单有误"}
    answer = send(office.browser(), "/rollback", answers)
    assert (answer.status_code, "generation 99 does not exist" in answer.text) == (422, True)


def test_a_release_is_asked_of_the_dag_in_the_persons_name_and_nothing_else(office: Office) -> None:
    browser, before = office.browser(), written(office)
    answers = form(browser, "/", "/release")
    answer = send(browser, "/release", answers)
    assert answer.status_code == 303
    assert office.asked == [("anna", {"dataset": "TAX_VAT", "scope": "320411", "as_of": "2026-11-24"})]
    assert "已发起放行流程" in browser.get(answer.headers["location"]).text
    before[4] = 1
    assert written(office) == before, "the release itself waits for the approval"
    other = send(browser, "/release", answers | {"as_of": "2026-11-23"})
    assert (other.status_code, "it is accepted, not blocked" in other.text) == (422, True)
    assert len(office.asked) == 1


def test_a_row_is_let_pass_and_held_again(office: Office) -> None:
    browser = office.browser(Reader("anna", frozenset({"320411"}), ANNA.acts, ANNA.session))
    page = next(iter(re.findall(rf"{HELD}/[0-9a-f]{{16}}", browser.get("/points" + HELD).text)))
    answers = form(browser, page, HELD) | {"evidence": "营业执照原件核对"}
    assert send(browser, HELD, answers).headers["location"] == "/points/waivers"
    (given,) = waivers(office.stores.engine)
    assert (given.dataset, given.checks, given.decided_by) == ("TAX_VAT", ["uscc.check_digit"], "anna")
    back = form(browser, "/waivers", f"/waivers/{given.id}") | {"evidence": "看错了"}
    other = office.browser(Reader("ben", frozenset({"320411"}), ANNA.acts, ANNA.session))
    assert "营业执照" not in other.get("/points/waivers").text
    assert send(other, f"/waivers/{given.id}", back).status_code == 403, "another's, of no district"
    assert send(browser, f"/waivers/{given.id}", back).status_code == 303
    assert [one.revokes for one in waivers(office.stores.engine)] == [None, given.id]
    assert 'method="post"' not in browser.get("/points/waivers").text


def test_a_row_that_nobody_can_waive_is_refused_though_the_form_is_made_up(office: Office) -> None:
    pages = re.findall(rf"{HELD}/([0-9a-f]{{16}})", office.browser().get("/points" + HELD).text)
    answer = send(office.browser(), HELD, answers_to(office, HELD) | {"row": pages[-1]})
    assert (answer.status_code, "nobody can waive sales_yuan.cast" in answer.text) == (422, True)


def test_a_name_is_decided_and_taken_back(office: Office) -> None:
    browser = office.browser()
    assert "常州恒闯液压有限公司" in browser.get("/points/review").text
    answers = form(browser, REVIEW, "/review") | {"uscc": A, "evidence": "电话核实"}
    assert send(browser, "/review", answers).status_code == 303
    (taken,) = decisions(office.stores.engine)
    assert (taken.dataset, taken.uscc, taken.decided_by, taken.evidence) == ("IP_PAT", A, "anna", "电话核实")
    assert "常州恒闯液压有限公司" not in browser.get("/points/review").text
    assert "常州恒闯液压有限公司" in browser.get("/points/decisions").text
    back = form(browser, "/decisions", f"/decisions/{taken.id}") | {"evidence": "看错了"}
    assert send(browser, f"/decisions/{taken.id}", back).status_code == 303
    assert "常州恒闯液压有限公司" in browser.get("/points/review").text


def test_nobody_registered_here_is_an_answer_too_and_a_strangers_code_is_none(office: Office) -> None:
    browser = office.browser()
    answers = form(browser, REVIEW, "/review") | {"evidence": "电话核实"}
    refused = send(browser, "/review", answers | {"uscc": "91320411YY00000999"})
    assert (refused.status_code, "this code is not registered" in refused.text) == (422, True)
    assert send(browser, "/review", answers | {"uscc": "nobody"}).status_code == 303
    assert [one.uscc for one in decisions(office.stores.engine)] == [None]


def test_the_queue_and_its_decisions_are_for_those_of_the_whole_city(office: Office) -> None:
    browser = office.browser(Reader("li", frozenset({"320411"}), ANNA.acts, ANNA.session))
    for path in ("/review", "/review.csv", "/review.xlsx", REVIEW, "/decisions", "/decisions.csv"):
        answer = browser.get("/points" + path)
        assert (answer.status_code, "恒闯" in answer.text) == (403, False), path
