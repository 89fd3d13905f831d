"""The read API over the wire, as Airflow mounts it, before schemathesis: it reads the API's own document, sends what
fits it and what does not, and finds nothing. All its checks are on, in all phases.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from include.kernel.settings import settings
from tests.dags.mounted import mounted, token
from tests.portal.conftest import two_nights
from tests.portal.server import serving

pytestmark = pytest.mark.airflow

SEED = 20210430
EXAMPLE = "91320411YY10000014"
PHASES = ("examples", "coverage", "fuzzing", "stateful")


class Served(NamedTuple):
    """Where the API is, and its own document with an enterprise for example that is known there."""

    address: str
    document: Path


@pytest.fixture(scope="module")
def served(airflow_auth: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The plugin's app over two real nights, on a port of its own."""
    from plugins.pages import PREFIX

    nights = two_nights(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_HOME", str(nights.home))
        with mounted(settings().warehouse) as (outer, _), serving(outer) as there:
            address = there + PREFIX
            bearer = {"Authorization": f"Bearer {token(airflow_auth, 'viewer')}"}
            text = requests.get(f"{address}/api/openapi.json", headers=bearer, timeout=60).text
            assert EXAMPLE in text
            document = tmp_path_factory.mktemp("api") / "openapi.json"
            document.write_text(text.replace(EXAMPLE, nights.known["uscc"]), encoding="utf-8")
            yield Served(address, document)


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


def with_a_token(served: Served, auth: Any, folder: Path, cases: int, seed: int) -> dict[str, Any]:
    """What is known there it finds by the document's examples."""
    header = f"Authorization: Bearer {token(auth, 'viewer')}"
    asked = ("--url", served.address, "--header", header, "--max-examples", str(cases), "--seed", str(seed))
    found = schemathesis(folder, str(served.document), *asked)
    answered = {
        name for name, rates in found["valid_rates"].items() if any(rate["accepted"] for rate in rates.values())
    }
    assert len(answered) == found["operations"]["tested"], "an operation was never answered with anything"
    return found


def test_with_a_token_it_finds_nothing(served: Served, airflow_auth: Any, tmp_path: Path) -> None:
    found = with_a_token(served, airflow_auth, tmp_path, 20, SEED)
    assert [name for name, said in found["warnings"].items() if said] == []


def test_without_a_token_every_door_is_closed(served: Served, tmp_path: Path) -> None:
    asked = ("--url", served.address, "--max-examples", "5", "--seed", str(SEED))
    found = schemathesis(tmp_path, str(served.document), *asked)
    assert len(found["warnings"]["missing_auth"]) == found["operations"]["tested"], "somebody was let in"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_with_other_seeds_and_many_more_cases_it_finds_nothing(
    served: Served, airflow_auth: Any, tmp_path: Path, seed: int
) -> None:
    with_a_token(served, airflow_auth, tmp_path, 150, seed)
