"""The pages inside the Airflow UI. Airflow mounts an app of a plugin without asking who calls: this one asks itself.

Every Airflow process loads every plugin, so the app is made at its first request; if that fails, nothing is shown.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/points"


@cache
def make_app() -> Any:
    """The app of `include.portal` behind Airflow's auth manager: a session of the UI or a bearer token of the REST API,
    and the permission to see plugins.
    """
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends, HTTPException

    from include.kernel.settings import settings
    from include.portal.published import Reader
    from include.portal.web import make_app as make_pages
    from include.store.lake import Lake
    from include.store.warehouse import create_engine

    def admit(user: Any = Depends(get_user)) -> Reader:
        if not get_auth_manager().is_authorized_view(access_view=AccessView.PLUGINS, user=user):
            raise HTTPException(403)
        return Reader.named(user.get_name())

    chosen = settings()
    return make_pages(create_engine(chosen.warehouse), Lake(chosen.lake_root), admit)


class MadeAtFirstRequest:
    """What Airflow mounts."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = await asyncio.to_thread(make_app)
        await app(scope, receive, send)


class Pages(AirflowPlugin):
    """One entry in the navigation, and the pages under it."""

    name = "innopoints_pages"
    fastapi_apps = [{"app": MadeAtFirstRequest(), "url_prefix": PREFIX, "name": "Innovation points"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "企业创新积分 Innovation points",
            "href": "points/",
            "url_route": "innovation-points",
            "destination": "nav",
        }
    ]
