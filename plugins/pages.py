"""The pages inside the Airflow UI. Airflow mounts an app of a plugin without asking who calls: this one asks itself.

Every Airflow process loads every plugin, so the app is made at its first request; if that fails, nothing is shown.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from include.portal.published import Act

PREFIX = "/points"
PERMITTED_BY: dict[Act, str] = {
    "roll_back": "innopoints_publish",
    "release": "innopoints_release",
    "waive": "innopoints_release",
    "decide": "innopoints_release",
}
"""Whoever may start runs of the DAG may do the act from a page."""


@cache
def make_app() -> Any:
    """The app of `include.portal` behind Airflow's auth manager: a session of the UI or a bearer token of the REST API,
    and the permission to see plugins.
    """
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Cookie, Depends, HTTPException

    from include.kernel.settings import settings
    from include.portal.published import Reader
    from include.portal.web import make_app as make_pages
    from include.store.lake import Lake
    from include.store.warehouse import create_engine

    cookie = Cookie("", alias=COOKIE_NAME_JWT_TOKEN, include_in_schema=False)  # for forms; programs send a token

    def admit(user: Any = Depends(get_user), session: str = cookie) -> Reader:
        if not get_auth_manager().is_authorized_view(access_view=AccessView.PLUGINS, user=user):
            raise HTTPException(403)
        may_start = {dag for dag in set(PERMITTED_BY.values()) if _may_start(dag, user)}
        acts = [act for act, dag in PERMITTED_BY.items() if dag in may_start]
        return Reader.named(user.get_name(), acts, session)

    chosen = settings()
    return make_pages(create_engine(chosen.warehouse), Lake(chosen.lake_root), admit, ask_release)


def _may_start(dag: str, user: Any) -> bool:
    """Ask as Airflow's own route that starts a run does."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
    from airflow.models.dag import DagModel

    details = DagDetails(id=dag, team_name=DagModel.get_team_name(dag))
    return get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
    )


def ask_release(person: str, conf: dict[str, str]) -> str:
    """Start the form DAG in the person's name, as Airflow's *Trigger* does; its approval is still to be given."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    run = trigger_dag(
        "innopoints_release",
        conf=conf,
        triggered_by=DagRunTriggeredByType.REST_API,
        triggering_user_name=person,
    )
    assert run is not None
    return str(run.run_id)


class MadeAtFirstRequest:
    """What Airflow mounts."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = await asyncio.to_thread(make_app)
        await app(scope, receive, send)


class Pages(AirflowPlugin):
    """One entry in the navigation with the pages under it, and a tab on every run with what it made. Airflow's own page
    puts the ids in, escaped, and completes the address, so that it may live below a path.
    """

    name = "innopoints_pages"
    fastapi_apps = [{"app": MadeAtFirstRequest(), "url_prefix": PREFIX, "name": "Innovation points"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "企业创新积分 Innovation points",
            "href": "points/",
            "url_route": "innovation-points",
            "destination": "nav",
        },
        {
            "name": "本次产出 What it made",
            "href": "points/runs/{DAG_ID}/{RUN_ID}",
            "url_route": "innovation-points-run",
            "destination": "dag_run",
        },
    ]
