"""What all districts share: brought in once, asked for patiently, and never taken over from other rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.contracts import contracts, require_contract
from include.kernel.errors import TerminalError, TransientError
from include.kernel.references import SnapshotKey
from include.sources.declaration import shared
from include.steps import conforming, snapshots
from include.steps.conforming import Frozen, Registries
from include.steps.stores import open_stores
from include.store import lake as places

AS_OF = date(2026, 11, 20)
IN_BUSINESS = "存续（在营、开业、在册）"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))


def accepted(dataset: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Accepted rows; fields that a case does not mention are empty."""
    schema = require_contract(dataset).accepted_schema()
    filled = [
        {name: row.get(name) for name in schema.names} | {"_page": 1, "_ordinal": i} for i, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, schema)


def firm(uscc: str, name: str) -> dict[str, Any]:
    return {"uscc": uscc, "name": name, "state": IN_BUSINESS, "established_on": date(2015, 3, 1)}


def bring_in(dataset: str, scope: str, rows: pa.Table, day: date = AS_OF) -> str:
    """An accepted snapshot; gives its digest."""
    stores, key = open_stores(), SnapshotKey(dataset, scope, day)
    held_back = pa.table({"entity": pa.array([], pa.string())})
    quarantine = stores.lake.commit(places.quarantine(key), {"data": held_back}, {}).sha256
    landing = stores.lake.commit(places.landing(key), {"data": rows}, {}).sha256
    facts = {"landing": landing, "quarantine": quarantine}
    sha = stores.lake.commit(places.accepted(key), {"data": rows}, facts).sha256
    version = require_contract(dataset).version
    with stores.lease(f"snapshot/{key}", "test") as lease:
        stores.ledger.record_landed(
            key, lease=lease, contract_version=version, declared=1, received=1, landing_sha=landing
        )
        stores.ledger.record_verdict(
            key, lease=lease, verdict="accepted", rows_in=1, duplicates=0, accepted=1, quarantined=0, reason=None,
            checks=[], accepted_sha=sha,
        )  # fmt: skip
    return sha


@pytest.fixture
def city() -> None:
    """Two districts and every dataset of the city, all of it empty but one patent."""
    bring_in("REG_ENT", "320402", accepted("REG_ENT", [firm("A", "常州甲有限公司")]))
    bring_in("REG_ENT", "320411", accepted("REG_ENT", [firm("B", "常州乙有限公司")]))
    for dataset, contract in contracts().items():
        if contract.scope == "city":
            patent = [{"publication_no": "CN1A", "application_no": "CN1", "assignees": "常州甲有限公司"}]
            bring_in(dataset, "city", accepted(dataset, patent if dataset == "IP_PAT" else []))


def test_the_city_is_conformed_once_for_the_same_snapshots_and_rules(
    city: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stores = open_stores()
    first = conforming._conformed_city(stores, AS_OF, "a", again=False)
    assert stores.lake.read(places.conformed_city(AS_OF), "ip_pat")["uscc"].to_pylist() == ["A"]
    [file] = (tmp_path / "lake" / places.conformed_city(AS_OF)).glob("ip_pat-*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])  # damaged, it is made again
    assert conforming._conformed_city(stores, AS_OF, "a", again=False) == first
    assert file.read_bytes() == whole
    calls: list[str] = []
    real = conforming.conformed
    monkeypatch.setattr(conforming, "conformed", lambda *given: calls.append("made") or real(*given))
    assert conforming._conformed_city(stores, AS_OF, "b", again=False) == first
    assert calls == []
    monkeypatch.setattr(conforming, "_rules", lambda used: "other rules")
    conforming._conformed_city(stores, AS_OF, "c", again=False)
    bring_in("IP_PAT", "city", accepted("IP_PAT", []))
    conforming._conformed_city(stores, AS_OF, "d", again=False)
    assert calls == ["made", "made"]
    assert stores.lake.read(places.conformed_city(AS_OF), "ip_pat").num_rows == 0
    assert stores.lake.read(places.conformed_city(AS_OF), "ip_pat", version=first.sha256).num_rows == 1


def test_who_stands_in_two_registries_is_registered_where_the_newer_one_says() -> None:
    registries = {
        "320402": accepted("REG_ENT", [firm("MOVED", "常州迁有限公司"), firm("A", "常州甲有限公司")]),
        "320411": accepted("REG_ENT", [firm("MOVED", "常州迁有限公司"), firm("B", "常州乙有限公司")]),
    }
    register = Registries.of(registries, AS_OF, {"320402": AS_OF, "320411": date(2026, 11, 19)})
    assert register.codes["320402"].to_pylist() == ["MOVED", "A"]
    assert register.codes["320411"].to_pylist() == ["B"]
    assert register.participating().to_pylist() == ["A", "MOVED", "B"]


def test_no_registry_at_all_is_one_line() -> None:
    with pytest.raises(TerminalError, match=r"^REG_ENT as of 2026-11-20: no district has .*kept.*do: land"):
        Registries.of({}, AS_OF)


def test_a_snapshot_of_an_older_contract_is_read_in_todays_shape() -> None:
    old = accepted("REG_ENT", [firm("A", "常州甲有限公司")]).drop_columns(["registering_authority"])
    sha = bring_in("REG_ENT", "320402", old)
    rows = Frozen(SnapshotKey("REG_ENT", "320402", AS_OF), sha).accepted(open_stores())
    assert rows.schema == require_contract("REG_ENT").accepted_schema()
    assert rows["registering_authority"].to_pylist() == [None]


def test_a_department_that_is_down_is_asked_once_and_the_others_land(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def land(dataset: str, scope: str, day: date, **_: Any) -> None:
        asked.append((dataset, scope))
        if dataset == "REG_ENT":
            raise TransientError("no answer", where=dataset)
        bring_in(dataset, scope, accepted(dataset, []), day)

    monkeypatch.setattr(snapshots, "land", land)
    monkeypatch.setattr(snapshots, "validate", lambda *_, **__: None)
    with pytest.raises(TransientError, match=r"1 departments did not deliver .*no answer.*kept: \d+ of \d+ snapshots"):
        snapshots.land_shared(AS_OF, holder="test", lookup=None)
    of_registry = {name for name, contract in contracts().items() if contract.source == "registry"}
    assert [dataset for dataset, _ in asked if dataset in of_registry] == ["REG_ENT"]
    assert {pair for pair in asked if pair[0] not in of_registry} == {
        pair for pair in shared() if pair[0] not in of_registry
    }
    asked.clear()
    with pytest.raises(TransientError):
        snapshots.land_shared(AS_OF, holder="test", lookup=None)
    assert {dataset for dataset, _ in asked} <= of_registry  # what has landed is not asked for again


def test_what_the_night_has_rejected_is_left_alone_and_a_missing_connection_is_not_taken_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def land(dataset: str, scope: str, day: date, **_: Any) -> None:
        raise TerminalError("Connection is not configured", where=dataset)

    monkeypatch.setattr(snapshots, "land", land)
    with pytest.raises(TerminalError, match=r"departments did not deliver .*not configured"):
        snapshots.land_shared(AS_OF, holder="test", lookup=None)
