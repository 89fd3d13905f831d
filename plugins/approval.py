"""A form that asks a named person, and puts the answer down itself.

Whoever may edit a DAG's run can mark the asking task as success, or write an XCom in its name: neither runs a line of
this, so nothing is put down, and the step that needs the approval finds none.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param

from plugins.task_wrapper import run_name, run_step

REASON = {"reason": Param("", type="string", maxLength=500, title="Reason 理由 (kept in the ledger)")}


class Approval(ApprovalOperator):
    """Approve or reject, with a reason; unanswered it is a no. `about` is the digest of what is shown: an approval
    holds for nothing else.
    """

    template_fields = (*ApprovalOperator.template_fields, "about")

    def __init__(self, *, about: str, **options: Any) -> None:
        super().__init__(defaults=ApprovalOperator.REJECT, **options)
        self.about = about

    def execute(self, context: Any) -> Any:
        """Ask; whatever this run was told before is no answer to this."""
        from include.steps.approval import asked

        run_step(_noted, asked, run_name(context), self.about)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Airflow resumes the task with what was answered. Only the option goes on to XCom, never who chose it."""
        from include.steps.approval import answered

        given = super().execute_complete(context, event)
        (option,) = given["chosen_options"]
        who = given["responded_by_user"] or {}
        person = who.get("name") or who.get("id")
        reason = str((given["params_input"] or {}).get("reason") or "")
        run_step(_noted, answered, run_name(context), option, person, reason)
        return {"answer": option}


def _noted(step: Any, *arguments: Any, holder: str) -> dict[str, Any]:
    step(*arguments)
    return {"by": step.__name__}
