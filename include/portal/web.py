"""The pages and the read API as a FastAPI app that anything may mount; `admit` decides who may read.

Every route depends on `admit`, what changes something is a POST that `acts` guards too, no page has a script, and
whatever goes wrong is one plain answer.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

from include.kernel.errors import InnopointsError, TransientError
from include.portal.acts import AskRelease, act_routes
from include.portal.api import api_routes
from include.portal.desk import Desk, Sorry
from include.portal.honours import honour_routes
from include.portal.pages import page_routes
from include.portal.published import Reader
from include.portal.runs import run_routes
from include.portal.show import STYLE, Show
from include.portal.snapshots import snapshot_routes
from include.store.lake import Lake

log = logging.getLogger(__name__)

STYLE_DIGEST = b64encode(sha256(STYLE.read_bytes()).digest()).decode()
"""Of the style sheet, which a page may carry in itself where it is refused like all else."""
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'self' 'sha256-{STYLE_DIGEST}'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LARGEST_FORM = 65_536
COME_AGAIN_SECONDS = 5
"""About as long as the account of a district that nobody has asked for yet takes."""
API_DESCRIPTION = (
    "Reads the generation that is current. Points are decimals with three places and money is in yuan, both written as "
    "text. Every answer carries an ETag; send it back as If-None-Match and an unchanged answer is an empty 304. "
    "Airflow gives the bearer token: POST /auth/token on Airflow's own address."
)


def make_app(engine: Engine, lake: Lake, admit: Callable[..., Reader], ask_release: AskRelease) -> FastAPI:
    """The app over a warehouse and a lake. `admit`, a FastAPI dependency, gives the reader or raises 401 or 403."""

    def enter(request: Request, reader: Any = Depends(admit)) -> None:
        request.state.reader = reader

    app = FastAPI(
        title="Innovation points",
        version="1",
        description=API_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # an address is right or it is not; nothing is answered before the door
        dependencies=[Depends(enter)],
    )
    desk = Desk(engine, lake)
    app.include_router(api_routes(desk))
    app.include_router(page_routes(desk))
    app.include_router(act_routes(desk, ask_release))
    app.include_router(honour_routes(desk))
    app.include_router(snapshot_routes(desk))
    app.include_router(run_routes(desk))
    _plain_answers(app)
    return app


def _plain_answers(app: FastAPI) -> None:
    """Whatever goes wrong is a plain page that says so, with the headers that every answer has."""

    def answer(request: Request, status: int, word: str, detail: str = "") -> Response:
        lang = "en" if request.query_params.get("lang") == "en" else "zh"
        show = Show(request, lang)
        for_programs = show.path.startswith("/api/")
        page = (
            JSONResponse({"error": word, "message": show.told(word, detail)}, status)
            if for_programs
            else show.message(status, word, detail)
        )
        page.headers.update(HEADERS)
        return page

    @app.exception_handler(Sorry)
    def sorry(request: Request, error: Sorry) -> Response:
        page = answer(request, error.status, error.word, error.detail)
        if error.word == "busy":
            page.headers["Retry-After"] = str(COME_AGAIN_SECONDS)
        return page

    @app.exception_handler(RequestValidationError)
    def unreadable(request: Request, error: RequestValidationError) -> Response:
        # where it stands, its name; what follows are the kinds that it is not
        names = dict.fromkeys(str(found["loc"][:2][-1]) for found in error.errors())
        return answer(request, 422, "bad_request", ", ".join(names))

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        words = {400: "bad_request", 401: "not_signed_in", 403: "not_allowed", 404: "no_such_page"}
        words |= {405: "no_such_page", 413: "form_too_large"}
        page = answer(request, error.status_code, words.get(error.status_code, "unforeseen"))
        page.headers.update(error.headers or {})
        return page

    @app.exception_handler(InnopointsError)
    def out_of_order(request: Request, error: InnopointsError) -> Response:
        """What and where is for who keeps the machine; whoever asked is told whether to come again."""
        log.error("%s", error)
        return answer(request, 503, "warehouse" if isinstance(error, TransientError) else "damaged")

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        return answer(request, 500, "unforeseen")

    @app.middleware("http")
    async def headers(request: Request, call_next: Any) -> Response:
        told = request.headers.get("content-length", "" if request.method == "POST" else "0")
        if not told.isdecimal() or int(told) > LARGEST_FORM:  # read before anybody is asked who they are
            response = answer(request, 413, "form_too_large")
        else:
            response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
