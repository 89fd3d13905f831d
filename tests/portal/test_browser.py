"""Every page in a real browser, at a desk and on a phone: it fits, loads nothing refused, and anyone can use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from include.portal.web import make_app
from include.steps.review import decide
from include.steps.stores import open_stores
from include.steps.waive import waive
from include.validation.waiver import row_id
from tests.portal.chromium import Tab, chromium, program
from tests.portal.conftest import ANNA, Nights, code
from tests.portal.every_page import NIGHTS, PAGES, TOWN
from tests.portal.server import serving
from tests.steps.test_review import A, B
from tests.steps.test_waive import FIRST, MISPRINT, VAT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="no Chromium here; Debian: apt-get install chromium fonts-noto-cjk"),
]

MISPRINTED = row_id(VAT, MISPRINT)[:16]
DESK, PHONE = (1280, 900), (390, 844)
# WCAG 2.2, 1.4.3: text against the nearest painted background; the lowest ratio on the page and where it is.
CONTRAST = """(() => {
  const rgb = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let worst = [99, ''];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim());
    if (!own || node.tagName === 'OPTION') continue;
    const style = getComputedStyle(node);
    const text = rgb(node.namespaceURI.endsWith('svg') ? style.fill : style.color);
    const [high, low] = [light(text), light(behind(node))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < worst[0]) worst = [ratio, node.tagName + ' ' + node.textContent.trim().slice(0, 30)];
  }
  return worst;
})()"""


CUT_OFF = """[...document.querySelectorAll('.scroll, .scroll th, .scroll td')]
  .filter(one => one.scrollWidth > one.clientWidth + 1)
  .map(one => `${one.tagName} ${one.scrollWidth} in ${one.clientWidth}: ${one.textContent.trim().slice(0, 40)}`)"""
"""What is wider than the place that shows it."""


@pytest.fixture(scope="module", params=[TOWN, NIGHTS])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """One of the two homes: of the town, or of two real nights."""
    if request.param == NIGHTS:
        return request.getfixturevalue("nights")
    there = shutil.copytree(request.getfixturevalue("furnished"), tmp_path_factory.mktemp("browser") / "home")
    return Nights(there, {"uscc": code(2), "dataset": "TAX_VAT", "scope": "320411", "row": MISPRINTED})


@pytest.fixture(autouse=True)
def home_of_ones_own(home: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNOPOINTS_HOME", str(home.home))


@pytest.fixture(scope="module")
def server(home: Nights) -> Iterator[str]:
    """Its pages on a port of their own, for somebody who may do everything, and in the town has done some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home.home))
        stores, outer = open_stores(), FastAPI()
        if "row" in home.known:
            waive("TAX_VAT", "320411", FIRST, MISPRINTED, evidence="营业执照原件核对", by="陈工")
            decide(FIRST, "HR_INS", A, "常州金鑫模具有限公司", B, evidence="电话核实，名称为准", by="王")
        outer.mount("/points", make_app(stores.engine, stores.lake, lambda: ANNA, lambda person, conf: "manual__1"))
        with serving(outer) as address:
            yield f"{address}/points"
        stores.engine.dispose()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = request.config.getoption("--pictures")
    return Path(kept) if kept else tmp_path_factory.mktemp("pictures")


every_page = pytest.mark.parametrize(
    ("home", "page"), [(page.home, name) for name, page in PAGES.items()], indirect=["home"], ids=list(PAGES)
)
in_town = pytest.mark.parametrize("home", [TOWN], indirect=True)


@every_page
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_page_fits_is_readable_and_loads_nothing_refused(
    tab: Tab, home: Nights, server: str, pictures: Path, page: str, lang: str, size: tuple[int, int]
) -> None:
    tab.complaints.clear()
    tab.size(*size)
    tab.open(server + PAGES[page].address(home.known, lang))
    tab.picture(pictures / f"{page}-{lang}-{size[0]}.png")
    assert [told for told in tab.complaints if "404" not in told or page != "sorry"] == []
    assert tab.ask("document.scrollingElement.scrollWidth") <= size[0]
    assert tab.ask(CUT_OFF) == []  # a column that is only there for who thinks of scrolling a table sideways
    assert tab.ask("document.fonts.size + document.styleSheets.length") == 1  # ours, and it was applied
    assert tab.ask("getComputedStyle(document.querySelector('header')).display") == "flex"
    assert (tab.ask("document.documentElement.lang"), tab.ask("document.querySelectorAll('h1').length")) == (lang, 1)
    ratio, where = tab.ask(CONTRAST)
    assert ratio >= 4.5, where
    hosts = tab.ask("performance.getEntriesByType('resource').map(one => new URL(one.name).origin)")
    assert set(hosts) <= {server.removesuffix("/points")}


@every_page
def test_every_link_and_field_is_reached_by_the_keyboard_and_seen(
    tab: Tab, home: Nights, server: str, page: str
) -> None:
    tab.size(*DESK)
    tab.open(server + PAGES[page].address(home.known, "zh"))
    wanted = tab.ask(
        "document.querySelectorAll('a[href], button, select, input:not([type=hidden], [type=radio])').length"
        " + new Set([...document.querySelectorAll('input[type=radio]')].map(one => one.name)).size"  # arrows go on
    )
    inside = 3 * tab.ask("document.querySelectorAll('input[type=date]').length")  # day, month, year, calendar of each
    reached = set()
    for _ in range(min(wanted, 40) + inside):
        tab.press("Tab")
        at = tab.ask(
            "[...document.querySelectorAll('*')].indexOf(document.activeElement) + ' ' +"
            " getComputedStyle(document.activeElement).outlineStyle"
        )
        assert not at.endswith(" none"), f"no outline on element {at}"
        reached.add(at)
    assert min(wanted, 40) <= len(reached) <= min(wanted, 40) + inside


@in_town
def test_a_search_from_the_keyboard_finds_and_leads_to_the_portrait(tab: Tab, server: str) -> None:
    tab.size(*PHONE)
    tab.open(f"{server}/enterprises")
    tab.ask("document.querySelector('input[type=search]').focus()")
    tab.send("Input.insertText", text="zhanxiaoyao")
    tab.press_to_load("Enter")
    assert tab.ask("document.querySelectorAll('tbody a').length") == 1
    tab.ask("document.querySelector('tbody a').focus()")
    tab.press_to_load("Enter")
    assert tab.ask("document.querySelector('h1').textContent") == "江苏湛骁曜光伏材料股份有限公司"


@in_town
def test_on_paper_there_is_no_navigation_and_nothing_is_cut_off(tab: Tab, server: str) -> None:
    tab.size(*DESK)
    tab.open(f"{server}/enterprises/{code(2)}")
    tab.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert tab.ask("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
        assert len(tab.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"]) > 10_000
    finally:
        tab.send("Emulation.setEmulatedMedia", media="")


@in_town
def test_a_roll_back_by_hand_on_a_phone_is_seen_on_the_page(tab: Tab, server: str, pictures: Path) -> None:
    tab.complaints.clear()
    tab.size(*PHONE)
    tab.open(f"{server}/?lang=en")
    assert tab.ask("document.querySelector('main .own td').textContent") == "2"
    tab.ask("document.querySelector('select[name=to]').value = '1'")
    tab.ask("document.querySelector('form[action*=rollback] input[name=reason]').focus()")
    tab.send("Input.insertText", text="<b>wrong list</b>")
    tab.submit("form[action*=rollback]")
    tab.picture(pictures / "rolled_back-en-390.png")
    assert tab.ask("document.querySelector('main .own td').textContent") == "1"
    told = tab.ask("document.querySelector('#publications ~ .scroll tbody tr td:last-child').textContent")
    assert told == "rolled back to generation 1 by anna: <b>wrong list</b>"
    assert tab.complaints == []
    assert tab.ask("document.scrollingElement.scrollWidth") <= PHONE[0]


@in_town
def test_a_form_from_another_origin_changes_nothing(tab: Tab, server: str) -> None:
    """With the proof in hand even, a page from elsewhere gets nothing done: the browser says where it came from."""
    tab.open(f"{server}/")
    current = tab.ask("document.querySelector('main .own td').textContent")
    seen = {
        name: tab.ask(f"document.querySelector('form.act [name={name}]').value") for name in ("proof", "generation")
    }
    elsewhere = server.replace("127.0.0.1", "localhost")
    tab.open("about:blank")
    fields = "".join(
        f"<input name={name} value={value}>" for name, value in {**seen, "to": "2", "reason": "forged"}.items()
    )
    tab.ask(f"document.body.innerHTML = '<form method=post action={elsewhere}/rollback>{fields}</form>'")
    tab.submit()
    assert "不是从您当前会话的页面发出的" in tab.ask("document.body.textContent")
    tab.open(f"{server}/")
    assert tab.ask("document.querySelector('main .own td').textContent") == current
