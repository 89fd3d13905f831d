"""Errors that read as one clear line: what happened, where, what was kept, what to do.

Three kinds, by what helps: a person corrects the input (`BadInput`), waiting may help (`TransientError`),
a person must act on the system or the department (`TerminalError`). No text here may carry personal data or an amount.
"""

from __future__ import annotations


class InnopointsError(Exception):
    """Base of all errors the project raises on purpose; its text is one line, ready for a log or a terminal."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", kept: str = "", todo: str = "") -> None:
        self.what, self.where, self.kept, self.todo = what, where, kept, todo
        parts = [f"{where}: {what}" if where else what]
        if kept:
            parts.append(f"kept: {kept}")
        if todo:
            parts.append(f"do: {todo}")
        super().__init__(" | ".join(" ".join(part.split()) for part in parts))


class BadInput(InnopointsError):
    """Somebody asked for something that cannot be: an unknown district, a malformed date, a broken scheme file."""

    exit_code = 2


class TransientError(InnopointsError):
    """Waiting may help: a department is down, a page came half, a lock is held, a drop file has no marker yet."""


class TerminalError(InnopointsError):
    """Waiting will not help: credentials refused, a contract broken, a snapshot rejected, a writer fenced off."""
