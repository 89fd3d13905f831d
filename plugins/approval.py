"""A form that asks a named person, and puts the answer down itself.

Whoever may edit a DAG's run can mark the asking task as success, or write an XCom in the name of any task: neither runs
a line of this, so nothing is put down, and the step that needs the approval finds none. What the form shows is read
from the ledger, not from an XCom.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

from include.kernel.errors import BadInput
from plugins.task_wrapper import run_name, run_step

if TYPE_CHECKING:
    from include.steps.approval import Question

REASON = {
    "reason": Param("", type="string", maxLength=500, title="Reason 理由 (to approve, give one; kept in the ledger)")
}


class Approval(ApprovalOperator):
    """Approve or reject, with a reason; unanswered it is a no. `question` reads what is asked; `answered` is the step
    that puts down the option, the person (none: the time ran out) and the reason, and does what follows of them.
    """

    def __init__(self, *, question: Callable[[Any], Question], answered: Callable[..., None], **options: Any) -> None:
        super().__init__(subject="", defaults=ApprovalOperator.REJECT, **options)
        self.question, self.answered = question, answered

    def execute(self, context: Any) -> Any:
        """Ask; whatever this run was told before is no answer to this."""
        from include.steps.approval import asked, require_shown

        def put_up(*, holder: str) -> dict[str, Any]:
            question, run = self.question(context), run_name(context)
            self.subject, self.body = question.subject, question.body
            self.assigned_users = [{"id": name, "name": name} for name in question.people]
            require_shown(run, question.about, self._put_up(context))
            asked(run, question.about)
            return {"by": "asked"}

        run_step(put_up)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Airflow resumes the task with what was answered. It is put down before anything else: a no ends the task.
        Only the option goes on to XCom, never who chose it.
        """

        def put_down(*, holder: str) -> dict[str, Any]:
            option, reason = self._answer(context, event)
            who = event["responded_by_user"] or {}
            self.answered(run_name(context), option, who.get("name") or who.get("id"), reason)
            return {"by": "answered"}

        run_step(put_down)
        super().execute_complete(context, event)
        return {"answer": event["chosen_options"][0]}

    def _answer(self, context: Any, event: dict[str, Any]) -> tuple[str, str]:
        """Option and reason, if they are what the form asks for: Airflow takes whatever comes through its API, and
        looks at it only when the task is resumed.
        """
        given = event["params_input"] or {}
        try:
            (option,) = event["chosen_options"]
            self.validate_chosen_options([option])
            self.validate_params_input(given)
        except (ValueError, ParamValidationError):  # its text quotes what was given
            raise BadInput(
                "the answer is not one that its form can give",
                where=run_name(context),
                kept="what was answered before; this is not put down",
                todo="clear `ask` and answer it again, with a reason of 500 characters at most",
            ) from None
        return option, str(given.get("reason") or "")

    def _put_up(self, context: Any) -> str | None:
        """The text of the form as people see it: ours, or that of an earlier try, which Airflow keeps."""
        form = CreateHITLDetailPayload(
            ti_id=context["ti"].id,
            options=self.options,
            subject=self.subject,
            body=self.body,
            defaults=self.defaults,
            params=self.serialized_params,
            assigned_users=self.assigned_users,
        )
        return task_runner.SUPERVISOR_COMMS.send(form).body
