"""The read API over the wire, as Airflow mounts it, before schemathesis: it reads the API's own document, sends what
fits it and what does not, and finds nothing. All its checks are on, in all phases.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from include.store.warehouse import create_engine, migrate
from tests.dags.mounted import mounted, token
from tests.portal.conftest import code, put, put_roll, town
from tests.portal.server import serving

pytestmark = pytest.mark.airflow

SEED = 20210430
PHASES = ("examples", "coverage", "fuzzing", "stateful")


def known_by_the_example() -> dict[str, list[dict[str, Any]]]:
    """The town, with the code that the document gives as an example for its first enterprise."""
    renamed = {code(0): "91320411YY10000014"}
    return {name: [{**row, **_uscc(row, renamed)} for row in rows] for name, rows in town().items()}


def _uscc(row: dict[str, Any], renamed: dict[str, str]) -> dict[str, str]:
    return {"uscc": renamed.get(row["uscc"], row["uscc"])} if "uscc" in row else {}


@pytest.fixture(scope="module")
def address(airflow_auth: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The plugin's app over a published town, on a port of its own."""
    from plugins.pages import PREFIX

    url = f"sqlite:///{tmp_path_factory.mktemp('warehouse') / 'warehouse.sqlite'}"
    engine = create_engine(url)
    migrate(engine)
    put_roll(engine, put(engine, known_by_the_example()))
    with mounted(url) as (outer, _), serving(outer) as there:
        yield there + PREFIX


def schemathesis(folder: Path, *asked: str) -> dict[str, Any]:
    """The report of a run that must find nothing."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", *asked]
    command += ["--checks", "all", "--mode", "all", "--phases", ",".join(PHASES)]
    command += ["--generation-database", "none", "--report-json-path", str(report)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    operations, phases = found["operations"], found["phases"]
    assert operations["tested"] == operations["total"] > 0
    assert {name: phase["status"] for name, phase in phases.items()} == dict.fromkeys(PHASES, "success")
    assert (found["failures"], found["errors"], found["filtered"]) == ([], [], 0)
    return found


def with_a_token(address: str, auth: Any, folder: Path, cases: int, seed: int) -> dict[str, Any]:
    """It reads the document at its address, and what is known there it finds by the document's examples."""
    header = f"Authorization: Bearer {token(auth, 'viewer')}"
    asked = ("--header", header, "--max-examples", str(cases), "--seed", str(seed))
    found = schemathesis(folder, f"{address}/api/openapi.json", *asked)
    answered = {
        name for name, rates in found["valid_rates"].items() if any(rate["accepted"] for rate in rates.values())
    }
    assert len(answered) == found["operations"]["tested"], "an operation was never answered with anything"
    return found


def test_with_a_token_it_finds_nothing(address: str, airflow_auth: Any, tmp_path: Path) -> None:
    found = with_a_token(address, airflow_auth, tmp_path, 20, SEED)
    assert [name for name, said in found["warnings"].items() if said] == []


def test_without_a_token_every_door_is_closed(address: str, airflow_auth: Any, tmp_path: Path) -> None:
    document, bearer = tmp_path / "openapi.json", {"Authorization": f"Bearer {token(airflow_auth, 'viewer')}"}
    document.write_bytes(requests.get(f"{address}/api/openapi.json", headers=bearer, timeout=60).content)
    found = schemathesis(tmp_path, str(document), "--url", address, "--max-examples", "5", "--seed", str(SEED))
    assert len(found["warnings"]["missing_auth"]) == found["operations"]["tested"], "somebody was let in"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_with_other_seeds_and_many_more_cases_it_finds_nothing(
    address: str,
    airflow_auth: Any,
    tmp_path: Path,
    seed: int,
) -> None:
    with_a_token(address, airflow_auth, tmp_path, 150, seed)
