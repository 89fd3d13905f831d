"""Airflow for tests: a home of its own, set before anything imports Airflow, the DAGs parsed once, its tables made
once, and what stands in for a night.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alarms import servers
from tests.alarms.servers import Robots
from tests.dags.runs import Notes

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="innopoints-airflow-"))
AIRFLOW = {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME / 'airflow.db'}",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
}
os.environ.update(AIRFLOW)


@pytest.fixture(scope="session")
def dags() -> dict[str, Any]:
    """Every DAG by its id, parsed without a database."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags"))
    assert bag.import_errors == {}
    return bag.dags


@pytest.fixture(scope="session")
def metadata() -> None:
    """Airflow's own tables, in the home of this test session."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Notes:
    """Notes in the place of the steps of this test."""
    return Notes(monkeypatch, tmp_path)


@pytest.fixture
def robots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Robots]:
    """The group robots, all well."""
    with servers.robots(monkeypatch) as held:
        yield held


@pytest.fixture(scope="module")
def airflow_auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Airflow's own auth manager with its database: the tokens below are real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test and of no other, as long as a key has to be"
        )
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "anna:admin,vera:viewer")
        patch.setenv(
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(tmp_path_factory.mktemp("auth") / "passwords")
        )
        from airflow.utils.db import initdb

        initdb()
        from airflow.api_fastapi.app import init_auth_manager, purge_cached_app

        auth = init_auth_manager()
        for kept in (auth._get_token_signer, auth._get_token_validator):  # with the secret of whoever asked first
            kept.cache_clear()
        yield auth
        purge_cached_app()
