"""The workflows: deterministic generators that only schedule activities and timers."""

from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from dapr.ext.workflow import DaprWorkflowContext, when_all
from pydantic import ValidationError

from workflow_app.activities import LLM_STEP, SAY_HELLO, StepInput
from workflow_app.inputs import APPROVE, AgentInput, Approval
from workflow_app.pipeline import DOCUMENT, document, pipeline
from workflow_app.prompts import FIRST_DIGEST
from workflow_app.retries import incident_retry_policy, retry_policy

Workflow = Callable[..., Generator[Any, Any, Any]]

HELLO_ROUNDS: Final = 10
HELLO_PARALLEL: Final = 3
HELLO_PROMPT_TOKENS: Final = 400
HELLO_MAX_TOKENS: Final = 200


def hello(ctx: DaprWorkflowContext) -> Generator[Any, Any, str]:
    """Run ten rounds of three parallel calls, as the workflow of the incident did."""
    for first in range(1, HELLO_ROUNDS * HELLO_PARALLEL + 1, HELLO_PARALLEL):
        calls: list[Any] = [
            ctx.call_activity(
                SAY_HELLO,
                input=StepInput(
                    workflow="hello",
                    root=ctx.instance_id,
                    step=step,
                    previous=FIRST_DIGEST,
                    prompt_tokens=HELLO_PROMPT_TOKENS,
                    max_tokens=HELLO_MAX_TOKENS,
                ),
                retry_policy=incident_retry_policy(),
            )
            for step in range(first, first + HELLO_PARALLEL)
        ]
        yield when_all(calls)
    return "Done"


def agent(ctx: DaprWorkflowContext, given: AgentInput) -> Generator[Any, Any, dict[str, Any]]:
    """Run a chain of LLM steps, each told of the answer before, with a durable timer between.

    After step `approval_after` it waits for somebody to approve; a no ends it there.
    """
    policy = retry_policy(given.retry)
    answer, output_tokens = FIRST_DIGEST, 0
    for step in range(1, given.steps + 1):
        result = yield ctx.call_activity(
            LLM_STEP,
            input=StepInput(
                workflow="agent",
                root=ctx.instance_id,
                step=step,
                previous=answer,
                prompt_tokens=given.prompt_tokens,
                max_tokens=given.max_tokens,
            ),
            retry_policy=policy,
        )
        answer, output_tokens = result["answer"], output_tokens + result["output_tokens"]
        if step == given.approval_after and not (yield from _approval(ctx)):
            return _agent_result("rejected", step, answer, output_tokens)
        if given.pause_s and step < given.steps:
            yield ctx.create_timer(timedelta(seconds=given.pause_s))
    return _agent_result("completed", given.steps, answer, output_tokens)


def _agent_result(status: str, steps: int, answer: str, output_tokens: int) -> dict[str, Any]:
    return {"status": status, "steps": steps, "answer": answer, "output_tokens": output_tokens}


def _approval(ctx: DaprWorkflowContext) -> Generator[Any, Any, bool]:
    """Wait for a yes or no; what is neither does not count."""
    while True:
        payload = yield ctx.wait_for_external_event(APPROVE)
        try:
            return Approval.model_validate(payload).approved
        except ValidationError:
            continue


WORKFLOWS: Final[Mapping[str, Workflow]] = {
    "hello": hello,
    "agent": agent,
    "pipeline": pipeline,
    DOCUMENT: document,
}


def reporting_return(workflow: Workflow, returned: Callable[[str], None]) -> Workflow:
    """Return the workflow, which calls `returned(instance id)` when its function returns.

    A replay of a turn that is already in the history does not call it. The call is no part of the
    workflow's history: it must not influence the workflow.
    """

    @wraps(workflow)
    def reported(ctx: DaprWorkflowContext, *given: Any) -> Generator[Any, Any, Any]:
        result = yield from workflow(ctx, *given)
        if not ctx.is_replaying:
            returned(ctx.instance_id)
        return result

    return reported
