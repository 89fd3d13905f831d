"""What a person answered to a form in Airflow, and the proof that a person did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.kernel.errors import TerminalError

APPROVE = "Approve"


def recorded_approval(response: Mapping[str, Any] | None) -> tuple[str, str]:
    """Who approved and with what reason. Whoever may edit a DAG can mark the asking task as success: nothing is
    recorded then, and nothing follows from it.
    """
    given = response or {}
    who = given.get("responded_by_user") or {}
    person = who.get("name") or who.get("id")
    if given.get("chosen_options") != [APPROVE] or not person:
        raise TerminalError(
            "no recorded approval: nobody answered the form",
            kept="the last good snapshot",
            todo="clear `ask` and answer it under Required Actions, or use `innopoints release`",
        )
    return str(person), str((given.get("params_input") or {}).get("reason") or "")
