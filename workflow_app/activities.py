"""The activities: each asks the LLM once.

Plain `def` on purpose: the SDK's event loop stands still while the sidecar is away, and would take
`async def` activities with it.
"""

from collections.abc import Callable
from typing import Any, Final

from dapr.ext.workflow import WorkflowActivityContext
from pydantic import BaseModel, ConfigDict

from metering.identity import CallerIdentity
from workflow_app.executions import Execution, ExecutionLog
from workflow_app.llm import LlmClient
from workflow_app.prompts import digest, step_messages

LLM_STEP: Final = "llm_step"
SAY_HELLO: Final = "say_hello"
ACTIVITY_NAMES: Final = (LLM_STEP, SAY_HELLO)

Activity = Callable[[WorkflowActivityContext, "StepInput"], dict[str, Any]]


class StepInput(BaseModel):
    """Input of an activity.

    Attributes:
        workflow: Name of the workflow; the SDK does not tell it to an activity.
        root: Instance id of the outermost parent; the same.
        step: Number of the step in its workflow, from 1.
        previous: Digest of the answer before this step.
        prompt_tokens: Length of the prompt, about.
        max_tokens: Limit of the answer.
    """

    model_config = ConfigDict(frozen=True)

    workflow: str
    root: str
    step: int
    previous: str
    prompt_tokens: int
    max_tokens: int


def build_activity(name: str, *, app_id: str, llm: LlmClient, log: ExecutionLog) -> Activity:
    """Return the activity `name`.

    Its result has `step`, `answer` (a digest of the text) and `output_tokens`.
    """

    def activity(ctx: WorkflowActivityContext, given: StepInput) -> dict[str, Any]:
        identity = _identity(ctx, given, app=app_id, activity=name)
        execution = Execution(
            instance=identity.instance,
            workflow=given.workflow,
            activity=name,
            task_id=identity.task_id,
            execution_id=identity.execution_id,
        )
        with log.recording(execution):
            answer = llm.complete(
                step_messages(
                    instance=identity.instance,
                    step=given.step,
                    previous=given.previous,
                    prompt_tokens=given.prompt_tokens,
                ),
                max_tokens=given.max_tokens,
                identity=identity,
            )
        return {
            "step": given.step,
            "answer": digest(answer.text),
            "output_tokens": answer.output_tokens,
        }

    return activity


def _identity(
    ctx: WorkflowActivityContext, given: StepInput, *, app: str, activity: str, ordinal: int = 1
) -> CallerIdentity:
    execution_id = ctx.get_inner_context().task_execution_id
    return CallerIdentity(
        app=app,
        workflow=given.workflow,
        root=given.root,
        instance=ctx.workflow_id,
        activity=activity,
        task_id=str(ctx.task_id),
        execution_id=execution_id,
        idempotency_key=f"{ctx.workflow_id}:{execution_id}:{ctx.task_id}:{ordinal}",
    )
