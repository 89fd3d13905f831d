"""The plugin's app as Airflow mounts it, and the tokens of Airflow's own auth manager."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI


@contextmanager
def mounted(warehouse_url: str) -> Iterator[tuple[FastAPI, Any]]:
    """The app over a warehouse: under its prefix within another, and itself."""
    from plugins import pages as plugin

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INNOPOINTS_WAREHOUSE_URL", warehouse_url)
        plugin.make_app.cache_clear()
        outer = FastAPI()
        (mount,) = plugin.Pages.fastapi_apps
        outer.mount(mount["url_prefix"], mount["app"])
        yield outer, plugin.make_app()
        plugin.make_app.cache_clear()


def token(auth: Any, role: str | None) -> str:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return auth.generate_jwt(SimpleAuthManagerUser(username="vera", role=role))
