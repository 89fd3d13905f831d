"""Addresses and replies that a department should never give: nothing is followed, nothing grows, nothing leaks."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from include.contracts import require_contract
from include.kernel.connections import Connection
from include.kernel.errors import InnopointsError, TerminalError, TransientError
from include.kernel.periods import arrival_cutoff
from include.sources import deadline, rest
from include.sources.declaration import RestSource, source_of
from include.sources.pull import Patience, Request, pull
from tests.inputs.conftest import one_clear_line
from tests.sources import gateway
from tests.sources.gateway import KEY, SECRET, Department, serving

CONTRACT = require_contract("TAX_HNTE")
ONCE = Patience(connect=1, read=1, page=3, longest_wait=0.01, backoff=0.001, tries=1)
CANARY = "金丝雀张三丰"


@pytest.fixture
def department() -> Iterator[Department]:
    rows = [{column.native: f"v{i}" for column in CONTRACT.columns.values()} for i in range(3)]
    with serving(Department(rows)) as running:
        yield running


def rows_of(host: str, *, login: str = KEY, password: str = SECRET, **extra: object) -> list[dict[str, str | None]]:
    source, day = source_of(CONTRACT), date(2026, 11, 23)
    assert isinstance(source, RestSource)
    request = Request("TAX_HNTE", "320411", day, arrival_cutoff(day), None)
    connection = Connection("innopoints_tax_innovation", "http", host, login=login, password=password, extra=extra)
    reply = pull(source.model_copy(update={"requests_per_second": 1000}), CONTRACT, request, connection, ONCE)
    return [row for page in reply for row in page.rows]


def refusal(kind: type[InnopointsError], host: str, **changed: str) -> str:
    with pytest.raises(kind) as error:
        rows_of(host, **changed)
    said = one_clear_line(str(error.value))
    assert "kept: " in said
    assert "canary" not in said
    assert CANARY not in said
    return said


# --- where a Connection may lead


@pytest.mark.parametrize(
    "host",
    [
        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "//127.0.0.1", "127.0.0.1", "", "http://",
        "http://[::1", "http://canary:canary@127.0.0.1", "http://127.0.0.1/?x=", "http://127.0.0.1/#x",
        "http://127.0.0.1/\r\nX-Injected: 1", "http://127.0.0.1 /", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_an_address_that_is_no_plain_http_address(host: str) -> None:
    assert "its host is no plain http(s) address" in refusal(TerminalError, host)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.0.1", "100.100.100.200", "0.0.0.0", "224.0.0.1", "[fe80::1]", "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]", "[::169.254.169.254]", "[::ffff:0:169.254.169.254]", "[64:ff9b::169.254.169.254]",
        "[64:ff9b:1::169.254.169.254]", "[2002:a9fe:a9fe::1]", "[64:ff9b::100.100.100.200]",
        "[fd20:ce::254]", "[fd00:42::42]", "192.0.0.192", "168.63.129.16", "[::ffff:168.63.129.16]",
        "[64:ff9b:1:a9fe:a9:fe00::]", "[64:ff9b:1:a9fe:a9:fe00::1]", "[64:ff9b:1:a9:fe:a9fe::]",
        "[64:ff9b:1:0:a9:fea9:fe00:0]", "[64:ff9b:1:a83f:81:1000::]",
        "[2001:db8::5efe:a9fe:a9fe]", "[2001:db8::200:5efe:169.254.169.254]", "[fd00::5efe:192.0.0.192]",
        "0xa9fea9fe", "2852039166", "0251.0376.0251.0376",
    ],
)  # fmt: skip
def test_the_metadata_of_the_machine_is_never_asked(host: str) -> None:
    assert "link-local or metadata address" in refusal(TerminalError, f"http://{host}")


def test_nor_is_it_when_a_harmless_name_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    assert "link-local or metadata address" in refusal(TerminalError, "http://tax.example")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_is_not_this_machines_never_leads_to_it(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    assert "leads to this machine without naming it" in refusal(TerminalError, "http://tax.example")
    assert "leads to this machine without naming it" in refusal(TerminalError, "http://127.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_spoken_to_where_the_connection_names_it(department: Department, host: str) -> None:
    assert len(rows_of(department.url.replace("127.0.0.1", host))) == 3


def test_an_address_inside_a_network_of_gateways_that_carries_a_departments_is_let_in() -> None:
    for address in ("64:ff9b:1::10.0.0.8", "64:ff9b:1:a00:0:800::", "2001:db8::5efe:10.0.0.8", "64:ff9b::10.0.0.8"):
        deadline.require_allowed(address, "tax.example")


@pytest.mark.parametrize("login", ["app\r\nX-Injected: 1", "app key", "应用", "app\0", ""])
def test_an_app_key_that_would_end_its_header(department: Department, login: str) -> None:
    assert "lacks the appKey" in refusal(TerminalError, department.url, login=login)
    assert not department.asked


# --- what a reply may do


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/", "https://other.example/", "file:///etc/passwd", "/x"])
def test_no_redirect_is_followed_and_the_token_goes_nowhere_else(department: Department, code: int, to: str) -> None:
    with serving(Department([])) as other:
        department.faults[1] = gateway.status(code, Location=to.replace("https://other.example", other.url))
        assert f"HTTP {code}, a redirect, is not followed" in refusal(TerminalError, department.url)
        assert other.tokens == len(other.asked) == 0


def test_a_next_link_is_no_address(department: Department) -> None:
    with serving(Department([])) as other:
        links = {"next": other.url, "nextUrl": other.url, "links": {"next": other.url}, "@odata.nextLink": other.url}
        department.reply = lambda rows, total: department._envelope(rows, total) | links
        assert len(rows_of(department.url)) == 3
        assert other.tokens == len(other.asked) == 0


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_body_of_ten_gigabytes_is_left_at_the_bound(
    department: Department, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(rest, "LARGEST_PAGE", 1024 * 1024)
    million = b" " * 1024 * 1024
    bomb = gzip.compress(million * 64) if packed else b""

    def endless(handler: gateway.BaseHTTPRequestHandler, whole: bytes) -> None:
        handler.close_connection = True
        handler.send_response(200)
        if packed:
            handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(bomb) if packed else 10 * 1024**3))
        handler.end_headers()
        try:
            handler.wfile.write(bomb)
            for _ in range(0 if packed else 10 * 1024):
                handler.wfile.write(million)
        except OSError:
            return

    department.faults[1] = endless
    tracemalloc.start()
    try:
        assert "more than 1048576 bytes in one page" in refusal(TerminalError, department.url)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (f"<!DOCTYPE html><html><body>请登录 {CANARY}</body></html>".encode(), "not whole JSON"),
        (f'"{CANARY}"'.encode(), "page 1"),
        (f'["{CANARY}"]'.encode(), "page 1"),
        (b"", "not whole JSON (0 bytes)"),
        (b"[" * 100_000, "not whole JSON"),
        (b'{"resultCode":"00","resultTotal":1,"resultTotal":0,"resultData":[]}', "not whole JSON"),
        (b'{"resultCode":"00","resultTotal":NaN,"resultData":[]}', "not this department's envelope"),
        (b'{"resultCode":"00","resultTotal":-1,"resultData":[]}', "not this department's envelope"),
        (b'{"resultCode":"00","resultTotal":1e308,"resultData":[]}', "not this department's envelope"),
        (b'{"resultCode":"00","resultTotal":[1],"resultData":[]}', "not this department's envelope"),
        (b'{"resultCode":"00","resultTotal":1,"resultData":{"0":{}}}', "not this department's envelope"),
        (f'{{"resultCode":"{CANARY}","resultInfo":"{CANARY}"}}'.encode(), "code unreadable, with a message of 6"),
        (f'{{"resultCode":"99","resultInfo":"{CANARY}"}}'.encode(), "code 99, with a message of 6 characters"),
        (f'{{"resultCode":"00","resultTotal":1,"resultData":[{{"甲":"{CANARY}"}}]}}'.encode(), "fields are missing"),
        (CANARY.encode("gb18030"), "not utf-8 at byte"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_reply_with_status_200_that_is_no_page(department: Department, body: bytes, what: str) -> None:
    department.faults[1] = gateway.instead(body)
    assert what in refusal(InnopointsError, department.url)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nX-Injected: 1"}', b'{"token": ""}', b"[" * 100_000],
    ids=lambda body: ascii(body)[:30],
)
def test_a_log_in_that_gives_no_token(department: Department, body: bytes) -> None:
    department._token = lambda handler, proof: gateway.send(handler, 200, body)  # type: ignore[method-assign]
    assert "the token reply came broken" in refusal(TransientError, department.url)


# --- TLS


def _expired(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that ended yesterday, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=9)).not_valid_after(now - timedelta(days=1))
    signed = built.sign(key, hashes.SHA256())
    path = folder / "expired.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("ca", ["", "expired.pem"], ids=["nobody we trust", "expired"])
def test_a_certificate_that_does_not_hold_ends_the_pull_before_anything_is_said(tmp_path: Path, ca: str) -> None:
    """Also where the extra `ca` is empty: that means the usual authorities, never none."""
    path = _expired(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            opened, _ = listener.accept()
            try:
                with context.wrap_socket(opened, server_side=True) as secured:
                    heard.append(secured.recv(1))
            except OSError:
                return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(TerminalError, match="its TLS certificate does not hold") as error:
            rows_of(f"https://127.0.0.1:{listener.getsockname()[1]}", ca=str(tmp_path / ca) if ca else "")
        thread.join(5)
    one_clear_line(str(error.value))
    assert heard in ([], [b""])


def test_values_with_surrogates_and_joiners_come_as_they_were_written(department: Department) -> None:
    value = "㐀𠮷\u202e\u200d\ufeff" + "长" * 300
    department.rows = [{column.native: value for column in CONTRACT.columns.values()}]
    department.rewrite = lambda whole: json.dumps(json.loads(whole)).replace("\\ud842\\udfb7", "\\ud842").encode()
    (row,) = rows_of(department.url)
    assert set(row.values()) == {value.replace("𠮷", "\\ud842")}
