"""A night in which every field that names a person, and every field that we leave alone, sings like a canary.

The stand-in departments hold people, numbers, phones and secrets that stand nowhere else; a district has its night over
them; then everything that the night left behind, said, logged or refused with is searched.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import re
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import uvicorn
from starlette.testclient import TestClient

from include import steps
from include.contracts import contracts
from include.evidence.text import render
from include.kernel.connections import Connection
from include.kernel.errors import InnopointsError
from include.kernel.references import ResultKey
from include.portal.published import LISTS, Reader
from include.portal.web import make_app
from include.sandbox import serve
from include.sandbox.gateway import create_app, load_shelves
from include.sources.declaration import sources
from include.steps.alarm import failure, pairs
from include.steps.digest import night_digest
from include.steps.explain import explain
from include.steps.refresh import refresh
from include.steps.stores import open_stores
from include.store import lake as places
from include.store.lake import Lake
from include.store.warehouse import PUBLISHED
from tests.sources import gateway

pytestmark = pytest.mark.services

AS_OF, DISTRICT, SCHEME = date(2026, 11, 20), "320411", "changzhou_v1"
PEOPLE = ["金丝雀欧阳某", "320411198502306666", "13987605432", "canary@person.example"]
OWNERS = ["隋金雀", "扎西雀吉", "SINGER CANARY"]
"""Individuals among the applicants and owners of a published patent; no list of surnames has the last two."""
AMOUNT = "876543210.98"
HASHING_KEY = "canary-key-that-hashes-people"


@dataclass(frozen=True)
class Night:
    """A home after its night, and what was said and logged on the way."""

    home: Path
    shelves: Path
    connections: dict[str, Connection]
    said: list[str]
    logged: list[str]

    def lookup(self, conn_id: str) -> Connection:
        """As Airflow's Connections would answer."""
        return self.connections[conn_id]

    @property
    def secrets(self) -> list[str]:
        """What proves who we are."""
        return [one.password for one in self.connections.values() if one.password]


def _planted(made: Any) -> Any:
    """The world, with a canary in each cell of the fields that hold people or are not landed, and one amount."""
    tables = dict(made.tables)
    for dataset, contract in contracts().items():
        natives = [*contract.ignore, *(contract.columns[name].native for name in contract.people)]
        for number, native in enumerate(name for name in natives if name in tables[dataset].column_names):
            at = tables[dataset].column_names.index(native)
            cells = pa.array([PEOPLE[number % len(PEOPLE)]] * tables[dataset].num_rows, pa.string())
            tables[dataset] = tables[dataset].set_column(at, native, cells)
    for dataset, column in _lists_of_names():
        native = contracts()[dataset].columns[column].native
        at = tables[dataset].column_names.index(native)
        cells = pc.binary_join_element_wise(tables[dataset][native], ";".join(OWNERS), ";")
        tables[dataset] = tables[dataset].set_column(at, native, cells)
    filings = tables["TAX_VAT"]
    at = filings.column_names.index("XSE")
    ours = pc.equal(filings["_area"], DISTRICT)
    assert pc.any(ours).as_py()
    amounts = pc.if_else(ours, pa.scalar(AMOUNT, filings["XSE"].type), filings["XSE"])
    tables["TAX_VAT"] = filings.set_column(at, "XSE", amounts)
    return replace(made, tables=tables)


def _lists_of_names() -> list[tuple[str, str]]:
    """(dataset, column) of every column that lists whoever owns or applied."""
    return [
        (dataset, column)
        for dataset, contract in contracts().items()
        for column in (contract.entity.names, contract.entity.filed_by)
        if column
    ]


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The departments in a thread, one district's night, everything logged."""
    there, home, lines = tmp_path_factory.mktemp("departments"), tmp_path_factory.mktemp("home"), _Lines()
    root, level = logging.getLogger(), logging.getLogger().level
    with pytest.MonkeyPatch.context() as patch:
        made = serve.world
        patch.setattr(serve, "world", lambda *arguments: _planted(made(*arguments)))
        folder = serve.generate(there, 60, 7)
        given = json.loads((folder / "connections.json").read_text(encoding="utf-8"))
        applications = {
            given[conn_id]["login"]: (name, given[conn_id]["password"]) for name, conn_id in serve.DEPARTMENTS.items()
        }
        app = create_app(load_shelves(folder / "world" / "gateway"), applications)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        for conn_id in serve.DEPARTMENTS.values():
            given[conn_id]["host"] = f"http://127.0.0.1:{port}"
        known = {conn_id: Connection(conn_id=conn_id, **one) for conn_id, one in given.items()}
        known["innopoints_privacy"] = Connection("innopoints_privacy", login="k1", password=HASHING_KEY)
        patch.setenv("INNOPOINTS_HOME", str(home))
        (home / "temporary").mkdir()
        patch.setattr(tempfile, "tempdir", str(home / "temporary"))
        root.addHandler(lines)
        root.setLevel(logging.DEBUG)
        said: list[str] = []
        try:
            refresh(AS_OF, [DISTRICT], SCHEME, lookup=known.__getitem__, say=said.append)
            yield Night(home, folder / "world" / "gateway", known, said, lines.lines)
        finally:
            root.removeHandler(lines)
            root.setLevel(level)
            server.should_exit = True
            thread.join(10)


def _found(text: str, words: list[str]) -> list[str]:
    return [word for word in words if word in text]


def _holding(night: Night, words: list[str]) -> dict[str, list[str]]:
    """File, or file and column, that the night left behind → which of the words stand in it."""
    found: dict[str, list[str]] = {}
    for path in (path for path in night.home.rglob("*") if path.is_file()):
        at = str(path.relative_to(night.home))
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            found |= {f"{at} {name}": _found(_cells(table[name]), words) for name in table.column_names}
        else:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            found[at] = [word for word in words if word.encode() in content]
    return {at: words for at, words in found.items() if words}


def _served(path: Path) -> set[str]:
    """The distinct replies that a shelf of the gateway can give, field by field."""
    return {_cells(column) for column in pq.read_table(path).columns}


def _cells(column: pa.ChunkedArray) -> str:
    """Every value of a column as text, whatever its type."""
    return "\n".join({str(value) for value in column.to_pylist()})


def test_the_night_saw_the_canaries_and_came_to_its_end(night: Night) -> None:
    assert any(line.startswith(f"{DISTRICT}: ") and "enterprises scored" in line for line in night.said), night.said
    talents = open_stores().lake.read(f"landing/HR_TALENT/city/as_of={AS_OF}")
    assert talents.num_rows
    assert all(cell.startswith("k1:") for cell in talents["姓名"].to_pylist())
    sent = "".join(str(value) for path in night.shelves.glob("*.parquet") for value in _served(path))
    assert _found(sent, PEOPLE) == PEOPLE
    vat = open_stores().lake.read(f"accepted/TAX_VAT/{DISTRICT}/as_of={AS_OF}")
    assert AMOUNT in _cells(vat["sales_yuan"])


def test_no_file_of_the_lake_the_ledger_or_the_warehouse_names_a_person_or_a_secret(night: Night) -> None:
    canaries = [*PEOPLE, *night.secrets]
    assert _holding(night, canaries) == {}


def test_an_owner_who_is_a_person_stands_in_the_lists_of_owners_only(night: Night) -> None:
    """Published patents are kept as they were published: in the columns of names, and in quarantine what they say."""
    place = re.compile(r"lake/(\w+)/(?:(\w+)/)?.*?(\w+)-[0-9a-f]{16}\.parquet (\w+)")
    holding = {place.sub(r"\1 \2 \3 \4", at) for at in _holding(night, OWNERS)}
    lists = [(contracts()[dataset], column) for dataset, column in _lists_of_names()]
    own = {f"landing {one.dataset} data {one.columns[column].native}" for one, column in lists}
    own |= {f"accepted {one.dataset} data {column}" for one, column in lists}
    assert own <= holding
    allowed = {
        f"quarantine {one.dataset} data {name}"
        for one, column in lists
        for name in ("entity", one.columns[column].native)
    }
    allowed |= {
        name
        for name in holding
        for one, column in lists
        if re.fullmatch(rf"conformed \w* {one.dataset.lower()} {column}", name)
    }
    assert holding - own - allowed == set()
    unresolved = open_stores().lake.read(places.conformed_city(AS_OF), "unresolved")
    tiers = {row["tier"] for row in unresolved.to_pylist() if row["dataset"] == "IP_PAT"}
    assert tiers >= {"person", "unclear"}


def test_the_search_finds_what_may_be_found(night: Night) -> None:
    """An enterprise's name, in Parquet and in the published tables; a dataset's code, in manifests and reports."""
    profile = open_stores().lake.read(places.points(ResultKey(AS_OF, DISTRICT, SCHEME)), "points")
    code = profile["uscc"].to_pylist()[0]
    held = _holding(night, [code, "TAX_VAT"])
    suffixes = {re.sub(r" .*", "", at).rpartition(".")[2] for at in held}
    assert suffixes >= {"parquet", "json", "html"}
    assert suffixes & {"sqlite", "sqlite-wal"}  # SQLite moves pages from the one to the other when it likes


def test_an_amount_stands_in_its_own_dataset_and_the_measures_made_of_it_only(night: Night) -> None:
    place = re.compile(r"lake/(\w+)/(?:(\w+)/)?.*?(\w+)-[0-9a-f]{16}\.parquet (\w+)")
    holding = {place.sub(r"\1 \3 \4", at) for at in _holding(night, [AMOUNT])}
    own = {"landing data XSE", "accepted data sales_yuan", "conformed tax_vat sales_yuan"}
    assert own <= holding
    rest = holding - own - {"quarantine data XSE"}
    assert all(at.startswith(("measures measures ", "values values ")) for at in rest), rest


def test_nothing_that_was_said_or_logged_names_a_person_an_amount_or_a_secret(night: Night) -> None:
    everything = "\n".join([*night.said, *night.logged])
    assert len(night.logged) > 50  # the lines of urllib3, which hold addresses, are not among them
    assert _found(everything, [*PEOPLE, *OWNERS, AMOUNT, HASHING_KEY, *night.secrets]) == []


def test_an_explanation_names_no_person(night: Night) -> None:
    profile = open_stores().lake.read(places.points(ResultKey(AS_OF, DISTRICT, SCHEME)), "points")
    account = explain(profile["uscc"].to_pylist()[0], SCHEME, as_of=AS_OF)
    assert _found(render(account) + account.model_dump_json(), [*PEOPLE, *OWNERS, *night.secrets]) == []


def _everything(dataset: str) -> dict[str, str]:
    return {column.native: "".join([*PEOPLE, AMOUNT]) for column in contracts()[dataset].columns.values()}


def test_no_refusal_names_a_person_or_an_amount(night: Night, tmp_path: Path) -> None:
    """A department that answers with somebody's data where its verdict, its total or its header should be."""
    words = "".join([*PEOPLE, AMOUNT])
    ill: list[Any] = [
        {"resultCode": "99", "resultInfo": words, "resultTotal": 0},
        {"resultCode": "00", "resultTotal": words, "resultData": [], "resultInfo": words},
        {"resultCode": "00", "resultTotal": 1, "resultData": [{"SBUUID": words}], "resultInfo": words},
        {"resultCode": "00", "resultTotal": 1, "resultData": [_everything("TAX_HNTE") | {"NSRMC": [words]}]},
    ]
    refusals: list[str] = []
    with gateway.serving(gateway.Department([])) as department:
        there = Connection("x", "http", department.url, login=gateway.KEY, password=gateway.SECRET)
        for reply in ill:
            department.reply = lambda rows, total, reply=reply: reply
            refusals.append(_refusal(night, "TAX_HNTE", DISTRICT, "innopoints_tax_innovation", there))
    for name in Path(str(night.connections["innopoints_talent_office"].extra["path"])).iterdir():
        (tmp_path / name.name).write_bytes(name.read_bytes())
    for file in (path for path in tmp_path.iterdir() if path.suffix != ".ok"):
        raw = ",".join([*PEOPLE, AMOUNT]).encode("gb18030")
        file.write_bytes(raw)
        digest = hashlib.sha256(raw).hexdigest()
        file.with_name(file.name + ".ok").write_text(f"rows=1\nsha256={digest}\n", encoding="utf-8")
    folder = Connection("x", "generic", extra={"path": str(tmp_path)})
    refusals.append(_refusal(night, "HR_TALENT", "city", "innopoints_talent_office", folder))
    for refusal in refusals:
        assert _found(refusal, [*PEOPLE, AMOUNT, gateway.SECRET, "canary-token", *night.secrets]) == []
        assert "\n" not in refusal


def _refusal(night: Night, dataset: str, scope: str, conn_id: str, connection: Connection) -> str:
    def lookup(asked: str) -> Connection:
        return connection if asked == conn_id else night.lookup(asked)

    with pytest.raises(InnopointsError) as error:
        steps.land(dataset, scope, date(2026, 11, 19), holder="canary", lookup=lookup)
    return str(error.value)


def test_a_reply_with_a_field_that_nobody_registered_is_not_kept_as_it_came(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raw replies outlast a landing that fails; a new field may hold anybody's number."""
    kept: list[bytes] = []
    monkeypatch.setattr(Lake, "keep_raw", lambda lake, place, label, content: kept.append(content))
    good = {column.native: "v" for column in contracts()["TAX_HNTE"].columns.values()}
    for row, raws in ((good, 1), (good | {"FDDBR": "".join(PEOPLE)}, 0)):
        kept.clear()
        with gateway.serving(gateway.Department([row])) as department:
            there = Connection("x", "http", department.url, login=gateway.KEY, password=gateway.SECRET)
            own = {"innopoints_tax_innovation": there}
            day = date(2026, 11, 17 - raws)
            steps.land("TAX_HNTE", DISTRICT, day, holder="canary", lookup=(night.connections | own).__getitem__)
        assert len(kept) == raws
    assert _holding(night, ["".join(PEOPLE)]) == {}


def test_no_message_names_a_person_an_enterprise_an_amount_or_a_secret(night: Night) -> None:
    """The digest, and the message of whatever can fail, over what the night left in the ledger."""
    stores = open_stores()
    profile = stores.lake.read(places.points(ResultKey(AS_OF, DISTRICT, SCHEME)), "profile")
    firms = [*profile["uscc"].to_pylist(), *profile["name"].to_pylist()]
    failures = [
        *(failure("validate", AS_OF, name="x", dataset=dataset, scope=scope) for dataset, scope in pairs()),
        *(failure("land", AS_OF, name="x", source=source) for source in sources()),
        failure("shared", AS_OF, name="x"),
        failure("score", AS_OF, name="x", district=DISTRICT),
        failure("publish", AS_OF, name="x", scheme=SCHEME),
    ]
    messages = [night_digest(AS_OF, SCHEME), *(one.message() for met in failures for one in met)]
    said = "\n".join(line for message in messages for line in (message.subject, *message.lines))
    assert "tax_database: " in said
    assert len(messages) > 100
    assert _found(said, [*PEOPLE, *OWNERS, AMOUNT, AMOUNT[:6], HASHING_KEY, *night.secrets, *firms]) == []


READERS = [
    Reader("whole city"),
    pytest.param(Reader("own district", frozenset({DISTRICT})), id="own district", marks=pytest.mark.long),
    Reader("another district", frozenset({"320412"})),
    Reader("nobody's", frozenset()),
]


def _held(table: str, *columns: str) -> list[tuple[str, ...]]:
    """What the published tables hold in these columns, each once."""
    held = PUBLISHED[table].c
    with open_stores().engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*(held[name] for name in columns)).distinct())]


DERIVED = ("/enterprises/{uscc}/change", "/enterprises/{uscc}/{indicator}")
"""Pages for which the account is worked out again: one enterprise shows what they say."""


def _asked_for(route: str) -> list[str]:
    """A route of the pages and of the API with everything that the night published in it, and for a spreadsheet."""
    endings = [route.replace("{ending}", ending) for ending in ("csv", "xlsx")] if "{ending}" in route else [route]
    filled = {
        "{indicator}": "BAS-01",
        "{year}": "2026",
        "{as_of}": AS_OF.isoformat(),
        "{number}": "1",
        "{row}": "0" * 16,
    }
    paths = [reduce(lambda path, one: path.replace(*one), filled.items(), path) for path in endings]
    pairs = _held("source_quality", "dataset", "scope")
    if "{uscc}" in route:
        codes = [code for (code,) in _held("enterprise_profile", "uscc")]
        return [path.replace("{uscc}", code) for path in paths for code in codes[: 1 if route in DERIVED else None]]
    if "{scope}" in route:
        return [path.replace("{dataset}", data).replace("{scope}", scope) for path in paths for data, scope in pairs]
    names = [name for table, column in LISTS.items() for (name,) in _held(table, column)]
    if "{name}" in route:
        return [path.replace("{name}", name) for path in paths for name in names]
    if route.startswith("/honours"):
        return [f"{path}?list={name}" for path in paths for name in names]
    if route == "/api/search":
        return [f"{path}?q={word}" for path in paths for word in ("常州", *PEOPLE)]
    return paths


def _text(answer: Any) -> str:
    """What an answer says; of a workbook every part."""
    if not answer.content.startswith(b"PK"):
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        return "".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_no_page_no_export_and_no_answer_of_the_api_names_a_person_or_a_secret(night: Night, reader: Reader) -> None:
    """Every route to read, with every enterprise, list and source in it, whoever reads."""
    stores = open_stores()
    app = make_app(stores.engine, stores.lake, lambda: reader, lambda person, conf: "")
    browser = TestClient(app, raise_server_exceptions=False)
    answered: dict[str, int] = {}
    for route in (route.path for route in app.routes if "GET" in route.methods):
        for path in _asked_for(route):
            answer = browser.get(path)
            assert answer.status_code in (200, 403, 404, 422), path
            said = _text(answer)
            answered[route] = answered.get(route, 0) + (answer.status_code == 200)
            asked = [word for word in PEOPLE if word in path]  # a search repeats what was typed, nothing else does
            kept = [word for word in [*PEOPLE, *OWNERS, HASHING_KEY, *night.secrets] if word not in asked]
            assert _found(said, kept) == [], path
            if "{uscc}" not in route:
                assert AMOUNT not in said, path
    assert len(answered) > 30
    shown = [answered[route] > 0 for route in ("/api/points/{uscc}", "/enterprises/{uscc}.{ending}", *DERIVED[1:])]
    assert set(shown) == {reader.districts is None or DISTRICT in reader.districts}


@pytest.mark.airflow
def test_the_task_wrapper_logs_counts_and_no_record(
    night: Night, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from plugins import task_wrapper

    instance = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    context = {"ti": instance, "dag_run": SimpleNamespace(run_after=datetime(2026, 11, 18, tzinfo=UTC))}
    monkeypatch.setattr(task_wrapper, "get_current_context", lambda: context)
    caplog.set_level(logging.DEBUG)
    counts = task_wrapper.run_step(steps.land, "HR_TALENT", "city", date(2026, 11, 18), lookup=night.lookup)
    assert counts["rows"]

    def unforeseen(*, holder: str) -> dict[str, Any]:
        raise ValueError("".join([*PEOPLE, AMOUNT]))

    with pytest.raises(InnopointsError, match="unforeseen ValueError") as error:
        task_wrapper.run_step(unforeseen)
    everything = caplog.text + json.dumps(counts) + str(error.value) + repr(error.value.__cause__)
    assert _found(everything, [*PEOPLE, AMOUNT, HASHING_KEY, *night.secrets]) == []
