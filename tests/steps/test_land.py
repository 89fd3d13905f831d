"""What is landed again: a successor takes the place of what is in use only once it is accepted, and what was damaged is
there again, byte for byte.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

import include.cli
from include import steps
from include.contracts import require_contract
from include.kernel.connections import Connection
from include.kernel.errors import TerminalError
from include.kernel.references import SnapshotKey
from include.steps import snapshots
from include.steps.stores import Stores, open_stores
from include.store import lake as places
from include.store.ledger import SnapshotRow, run_repull, run_snapshot
from include.store.warehouse import writing
from tests.sources.test_database import filing, sqlite_with

DAY, BEFORE = date(2026, 11, 23), date(2026, 11, 22)
KEY = SnapshotKey("TAX_VAT", "320411", DAY)
GOOD = [filing(i, RKSJ="2026-11-20 12:00:00") for i in range(60)]
SPOILED = [{**row, "XSE": "unreadable"} for row in GOOD]


class Bureau:
    """The tax bureau's front-end database, which may be handed over anew."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.asked = folder, 0
        self.hands_over(GOOD)

    def hands_over(self, rows: list[dict[str, Any]]) -> None:
        self._url = sqlite_with(self._folder / f"front_end_{self.asked}_{len(rows)}_{id(rows)}.sqlite", rows)

    def lookup(self, conn_id: str) -> Connection:
        self.asked += 1
        return Connection(conn_id, "generic", extra={"url": self._url})

    def night(self, day: date = DAY) -> tuple[str, str]:
        """Land and validate; what came of each."""
        landed = steps.land(KEY.dataset, KEY.scope, day, holder="night", lookup=self.lookup)
        return landed["outcome"], steps.validate(KEY.dataset, KEY.scope, day, holder="night")["verdict"]


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path / "home"))
    stores = open_stores()
    yield stores
    stores.engine.dispose()


@pytest.fixture
def bureau(stores: Stores, tmp_path: Path) -> Bureau:
    """Two nights of it are accepted."""
    bureau = Bureau(tmp_path)
    assert [bureau.night(day) for day in (BEFORE, DAY)] == [("landed", "accepted")] * 2
    return bureau


def in_use(stores: Stores) -> SnapshotRow:
    held = stores.ledger.last_accepted(KEY.dataset, KEY.scope, DAY)
    assert held is not None
    return held


def asked_again(stores: Stores) -> list[tuple[str, str]]:
    with stores.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(run_repull.c.outcome, run_repull.c.reason))]


def test_a_rejected_successor_under_a_grown_contract_leaves_the_accepted_one_in_use(
    stores: Stores, bureau: Bureau
) -> None:
    with writing(stores.engine) as connection:  # accepted under the version before this one
        connection.execute(sa.update(run_snapshot).values(contract_version=require_contract("TAX_VAT").version - 1))
    before = in_use(stores)
    bureau.hands_over(SPOILED)
    with pytest.raises(TerminalError, match=r"2026-11-23: what came is rejected: .*kept: the snapshot in use"):
        bureau.night()
    assert (in_use(stores), before.as_of) == (before, DAY)
    assert steps.validate(KEY.dataset, KEY.scope, DAY, holder="night")["verdict"] == "accepted"
    assert stores.lake.read(places.accepted(KEY), version=before.accepted_sha).num_rows == 60

    bureau.hands_over(GOOD[:59])  # repaired
    assert bureau.night() == ("replaced", "accepted")
    assert (in_use(stores).accepted, in_use(stores).contract_version) == (59, require_contract("TAX_VAT").version)
    asked = bureau.asked
    assert (bureau.night(), bureau.asked) == (("reused", "accepted"), asked)
    version = require_contract("TAX_VAT").version
    why = f"its contract is of version {version}; it was accepted under {version - 1}"
    assert asked_again(stores) == [("rejected", why), ("replaced", why)]


ROOMS = {"landing": places.landing, "accepted": places.accepted, "quarantine": places.quarantine}


def files(stores: Stores) -> dict[str, bytes]:
    """What the lake holds of the snapshot, reports aside."""
    root = Path(stores.lake.root)
    found = [path for room in ROOMS.values() for path in sorted((root / room(KEY)).iterdir())]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def harm(folder: Path, digest: str, harmed: str) -> None:
    """Harm the version of this digest, and nothing else where it can be helped."""
    manifest = folder / f"manifest-{digest[:16]}.json"
    [file] = re.findall(r"data-[0-9a-f]{16}\.parquet", manifest.read_text("utf-8"))
    path = manifest if harmed == "a manifest" else folder / file
    content = bytearray(path.read_bytes())
    if harmed == "all":
        shutil.rmtree(folder)
    elif harmed == "a file is gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("room", "harmed", "way"),
    [
        *((room, how, "the land task") for room in ROOMS for how in ("a bit", "a file is gone", "a manifest", "all")),
        *((room, "a bit", "the command") for room in ROOMS),
        ("accepted", "all", "the command"),
        ("accepted", "a bit", "shared"),
    ],
)
def test_what_the_line_about_a_damaged_file_says_brings_the_same_bytes_back(
    stores: Stores, bureau: Bureau, monkeypatch: pytest.MonkeyPatch, room: str, harmed: str, way: str
) -> None:
    first = in_use(stores)
    bureau.hands_over([*GOOD[:58], SPOILED[58]])  # another version of each room, of which the last is in use
    monkeypatch.setattr(include.cli, "from_environment", bureau.lookup)
    monkeypatch.setattr(snapshots, "shared", lambda: [(KEY.dataset, KEY.scope)])
    typed = f"innopoints repull TAX_VAT --district 320411 --as-of {DAY} --reason late"
    assert CliRunner().invoke(include.cli.app, shlex.split(typed)[1:]).exit_code == 0
    before, whole = in_use(stores), files(stores)
    assert (before.accepted, before.quarantined) == (58, 1)

    place = ROOMS[room](KEY)
    accepted = stores.lake.require(places.accepted(KEY), before.accepted_sha)
    quarantine = accepted.facts["quarantine"]
    digests = {"landing": before.landing_sha, "accepted": accepted.sha256, "quarantine": quarantine}
    harm(Path(stores.lake.root) / place, digests[room], harmed)
    if harmed != "all":
        with pytest.raises(TerminalError, match="do not delete the folder") as refused:
            stores.lake.read(place, version=digests[room])
        [command] = re.findall(r"`(innopoints repull [^`]*)`", str(refused.value))
        assert f"clear the land task of {KEY}" in str(refused.value)
    else:  # as somebody did who was told so before
        command = typed

    if way == "the command":
        done = CliRunner().invoke(include.cli.app, shlex.split(command)[1:], catch_exceptions=False)
        assert done.output == f"TAX_VAT/320411/{DAY}: same, 58 rows accepted, 58 before\n"
    elif way == "the land task":
        assert bureau.night() == ("same", "accepted")
    else:
        assert snapshots.land_shared(DAY, holder="shared", lookup=bureau.lookup)["landed"] == 1
    assert in_use(stores) == before
    mended = files(stores)
    if harmed != "all":
        assert mended == whole
        assert stores.lake.read(places.accepted(KEY), version=first.accepted_sha).num_rows == 60
    assert {name: whole[name] for name in mended} == mended
    asked = bureau.asked
    assert (bureau.night(), bureau.asked) == (("reused", "accepted"), asked)


def test_a_damaged_file_of_what_somebody_released_comes_back_without_asking_that_person_again(
    stores: Stores, tmp_path: Path
) -> None:
    bureau = Bureau(tmp_path)
    bureau.night(BEFORE)
    bureau.hands_over(GOOD[:10])
    with pytest.raises(TerminalError, match=r"snapshot\.lost"):
        bureau.night()
    steps.release(KEY.dataset, KEY.scope, DAY, person="陈工", reason="税务局已核实", holder="release")
    before, whole = in_use(stores), files(stores)
    assert (before.as_of, before.accepted) == (DAY, 10)
    harm(Path(stores.lake.root) / places.accepted(KEY), str(before.accepted_sha), "a bit")
    assert bureau.night() == ("same", "accepted")
    assert (in_use(stores), files(stores)) == (before, whole)
    bureau.hands_over(GOOD[:9])  # of that nobody has spoken
    harm(Path(stores.lake.root) / places.accepted(KEY), str(before.accepted_sha), "a bit")
    with pytest.raises(TerminalError, match="what came is rejected"):
        bureau.night()
