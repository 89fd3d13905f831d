"""The answer of a named person to a form: put down by the task that asked, and asked for by the step that needs it."""

from __future__ import annotations

from dataclasses import dataclass, field

from include.kernel.errors import BadInput, TerminalError
from include.steps.stores import open_stores
from include.store import approvals as store

APPROVE = "Approve"


@dataclass(frozen=True)
class Question:
    """What a form shows, all of it from the ledger. `about` is the digest of what is asked: it stands in the body, and
    an approval holds for nothing else. `people` are those who may answer; nobody named: whoever may answer forms.
    """

    about: str
    subject: str
    body: str
    people: list[str] = field(default_factory=list)


def asked(run: str, about: str) -> None:
    """A form of this run is put up; `about` is the digest of what it shows."""
    store.ask(open_stores().engine, run, about)


def answered(run: str, option: str, person: str | None, reason: str) -> None:
    """What Airflow says was answered, and by whom; nobody where the time ran out. Who approves says why."""
    if option == APPROVE and not reason.strip():
        raise BadInput(
            "approved without a reason",
            where=run,
            kept="what was answered before; this is not put down",
            todo="clear `ask` and answer it again, with a reason",
        )
    store.answer(open_stores().engine, run, option, person, reason)


def require_shown(run: str, about: str, body: str | None) -> None:
    """The form that people see must be of what is asked. Airflow (3.3) keeps the form of a task that is cleared."""
    if about not in (body or ""):
        raise TerminalError(
            "its form is that of an earlier try and shows something else",
            where=run,
            kept="what was answered before; nobody is asked",
            todo="trigger another run",
        )


def approved(run: str, about: str, *, kept: str, todo: str) -> tuple[str, str]:
    """Who approved, and with what reason, if this run asked about exactly this and somebody with a name said yes."""
    found = store.approval(open_stores().engine, run)
    if found is None or found.answer != APPROVE or not (found.person or "").strip():
        raise TerminalError("no recorded approval: nobody answered the form", where=run, kept=kept, todo=todo)
    if found.about != about:
        raise TerminalError(
            "something else was approved: it has changed since", where=run, kept=kept, todo="trigger another run"
        )
    assert found.person is not None
    return found.person, found.reason or ""
