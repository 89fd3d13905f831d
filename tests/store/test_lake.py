"""The lake keeps its promises: whole commits or none, the same bytes for the same tables, damage named and not read."""

from __future__ import annotations

import random
import resource
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.kernel.errors import BadInput, TerminalError
from include.kernel.references import ResultKey, SnapshotKey
from include.store import lake as places
from include.store.lake import MANIFEST, Lake, Manifest

KEY = SnapshotKey("TAX_CIT", "320411", date(2026, 11, 23))
PLACE = places.accepted(KEY)
FACTS = {"contract_version": 1, "pages": ["第1页", "第2页"], "declared": 3}


def rows(amount: str = "12.50") -> pa.Table:
    return pa.table(
        {
            "uscc": ["91320400MA00000001", "91320400MA00000002", None],
            "revenue_yuan": pa.array([Decimal(amount), Decimal("-0.01"), None], pa.decimal128(24, 2)),
            "filed_on": pa.array([date(2026, 5, 31), None, date(2026, 6, 1)]),
            "reasons": [["pattern", "min"], [], None],
        }
    )


@pytest.fixture(params=["folder", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake") if request.param == "folder" else f"memory://{tmp_path.name}")


def test_places_follow_the_agreed_layout() -> None:
    result = ResultKey(date(2026, 11, 23), "320411", "changzhou_v1")
    assert places.landing(KEY) == "landing/TAX_CIT/320411/as_of=2026-11-23"
    assert places.quarantine(KEY) == "quarantine/TAX_CIT/320411/as_of=2026-11-23"
    assert places.raw(KEY) == "raw/TAX_CIT/320411/as_of=2026-11-23"
    assert places.conformed("320411", KEY.as_of) == "conformed/320411/as_of=2026-11-23"
    assert places.measures("320411", KEY.as_of) == "measures/320411/as_of=2026-11-23"
    assert places.values(result) == "values/changzhou_v1/320411/as_of=2026-11-23"
    assert places.points(result) == "points/changzhou_v1/320411/as_of=2026-11-23"
    assert places.ranked(KEY.as_of, "changzhou_v1") == "ranked/changzhou_v1/as_of=2026-11-23"


def test_a_place_names_what_it_is_a_part_of() -> None:
    key, result = KEY, ResultKey(KEY.as_of, "320411", "s")
    assert {places.key_of(place) for place in places.of_snapshot(key)} == {key}
    assert [place for place in places.of_result(result) if places.key_of(place)] == [places.points(result)]
    assert places.key_of(places.points(result)) == result
    foreign = ("accepted/TAX_CIT/320411/as_of=2026-11-23.bak", "accepted", "landing/a/b/c/as_of=2026-11-23")
    assert not any(map(places.key_of, foreign))


def test_what_was_committed_is_read_back(lake: Lake) -> None:
    assert lake.manifest(PLACE) is None
    manifest = lake.commit(PLACE, {"data": rows(), "other": rows("1.00")}, FACTS)
    assert lake.manifest(PLACE) == lake.require(PLACE) == manifest
    assert manifest.facts == FACTS
    assert {name: table.rows for name, table in manifest.tables.items()} == {"data": 3, "other": 3}
    assert lake.read(PLACE).equals(rows())
    assert lake.read(PLACE, "other", columns=["revenue_yuan"]).to_pydict() == {
        "revenue_yuan": [Decimal("1.00"), Decimal("-0.01"), None]
    }


def test_the_same_tables_give_the_same_bytes_however_they_were_chunked(tmp_path: Path) -> None:
    chunked = pa.concat_tables([rows().slice(0, 1), rows().slice(1)]).replace_schema_metadata({"pandas": "x"})
    first = Lake(str(tmp_path / "first")).commit(PLACE, {"a": rows(), "b": rows("2.00")}, FACTS)
    again = Lake(str(tmp_path / "again")).commit(
        PLACE, {"b": rows("2.00"), "a": chunked}, dict(reversed(FACTS.items()))
    )
    assert first == again
    files = {path.name: path.read_bytes() for path in (tmp_path / "first" / PLACE).iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "again" / PLACE).iterdir()}
    assert len(files) == 4  # two tables, the manifest, and the manifest under its digest


def test_chunks_with_many_small_dictionaries_are_one_table(lake: Lake) -> None:
    names = [f"IND-{i:03d}" for i in range(200)]
    chunks = [pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array([name])) for name in names]
    lake.commit(PLACE, {"data": pa.table({"indicator": pa.chunked_array(chunks)})}, {})
    assert lake.read(PLACE)["indicator"].cast(pa.string()).to_pylist() == names


@pytest.mark.parametrize("change", ["a cell", "a fact"])
def test_other_content_is_another_snapshot(lake: Lake, change: str) -> None:
    before = lake.commit(PLACE, {"data": rows()}, FACTS)
    cell, declared = ("12.51", 3) if change == "a cell" else ("12.50", 4)
    assert lake.commit(PLACE, {"data": rows(cell)}, FACTS | {"declared": declared}).sha256 != before.sha256


def test_a_reader_without_a_commit_is_told_what_to_run(lake: Lake) -> None:
    with pytest.raises(TerminalError, match=r"nothing is committed.*do: run the step"):
        lake.read(PLACE)
    lake.commit(PLACE, {"data": rows()}, {})
    with pytest.raises(TerminalError, match="no table 'missing'"):
        lake.read(PLACE, "missing")


def test_a_commit_interrupted_before_its_manifest_is_invisible(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.commit(PLACE, {"data": rows()}, FACTS)
    write = Lake._write

    def dies_at_the_manifest(self: Lake, place: str, files: dict[str, bytes]) -> None:
        if any(name.startswith("manifest") for name in files):
            raise KeyboardInterrupt
        write(self, place, files)

    monkeypatch.setattr(Lake, "_write", dies_at_the_manifest)
    for place in (PLACE, "accepted/TAX_CIT/320412/as_of=2026-11-23"):
        with pytest.raises(KeyboardInterrupt):
            lake.commit(place, {"data": rows("99.00")}, FACTS)
    monkeypatch.undo()
    assert lake.manifest("accepted/TAX_CIT/320412/as_of=2026-11-23") is None
    assert lake.read(PLACE).equals(rows())
    assert len(lake.sweep(PLACE)) == 1
    assert lake.sweep(PLACE) == []
    assert lake.read(PLACE).equals(rows())


def test_every_committed_version_can_be_read_again(lake: Lake) -> None:
    first = lake.commit(PLACE, {"data": rows()}, FACTS)
    second = lake.commit(PLACE, {"data": rows("99.00")}, FACTS)
    assert lake.read(PLACE).equals(rows("99.00"))
    assert lake.read(PLACE, version=first.sha256).equals(rows())
    assert lake.require(PLACE, second.sha256) == lake.require(PLACE) == second
    assert lake.sweep(PLACE) == []
    assert lake.read(PLACE, version=first.sha256).equals(rows())
    with pytest.raises(TerminalError, match=f"no version {'0' * 16} of it is committed"):
        lake.read(PLACE, version="0" * 64)


def test_a_place_from_before_there_were_versions_knows_its_last_one(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    version = lake.commit(PLACE, {"data": rows()}, FACTS).sha256
    (tmp_path / PLACE / f"manifest-{version[:16]}.json").unlink()
    assert lake.read(PLACE, version=version).equals(rows())
    assert lake.manifest(PLACE, "0" * 64) is None


def test_a_full_disk_is_one_clear_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.commit(PLACE, {"data": rows()}, FACTS)
    before = sorted(path.name for path in (tmp_path / PLACE).iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = pa.table({"noise": [random.Random(1).randbytes(50_000)]})
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # the system refuses to write more, as on a full disk
    try:
        with pytest.raises(TerminalError, match=r"as_of=2026-11-23: cannot write: .*do: free space"):
            lake.commit(PLACE, {"noise": noise}, FACTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in (tmp_path / PLACE).iterdir()) == before
    assert lake.read(PLACE).equals(rows())


def test_every_flipped_bit_is_detected_and_the_file_named(tmp_path: Path) -> None:
    lake, chance = Lake(str(tmp_path)), random.Random(20210430)
    version = lake.commit(PLACE, {"data": rows()}, FACTS).sha256
    files = sorted((tmp_path / PLACE).iterdir())
    for _ in range(100):
        path = chance.choice(files)
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(TerminalError, match=path.name):
            lake.read(PLACE, version=None if path.name == MANIFEST else version)
        path.write_bytes(whole)
    assert lake.read(PLACE).equals(rows())


@pytest.mark.parametrize("damage", ["shorter", "empty", "removed", "of another district"])
@pytest.mark.parametrize("file", ["data", "manifest"])
def test_a_file_that_is_not_what_was_committed_is_refused(tmp_path: Path, file: str, damage: str) -> None:
    lake, elsewhere = Lake(str(tmp_path)), "accepted/TAX_CIT/320412/as_of=2026-11-23"
    lake.commit(PLACE, {"data": rows()}, FACTS)
    lake.commit(elsewhere, {"data": rows("7.00")}, FACTS)
    name = MANIFEST if file == "manifest" else lake.require(PLACE).tables["data"].file
    path = tmp_path / PLACE / name
    if damage == "removed":
        path.unlink()
    elif damage == "of another district":
        other = MANIFEST if file == "manifest" else lake.require(elsewhere).tables["data"].file
        shutil.copy(tmp_path / elsewhere / other, path)
    else:
        path.write_bytes(path.read_bytes()[:-1] if damage == "shorter" else b"")
    with pytest.raises(TerminalError):
        lake.read(PLACE)


def test_a_damaged_manifest_is_never_taken_for_an_empty_place(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.commit(PLACE, {"data": rows()}, FACTS)
    for content in (b"", b"{}", b"[]", b'"x"', b"\xff", lake.require(PLACE).to_bytes() + b" "):
        (tmp_path / PLACE / MANIFEST).write_bytes(content)
        with pytest.raises(TerminalError, match="manifest is damaged"):
            lake.manifest(PLACE)


def test_a_whole_snapshot_copied_from_another_district_is_refused(tmp_path: Path) -> None:
    lake, elsewhere = Lake(str(tmp_path)), "accepted/TAX_CIT/320412/as_of=2026-11-23"
    lake.commit(elsewhere, {"data": rows()}, FACTS)
    shutil.copytree(tmp_path / elsewhere, tmp_path / PLACE)
    with pytest.raises(TerminalError, match=f"belongs to {elsewhere}"):
        lake.read(PLACE)


@given(
    st.dictionaries(
        st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
    )
)
def test_a_manifest_survives_its_file(facts: dict) -> None:
    manifest = Manifest.of(PLACE, facts, {})
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


def test_raw_replies_are_kept_until_they_are_dropped(lake: Lake) -> None:
    raw = places.raw(KEY)
    lake.keep_raw(raw, "page-1", b"reply")
    lake.drop_raw(raw)
    lake.drop_raw(raw)
    assert lake.sweep(raw) == []


def test_a_raw_reply_has_the_same_bytes_whenever_it_is_written(tmp_path: Path) -> None:
    kept = []
    for name in ("first", "again"):
        Lake(str(tmp_path / name)).keep_raw("raw/x", "page-1", b"reply" * 100)
        kept.append((tmp_path / name / "raw/x/page-1.gz").read_bytes())
    assert kept[0] == kept[1]
    assert kept[0][4:8] == bytes(4)  # RFC 1952: no modification time


@pytest.mark.parametrize("place", ["../outside", "/etc", "accepted/../../x", ""])
def test_a_place_outside_the_lake_is_refused(lake: Lake, place: str) -> None:
    with pytest.raises(BadInput, match="not a place in the lake"):
        lake.commit(place, {"data": rows()}, {})
