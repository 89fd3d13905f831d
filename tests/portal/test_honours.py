"""The page of a year's honours: where they stand, errata beside what froze, never a district too many."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from include.cli import app as commands
from include.portal.published import Reader
from include.steps import honours
from include.steps.approval import asked
from include.steps.stores import open_stores
from include.store.warehouse import generation, writing
from tests.portal.conftest import code, put, town
from tests.portal.test_pages import cells
from tests.portal.test_runs import rows as rows_of

RUN, SCHEME, HONOUR = "innopoints_honours/manual__1", "changzhou_v1", "标兵企业"
AFTERWARDS = datetime(2026, 12, 7, 16, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, datetime]:
    held = {"now": datetime(2026, 11, 30, 2, tzinfo=UTC)}
    monkeypatch.setattr(honours, "clock", lambda: held["now"])
    return held


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: dict[str, datetime]) -> Engine:
    """The town, with the two honours of tonight proposed for 2026."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    engine = open_stores().engine
    put(engine, town())
    honours.propose(2026, None, None, run=RUN, holder="test")
    approve()
    return engine


def approve(run: str = RUN) -> None:
    asked(run, honours.about(honours.roll_asked(run)))
    honours.answered(run, "Approve", "chen", "已核")


def announce() -> None:
    honours.announce(run=RUN, holder="test")


def freeze(clock: dict[str, datetime]) -> None:
    announce()
    clock["now"] = AFTERWARDS
    honours.freeze(run=RUN, holder="test")


def withdraw(reference: str = "常科发〔2027〕3号") -> None:
    honours.correct(2026, SCHEME, code(3), HONOUR, "withdrawn", reference=reference, evidence="材料不实", by="李工")


def get(desk: Callable[..., TestClient], engine: Engine, path: str, reader: Reader = Reader("officer")) -> Any:
    return desk(engine, reader).get("/points" + path)


def test_the_page_says_where_the_roll_stands(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    assert "待批准" in get(desk, engine, "/honours/2026").text
    announce()
    shown = get(desk, engine, "/honours/2026?lang=en").text
    assert "In public notice, open to objections until 2026-12-07" in shown
    clock["now"] = AFTERWARDS
    honours.freeze(run=RUN, holder="test")
    withdraw()
    shown = get(desk, engine, "/honours/2026?lang=en").text
    assert "Frozen; from here on there are only errata" in shown
    assert "标兵企业 (withdrawn)" in shown
    for words in ("材料不实", "常科发〔2027〕3号", "李工", "常州恒创液压机械有限公司"):
        assert words in shown
    assert "常州&lt;script&gt;alert(1)&lt;/script&gt;有限公司" in shown
    assert "<script" not in shown
    assert "/points/honours/2026?scheme=changzhou_v1" in get(desk, engine, "/honours").text


def test_the_page_says_what_would_freeze_and_which_honour_an_objection_holds_back(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    announce()
    assert (
        "On the day after, 2 honours freeze; objections hold 0 back" in get(desk, engine, "/honours/2026?lang=en").text
    )
    honours.object_to(2026, SCHEME, code(3), HONOUR, evidence="来信举报", by="匿名甲")
    shown = get(desk, engine, "/honours/2026?lang=en").text
    assert "On the day after, 1 honours freeze; objections hold 1 back" in shown
    assert "次日定榜 1 项，因异议暂缓 1 项" in get(desk, engine, "/honours/2026").text
    assert [(row[0], row[3]) for row in rows_of(shown)[:2]] == [
        (HONOUR, code(0)),
        (f"{HONOUR} (held back by an objection)", code(3)),
    ]
    found = get(desk, engine, "/api/honours/2026")
    assert [(one["uscc"], one["held_back"]) for one in found.json()["entries"]] == [(code(0), False), (code(3), True)]
    assert (found.json()["takes_objections"], found.json()["hindrance"]) == (True, None)
    text = get(desk, engine, "/honours/2026.csv").content.decode("utf-8-sig")
    assert [row["erratum"] for row in csv.DictReader(io.StringIO(text))] == ["", "held_back"]
    for told in (shown, found.text, text):
        assert "举报" not in told
        assert "匿名" not in told
    of_one = get(desk, engine, "/honours/2026?lang=en", Reader("officer", frozenset({"320411"}))).text
    assert "1 honours freeze; objections hold 0 back" in of_one, "of the reader's districts"
    honours.settle(1, "dismissed", evidence="已核", by="王工")
    assert "held back by an objection" not in get(desk, engine, "/honours/2026?lang=en").text


def test_after_its_last_day_a_roll_takes_no_objections_and_says_so(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    announce()
    clock["now"] = AFTERWARDS
    shown = get(desk, engine, "/honours/2026?lang=en").text
    assert "The notice is over, objections were taken until 2026-12-07" in shown
    assert "open to objections" not in shown
    assert get(desk, engine, "/api/honours/2026").json()["takes_objections"] is False


def test_a_roll_that_will_not_freeze_says_so(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    announce()
    asked(RUN, honours.about(honours.roll_asked(RUN)))  # `ask` was cleared
    assert "待重新答复，未获批准不定榜" in get(desk, engine, "/honours/2026").text
    assert get(desk, engine, "/api/honours/2026").json()["hindrance"] == "unapproved"
    honours.answered(RUN, "Approve", "chen", "已核")
    assert get(desk, engine, "/api/honours/2026").json()["hindrance"] is None
    put(engine, town())
    with writing(engine) as connection:
        connection.execute(sa.update(generation).where(generation.c.generation_id == 1).values(status="rolled_back"))
    for lang, line in (("en", "It will not freeze: its generation"), ("zh", "不会定榜：所依据的代次")):
        shown = get(desk, engine, f"/honours/2026?lang={lang}").text
        assert line in shown
        assert "honours freeze" not in shown
    assert get(desk, engine, "/api/honours/2026").json()["hindrance"] == "unsound"


def test_a_proposal_is_shown_beside_what_stands_in_public(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    announce()
    honours.propose(2026, None, None, run="innopoints_honours/manual__2", holder="test")
    assert "In public notice" in get(desk, engine, "/honours/2026?lang=en").text
    api = get(desk, engine, "/api/honours/2026").json()
    assert (api["roll_id"], api["status"], api["beside"]) == (1, "notice", [{"roll_id": 2, "status": "proposed"}])
    for path in ("/honours/2026?lang=en", "/honours/2026?lang=en&roll=2"):
        (other,) = {"1", "2"} - {"2" if "roll=2" in path else "1"}
        shown = get(desk, engine, path).text
        assert re.search(f'roll={other}[^"]*">Roll {other}</a>', shown)
    asked_for = get(desk, engine, "/api/honours/2026?roll=2").json()
    assert (asked_for["roll_id"], asked_for["status"]) == (2, "proposed")
    assert get(desk, engine, "/api/honours/2026?roll=3").status_code == 404
    honours.answered("innopoints_honours/manual__2", "Reject", "chen", "")
    assert get(desk, engine, "/api/honours/2026").json()["beside"] == []
    assert get(desk, engine, "/api/honours/2026?roll=2").json()["status"] == "rejected"


def test_honours_that_were_changed_with_the_triggers_off_are_not_shown(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime], caplog: pytest.LogCaptureFixture
) -> None:
    freeze(clock)
    with writing(engine) as connection:
        connection.execute(sa.text("DROP TRIGGER frozen_honours_no_delete"))
        connection.execute(sa.text("DELETE FROM frozen_honours WHERE place = 2"))
    for path in ("/honours/2026", "/honours/2026.csv", "/api/honours/2026"):
        answer = get(desk, engine, path)
        assert (answer.status_code, code(0) in answer.text) == (503, False)
    assert "no longer what their digest says" in caplog.text


def test_a_reader_of_one_district_sees_its_honours_and_errata_only(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    freeze(clock)
    withdraw()
    reader = Reader("officer", frozenset({"320411"}))
    for path in ("/honours/2026", "/api/honours/2026"):
        shown = get(desk, engine, path, reader).text
        assert (code(0) in shown, code(3) in shown) == (True, False), path


def test_the_api_gives_what_froze_and_its_errata_and_keeps_its_schema(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    freeze(clock)
    withdraw()
    answer = get(desk, engine, "/api/honours/2026")
    found = answer.json()
    assert (found["status"], found["year"], found["notice_until"]) == ("frozen", 2026, "2026-12-07")
    assert [(one["uscc"], one["place"]) for one in found["entries"]] == [(code(0), 1), (code(3), 2)]
    assert [(one["uscc"], one["what"]) for one in found["errata"]] == [(code(3), "withdrawn")]
    assert "李工" not in answer.text  # who corrects is for the office's own page
    api = get(desk, engine, "/api/openapi.json").json()
    schema = api["paths"]["/api/honours/{year}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(found, {**schema, "components": api["components"]})


def test_the_list_for_a_spreadsheet_says_of_which_roll_it_is_and_what_happened_since(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    freeze(clock)
    withdraw()
    honours.correct(2026, SCHEME, code(4), HONOUR, "granted", reference="常科发〔2027〕4号", evidence="漏报", by="李工")
    answer = get(desk, engine, "/honours/2026.xlsx?lang=en")
    assert answer.headers["content-disposition"] == 'attachment; filename="honours_2026.xlsx"'
    (mark, *_), head, *rows = cells(answer)
    assert re.fullmatch(
        r"Taken by officer · [-0-9]{10} [0-9:]{5} · Honours of the year 2026 changzhou_v1 · "
        r"Frozen; from here on there are only errata [-0-9]{10} [0-9:]{5} · Generation 1 · As of 2026-11-23",
        mark,
    )
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(row["place"], row["uscc"], row["erratum"], row["reference"]) for row in told] == [
        (1, code(0), None, None),
        (2, code(3), "withdrawn", "常科发〔2027〕3号"),
        (None, code(4), "granted", "常科发〔2027〕4号"),
    ]
    assert told[2]["name"] == "'=cmd|'/c calc'!A1", "a spreadsheet computes nothing of it"
    text = get(desk, engine, "/honours/2026.csv").content.decode("utf-8-sig")
    assert [row["uscc"] for row in csv.DictReader(io.StringIO(text))] == [code(0), code(3), code(4)]
    of_one_district = get(desk, engine, "/honours/2026.csv", Reader("li", frozenset({"320412"}))).text
    assert [code(place) in of_one_district for place in (0, 3, 4)] == [False, True, False]


def test_the_page_shows_what_its_export_holds_and_turns_over(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    freeze(clock)
    honours.correct(2026, SCHEME, code(4), HONOUR, "granted", reference="常科发〔2027〕4号", evidence="漏报", by="李工")
    pages = [rows_of(get(desk, engine, f"/honours/2026?size=2&page={page}").text) for page in (1, 2)]
    # honour, place, name, code, stage, district, robust
    assert [(row[1], row[3], row[6]) for row in pages[0][:2]] == [("1", code(0), "是"), ("2", code(3), "否")]
    assert [(row[0], row[1], row[3]) for row in pages[1]] == [(f"{HONOUR} (补授)", "-", code(4))]
    assert get(desk, engine, "/honours/2026?size=2&page=3").status_code == 404
    text = get(desk, engine, "/honours/2026.csv?size=2&page=2").content.decode("utf-8-sig")
    assert [row["uscc"] for row in csv.DictReader(io.StringIO(text))] == [code(4)]


def compared(shown: str) -> dict[str, list[list[str]]]:
    """Heading → the rows of its table, a text per cell."""
    found = {}
    for word in ("since_last_year", "beside_tonight"):
        _, there, rest = shown.partition(f'<h2 id="{word}">')
        rows = re.findall("<tr>(<td>.*?)</tr>", rest.partition("</table>")[0], re.DOTALL) if there else []
        cells = [re.findall("<td.*?>(.*?)</td>", row, re.DOTALL) for row in rows]
        found[word] = [[re.sub("<.*?>", " ", cell).strip() for cell in row] for row in cells]
    return found


def test_the_page_lists_who_is_new_and_who_is_gone(
    engine: Engine, desk: Callable[..., TestClient], clock: dict[str, datetime]
) -> None:
    first = compared(get(desk, engine, "/honours/2026").text)
    assert first == {"since_last_year": [], "beside_tonight": [[HONOUR, "2", "0", "0"]]}
    of_last = {"run": "innopoints_honours/manual__0", "holder": "test"}
    honours.propose(2025, None, None, **of_last)
    approve(of_last["run"])
    honours.announce(**of_last)
    clock["now"] = AFTERWARDS
    honours.freeze(**of_last)
    told = {"reference": "常科发〔2026〕3号", "evidence": "材料不实", "by": "李工"}
    honours.correct(2025, SCHEME, code(0), HONOUR, "withdrawn", **told)
    honours.correct(2025, SCHEME, code(1), HONOUR, "granted", **told)
    rows = town()
    rows["honours"] = [
        {"uscc": code(0), "honour": HONOUR, "place": 1, "reason": "第1名", "robust": True},
        {"uscc": code(5), "honour": "新锐企业", "place": 1, "reason": "第1名", "robust": True},
    ]
    put(engine, rows)
    honours.propose(2026, None, None, run=RUN, holder="test")
    put(engine, town())  # of 标兵企业 the first stays and the fourth, on tonight's list again, is not on the roll
    first_of, second, fourth, sixth = (
        f"常州恒创液压机械有限公司  {code(0)}",
        f"常州恒创精密有限公司  {code(1)}",
        f"常州&lt;script&gt;alert(1)&lt;/script&gt;有限公司  {code(3)}",
        f"常州青禾软件有限公司  {code(5)}",
    )
    newcomers = ["新锐企业", "0", f"1  {sixth}", "0"]
    assert compared(get(desk, engine, "/honours/2026").text) == {
        # last year the first was taken back and the second granted, by errata
        "since_last_year": [[HONOUR, "0", f"1  {first_of}", f"2  {fourth}  {second}"], newcomers],
        "beside_tonight": [[HONOUR, "1", "0", f"1  {fourth}"], newcomers],
    }
    of_one = [[HONOUR, "0", "0", f"1  {fourth}"]]
    shown = get(desk, engine, "/honours/2026", Reader("li", frozenset({"320412"}))).text
    assert compared(shown) == {"since_last_year": of_one, "beside_tonight": of_one}
    assert code(0) not in shown
    assert code(5) not in shown
    with writing(engine) as connection:
        connection.execute(sa.text("DROP TRIGGER frozen_honours_no_delete"))
        connection.execute(sa.text("DELETE FROM frozen_honours WHERE place = 2"))
    assert get(desk, engine, "/honours/2026").status_code == 503, "a list that was changed is not compared with"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/honours/2025", 404),
        ("/honours/2025.xlsx", 404),
        ("/honours/2026.pdf", 404),
        ("/honours/2026?scheme=none", 404),
        ("/honours/2020", 422),
        ("/honours/x", 422),
    ],
)
def test_a_year_that_is_not_there_is_a_plain_page(
    engine: Engine, desk: Callable[..., TestClient], path: str, status: int
) -> None:
    for where in (path, *(["/api" + path] if "." not in path else [])):
        assert get(desk, engine, where).status_code == status


@pytest.mark.parametrize("where", ["/honours/2026", "/api/honours/2026", "/rankings", "/api/lists/标兵企业"])
@pytest.mark.parametrize("wrong", ["none", "0", "1.5", str(2**40)])
def test_what_cannot_be_understood_in_an_address_is_named_in_both_languages(
    engine: Engine, desk: Callable[..., TestClient], where: str, wrong: str
) -> None:
    name = "roll" if "honours" in where else "generation"
    lines = ("地址中有无法理解的参数：", "The address holds what cannot be understood:")
    for lang, line in zip(("zh", "en"), lines, strict=True):
        answer = get(desk, engine, f"{where}?lang={lang}&{name}={wrong}")
        assert answer.status_code == 422
        told = answer.json()["message"] if where.startswith("/api/") else answer.text
        assert f"{line} {name}" in told
        assert "constrained" not in told


def test_a_roll_that_the_year_does_not_have_is_told(engine: Engine, desk: Callable[..., TestClient]) -> None:
    assert "No such roll in this year under this scheme: 99" in get(desk, engine, "/honours/2026?lang=en&roll=99").text
    assert "这一年、这个方案没有这份名单： 99" in get(desk, engine, "/honours/2026?roll=99").text
    answer = get(desk, engine, "/api/honours/2026?roll=99")
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_roll")
    assert get(desk, engine, "/api/honours/2025?roll=1").json()["error"] == "unknown_year"


def test_the_commands_take_objections_and_errata_down(engine: Engine, clock: dict[str, datetime]) -> None:
    def say(*words: str) -> str:
        done = CliRunner().invoke(commands, ["honours", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    why = ("--evidence", "来信", "--by", "李工")
    this = ("--year", "2026", "--honour", HONOUR)
    assert say("list").split() == ["2026", SCHEME, "roll", "1", "generation", "1", "proposed"]
    announce()
    assert "notice until 2026-12-07" in say("list")
    assert say("object", code(3), *this, *why) == "objection 1 holds this honour back\n"
    assert say("object", code(5), *this, *why) == "objection 2 holds nothing back: not on the roll\n"
    assert say("settle", "2", "--outcome", "upheld", *why) == "objection 2 is upheld\n"
    assert [line.split(": ")[1] for line in say("objections", "--year", "2026").splitlines()[::2]] == [
        f"{HONOUR} {code(3)}",
        f"{HONOUR} {code(5)}",
        "upheld 2",
    ]
    clock["now"] = AFTERWARDS
    honours.freeze(run=RUN, holder="test")
    assert say("erratum", code(3), *this, *why, "--what", "granted", "--reference", "文") == (
        f"erratum 1: granted {HONOUR} of 2026\n"
    )
    told = say("list", "--year", "2026")
    assert told.splitlines()[-1] == "frozen: 1 honours, 1 errata"
    assert date.fromisoformat(told.splitlines()[1].split()[2])
