"""The environment of an embedded Airflow: loopback only, secrets of its own that stay, nothing readable by others."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from include.embedded import environment
from include.kernel.areas import areas
from include.kernel.settings import Settings
from include.sources.declaration import sources


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", airflow_port=9180, sandbox_port=9190)


def test_secrets_are_drawn_once_and_only_the_owner_reads_them(settings: Settings) -> None:
    first = environment.secrets_of(settings.home)
    assert environment.secrets_of(settings.home) == first
    assert len(set(first.values())) == len(first)
    mode = stat.S_IMODE((settings.home / "airflow" / "secrets.json").stat().st_mode)
    assert mode == 0o600


def test_two_homes_share_no_secret(tmp_path: Path) -> None:
    one, other = environment.secrets_of(tmp_path / "one"), environment.secrets_of(tmp_path / "other")
    assert set(one.values()).isdisjoint(other.values())


def test_everything_listens_on_loopback_and_the_task_api_follows_the_port(settings: Settings) -> None:
    variables = environment.airflow_environment(settings, None)
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:9180/execution/"


def test_sqlite_gets_few_writers_and_both_engines_of_postgresql_the_same_url(settings: Settings) -> None:
    on_sqlite = environment.airflow_environment(settings, None)
    assert on_sqlite["AIRFLOW__CORE__PARALLELISM"] == "4"
    assert on_sqlite["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith("?timeout=30")
    url = "postgresql+psycopg://postgres@/airflow?host=/run"
    on_postgresql = environment.airflow_environment(settings, url)
    assert on_postgresql["AIRFLOW__CORE__PARALLELISM"] == "8"
    assert on_postgresql["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] == url


GRAPH = """
from airflow.utils.db import initdb

initdb()
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.serialized_dag import SerializedDagModel

manager = DagBundlesManager()
manager.sync_bundles_to_db()
for bundle in manager.get_all_dag_bundles():
    bundle.initialize()
    bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle.version)
found = SerializedDagModel.get_dag_dependencies()["innopoints_publish"]
print("FOUND", *sorted({one.label for one in found if one.target == "innopoints_publish"}))
"""


@pytest.mark.services
@pytest.mark.airflow
def test_on_postgresql_airflow_can_draw_what_rings_for_a_publication(
    settings: Settings, new_postgresql_database: Callable[[], str]
) -> None:
    url = new_postgresql_database().replace("postgresql://", "postgresql+psycopg://", 1)
    variables = environment.airflow_environment(settings, url)
    done = subprocess.run(
        [sys.executable, "-c", GRAPH], env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    (found,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND")] or [done.stderr[-2000:]]
    assert found.split()[1:] == [*sorted(f"points/{code}" for code in areas()), "publish_request"]


def test_every_source_gets_its_pool_and_what_all_share_a_single_slot() -> None:
    assert {name: pool["slots"] for name, pool in environment.pools().items()} == {
        **{source.pool: source.pool_slots for source in sources().values()},
        "innopoints_shared": 1,
    }


def test_the_environment_file_gives_a_shell_exactly_these_values(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "airflow.env"
    odd = {"PLAIN": "a", "QUOTED": """it's "quoted" $HOME `id`""", "JSON": json.dumps({"extra": {"url": "x?y=1&z"}})}
    environment.write_environment(path, odd)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name, value in odd.items():
        shown = subprocess.run(
            ["sh", "-c", f'. {path} && printf %s "${name}"'], capture_output=True, text=True, check=True
        )
        assert shown.stdout == value


def test_connections_of_the_departments_become_airflow_variables(settings: Settings) -> None:
    given = {
        "innopoints_registry": {"conn_type": "http", "host": "http://127.0.0.1:9190", "login": "a", "password": "b"}
    }
    environment.write_private(settings.home / "sandbox" / "connections.json", json.dumps(given))
    variables = environment.connection_variables(settings.home)
    assert json.loads(variables["AIRFLOW_CONN_INNOPOINTS_REGISTRY"]) == given["innopoints_registry"]
    key = json.loads(variables["AIRFLOW_CONN_INNOPOINTS_PRIVACY"])
    assert key["login"] == "embedded-1"
    assert len(key["password"]) >= 16
