"""A small town on paper: seven enterprises, two stages, figures that can be added in the head."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pyarrow as pa
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from include.contracts import require_contract
from include.kernel.errors import TerminalError
from include.kernel.references import SnapshotKey
from include.portal.acts import AskRelease
from include.portal.published import Act, Reader
from include.portal.web import make_app
from include.publish.honours import digest
from include.steps import honours
from include.steps.stores import Stores, open_stores
from include.store.honours import Entry, honour_candidate, honour_roll
from include.store.lake import Lake, quarantine
from include.store.ledger import run_publication, run_result, run_snapshot
from include.store.warehouse import PUBLISHED, clock, create_engine, generation, migrate, pointer, reading, writing
from tests.e2e.conftest import served
from tests.steps.test_release import NIGHTS, judge, land
from tests.steps.test_review import leave_open
from tests.steps.test_waive import FIRST, GOOD, MISPRINT, night
from tests.validation.test_judge import filing

GROWTH, START_UP = "成长期", "初创期"
FIRMS = [
    ("常州恒创液压机械有限公司", "320411", GROWTH, 50),
    ("常州恒创精密有限公司", "320411", GROWTH, 40),
    ("江苏湛骁曜光伏材料股份有限公司", "320412", GROWTH, 30),
    ("常州<script>alert(1)</script>有限公司", "320412", GROWTH, 20),
    ("=cmd|'/c calc'!A1", "320411", GROWTH, 10),
    ("常州青禾软件有限公司", "320404", START_UP, 45),
    ("青禾生物", "320404", START_UP, 5),
]
UNREADABLE = filing(300, XSE="一千二百")


def code(place: int) -> str:
    return f"91320400MA0000000{place}"


def town(firms: list[tuple[str, str, str, int]] = FIRMS) -> dict[str, list[dict[str, Any]]]:
    """Rows by table. Two fifths of a total come from BAS-01 (foundation, at most 30), the rest from INP-03 (input, at
    most 60); MGT-21 may deduct 10 and does not.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in PUBLISHED}
    for place, (name, district, stage, total) in enumerate(firms):
        uscc, base = code(place), Decimal(total) * 2 / 5
        ranks = {
            "rank_all": 1 + sum(other[3] > total for other in firms),
            "rank_stage": 1 + sum(other[3] > total and other[2] == stage for other in firms),
            "rank_district": 1 + sum(other[3] > total and other[1] == district for other in firms),
        }
        rows["enterprise_profile"].append({"uscc": uscc, "name": name, "district": district, "stage": stage})
        rows["enterprise_points"].append(
            {
                "uscc": uscc,
                "stage": stage,
                "total": Decimal(total),
                "coverage": Decimal("0.9"),
                "total_low": Decimal(total),
                "total_high": Decimal(total + 5),
                **ranks,
            }
        )
        for indicator, category, points, weight in (
            ("BAS-01", "foundation", base, 30),
            ("INP-03", "input", Decimal(total) - base, 60),
            ("MGT-21", "management", Decimal(), 10),
        ):
            rows["category_points"].append({"uscc": uscc, "category": category, "points": points})
            rows["points_ledger"].append(
                {
                    "uscc": uscc,
                    "indicator": indicator,
                    "category": category,
                    "status": "value",
                    "weight": Decimal(weight),
                    "points": points,
                }
            )
    rows["honours"] = [
        {"uscc": code(0), "honour": "标兵企业", "place": 1, "reason": "第1名", "robust": True},
        {"uscc": code(3), "honour": "标兵企业", "place": 2, "reason": "第2名", "robust": False},
    ]
    rows["credit_list"] = [
        {
            "uscc": code(0),
            "product": "创新贷",
            "suggested_limit_yuan": Decimal("3000000"),
            "stage_percentile": Decimal("1"),
        }
    ]
    rows["ladder"] = [
        {
            "uscc": code(2),
            "rung": "高新技术企业",
            "holds": False,
            "eligible": False,
            "failed_conditions": [{"condition": "研发费用占比不低于5%", "state": "not_met"}],
        }
    ]
    rows["stage_distribution"] = [
        {"district": "320411", "stage": GROWTH, "enterprises": 3, "share": Decimal(1)},
        {"district": "320412", "stage": GROWTH, "enterprises": 2, "share": Decimal(1)},
        {"district": "320404", "stage": START_UP, "enterprises": 2, "share": Decimal(1)},
    ]
    counts = {"as_of": date(2026, 11, 23), "rows_in": 10, "duplicates": 1, "accepted": 8, "quarantined": 1}
    rows["source_quality"] = [
        {"dataset": "TAX_CIT", "scope": "320411", **counts, "snapshot_age_days": 0, "verdict": "accepted"},
        {"dataset": "TAX_CIT", "scope": "320412", **counts, "snapshot_age_days": 9, "verdict": "not delivered"},
        {"dataset": "IP_PAT", "scope": "city", **counts, "snapshot_age_days": 0, "verdict": "rejected"},
    ]
    return rows


def put(engine: Engine, rows: dict[str, list[dict[str, Any]]]) -> int:
    """Publish rows as they are: they are made to be read, the audit has its own tests."""
    with writing(engine) as connection:
        entry = {"as_of": date(2026, 11, 23), "scheme_id": "changzhou_v1", "scheme_version": "1.0.0"}
        connection.execute(generation.update().values(status="superseded"))
        made = connection.execute(
            generation.insert().values(
                **entry, snapshot_set="s", created_at=clock(), published_at=clock(), status="current"
            )
        ).inserted_primary_key
        assert made is not None
        for name, held in rows.items():
            if held:
                connection.execute(PUBLISHED[name].insert(), [{"generation_id": made[0], **row} for row in held])
        if connection.execute(pointer.update().values(generation_id=made[0])).rowcount == 0:
            connection.execute(pointer.insert().values(id=1, generation_id=made[0], version=1))
        return made[0]


@pytest.fixture(autouse=True)
def home_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps behind some pages open the stores that the settings name."""
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path / "empty"))


def put_roll(engine: Engine, generation_id: int) -> None:
    """The honours of the town as the roll of 2026, in public notice."""
    named = {row["uscc"]: row for row in town()["enterprise_profile"]}
    known = [{**named[row["uscc"]], **row} for row in town()["honours"]]
    entries = [{name: row[name] for name in Entry.__dataclass_fields__} for row in known]
    with writing(engine) as connection:
        entry = {"year": 2026, "scheme_id": "changzhou_v1", "scheme_version": "1.0.0", "generation_id": generation_id}
        entry |= {
            "as_of": date(2026, 11, 23),
            "content_sha": digest(entries),
            "proposed_at": clock(),
            "proposed_by": "run",
        }
        entry |= {"notice_days": 7}
        connection.execute(honour_roll.insert().values(**entry, status="notice", notice_until=date(2026, 12, 7)))
        connection.execute(honour_candidate.insert(), [{**one, "roll_id": 1} for one in entries])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The town on SQLite, to be read only."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('portal') / 'warehouse.sqlite'}")
    migrate(engine)
    put_roll(engine, put(engine, town()))
    return engine


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two rows of the tax bureau's returns in quarantine, one with a formula for a name."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    key = SnapshotKey("TAX_CIT", "320411", date(2026, 11, 23))
    contract = require_contract("TAX_CIT")
    native = contract.columns["amount_yuan"].native
    rows = [{native: "五百万", "_page": 1, "_ordinal": 7}, {native: "-1", "_page": 2, "_ordinal": 0}]
    held = pa.Table.from_pylist(rows, contract.landing_schema())
    reasons = [["amount_yuan.cast"], ["amount_yuan.min", "snapshot.other"]]
    entity = ["=1+1", "91320400MA00000001;常州恒创精密有限公司"]
    held = held.append_column("reasons", pa.array(reasons)).append_column("entity", pa.array(entity))
    lake.commit(quarantine(key), {"data": held}, {})
    return lake


def ask_nobody(person: str, conf: dict[str, str]) -> str:
    raise AssertionError("no release was to be asked for")


@pytest.fixture(scope="session")
def desk(lake: Lake) -> Callable[..., TestClient]:
    """Makes a browser before the pages of a warehouse, mounted as Airflow mounts them, for one reader."""

    def desk(
        engine: Engine,
        reader: Reader = Reader("officer"),
        lake: Lake = lake,
        ask_release: AskRelease = ask_nobody,
    ) -> TestClient:
        outer = FastAPI()
        outer.mount("/points", make_app(engine, lake, lambda: reader, ask_release))
        return TestClient(outer, raise_server_exceptions=False)

    return desk


@pytest.fixture(scope="module")
def browser(published: Engine, desk: Callable[..., TestClient]) -> TestClient:
    return desk(published)


@pytest.fixture
def empty(tmp_path: Path) -> Engine:
    """A warehouse that nobody has migrated."""
    return create_engine(f"sqlite:///{tmp_path / 'warehouse.sqlite'}")


ANNA = Reader("anna", acts=frozenset(get_args(Act)), session="a session of anna's browser")


class Office(NamedTuple):
    """The pages over a furnished home. `asked` fills with the releases that are asked for."""

    stores: Stores
    desk: Callable[..., TestClient]
    asked: list[tuple[str, dict[str, str]]]
    first: int = 1
    second: int = 2

    def browser(self, reader: Reader = ANNA) -> TestClient:
        return self.desk(self.stores.engine, reader, self.stores.lake, self.ask_release)

    def ask_release(self, person: str, conf: dict[str, str]) -> str:
        self.asked.append((person, conf))
        return f"manual__{len(self.asked)}"


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which something waits for a person everywhere: a row in quarantine that a check digit keeps out, a
    delivery that stands in another unit, names that equal nobody's, two generations to choose from.
    """
    home = tmp_path_factory.mktemp("furnished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(home))
        stores = open_stores()
        leave_open(stores)
        counts = night(stores, FIRST, [*GOOD, MISPRINT, UNREADABLE])
        assert counts == (102, 0, 100, 2)
        land(stores, NIGHTS[1], "0.12", rows=100)
        with pytest.raises(TerminalError, match=r"snapshot\.unit"):
            judge(NIGHTS[1])
        told = dict(zip(("rows_in", "duplicates", "accepted", "quarantined"), counts, strict=True))
        place = {"dataset": "TAX_VAT", "scope": "320411", "as_of": FIRST}
        rows = town()
        rows["source_quality"].append({**place, **told, "snapshot_age_days": 0, "verdict": "accepted"})
        assert (put(stores.engine, rows), put(stores.engine, rows)) == (1, 2)
        stores.engine.dispose()
    return home


@pytest.fixture
def office(
    furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, desk: Callable[..., TestClient]
) -> Iterator[Office]:
    """A furnished home of one's own, to do things in."""
    home = shutil.copytree(furnished, tmp_path / "home")
    monkeypatch.setenv("INNOPOINTS_HOME", str(home))
    stores = open_stores()
    yield Office(stores, desk, [])
    stores.engine.dispose()


class Nights(NamedTuple):
    """A home, and what is known of it for addresses."""

    home: Path
    known: dict[str, str]


NIGHTLY = ("innopoints_320411", "scheduled__2026-11-19T17:00:00+00:00")
"""A run, by its DAG and its own id."""


def as_if_by_airflow(stores: Stores, as_of: date) -> None:
    """What the shell made of a date stands in the ledger as made by a task of `NIGHTLY`."""
    holders = (run_snapshot.c.landed_by, run_snapshot.c.judged_by, run_result.c.scored_by)
    with writing(stores.engine) as connection:
        for holder in (*holders, run_publication.c.published_by):
            of_date = holder.table.c.as_of == as_of
            connection.execute(
                sa.update(holder.table).where(of_date).values({holder: "/".join((*NIGHTLY, "task", "0"))})
            )


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Two real nights, to be read only."""
    return two_nights(tmp_path_factory)


def two_nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Two real nights, made once for all processes of a test run: who comes second waits for the first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    told = shared / "two_nights.json"
    with (shared / "two_nights.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not told.exists():
            home, known = _two_nights(tmp_path_factory)
            told.write_text(json.dumps({"home": str(home), "known": known}), encoding="utf-8")
    kept = json.loads(told.read_text(encoding="utf-8"))
    return Nights(Path(kept["home"]), kept["known"])


def _two_nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """Two real nights of two districts, a month apart, and the honours of the year proposed from the second. `uscc` is
    the enterprise whose points differ most between them.
    """
    districts, days = ["320411", "320412"], [date(2026, 10, 20), date(2026, 11, 20)]
    with (
        served(tmp_path_factory.mktemp("departments"), 250, 4) as departments,
        pytest.MonkeyPatch.context() as patch,
    ):
        home = tmp_path_factory.mktemp("nights")
        patch.setenv("INNOPOINTS_HOME", str(home))
        city = departments.moved_to(home)
        for day in days:
            city.refresh(day, districts)
        honours.propose(2026, None, None, run="innopoints_honours/manual__1", holder="test")
        before, after = PUBLISHED["enterprise_points"].alias(), PUBLISHED["enterprise_points"].alias()
        moved = (
            sa.select(after.c.uscc, before.c.total, after.c.total)
            .where(before.c.generation_id == 1, after.c.generation_id == 2, before.c.uscc == after.c.uscc)
            .order_by(after.c.uscc)
        )
        stores = open_stores()
        as_if_by_airflow(stores, days[-1])
        with reading(stores.engine) as connection:
            uscc = max(connection.execute(moved), key=lambda row: abs(row[2] - row[1]))[0]
        stores.engine.dispose()
    known = {"uscc": uscc, "indicator": "INP-03", "year": "2026", "as_of": str(days[-1])}
    known |= dict(zip(("dag", "run"), NIGHTLY, strict=True))
    return Nights(home, {**known, "dataset": "TAX_VAT", "scope": districts[0]})
