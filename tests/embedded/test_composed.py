"""The composed services: complete, restarted, checked for health, one set of secrets and none by default."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.embedded.composed import SECRETS, connections_to_import, draw_secrets
from include.kernel.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}
TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(TEXT)["services"]


def test_the_set_is_complete(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == COMPONENTS | {"postgres", "warehouse", "redis", "sandbox", "airflow-init"}


def test_every_lasting_service_is_restarted_and_checked(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name == "airflow-init":
            continue
        assert service["restart"] == "always", name
        assert service["healthcheck"]["test"], name


def test_airflow_begins_when_its_tables_pools_and_connections_are_there(services: dict[str, dict[str, Any]]) -> None:
    for name in COMPONENTS:
        assert services[name]["depends_on"] == {"airflow-init": {"condition": "service_completed_successfully"}}
    waits = services["airflow-init"]["depends_on"]
    assert set(waits) == {"postgres", "warehouse", "redis", "sandbox"}
    assert {wait["condition"] for wait in waits.values()} == {"service_healthy"}


def test_all_components_share_one_environment(services: dict[str, dict[str, Any]]) -> None:
    first, *others = [services[name]["environment"] for name in sorted(COMPONENTS)]
    assert all(other == first for other in others)
    for secret in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY"):
        assert first[secret].startswith("${")


def test_no_secret_has_a_default() -> None:
    used = {
        name: rest for name, rest in re.findall(r"\$\{([A-Z_]+)([^}]*)\}", TEXT) if not name.startswith("INNOPOINTS")
    }
    assert set(used) == {*SECRETS, "FERNET_KEY"}
    assert all(rest.startswith(":?") for rest in used.values())


def test_only_the_ui_is_reachable_and_only_from_this_machine(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(published) == ["api-server"]
    assert all(port.startswith("127.0.0.1:") for port in published["api-server"])


def test_the_image_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER innopoints"]


def test_secrets_are_drawn_once(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    draw_secrets(path)
    drawn = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
    assert set(drawn) == {*SECRETS, "FERNET_KEY"}
    assert len(set(drawn.values())) == len(drawn)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BadInput, match="there already"):
        draw_secrets(path)


def test_extras_of_the_connections_are_text_as_airflow_imports_them(tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    given = {"innopoints_science_bureau": {"conn_type": "generic", "extra": {"path": "/drop"}}}
    (tmp_path / "sandbox" / "connections.json").write_text(json.dumps(given), encoding="utf-8")
    assert connections_to_import(tmp_path)["innopoints_science_bureau"]["extra"] == '{"path": "/drop"}'
