"""Errors that read as one clear line: what happened, where, what was kept, what to do.

Three kinds, by what helps: a person corrects the input (`BadInput`), waiting may help (`TransientError`),
a person must act on the system or the department (`TerminalError`). No text here may carry personal data or an amount.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any


class InnopointsError(Exception):
    """Base of all errors the project raises on purpose; its text is one line, ready for a log or a terminal."""

    exit_code = 1

    def __init__(
        self, what: str, *, where: str = "", kept: str = "", todo: str = "", counts: dict[str, Any] | None = None
    ) -> None:
        self.what, self.where, self.kept, self.todo = what, where, kept, todo
        self.counts = counts or {}  # what was counted before it gave up; no part of the line
        parts = [f"{where}: {what}" if where else what]
        if kept:
            parts.append(f"kept: {kept}")
        if todo:
            parts.append(f"do: {todo}")
        super().__init__(" | ".join(map(one_line, parts)))


def one_line(text: str) -> str:
    """One line of printable text: what would steer a terminal or turn the writing round is written as its number."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in " ".join(text.split()))


class BadInput(InnopointsError):
    """Somebody asked for something that cannot be: an unknown district, a malformed date, a broken scheme file."""

    exit_code = 2


class TransientError(InnopointsError):
    """Waiting may help: a department is down, a page came half, a lock is held, a drop file has no marker yet."""


class TerminalError(InnopointsError):
    """Waiting will not help: credentials refused, a contract broken, a snapshot rejected, a writer fenced off."""


def shown(value: object) -> str:
    """What was given, as it may stand in one line: the first 40 characters of a text, of anything else its kind (it may
    be nested so deep that even writing it out would fail).
    """
    return f"{value!r:.40}" if isinstance(value, str) else f"({type(value).__name__})"


def unforeseen(error: Exception) -> InnopointsError:
    """An error that nobody raised on purpose. Its text may quote a record, so only its kind and place are said."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    at = f"{place.name} ({Path(place.filename).name}:{place.lineno})"
    return InnopointsError(
        f"unforeseen {type(error).__name__}", where=at, kept="what was committed before", todo="report this line"
    )
