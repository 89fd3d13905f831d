"""What people do from the pages: each a form with a reason, sent from a page of their own session, under their name.

Nothing is done here that a command or a DAG does not do as well: a roll-back, a waiver and a decision go through the
same functions as `innopoints`, and a release is asked of the DAG whose form a person must approve.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from include.kernel.areas import CITY
from include.kernel.errors import one_line
from include.portal.asked import AskedFor
from include.portal.desk import NOBODY, Desk, Sorry, Who, in_plain_words
from include.portal.published import Act, Reader, Reading
from include.portal.quarantine import source_of
from include.publish.generations import rollback
from include.steps import review, waive
from include.steps.release import require_blocked

log = logging.getLogger(__name__)

AskRelease = Callable[[str, dict[str, str]], str]
"""Starts the release DAG in a person's name with its run configuration; gives the name of the run."""

Seen = Annotated[int, Form(alias="generation", ge=1, le=2**31)]
Reason = Annotated[str, Form(min_length=3, max_length=500)]
Words = Annotated[str, Form(max_length=500)]
Number = Annotated[int, Path(ge=1, le=2**31)]


def allowed(act: Act, *, everywhere: bool = False) -> Any:
    """Lets those pass who may do this (`everywhere`: in the whole city), and whose form is one that a page of their own
    session showed them.

    Another site can make their browser send a form along with their cookie, but it can neither read the proof that our
    page carries nor make the browser say that the form came from here.
    """

    def check(request: Request, reader: Who, proof: Annotated[str, Form()] = "") -> Reader:
        if act not in reader.acts:
            raise Sorry(403, "may_not")
        if everywhere:
            _require(reader, act)
        from_here = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        if not (from_here and reader.proof and hmac.compare_digest(proof.encode(), reader.proof.encode())):
            raise Sorry(403, "not_from_here")
        return reader

    return Depends(check)


def act_routes(desk: Desk, ask_release: AskRelease) -> APIRouter:
    """Every route that changes something; none of them answers to GET. Each ends in the page where the outcome stands,
    so that loading that again does nothing again.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.post("/rollback")
    def roll_back(
        asked: AskedFor,
        by: Annotated[Reader, allowed("roll_back", everywhere=True)],
        seen: Seen,
        to: Annotated[int, Form(ge=1, le=2**31)],
        reason: Reason,
    ) -> Response:
        with _on_seeing(desk, seen) as reading:
            rollback(desk.engine, to, by=by.name, reason=reason, leaving=seen)
            _note(by, "roll_back", f"from generation {seen} to {to}")
            return _then(asked.show(reading).link("/"))

    @routes.post("/release")
    def release(
        asked: AskedFor,
        by: Annotated[Reader, allowed("release")],
        seen: Seen,
        dataset: Words,
        scope: Words,
        as_of: Annotated[date, Form()],
    ) -> Response:
        _require(by, "release", scope)
        with _on_seeing(desk, seen) as reading:
            held = require_blocked(dataset, scope, as_of)
            wanted = {"dataset": held.dataset, "scope": held.scope, "as_of": held.as_of.isoformat()}
            run = ask_release(by.name, wanted)
            _note(by, "release", f"asked for {held.dataset}/{held.scope}/{held.as_of} as {run}")
            return _then(asked.show(reading).link("/", asked_for="release"))

    @routes.post("/quarantine/{dataset}/{scope}")
    def let_pass(
        asked: AskedFor,
        by: Annotated[Reader, allowed("waive")],
        seen: Seen,
        dataset: str,
        scope: str,
        row: Words,
        evidence: Reason,
    ) -> Response:
        _require(by, "waive", scope)
        with desk.reading(seen) as reading:
            source = source_of(reading, by, dataset, scope)
        with _on_seeing(desk, seen) as reading:
            given, _ = waive.waive(source.dataset, source.scope, source.as_of, row, evidence=evidence, by=by.name)
            _note(by, "waive", f"waiver {given.id} in {given.dataset}")
            return _then(asked.show(reading).link("/waivers"))

    @routes.post("/waivers/{number}")
    def hold_again(
        asked: AskedFor, by: Annotated[Reader, allowed("waive")], seen: Seen, number: Number, evidence: Reason
    ) -> Response:
        if by.name not in [one.decided_by for one in waive.waivers() if one.id == number]:
            _require(by, "waive")  # a waiver names no district: of others', who may act everywhere takes it back
        with _on_seeing(desk, seen) as reading:
            taken, _ = waive.revoke(number, evidence=evidence, by=by.name)
            _note(by, "waive", f"waiver {taken.id} revokes {number}")
            return _then(asked.show(reading).link("/waivers"))

    @routes.post("/review")
    def decide(
        asked: AskedFor,
        by: Annotated[Reader, allowed("decide", everywhere=True)],
        seen: Seen,
        dataset: Words,
        evidence: Reason,
        uscc: Words,
        code: Words = "",
        name: Words = "",
    ) -> Response:
        meant = None if uscc == NOBODY else uscc
        with _on_seeing(desk, seen) as reading:
            night = reading.generation.as_of
            taken, _ = review.decide(night, dataset, code, name, meant, evidence=evidence, by=by.name)
            _note(by, "decide", f"decision {taken.id} in {taken.dataset}")
            return _then(asked.show(reading).link("/decisions"))

    @routes.post("/decisions/{number}")
    def undecide(
        asked: AskedFor,
        by: Annotated[Reader, allowed("decide", everywhere=True)],
        seen: Seen,
        number: Number,
        evidence: Reason,
    ) -> Response:
        with _on_seeing(desk, seen) as reading:
            taken, _ = review.revoke(number, evidence=evidence, by=by.name)
            _note(by, "decide", f"decision {taken.id} revokes {number}")
            return _then(asked.show(reading).link("/decisions"))

    return routes


def _require(reader: Reader, act: Act, scope: str = CITY) -> None:
    if not reader.may(act, scope):
        raise Sorry(403, "other_district")


@contextmanager
def _on_seeing(desk: Desk, generation: int) -> Iterator[Reading]:
    """The generation that the form was made for, if it is still current; it is closed, so that what is done has its
    connection to itself. What cannot be done is told in the one line that says why, as a command tells it.
    """
    with desk.reading(generation) as reading:
        pass
    with in_plain_words("refused"):
        yield reading


def _note(by: Reader, act: Act, what: str) -> None:
    """One line of who did what; the ledger keeps it with the reason."""
    log.info("%s by %s: %s", act, one_line(by.name), what)


def _then(there: str) -> Response:
    return RedirectResponse(there, status_code=303)
