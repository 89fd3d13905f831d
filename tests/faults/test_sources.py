"""Departments that break (rows 1 to 8, 11, 13, 17, 32): each record comes once and whole, or nothing lands."""

from __future__ import annotations

import hashlib
import logging
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from include.contracts import require_contract
from include.kernel.connections import Connection
from include.kernel.errors import InnopointsError, TransientError
from include.kernel.periods import arrival_cutoff
from include.sources import database
from include.sources.declaration import FileDropSource, RestSource, Source, source_of
from include.sources.pull import Patience, Pull, Request, pull
from tests.faults.conftest import Measured, Seeds
from tests.faults.resets import at_statement, end_session
from tests.faults.scale import scale
from tests.faults.wire import DRIPS, HALF_PAGES, cut, drip, silent
from tests.sources import gateway
from tests.sources.gateway import KEY, SECRET, Department, serving
from tests.sources.test_database import filing, postgresql_with

CONTRACT = require_contract("TAX_HNTE")
NATIVES = [column.native for column in CONTRACT.columns.values()]
DAY = date(2026, 11, 23)
QUICK = Patience(connect=1, read=0.5, page=5, longest_wait=0.002, backoff=0.0001)
PAGE_SIZE = 4
TRIES = QUICK.tries


def record(number: int) -> dict[str, Any]:
    return {"SBUUID": f"r{number}"} | {native: f"v{number}" for native in NATIVES if native != "SBUUID"}


@pytest.fixture
def department() -> Iterator[Department]:
    with serving(Department([record(i) for i in range(10)])) as running:
        yield running


def ask(department: Department, *, patience: Patience = QUICK, **source_changes: object) -> Pull:
    source = source_of(CONTRACT)
    assert isinstance(source, RestSource)
    source = source.model_copy(update={"page_size": PAGE_SIZE, "requests_per_second": 1000, **source_changes})
    request = Request("TAX_HNTE", "320411", DAY, arrival_cutoff(DAY), None)
    connection = Connection("innopoints_tax_innovation", "http", department.url, login=KEY, password=SECRET)
    return pull(source, CONTRACT, request, connection, patience)


def landed(reply: Pull) -> list[dict[str, str | None]]:
    """The rows of a pull that came to its end, which its declared total must fit."""
    rows = [row for page in reply for row in page.rows]
    assert reply.declared == len(rows)
    return rows


def anew(department: Department, rows: int = 10) -> list[dict[str, str]]:
    """Forget what was asked and what was wrong; gives the rows that are there to be read."""
    department.rows = [record(i) for i in range(rows)]
    department.faults, department.after, department.asked = {}, {}, []
    return list(department.rows)


def most_requests_for_a_page(department: Department) -> int:
    """The longest run of requests for one page."""
    longest = run = 0
    previous = None
    for asked in department.asked:
        run = run + 1 if asked["pageNo"] == previous else 1
        previous, longest = asked["pageNo"], max(longest, run)
    return longest


# --- row 1, 2: server errors


@scale(10, 200)
def test_bursts_of_server_errors_end_like_the_clean_run(
    department: Department, seeds: Seeds, count: int, measured: Measured
) -> None:
    requests = []

    def check(seed: int) -> None:
        draw, rows = random.Random(seed), anew(department)
        at = 1
        for _ in range(2 * 3):  # two readings of three pages, each page after a burst
            burst = draw.randint(0, TRIES - 1)
            for _ in range(burst):
                department.faults[at] = gateway.status(draw.choice([500, 502, 503]))
                at += 1
            at += 1
        assert landed(ask(department)) == rows
        requests.append(most_requests_for_a_page(department))

    seeds.each(count, check)
    assert max(requests) <= TRIES
    measured(1, f"{len(requests)} of {len(requests)} equal to the clean run, at most {max(requests)} requests per page")


def test_a_department_that_fails_for_ever_costs_five_requests_and_lands_nothing(
    department: Department, measured: Measured
) -> None:
    department.faults = dict.fromkeys(range(1, 100), gateway.status(500))
    reply = ask(department)
    with pytest.raises(TransientError, match="HTTP 500"):
        next(iter(reply))
    assert len(department.asked) == TRIES
    measured(2, f"stopped after {TRIES} requests, no page handed on")


# --- row 3: too many requests

RETRY_AFTER = {
    "seconds": ("7", 7),
    "HTTP date": (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=9), usegmt=True), 9),
    "zero": ("0", 0),
    "negative": ("-1", 0),
    "for ever": ("999999", 120),
    "garbage": ("nächste Woche".encode().decode("latin-1"), 0),
}


@pytest.mark.parametrize("kind", RETRY_AFTER)
def test_a_retry_after_is_honoured_and_never_longer_than_two_minutes(
    department: Department, kind: str, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    header, due = RETRY_AFTER[kind]
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    department.faults = {2: gateway.status(429, Retry_After=header() if callable(header) else header)}
    rows = list(department.rows)
    assert landed(ask(department, patience=Patience(backoff=0.001))) == rows
    longest = max(slept)
    assert due - 1 <= longest <= min(due + 1, 120)
    measured(3, f"Retry-After {kind}: longest sleep {longest:.1f} s")


def test_the_agreed_pace_is_never_exceeded_even_while_errors_are_repeated(
    department: Department, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    """On a clock of its own: what sleeps moves it on, so the moments of the requests are exact."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    sent: list[float] = []
    answer = department.answer
    monkeypatch.setattr(department, "answer", lambda *given: (sent.append(now), answer(*given)))
    monkeypatch.setattr("include.sources.rest.time.monotonic", lambda: now)
    monkeypatch.setattr("include.sources.rest.time.sleep", sleep)
    department.faults = {at: gateway.status(429, Retry_After="0") for at in (2, 3, 5, 7, 8)}
    landed(ask(department, requests_per_second=4))
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert min(gaps) >= 1 / 4 - 1e-9
    measured(3, f"{len(sent)} requests at 4 per second agreed, closest two {min(gaps):.3f} s apart")


# --- row 4: slow


@pytest.mark.parametrize("part", DRIPS)
def test_a_reply_that_trickles_is_given_up_when_the_time_of_a_page_is_up(
    department: Department, part: str, measured: Measured
) -> None:
    rows = list(department.rows)
    department.faults = {2: drip(DRIPS[part])}
    started = time.monotonic()
    assert landed(ask(department, patience=replace(QUICK, page=0.25))) == rows
    took = time.monotonic() - started
    assert took < 1.5
    measured(4, f"{part} at 50 bytes/s, 0.25 s allowed: clean result after {took:.2f} s")


def test_a_reply_that_always_trickles_is_an_error_that_says_so(department: Department) -> None:
    department.faults = dict.fromkeys(range(1, 10), drip(DRIPS["header"]))
    with pytest.raises(TransientError, match=r"page 1: not whole after the 0\.1 s that one page may take"):
        landed(ask(department, patience=replace(QUICK, page=0.1)))


def test_a_department_that_takes_the_request_and_says_nothing_is_asked_again(department: Department) -> None:
    rows = list(department.rows)
    department.faults = {2: silent}
    started = time.monotonic()
    assert landed(ask(department, patience=replace(QUICK, read=0.2))) == rows
    assert time.monotonic() - started < 1.5


def test_a_door_that_nobody_opens_is_left_after_the_time_for_connecting(department: Department) -> None:
    """A listener whose queue is full: the connection is neither taken nor refused."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        try:
            for other in waiting:
                other.setblocking(False)
                other.connect_ex(door.getsockname())
            department.url = f"http://127.0.0.1:{door.getsockname()[1]}"
            started = time.monotonic()
            with pytest.raises(TransientError, match="the connection failed"):
                landed(ask(department, patience=replace(QUICK, connect=0.1)))
            assert time.monotonic() - started < 3
        finally:
            for other in waiting:
                other.close()


# --- row 5: half pages


@pytest.mark.parametrize("kind", HALF_PAGES, ids=lambda kind: kind.__name__)
@scale(5, 150)
def test_no_half_page_is_ever_taken_for_a_whole_one(
    department: Department, seeds: Seeds, count: int, kind: Callable[..., None], measured: Measured
) -> None:
    tried = 0

    def check(seed: int) -> None:
        nonlocal tried
        draw, rows = random.Random(seed), anew(department)
        department.faults = {at: cut(kind, draw.random()) for at in draw.sample(range(1, 8), draw.randint(1, 3))}
        assert landed(ask(department)) == rows
        tried += len(department.faults)

    seeds.each(count, check)
    measured(5, f"{kind.__name__}: 0 of {tried} cut replies silent")


# --- row 6: pages repeated and out of order


@scale(10, 200)
def test_pages_repeated_and_out_of_order_give_the_rows_of_the_clean_run(
    department: Department, seeds: Seeds, count: int, measured: Measured
) -> None:
    refused = 0

    def check(seed: int) -> None:
        nonlocal refused
        draw = random.Random(seed)
        rows = anew(department, draw.randint(1, 24))
        pages = -(-len(rows) // PAGE_SIZE)
        order = list(range(1, pages))
        draw.shuffle(order)  # the last page is shorter, which its length would give away
        stray = {at: draw.randint(1, pages) for at in draw.sample(range(1, 3 * pages + 1), min(3, pages))}
        department.page_of = lambda page: stray.get(len(department.asked), [0, *order, pages][page])
        try:
            assert sorted(map(str, landed(ask(department)))) == sorted(map(str, rows))
        except TransientError:
            refused += 1
        assert most_requests_for_a_page(department) <= TRIES

    seeds.each(count, check)
    assert refused < count / 4
    measured(6, f"{count - refused} of {count} equal to the clean run, {refused} refused, 0 wrong")


def test_the_last_page_repeated_for_ever_ends_the_pull(department: Department, measured: Measured) -> None:
    department.page_of = lambda page: min(page, 2)
    with pytest.raises(TransientError, match=r"page 3: (repeats an earlier page|4 rows came, 2 were due)"):
        landed(ask(department))
    assert {asked["pageNo"] for asked in department.asked} == {1, 2, 3}
    measured(6, "last page for ever: no page beyond the declared three was asked for")


# --- row 7, 8: rows that come and go between pages


@scale(40, 1000)
def test_rows_that_shift_between_pages_are_neither_lost_nor_doubled(
    department: Department, seeds: Seeds, count: int, measured: Measured
) -> None:
    """What lands is what the department held at one moment of the pull, or the pull says that it could not be read."""
    outcome = {"whole": 0, "refused": 0}

    def check(seed: int) -> None:
        draw = random.Random(seed)
        rows = anew(department, draw.randint(5, 30))
        held = [{row["SBUUID"] for row in rows}]
        number = len(rows)

        def change(before: list[dict[str, Any]]) -> list[dict[str, Any]]:
            nonlocal number
            after = list(before)
            kind = draw.choice(["withdrawn", "added", "one for another", "one for another", "restated", "sorted anew"])
            if kind in ("withdrawn", "one for another"):
                del after[draw.randrange(len(after))]
            if kind in ("added", "one for another"):
                after.insert(draw.randrange(len(after) + 1), record(number := number + 1))
            if kind == "restated":
                after[draw.randrange(len(after))] |= {"XSSR": f"restated {draw.random()}"}
            if kind == "sorted anew":
                draw.shuffle(after)
            held.append({row["SBUUID"] for row in after})
            return after

        requests = 3 * -(-len(rows) // PAGE_SIZE)
        department.after = dict.fromkeys(draw.sample(range(1, requests + 1), draw.randint(1, 3)), change)
        try:
            found = [row["SBUUID"] for row in landed(ask(department))]
        except TransientError:
            outcome["refused"] += 1
            return
        assert len(found) == len(set(found))
        assert set(found) in held
        outcome["whole"] += 1

    seeds.each(count, check)
    assert outcome["whole"] > count / 3
    measured(7, f"{count} shifts: {outcome['whole']} read whole, {outcome['refused']} refused, 0 with rows missing")


# --- row 11: encodings

CHARSETS = ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"]


def names(seed: int, how_many: int) -> list[str]:
    """Names of two to nine characters from all Han blocks, those of four bytes in GB18030 among them."""
    draw = random.Random(seed)
    blocks = [(0x4E00, 0x9FA5), (0x4E00, 0x9FA5), (0x3400, 0x4DB5), (0x20000, 0x2A6D6)]

    def character() -> str:
        return chr(draw.randint(*draw.choice(blocks)))

    return ["".join(character() for _ in range(draw.randint(2, 9))) + "（常州）㐀𠮷ａ" for _ in range(how_many)]


@pytest.mark.parametrize("charset", CHARSETS)
def test_names_come_through_every_charset_of_the_gateway_unharmed(
    department: Department, charset: str, seeds: Seeds, measured: Measured
) -> None:
    checked = 0

    def check(seed: int) -> None:
        nonlocal checked
        sent = names(seed, 1000)
        department.rows = [record(i) | {"NSRMC": name} for i, name in enumerate(sent)]
        department.rewrite = lambda whole: whole.decode().encode(charset if charset != "gbk" else "gb18030")
        found = landed(ask(department, page_size=500, encoding=charset.removesuffix("-sig")))
        assert [row["NSRMC"] for row in found] == sent
        checked += len(found)

    seeds.each(2, check)
    measured(11, f"gateway in {charset}: 0 of {checked} names changed")


@pytest.mark.parametrize("declared", CHARSETS)
@pytest.mark.parametrize("sent", CHARSETS)
def test_another_charset_than_declared_is_refused_and_never_guessed(
    department: Department, declared: str, sent: str
) -> None:
    same = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "gbk": "gb18030", "gb18030": "gb18030", "utf-16": "utf-16"}
    department.rows = [record(i) | {"NSRMC": name} for i, name in enumerate(names(1, 10))]
    department.rewrite = lambda whole: whole.decode().encode(same[sent] if sent != "utf-8-sig" else sent)
    reply = ask(department, encoding=same[declared])
    if same[declared] == same[sent]:
        assert len(landed(reply)) == 10
    else:
        with pytest.raises(TransientError, match=r"at byte|not whole JSON"):
            landed(reply)


# --- row 13: an error in a good envelope


@pytest.mark.parametrize("rows", [[], None, [record(1)]])
def test_an_error_envelope_with_status_200_lands_nothing(department: Department, rows: list | None) -> None:
    department.reply = lambda _, total: {"resultCode": "50", "resultData": rows, "resultTotal": 0, "resultInfo": "x"}
    with pytest.raises(TransientError, match="the department reports a failure"):
        landed(ask(department))


# --- row 17: tokens


@scale(10, 200)
def test_a_token_that_ends_at_any_moment_is_renewed_once_per_page_and_never_told(
    department: Department, seeds: Seeds, count: int, measured: Measured, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    renewals = []

    def check(seed: int) -> None:
        draw = random.Random(seed)
        rows = anew(department, draw.randint(1, 24))
        department.tokens, department.token_lives_for = 0, draw.randint(1, 5)
        assert landed(ask(department)) == rows
        renewals.append((department.tokens - 1) / len({asked["pageNo"] for asked in department.asked}) / 2)

    seeds.each(count, check)
    assert max(renewals) <= 1
    assert "canary" not in caplog.text
    measured(17, f"{count} runs, at most {max(renewals):.2f} renewals per page, 0 tokens in the logs")


# --- the other two drivers


@pytest.mark.services
def test_a_front_end_database_that_is_lost_at_any_statement_hands_on_no_whole_pull(
    new_postgresql_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    url = postgresql_with(new_postgresql_database(), [filing(i) for i in range(60)])
    monkeypatch.setattr(database, "ROWS_PER_PAGE", 10)
    contract = require_contract("TAX_VAT")
    request = Request("TAX_VAT", "320411", DAY, arrival_cutoff(DAY), None)
    connection = Connection("innopoints_tax_database", "generic", extra={"url": url})

    def read() -> list[dict[str, str | None]]:
        return landed(pull(source_of(contract), contract, request, connection))

    with at_statement(None, end_session) as clean:
        assert len(read()) == 60
    for n in range(1, len(clean) + 1):
        with at_statement(n, end_session) as reached, pytest.raises(TransientError, match="the database failed"):
            read()
        assert len(reached) == n
    measured(21, f"front-end database lost at each of {len(clean)} statements: 0 pulls taken for whole")


@scale(10, 300)
def test_a_file_copied_in_part_or_changed_after_its_marker_is_never_read(
    tmp_path: Path, seeds: Seeds, count: int, measured: Measured
) -> None:
    contract = require_contract("ST_QUAL")
    source: Source = source_of(contract)
    assert isinstance(source, FileDropSource)
    natives = [column.native for column in contract.columns.values()]
    whole = "\r\n".join([",".join(natives), *[",".join(f"v{i}" for _ in natives) for i in range(20)]]).encode("gb18030")
    (path := tmp_path / "高企名单_20261120.csv").write_bytes(whole)
    kind = source.datasets["ST_QUAL"].kind_of(path.name)
    assert kind is not None
    marker = path.with_name(path.name + ".ok")
    marker.write_text(f"rows=20\nsha256={hashlib.sha256(whole).hexdigest()}\n", "utf-8")
    request = Request("ST_QUAL", "city", DAY, arrival_cutoff(DAY), None)
    connection = Connection("innopoints_science_bureau", "generic", extra={"path": str(tmp_path)})
    assert len(landed(pull(source, contract, request, connection))) == 20

    def check(seed: int) -> None:
        draw = random.Random(seed)
        at = draw.randrange(len(whole))
        harmed = draw.choice(
            [whole[:at], whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :], whole[at + 1 :]]
        )
        path.write_bytes(harmed)
        with pytest.raises(InnopointsError, match="differs from its marker"):
            landed(pull(source, contract, request, connection))

    seeds.each(count, check)
    measured(32, f"0 of {count} half or changed files read")
