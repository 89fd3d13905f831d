"""What runs at the same time in one Airflow: tonight, past days from the form, the same days by Airflow's own
back-fill; and a sweep that waits in its queue for ever.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.embedded.airflow_api import FINISHED, Airflow
from include.embedded.demo import CITY, PUBLISH, SCHEME
from include.kernel.areas import areas
from include.steps.stores import open_stores
from tests.alarms import servers
from tests.alarms.servers import Mail
from tests.faults.airflow_night import (
    NIGHT_SECONDS,
    Running,
    committed,
    ended,
    night,
    published,
    running_airflow,
)
from tests.faults.conftest import Measured

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

TONIGHT, DISTRICT = date(2026, 11, 20), "320411"
PAST = [date(2026, 11, 17), date(2026, 11, 18)]
OF_DISTRICT, FORM = f"innopoints_{DISTRICT}", "innopoints_backfill"
ENTERPRISES, SEED = 120, 4
TOLD_SECONDS = 120


@pytest.fixture(scope="module")
def mail() -> Iterator[Mail]:
    with servers.mail() as held:
        yield held


@pytest.fixture(scope="module")
def running(open_folder: Path, mail: Mail) -> Iterator[Running]:
    """An Airflow that writes its alarms to the mail host."""
    with pytest.MonkeyPatch.context() as patch:
        connection = {"conn_type": "generic", "extra": {"channels": [mail.address]}}
        patch.setenv("AIRFLOW_CONN_INNOPOINTS_ALARMS", json.dumps(connection))
        with running_airflow(open_folder / "together", ENTERPRISES, SEED) as found:
            yield found


@dataclass(frozen=True)
class Ran:
    """A run of a DAG, and when it was at work."""

    state: str
    began: str
    ended: str

    def beside(self, other: Ran) -> bool:
        return self.began < other.ended and other.began < self.ended


def runs(airflow: Airflow, dag_id: str, *kinds: str) -> list[Ran]:
    """The runs of a DAG, or those of some kinds."""
    found = airflow._get(f"/dags/{dag_id}/dagRuns", run_type=kinds, limit=100)["dag_runs"]
    return [Ran(one["state"], one["start_date"] or "", one["end_date"] or "") for one in found]


def by_airflows_own(airflow: Airflow) -> list[str]:
    """Airflow's back-fill of the district's past days, as `airflow backfill create` asks for it; how its runs ended."""
    asked = {
        "dag_id": OF_DISTRICT,
        "from_date": f"{PAST[0]}T00:00:00+08:00",
        "to_date": f"{PAST[-1]}T23:00:00+08:00",
        "max_active_runs": len(PAST),
    }
    airflow._ask("POST", "/backfills", json=asked)
    states: list[str] = []
    deadline = time.monotonic() + NIGHT_SECONDS
    while (len(states) < len(PAST) or not set(states) <= set(FINISHED)) and time.monotonic() < deadline:
        time.sleep(2)
        states = [one.state for one in runs(airflow, OF_DISTRICT, "backfill")]
    return states


def came_of_it() -> dict[date, Any]:
    """What is published of each day, and what is kept of it, by digest."""
    stores = open_stores()
    found: dict[date, Any] = {TONIGHT: (published(stores.engine, TONIGHT), committed(stores, TONIGHT))}
    for day in PAST:
        found[day] = published(stores.engine, day), committed(stores, day, [DISTRICT])
    return found


def test_past_days_beside_tonight_end_like_those_of_one_after_the_other(
    running: Running, tmp_path: Path, measured: Measured
) -> None:
    """Airflow's own back-fill takes no part in the claims: it is at the very days of the form, at the same time."""
    form = {
        "districts": [DISTRICT],
        "date_from": PAST[0].isoformat(),
        "date_to": PAST[-1].isoformat(),
        "scheme": SCHEME,
        "reason": "late tax returns",
    }
    began = time.monotonic()
    with ThreadPoolExecutor() as at_once:
        nightly = at_once.submit(night, running.sign_in(), TONIGHT)
        of_form = at_once.submit(ended, running.sign_in(), [FORM], "form__beside", form)
        of_airflow = at_once.submit(by_airflows_own, running.sign_in())
    took = time.monotonic() - began
    assert set(nightly.result().values()) == {"success"}, nightly.result()
    assert of_form.result() == {FORM: "success"}
    assert of_airflow.result() == ["success"] * len(PAST)

    [of_form_ran] = runs(running.airflow, FORM)
    assert any(of_form_ran.beside(one) for one in runs(running.airflow, CITY, "manual"))
    assert any(of_form_ran.beside(one) for one in runs(running.airflow, OF_DISTRICT, "backfill"))

    together = came_of_it()
    with running.shell(tmp_path) as refreshed:
        for day in PAST:
            refreshed(day, [DISTRICT])
        refreshed(TONIGHT, list(areas()))
        assert came_of_it() == together
    measured(25, f"a night beside {len(PAST)} past days, twice, in {took:.0f} s: the same digests as in order")


def test_a_sweep_that_waits_in_its_queue_for_ever_is_told_of_at_its_deadline(running: Running, mail: Mail) -> None:
    """Its DAG is paused once the run is there: nobody starts it, and the deadline passes all the same."""
    airflow = running.airflow
    mail.taken.clear()
    airflow._ask("PATCH", f"/dags/{PUBLISH}", json={"is_paused": True})
    try:
        at_five = datetime.now(UTC) - timedelta(hours=2)
        run = {"dag_run_id": "sweep__queued", "logical_date": at_five.isoformat(), "conf": {}}
        airflow._ask("POST", f"/dags/{PUBLISH}/dagRuns", json=run)
        deadline = time.monotonic() + TOLD_SECONDS
        while not mail.taken and time.monotonic() < deadline:
            time.sleep(1)
        assert airflow.states("sweep__queued") == {PUBLISH: "queued"}
        [(_, text)] = mail.taken
        assert f"not published by its deadline 逾期未发布: {SCHEME}" in text
    finally:
        airflow._ask("PATCH", f"/dags/{PUBLISH}", json={"is_paused": False})
