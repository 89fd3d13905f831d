"""A machine whose clock is wrong, or stands at midnight or at the end of a month or a year, gives the same night."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.kernel.periods import SHANGHAI
from tests.e2e.conftest import City, served
from tests.faults import invariants
from tests.faults.conftest import Measured

# Debian: apt-get install faketime
LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
NIGHT, DISTRICT, ENTERPRISES, SEED = "2026-06-15", "320411", 40, 7
DAY = 86_400
CLOCKS: dict[str, float | datetime] = {
    "a day behind": -DAY,
    "a day ahead": DAY,
    "midnight in UTC": datetime(2026, 6, 15, 23, 59, 50, tzinfo=UTC),
    "the end of a month in Shanghai": datetime(2026, 6, 30, 23, 59, 50, tzinfo=SHANGHAI),
    "the last day of February": datetime(2028, 2, 29, 23, 59, 50, tzinfo=SHANGHAI),
}


class Refused(Exception):
    """The night ended with this error."""


@contextmanager
def clock(shown: float | datetime) -> Iterator[None]:
    """Every process that starts now sees a clock that many seconds off, or one that stands at this moment now."""
    seconds = shown if isinstance(shown, int | float) else shown.timestamp() - time.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(LIBRARY))
        patch.setenv("FAKETIME", f"{seconds:+.0f}")
        yield


def refreshed(city: City, home: Path) -> dict[str, str]:
    """The night from a shell of its own; the digest of everything that it committed and published."""
    wired = {
        f"AIRFLOW_CONN_{one.conn_id.upper()}": json.dumps(
            {"host": one.host, "login": one.login, "password": one.password, "extra": one.extra}
        )
        for one in city.connections.values()
    }
    night = ["refresh", "--as-of", NIGHT, "--district", DISTRICT]
    environment = {**os.environ, **wired, "INNOPOINTS_HOME": str(home)}
    ended = subprocess.run(
        [sys.executable, "-m", "include", *night], env=environment, capture_output=True, text=True, timeout=900
    )
    if ended.returncode:
        raise Refused(ended.stdout + ended.stderr)
    invariants.of_home(home)
    return invariants.content(home)


@pytest.mark.faults
@pytest.mark.services
@pytest.mark.skipif(not LIBRARY.exists(), reason="no libfaketime here")
def test_the_same_night_under_five_clocks_is_the_same_to_the_byte(tmp_path: Path, measured: Measured) -> None:
    """Departments and pipeline share the clock, as they do on a machine; what the night is of comes from its date."""
    found = {}
    for name, shown in {"the clock as it is": 0.0, **CLOCKS}.items():
        folder = tmp_path / name.replace(" ", "-")
        with clock(shown), served(folder / "departments", ENTERPRISES, SEED) as city:
            found[name] = refreshed(city, folder / "home")
    clean = found.pop("the clock as it is")
    assert clean
    assert {name for name, content in found.items() if content != clean} == set()
    measured(16, f"the same {len(clean)} digests under {len(found)} clocks")


@pytest.mark.faults
@pytest.mark.services
@pytest.mark.skipif(not LIBRARY.exists(), reason="no libfaketime here")
def test_a_department_that_refuses_our_clock_is_an_error_and_nothing_is_published(tmp_path: Path) -> None:
    """Signed requests carry a moment: a gateway refuses those of a clock that is a day off, in a line."""
    with (
        served(tmp_path / "departments", ENTERPRISES, SEED) as city,
        clock(DAY),
        pytest.raises(Refused, match=r"refuses our credentials .* or this machine's clock"),
    ):
        refreshed(city, tmp_path / "home")
