"""The pages as Airflow mounts them: every route asks Airflow's auth manager, and nothing is shown without its yes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.dags.mounted import mounted, token

pytestmark = pytest.mark.airflow

CODE = "91320400MA00000001"
RUN = ("innopoints_320411", "scheduled__2026-11-22T17:00:00+00:00")
FORMS = {
    "/rollback": {"to": "1", "reason": "abc"},
    "/release": {"dataset": "TAX_VAT", "scope": "320411", "as_of": "2026-11-24"},
    "/quarantine/{dataset}/{scope}": {"row": "0123456789abcdef"},
    "/waivers/1": {},
    "/review": {"dataset": "IP_PAT", "name": "甲", "uscc": "nobody"},
    "/decisions/1": {},
}


@pytest.fixture(scope="module")
def pages(airflow_auth: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Any]]:
    """A browser before the plugin's app, mounted where Airflow mounts it, over an empty but migrated warehouse."""
    from include.store.warehouse import create_engine, migrate

    url = f"sqlite:///{tmp_path_factory.mktemp('warehouse') / 'warehouse.sqlite'}"
    migrate(create_engine(url))
    with mounted(url) as (outer, app):
        yield TestClient(outer, raise_server_exceptions=False), app


def routes(app: Any) -> list[str]:
    """Every path that the app answers, whatever it is, with a well-formed code in it."""
    filled = {"{uscc}": CODE, "{ending}": "csv", "{number}": "1", "{year}": "2026"}
    found = [reduce(lambda path, one: path.replace(*one), filled.items(), route.path) for route in app.routes]
    assert {"/", "/rankings", f"/enterprises/{CODE}", "/portal.css"} <= set(found)
    return found


def answers_to_get(app: Any) -> set[str]:
    return {route.path for route in app.routes if "GET" in route.methods}


def known_to_airflow(dag_id: str) -> None:
    """Write the DAG where the scheduler and the API look for it, as the DAG processor does."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    bag = DagBag(dag_folder=str(Path(__file__).parents[2] / "dags" / "release.py"))
    assert dag_id in bag.dags, bag.import_errors
    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
    sync_bag_to_db(bag, "dags-folder", None)


def cookie(value: str) -> dict[str, str]:
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN

    return {"Cookie": f"{COOKIE_NAME_JWT_TOKEN}={value}"}


def refusals(pages: tuple[TestClient, Any], headers: dict[str, str]) -> set[int]:
    browser, app = pages
    return {
        browser.request(method, "/points" + path, headers=headers).status_code
        for path in routes(app)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if method == "GET" or path != "/"
    } - {405}


def test_without_credentials_every_route_answers_401(pages: tuple[TestClient, Any]) -> None:
    assert refusals(pages, {}) == {401}


def test_what_is_no_token_opens_nothing(pages: tuple[TestClient, Any]) -> None:
    assert refusals(pages, {"Authorization": "Bearer nonsense"}) == {403}
    assert refusals(pages, cookie("nonsense")) == {403}
    # {"alg": "none"} and {"sub": "anna", "role": "admin"}, unsigned
    assert refusals(pages, cookie("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIiwicm9sZSI6ImFkbWluIn0.")) == {403}


def test_an_expired_session_opens_nothing(pages: tuple[TestClient, Any], airflow_auth: Any) -> None:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    expired = airflow_auth.generate_jwt(
        SimpleAuthManagerUser(username="anna", role="admin"), expiration_time_in_seconds=-3600
    )
    assert refusals(pages, cookie(expired)) == {401}


def test_a_user_without_a_role_opens_nothing(pages: tuple[TestClient, Any], airflow_auth: Any) -> None:
    assert refusals(pages, cookie(token(airflow_auth, None))) == {403}


@pytest.mark.parametrize("role", ["viewer", "admin"])
@pytest.mark.parametrize("by", ["cookie", "bearer"])
def test_viewer_and_admin_get_beyond_the_door(
    pages: tuple[TestClient, Any], airflow_auth: Any, role: str, by: str
) -> None:
    browser, app = pages
    held = token(airflow_auth, role)
    headers = cookie(held) if by == "cookie" else {"Authorization": f"Bearer {held}"}
    answers = {path: browser.get("/points" + path, headers=headers) for path in routes(app)}
    assert answers["/portal.css"].status_code == 200
    assert "还没有发布任何结果" in answers["/"].text
    assert {answer.status_code for answer in answers.values()} <= {200, 404, 405, 422}
    assert {path for path, answer in answers.items() if answer.status_code == 405} == {
        path for path in FORMS if path not in answers_to_get(app)
    }


@pytest.mark.parametrize(
    ("role", "by", "proved", "status", "says"),
    [
        ("viewer", "cookie", True, 403, "没有做这件事的权限"),
        ("user", "cookie", False, 403, "不是从您当前会话的页面发出的"),
        ("user", "cookie", True, 404, "还没有发布任何结果"),
        ("op", "cookie", True, 404, "还没有发布任何结果"),
        ("admin", "cookie", True, 404, "还没有发布任何结果"),
        ("admin", "bearer", False, 403, "不是从您当前会话的页面发出的"),
        ("admin", "bearer", True, 403, "不是从您当前会话的页面发出的"),
    ],
)
def test_only_who_may_start_the_dag_gets_a_form_through(
    pages: tuple[TestClient, Any], airflow_auth: Any, role: str, by: str, proved: bool, status: int, says: str
) -> None:
    from include.portal.published import Reader

    browser, app = pages
    held = token(airflow_auth, role)
    proof = Reader("vera", session=held).proof if proved else ""
    headers = cookie(held) if by == "cookie" else {"Authorization": f"Bearer {held}"}
    assert {path for path in routes(app) if path in FORMS} == set(FORMS)
    for path, fields in FORMS.items():
        answer = browser.post(
            "/points" + path, headers=headers, data={"proof": proof, "generation": "1", "evidence": "abc", **fields}
        )
        assert (answer.status_code, says in answer.text) == (status, True), path


def test_each_act_is_asked_of_the_dag_that_it_belongs_to(
    pages: tuple[TestClient, Any], airflow_auth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.portal.published import Reader

    asked = []

    def may_start_the_publication(self: Any, *, method: str, user: Any, access_entity: Any, details: Any) -> bool:
        asked.append((method, access_entity.value, details.id))
        return details.id == "innopoints_publish"

    monkeypatch.setattr(type(airflow_auth), "is_authorized_dag", may_start_the_publication)
    held = token(airflow_auth, "admin")
    answers = {"proof": Reader("vera", session=held).proof, "generation": "1", "evidence": "abc"}
    status = {
        path: pages[0].post("/points" + path, headers=cookie(held), data=answers | fields).status_code
        for path, fields in FORMS.items()
    }
    assert status == dict.fromkeys(FORMS, 403) | {"/rollback": 404}
    assert set(asked) == {("POST", "RUN", "innopoints_publish"), ("POST", "RUN", "innopoints_release")}


def test_a_release_that_is_asked_for_is_a_run_of_the_form_dag_in_the_persons_name(airflow_auth: Any) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    from plugins.pages import ask_release

    known_to_airflow("innopoints_release")
    conf = {"dataset": "TAX_VAT", "scope": "320411", "as_of": "2026-11-24"}
    run_id = ask_release("vera", conf)
    with create_session() as session:
        (run,) = session.query(DagRun).filter_by(dag_id="innopoints_release", run_id=run_id)
        assert (run.conf, run.triggering_user_name, run.state) == (conf, "vera", "queued")


def test_when_airflow_says_no_nobody_gets_in(
    pages: tuple[TestClient, Any], airflow_auth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        type(airflow_auth), "is_authorized_view", lambda self, **what: asked.append(what["access_view"].value) or False
    )
    assert refusals(pages, cookie(token(airflow_auth, "admin"))) == {403}
    assert set(asked) == {"PLUGINS"}


def test_an_app_that_cannot_be_made_shows_nothing(
    airflow_auth: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from plugins import pages as plugin

    monkeypatch.setenv("INNOPOINTS_WAREHOUSE_URL", "mysql://nowhere")
    plugin.make_app.cache_clear()
    outer = FastAPI()
    outer.mount("/points", plugin.MadeAtFirstRequest())
    answer = TestClient(outer, raise_server_exceptions=False).get(
        "/points/", headers=cookie(token(airflow_auth, "admin"))
    )
    plugin.make_app.cache_clear()
    assert answer.status_code == 500


@pytest.fixture
def airflow(airflow_auth: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Airflow's own application as its API server makes it, our plugin found in its folder, before somebody who may
    only look; over a ledger in which one run has landed a snapshot.
    """
    from airflow.api_fastapi.app import create_app

    from include.kernel.references import SnapshotKey
    from include.store.ledger import Ledger
    from include.store.warehouse import create_engine, migrate

    url = f"sqlite:///{tmp_path / 'warehouse.sqlite'}"
    monkeypatch.setenv("INNOPOINTS_WAREHOUSE_URL", url)
    engine = create_engine(url)
    migrate(engine)
    ledger = Ledger(engine)
    with ledger.acquire("night", "/".join((*RUN, "tax_database.land", "0")), 60) as lease:
        key = SnapshotKey("TAX_VAT", "320411", date(2026, 11, 23))
        ledger.record_landed(key, lease=lease, contract_version=1, declared=1, received=1, landing_sha="l")
    with TestClient(create_app(), headers=cookie(token(airflow_auth, "viewer"))) as browser:
        yield browser


def test_airflow_shows_one_entry_in_the_navigation_and_one_tab_on_a_run(airflow: TestClient) -> None:
    answer = airflow.get("/api/v2/plugins")
    views = {one["destination"]: one for plugin in answer.json()["plugins"] for one in plugin["external_views"]}
    assert set(views) == {"nav", "dag_run"}
    # relative, as Airflow may live below a path of its own; and only what has a route of its own becomes a tab
    assert not [one for one in views.values() if one["href"].startswith(("/", "http")) or not one["url_route"]]
    # Airflow 3.3 puts both ids in through encodeURIComponent
    tab = views["dag_run"]["href"].replace("{DAG_ID}", RUN[0]).replace("{RUN_ID}", quote(RUN[1], safe=""))
    page = airflow.get("/" + tab)
    assert (page.status_code, "TAX_VAT" in page.text) == (200, True)
    assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers
    assert "还没有发布任何结果" in airflow.get("/" + views["nav"]["href"]).text


def test_loading_the_plugin_loads_nothing_of_the_pages() -> None:
    code = "import sys, plugins.pages; print([m for m in sys.modules if m.startswith(('include', 'pypinyin'))])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert loaded.splitlines()[-1] == "[]"
