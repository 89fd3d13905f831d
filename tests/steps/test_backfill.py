"""What a back-fill would do is said before it does it, and two of them are never at the same day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from include.cli import app
from include.contracts import require_contract
from include.kernel.references import ResultKey, SnapshotKey
from include.sources.declaration import of_district, shared
from include.steps import backfill
from include.steps.stores import Stores, open_stores
from include.store.ledger import Held, Lease
from tests.portal.conftest import put, town

DAYS, DISTRICTS, SCHEME = [date(2026, 11, 19), date(2026, 11, 23)], ["320411", "320412"], "changzhou_v1"
KEYS = [ResultKey(day, district, SCHEME) for day in DAYS for district in DISTRICTS]


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stores:
    monkeypatch.setenv("INNOPOINTS_HOME", str(tmp_path))
    return open_stores()


def landed(stores: Stores, dataset: str, scope: str, verdict: str | None, version: int | None = None) -> None:
    """As the ledger knows a snapshot of the first day."""
    key = SnapshotKey(dataset, scope, DAYS[0])
    counts = {"rows_in": 1, "duplicates": 0, "accepted": 1, "quarantined": 0}
    with stores.lease("test", "test") as lease:
        stores.ledger.record_landed(
            key, lease=lease, contract_version=version or require_contract(dataset).version, declared=1, received=1,
            landing_sha="l",
        )  # fmt: skip
        if verdict:
            stores.ledger.record_verdict(
                key, lease=lease, verdict=verdict, **counts, reason=None, checks=[], accepted_sha="a"
            )


def score(stores: Stores, key: ResultKey) -> None:
    with stores.lease("test", "test") as lease:
        stores.ledger.record_scored(key, lease=lease, snapshot_set=[], enterprises=1, points_sha="p")


def test_the_preview_tells_what_is_there_and_what_must_be_asked_for(stores: Stores) -> None:
    of_city, own = shared(), of_district()
    landed(stores, own[0], "320411", "accepted")
    landed(stores, own[1], "320411", None)  # it waits for its verdict: nobody is asked again
    landed(stores, own[2], "320411", "rejected")  # the department may have repaired it
    landed(stores, own[3], "320411", "accepted", version=10**6)  # under another contract
    landed(stores, *of_city[0], "accepted")  # every district uses it
    score(stores, KEYS[0])
    put(stores.engine, town())  # generation 1, as of the second day
    all_of_them = len(of_city) + len(own)
    assert [vars(one) for one in backfill.preview(DAYS, DISTRICTS, SCHEME)] == [
        {"as_of": day, "district": district, "scheme": SCHEME, "reused": there, "to_land": all_of_them - there,
         "scored": scored, "generation": generation}
        for day, district, there, scored, generation in (
            (DAYS[0], "320411", 3, True, None),
            (DAYS[0], "320412", 1, False, None),
            (DAYS[1], "320411", 0, False, 1),
            (DAYS[1], "320412", 0, False, 1),
        )
    ]  # fmt: skip
    assert all(one.generation is None for one in backfill.preview(DAYS, DISTRICTS, "national_core"))


def test_a_second_backfill_of_the_same_day_is_told_who_has_it_and_takes_nothing(stores: Stores) -> None:
    backfill.claim(KEYS[2:3], "innopoints_backfill/manual__1")
    with pytest.raises(Held, match=r"backfill/changzhou_v1/320411/2026-11-23: held by innopoints_backfill/manual__1"):
        backfill.claim(KEYS, "innopoints_backfill/manual__2")
    # what it had taken before it met the other is free again
    assert backfill.claim(KEYS[:2], "innopoints_backfill/manual__3") == 2


def test_another_day_district_or_scheme_is_another_key(stores: Stores) -> None:
    for holder, key in enumerate((*KEYS, ResultKey(DAYS[0], DISTRICTS[0], "national_core"))):
        assert backfill.claim([key], f"innopoints_backfill/manual__{holder}") == 1


def test_the_same_run_claims_again_and_what_it_frees_the_next_may_have(stores: Stores) -> None:
    for _ in range(2):
        backfill.claim(KEYS, "one")
    assert backfill.free(KEYS, "another") == 0
    assert backfill.free(KEYS, "one") == 4
    with backfill.claimed(KEYS, "another"), pytest.raises(Held, match="held by another"):
        backfill.claim(KEYS, "one")
    assert backfill.claim(KEYS, "one") == 4


def test_from_a_shell_the_preview_asks_no_department(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(
        app, ["backfill", "--from", "2026-11-19", "--to", "2026-11-20", "--district", "320411", "--dry-run"]
    )
    needed = len(shared()) + len(of_district())
    assert done.output.splitlines() == [
        f"{day} 320411 {SCHEME}: 0 snapshots reused, {needed} to land; not scored yet; not published"
        for day in ("2026-11-19", "2026-11-20")
    ]


def test_from_a_shell_the_days_run_in_order_while_nobody_else_may_have_them(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    import include.steps.refresh

    ran: list[Any] = []

    def refresh(day: date, districts: list[str], scheme: str, **_: Any) -> dict[str, Any]:
        with pytest.raises(Held):
            backfill.claim([ResultKey(DAYS[0], "320411", SCHEME)], "another")
        ran.append((day.isoformat(), districts, scheme))
        return {"generation": len(ran), "as_of": day.isoformat(), "status": "superseded"}

    monkeypatch.setattr(include.steps.refresh, "refresh", refresh)
    run: Callable[..., Any] = CliRunner().invoke
    command = ["backfill", "--from", "2026-11-19", "--to", "2026-11-20", "--district", "320411"]
    assert run(app, command, catch_exceptions=False).exit_code == 0
    assert ran == [(day, ["320411"], SCHEME) for day in ("2026-11-19", "2026-11-20")]
    held: Lease = stores.ledger.acquire(f"backfill/{SCHEME}/320411/2026-11-19", "another", 1)
    assert held.holder == "another"  # given back
    assert "2026-11-20 is after 2026-11-19" in str(
        run(app, ["backfill", "--from", "2026-11-20", "--to", "2026-11-19"]).exception
    )
