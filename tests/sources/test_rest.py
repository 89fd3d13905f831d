"""The gateway driver against a real server: whatever breaks on the way, every row comes once or nothing lands."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from include.contracts import Contract, require_contract
from include.kernel.connections import Connection
from include.kernel.errors import InnopointsError, TerminalError, TransientError
from include.kernel.periods import arrival_cutoff
from include.sources.declaration import RestSource, source_of
from include.sources.pull import Page, Patience, Pull, Request, pull
from tests.sources import gateway
from tests.sources.gateway import KEY, SECRET, Department, serving

CONTRACT = require_contract("TAX_HNTE")
QUICK = Patience(connect=1, read=0.5, page=1, longest_wait=0.02, backoff=0.001)
PAGE_SIZE = 4


def record(number: int, contract: Contract = CONTRACT) -> dict[str, Any]:
    return {column.native: f"v{number}" for column in contract.columns.values()}


@pytest.fixture
def department() -> Iterator[Department]:
    with serving(Department([record(i) for i in range(10)])) as running:
        yield running


def ask(
    department: Department,
    *,
    patience: Patience = QUICK,
    secret: str = SECRET,
    scope: str = "320411",
    contract: Contract = CONTRACT,
) -> Pull:
    source = source_of(CONTRACT)
    assert isinstance(source, RestSource)
    source = source.model_copy(update={"page_size": PAGE_SIZE, "requests_per_second": 1000})
    day = date(2026, 11, 23)
    request = Request("TAX_HNTE", scope, day, arrival_cutoff(day), date(2020, 1, 1))
    connection = Connection("innopoints_tax_innovation", "http", department.url, login=KEY, password=secret)
    return pull(source, contract, request, connection, patience)


def taken(reply: Pull) -> list[str | None]:
    """First fields of the rows of a pull that came to its end, where the declared total must fit."""
    pages: list[Page] = list(reply)
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    rows = [row["SBUUID"] for page in pages for row in page.rows]
    assert reply.declared == len(rows)
    return rows


ALL = [f"v{i}" for i in range(10)]


def test_all_pages_come_in_order_and_the_request_says_what_is_wanted(department: Department) -> None:
    assert taken(ask(department)) == ALL
    assert department.asked[2] == {
        "pageNo": 3,
        "pageSize": 4,
        "area": "320411",
        "arrivedBefore": "2026-11-23 00:00:00",
        "since": "2020-01-01",
    }


def test_the_whole_city_is_asked_for_without_an_area(department: Department) -> None:
    assert taken(ask(department, scope="city")) == ALL
    assert "area" not in department.asked[0]


def test_an_honest_empty_answer_is_an_empty_snapshot(department: Department) -> None:
    department.rows = []
    assert taken(ask(department)) == []


def test_values_land_exactly_as_they_were_written(department: Department) -> None:
    department.reply = lambda rows, total: {"resultCode": "00", "resultData": [], "resultTotal": 1}
    body = '{"resultCode":"00","resultTotal":1,"resultInfo":"","resultData":[{%s}]}'
    natives = [column.native for column in CONTRACT.columns.values()]
    written = ["1.50", "1E+05", "330102199001011234", "null", "true", '" 12 "', '"0.10"', '""', "-0", "NaN"]
    fields = [f'"{name}":{value}' for name, value in zip(natives, written, strict=False)]
    fields += [f'"{name}":null' for name in natives[len(written) :]]
    department.faults[1] = gateway.instead((body % ",".join(fields)).encode())
    (page,) = ask(department)
    expected = ["1.50", "1E+05", "330102199001011234", None, "true", " 12 ", "0.10", "", "-0", "NaN"]
    assert list(page.rows[0].values())[: len(expected)] == expected


@pytest.mark.parametrize(
    "fault",
    [
        gateway.status(500),
        gateway.status(502),
        gateway.status(503),
        gateway.dropped,
        gateway.short_length,
        gateway.closed_without_length,
        gateway.half_chunked,
        gateway.unterminated_chunk,
        gateway.truncated_gzip,
        gateway.half_the_rows,
        gateway.instead(b"<html>please log in</html>"),
        gateway.instead(b'{"resultCode":"00","resultTotal":10,"resultData":["\xff'),
        gateway.instead('{"resultCode":"99","resultData":[],"resultInfo":"系统忙","resultTotal":0}'.encode()),
    ],
)
@pytest.mark.parametrize("burst", [1, 4])
def test_a_burst_of_faults_ends_like_a_clean_run(department: Department, fault: gateway.Fault, burst: int) -> None:
    department.faults = dict.fromkeys(range(2, 2 + burst), fault)
    assert taken(ask(department)) == ALL
    assert len(department.asked) == 2 * 3 + burst


@pytest.mark.parametrize("fault", [gateway.status(500), gateway.half_chunked, gateway.half_the_rows])
def test_a_fault_for_ever_is_transient_after_five_requests_for_the_page(
    department: Department, fault: gateway.Fault
) -> None:
    department.faults = dict.fromkeys(range(2, 100), fault)
    with pytest.raises(TransientError, match="tax_innovation TAX_HNTE/320411/2026-11-23 page 2"):
        taken(ask(department))
    assert len(department.asked) == 1 + 5


def test_every_try_is_signed_anew(department: Department) -> None:
    department.faults = dict.fromkeys(range(1, 4), gateway.status(503))
    taken(ask(department))
    assert len(set(department.message_ids)) == len(department.asked) == 2 * 3 + 3


def test_of_a_departments_words_only_the_code_is_repeated_for_they_may_name_somebody(
    department: Department,
) -> None:
    words = "纳税人 91320411YY00000018 法定代表人 张三 查询失败\n" + "长" * 100
    department.reply = lambda rows, total: {"resultCode": "99", "resultInfo": words, "resultTotal": 0}
    with pytest.raises(TransientError) as failed:
        taken(ask(department))
    assert "page 1: the department reports a failure: code 99, with a message of 137 characters" in str(failed.value)
    assert "张三" not in str(failed.value)


@pytest.mark.parametrize("header", ["999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_retry_after_makes_a_worker_sleep_longer_than_the_longest_wait(department: Department, header: str) -> None:
    department.faults = {1: gateway.status(429, Retry_After=header)}
    started = time.monotonic()
    assert taken(ask(department, patience=replace(QUICK, longest_wait=0.4))) == ALL
    assert 0.4 <= time.monotonic() - started < 2


@pytest.mark.parametrize("header", ["0", "-1", "soon", "", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_a_retry_after_that_asks_for_nothing_is_followed_by_the_usual_back_off(
    department: Department, header: str
) -> None:
    department.faults = {1: gateway.status(429, Retry_After=header)}
    started = time.monotonic()
    assert taken(ask(department, patience=replace(QUICK, longest_wait=30))) == ALL
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("as_date", [False, True])
def test_a_retry_after_in_seconds_or_as_a_date_is_honoured(department: Department, as_date: bool) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    department.faults = {1: gateway.status(429, Retry_After=at if as_date else "1")}
    started = time.monotonic()
    assert taken(ask(department, patience=replace(QUICK, longest_wait=30))) == ALL
    assert 0.9 < time.monotonic() - started < 3


def test_one_byte_at_a_time_does_not_hold_the_task(department: Department) -> None:
    def drip(handler: gateway.BaseHTTPRequestHandler, whole: bytes) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        try:
            for byte in whole:
                handler.wfile.write(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            return

    department.faults = {1: drip}
    started = time.monotonic()
    assert taken(ask(department, patience=replace(QUICK, page=0.3))) == ALL
    assert time.monotonic() - started < 1.5


def test_a_token_that_expires_is_renewed_and_the_run_goes_on(department: Department) -> None:
    department.token_lives_for = 1
    assert taken(ask(department)) == ALL
    assert department.tokens == len(department.asked) - department.tokens + 1 == 2 * 3


def test_a_token_refused_twice_is_a_matter_of_credentials(department: Department) -> None:
    department.token_lives_for = 0
    with pytest.raises(TerminalError, match="refuses our credentials"):
        taken(ask(department))
    assert department.tokens == 2


def test_a_wrong_secret_fails_at_once_and_no_secret_is_ever_told(department: Department) -> None:
    with pytest.raises(TerminalError, match="Connection 'innopoints_tax_innovation'") as refused:
        taken(ask(department, secret="canary-wrong-secret"))
    assert not department.asked
    department.faults = {1: gateway.status(403)}
    with pytest.raises(TerminalError) as forbidden:
        taken(ask(department))
    for error in (refused.value, forbidden.value):
        assert "canary" not in str(error)
        assert KEY not in str(error)


def test_a_redirect_is_not_followed(department: Department) -> None:
    department.faults = {1: gateway.status(302, Location="http://169.254.169.254/")}
    with pytest.raises(TerminalError, match="HTTP 302, a redirect, is not followed"):
        taken(ask(department))


def test_proxies_and_passwords_of_the_environment_are_not_used(
    department: Department, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert taken(ask(department)) == ALL


def test_a_total_that_changes_while_paging_makes_the_reading_start_over(department: Department) -> None:
    department.after[2] = lambda rows: [*rows, record(10)]
    assert taken(ask(department)) == [*ALL, "v10"]
    assert len(department.asked) == 3 * 3
    department.total = lambda page: 10 if page < 3 else 11
    with pytest.raises(TransientError, match="of 3 readings no two in a row are alike"):
        taken(ask(department))


def test_rows_that_shift_between_pages_under_the_same_total_are_read_again(department: Department) -> None:
    """After page 1 its first record is withdrawn and another is added: record 4 slides onto page 1, unread."""
    department.after[1] = lambda rows: [*rows[1:], record(10)]
    assert taken(ask(department)) == [*ALL[1:], "v10"]
    assert len(department.asked) == 3 * 3


def test_a_reply_of_one_page_is_asked_for_once(department: Department) -> None:
    department.rows = department.rows[:4]
    assert taken(ask(department)) == ALL[:4]
    assert len(department.asked) == 1


def test_a_page_that_repeats_an_earlier_one_is_asked_for_again(department: Department) -> None:
    answers = iter([1, 1, 2, 3, 1, 2, 3])
    department.page_of = lambda page: next(answers)
    assert taken(ask(department)) == ALL
    assert len(department.asked) == 7
    department.page_of = lambda page: 1
    with pytest.raises(TransientError, match="page 2: repeats an earlier page"):
        taken(ask(department))
    assert len(department.asked) == 7 + 1 + 5


def test_a_required_field_gone_breaks_the_contract_before_anything_lands(department: Department) -> None:
    for row in department.rows:
        row["XSSR_NEW"] = row.pop("XSSR")
    with pytest.raises(TerminalError, match="fields are missing: XSSR; unregistered fields came: XSSR_NEW"):
        taken(ask(department))


def test_an_optional_field_may_be_left_out_of_a_row_but_not_of_all(department: Department) -> None:
    for row in department.rows[1:]:
        del row["GXQYZSBH"]
    assert taken(ask(department)) == ALL
    del department.rows[0]["GXQYZSBH"]
    with pytest.raises(TerminalError, match="fields are missing: GXQYZSBH"):
        taken(ask(department))


def test_a_field_that_became_a_structure_breaks_the_contract(department: Department) -> None:
    department.rows[5]["XSSR"] = {"amount": "1.00"}
    with pytest.raises(TerminalError, match="no longer plain values: XSSR"):
        taken(ask(department))


def test_an_unregistered_field_is_reported_and_never_handed_on(department: Department) -> None:
    department.rows[3]["LXDH"] = "canary-phone"
    reply = ask(department)
    assert not any("LXDH" in row for page in reply for row in page.rows)
    assert reply.unregistered == ["LXDH"]


def test_another_envelope_is_a_matter_for_the_declaration(department: Department) -> None:
    department.reply = lambda rows, total: {"resultCode": "00", "rows": rows, "resultTotal": total}
    with pytest.raises(TerminalError, match="'resultData' is not what it was"):
        taken(ask(department))


def test_a_department_that_is_down_is_transient(department: Department) -> None:
    department.url = "http://127.0.0.1:9"
    with pytest.raises(TransientError, match="the connection failed"):
        taken(ask(department))


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "127.0.0.1:80"])
def test_a_connection_without_an_http_address_is_refused(department: Department, url: str) -> None:
    department.url = url
    with pytest.raises(InnopointsError, match="no plain http"):
        taken(ask(department))


def test_the_total_is_known_only_when_the_copy_is_proved(department: Department) -> None:
    reply = ask(department)
    next(iter(reply))
    with pytest.raises(RuntimeError, match="not been read to its end"):
        _ = reply.declared


def test_the_pace_is_kept(department: Department) -> None:
    source = source_of(CONTRACT)
    source = source.model_copy(update={"page_size": 1, "requests_per_second": 40})
    day = date(2026, 11, 23)
    request = Request("TAX_HNTE", "320411", day, arrival_cutoff(day), None)
    connection = Connection("innopoints_tax_innovation", "http", department.url, login=KEY, password=SECRET)
    started = time.monotonic()
    assert len(list(pull(source, CONTRACT, request, connection, QUICK))) == 10
    assert time.monotonic() - started >= 10 / 40
