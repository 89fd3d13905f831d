"""A department is asked again: an accepted answer is used, another one changes nothing, and nothing earlier is lost."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from include import steps
from include.cli import app
from include.kernel.errors import BadInput, TerminalError, TransientError
from include.kernel.references import ResultKey, SnapshotKey
from include.publish.generations import generations
from include.steps.repull import repull, scopes_of
from include.steps.stores import lock_of
from include.store import lake as places
from include.store.ledger import SnapshotRow, run_repull
from tests.e2e.conftest import AS_OF, SCHEME, City, served
from tests.faults import invariants

pytestmark = [pytest.mark.services, pytest.mark.long]

DISTRICT, BEFORE = "320411", AS_OF - timedelta(days=1)
KEY = SnapshotKey("HR_INS", DISTRICT, AS_OF)


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Departments that say something else: as if each had repaired its past."""
    with served(tmp_path_factory.mktemp("repaired"), 60, 5) as city:
        yield city


def bring_in(city: City, day: date = AS_OF) -> None:
    steps.land(KEY.dataset, DISTRICT, day, holder="night", lookup=city.lookup)
    steps.validate(KEY.dataset, DISTRICT, day, holder="night")


def again(city: City) -> dict[str, Any]:
    return repull(KEY.dataset, DISTRICT, AS_OF, reason="人社局已补报", holder="form", lookup=city.lookup)


def known(city: City) -> SnapshotRow:
    held = city.stores.ledger.snapshot(KEY)
    assert held is not None
    return held


def attempts(city: City) -> list[tuple[Any, ...]]:
    with city.stores.engine.connect() as connection:
        columns = (run_repull.c.outcome, run_repull.c.reason, run_repull.c.before_sha, run_repull.c.after_sha)
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(run_repull.c.id))]


def test_the_same_answer_again_changes_nothing(city: City) -> None:
    bring_in(city)
    before = asdict(known(city))
    assert again(city)["outcome"] == "same"
    assert asdict(known(city)) == before
    assert attempts(city) == [("same", "人社局已补报", before["accepted_sha"], before["accepted_sha"])]


def test_an_accepted_answer_is_in_use_and_the_earlier_snapshot_is_still_there(city: City, repaired: City) -> None:
    bring_in(city)
    before = known(city)
    earlier = city.stores.lake.read(places.accepted(KEY), version=before.accepted_sha)
    done = again(repaired)
    after = known(city)
    assert (done["outcome"], done["accepted_before"], done["accepted"]) == ("replaced", before.accepted, after.accepted)
    assert after.accepted_sha != before.accepted_sha
    assert (after.verdict, after.landed_by, after.rows_in) == ("accepted", "form", after.received)
    assert city.stores.lake.read(places.accepted(KEY)).num_rows == after.accepted
    assert city.stores.lake.read(places.accepted(KEY), version=before.accepted_sha).equals(earlier)
    assert attempts(city) == [("replaced", "人社局已补报", before.accepted_sha, after.accepted_sha)]
    # asked for in the old words, a night finds the new answer and asks nobody
    assert steps.land(KEY.dataset, DISTRICT, AS_OF, holder="night", lookup=city.lookup)["outcome"] == "reused"


def test_a_rejected_answer_changes_nothing_and_says_what_came(city: City, repaired: City) -> None:
    bring_in(city, BEFORE)  # what came is held against it, and most of it is gone
    bring_in(city)
    before = asdict(known(city))
    with pytest.raises(TerminalError, match=r"what came is rejected: snapshot\.") as refused:
        again(repaired)
    assert "repulled.html" in str(refused.value)
    assert asdict(known(city)) == before
    report = (Path(city.stores.lake.root) / places.report(KEY)).with_name("repulled.html")
    assert "snapshot." in report.read_text(encoding="utf-8")
    assert [row[0] for row in attempts(city)] == ["rejected"]
    assert city.stores.lake.read(places.accepted(KEY), version=before["accepted_sha"]).num_rows == before["accepted"]


def test_a_department_that_is_down_changes_nothing(city: City) -> None:
    bring_in(city)
    before = asdict(known(city))
    conn_id = next(name for name in city.connections if "human" in name)
    down = replace(city.connections[conn_id], host="http://127.0.0.1:9")
    with pytest.raises(TransientError):
        again(replace(city, connections={**city.connections, conn_id: down}))
    assert asdict(known(city)) == before
    assert attempts(city) == []


def test_it_says_which_results_would_read_otherwise_and_a_backfill_of_them_ends_it(city: City, repaired: City) -> None:
    city.refresh(AS_OF, [DISTRICT])
    last = AS_OF + timedelta(days=1)
    city.refresh(last, [DISTRICT])  # it has a snapshot of its own: nothing of it reads the repaired one
    done = again(repaired)
    assert {name: done[name] for name in ("results", "districts", "date_from", "date_to")} == {
        "results": 1,
        "districts": [DISTRICT],
        "date_from": AS_OF.isoformat(),
        "date_to": AS_OF.isoformat(),
    }
    with city.stores.engine.connect() as connection:
        count = sa.text("SELECT count(*) FROM generation")
        generations = connection.scalar(count)
    assert city.stores.ledger.results_reading_otherwise(KEY, str(known(city).accepted_sha))
    city.refresh(AS_OF, [DISTRICT])
    assert not city.stores.ledger.results_reading_otherwise(KEY, str(known(city).accepted_sha))
    with city.stores.engine.connect() as connection:
        assert connection.scalar(count) == generations + 1
        # a back-fill of an older date moves no pointer
        current = connection.execute(sa.text("SELECT as_of, scheme_id FROM current_generation")).one()
    assert (str(current.as_of), current.scheme_id) == (last.isoformat(), SCHEME)


def test_a_night_that_has_chosen_already_is_counted_and_its_publication_says_on_what_it_stands(
    city: City, repaired: City
) -> None:
    """Conformed, not scored yet: the answer comes between the two."""
    city.refresh(AS_OF, [DISTRICT])
    result = ResultKey(AS_OF, DISTRICT, SCHEME)
    with city.stores.lease(lock_of(result), "test") as lease:
        city.stores.ledger.forget(result, lease=lease)
    done = again(repaired)
    assert (done["outcome"], done["results"]) == ("replaced", 1)
    assert (done["districts"], done["date_from"], done["date_to"]) == ([DISTRICT], *[AS_OF.isoformat()] * 2)
    told = f"{DISTRICT} stands on HR_INS/{DISTRICT} of {AS_OF} before it was replaced"
    assert told in scored_and_published(city)
    invariants.of_home(city.home)
    steps.conform(DISTRICT, AS_OF, holder="night")
    assert "stands on" not in scored_and_published(city)
    invariants.of_home(city.home)
    assert again(repaired)["results"] == 0


def scored_and_published(city: City) -> str:
    """The rest of a night that is conformed; the reason of its generation."""
    steps.measure(DISTRICT, AS_OF, holder="night")
    steps.compute(DISTRICT, AS_OF, SCHEME, holder="night")
    steps.score(DISTRICT, AS_OF, SCHEME, holder="night")
    steps.rank(AS_OF, SCHEME, holder="city")
    steps.publish(AS_OF, SCHEME, holder="city", drift_accepted_by="陈工", reason="补报")
    return generations(city.stores.engine)[0].reason or ""


def test_what_no_night_brought_in_is_back_filled_instead(city: City) -> None:
    with pytest.raises(BadInput, match=r"no night has brought it in.*back-fill that day"):
        again(city)
    with pytest.raises(BadInput, match="no reason"):
        repull(KEY.dataset, DISTRICT, AS_OF, reason=" ", holder="form", lookup=city.lookup)


def test_districts_are_named_for_a_dataset_of_districts_and_not_for_one_of_the_city() -> None:
    assert scopes_of("TAX_VAT", ["320411", "320412"]) == ["320411", "320412"]
    assert scopes_of("IP_PAT", []) == ["city"]
    for dataset, districts in (("IP_PAT", ["320411"]), ("TAX_VAT", []), ("TAX_VAT", ["330106"]), ("NONE", [])):
        with pytest.raises(BadInput):
            scopes_of(dataset, districts)


def test_a_damaged_file_that_is_treated_as_its_line_says_gives_the_same_points(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    import include.cli

    monkeypatch.setattr(include.cli, "from_environment", city.lookup)
    city.refresh(AS_OF, [DISTRICT])
    result = ResultKey(AS_OF, DISTRICT, SCHEME)
    before = city.stores.ledger.result(result)
    [file] = (Path(city.stores.lake.root) / places.accepted(KEY)).glob("data-*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :])
    with pytest.raises(TerminalError, match="the file is damaged") as refused:
        steps.conform(DISTRICT, AS_OF, holder="night")
    [command] = re.findall(r"`innopoints (repull [^`]*)`", str(refused.value))
    assert CliRunner().invoke(app, shlex.split(command), catch_exceptions=False).exit_code == 0
    assert file.read_bytes() == whole
    said = city.refresh(AS_OF, [DISTRICT])
    assert not any("not scored" in line for line in said)
    assert city.stores.ledger.result(result) == before


def test_from_a_shell(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    import include.cli

    bring_in(city)
    monkeypatch.setattr(include.cli, "from_environment", city.lookup)
    asked = ["repull", KEY.dataset, "--district", DISTRICT, "--as-of", AS_OF.isoformat(), "--reason", "已补报"]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    rows = known(city).accepted
    assert done.output == f"HR_INS/320411/{AS_OF}: same, {rows} rows accepted, {rows} before\n"
