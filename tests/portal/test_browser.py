"""Every page in a real browser, at a desk and on a phone: it fits, loads nothing refused, and anyone can use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from include.portal.published import Reader
from include.portal.web import make_app
from include.store.lake import Lake
from tests.portal.chromium import SECONDS, Tab, chromium, program
from tests.portal.conftest import ask_nobody, code

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="no Chromium here; Debian: apt-get install chromium fonts-noto-cjk"),
]

PAGES = {
    "tonight": "/",
    "enterprises": "/enterprises?q=" + quote("常州"),
    "portrait": f"/enterprises/{code(2)}",
    "rankings": "/rankings",
    "honours": "/honours",
    "scheme": "/scheme",
    "indicator": "/scheme/INP-03",
    "quarantine": "/quarantine",
    "held_back": "/quarantine/TAX_CIT/320411",
    "sorry": "/enterprises/nobody",
}
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


@pytest.fixture(scope="module")
def server(published: Engine, lake: Lake) -> Iterator[str]:
    """The town's pages on a port of their own."""
    outer = FastAPI()
    outer.mount("/points", make_app(published, lake, lambda: Reader("officer"), ask_nobody))
    running = uvicorn.Server(uvicorn.Config(outer, port=0, log_level="warning"))
    thread = threading.Thread(target=running.run)
    thread.start()
    deadline = time.monotonic() + SECONDS
    while not running.started:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/points"
    running.should_exit = True
    thread.join(timeout=SECONDS)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = request.config.getoption("--pictures")
    return Path(kept) if kept else tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_page_fits_is_readable_and_loads_nothing_refused(
    tab: Tab, server: str, pictures: Path, page: str, lang: str, size: tuple[int, int]
) -> None:
    tab.complaints.clear()
    tab.size(*size)
    tab.open(f"{server}{PAGES[page]}{'&' if '?' in PAGES[page] else '?'}lang={lang}")
    tab.picture(pictures / f"{page}-{lang}-{size[0]}.png")
    assert [told for told in tab.complaints if "404" not in told or page != "sorry"] == []
    assert tab.ask("document.scrollingElement.scrollWidth") <= size[0]
    assert tab.ask("document.fonts.size + document.styleSheets.length") == 1  # ours, and it was applied
    assert tab.ask("getComputedStyle(document.querySelector('header')).display") == "flex"
    ratio, where = tab.ask(CONTRAST)
    assert ratio >= 4.5, where
    hosts = tab.ask("performance.getEntriesByType('resource').map(one => new URL(one.name).origin)")
    assert set(hosts) <= {server.removesuffix("/points")}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_field_is_reached_by_the_keyboard_and_seen(tab: Tab, server: str, page: str) -> None:
    tab.size(*DESK)
    tab.open(server + PAGES[page])
    wanted = tab.ask("document.querySelectorAll('a[href], button, select, input:not([type=hidden])').length")
    reached = set()
    for _ in range(min(wanted, 40)):
        tab.press_tab()
        at = tab.ask(
            "[...document.querySelectorAll('*')].indexOf(document.activeElement) + ' ' +"
            " getComputedStyle(document.activeElement).outlineStyle"
        )
        assert not at.endswith(" none"), f"no outline on element {at}"
        reached.add(at)
    assert len(reached) == min(wanted, 40)


def test_a_search_from_the_keyboard_finds_and_leads_to_the_portrait(tab: Tab, server: str) -> None:
    tab.size(*PHONE)
    tab.open(f"{server}/enterprises")
    tab.ask("document.querySelector('input[type=search]').focus()")
    tab.send("Input.insertText", text="zhanxiaoyao")
    tab.submit()
    assert tab.ask("document.querySelectorAll('tbody a').length") == 1
    assert tab.ask("document.querySelector('tbody a').textContent") == "江苏湛骁曜光伏材料股份有限公司"


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
