"""`pipeline`: one child workflow a document, one call a chunk, and a merge on each level.

Every prompt is a function of the instance, the step and the answers before, so a redelivery sends
the same body.
"""

from collections.abc import Generator, Iterable
from typing import Any, Final

from dapr.ext.workflow import DaprWorkflowContext, when_all
from pydantic import BaseModel, ConfigDict

from workflow_app.activities import LLM_STEP, StepInput
from workflow_app.ids import child_id
from workflow_app.inputs import PipelineInput
from workflow_app.prompts import FIRST_DIGEST, digest
from workflow_app.retries import Retry, retry_policy

DOCUMENT: Final = "document"
"""Name of the child workflow; it is registered with the engine and can't be started by callers."""


class DocumentInput(BaseModel):
    """Input of `document`.

    Attributes:
        root: Instance id of the outermost parent.
        chunks: Parts that are read side by side.
        prompt_tokens: Length of each prompt, about.
        max_tokens: Limit of each answer.
        retry: Name of the retry policy of each call.
    """

    model_config = ConfigDict(frozen=True)

    root: str
    chunks: int
    prompt_tokens: int
    max_tokens: int
    retry: Retry


def pipeline(ctx: DaprWorkflowContext, given: PipelineInput) -> Generator[Any, Any, dict[str, Any]]:
    """Have every document read by a child of its own, all at once, and sum up what they say."""
    of_child = DocumentInput(root=ctx.instance_id, **given.model_dump(exclude={"documents"}))
    read = yield when_all(
        [
            ctx.call_child_workflow(
                DOCUMENT, input=of_child, instance_id=child_id(ctx.instance_id, number)
            )
            for number in range(1, given.documents + 1)
        ]
    )
    summary = yield _call(ctx, "pipeline", of_child, step=1, previous=_joined(read))
    return {
        "documents": given.documents,
        "answer": summary["answer"],
        "output_tokens": _tokens([*read, summary]),
    }


def document(ctx: DaprWorkflowContext, given: DocumentInput) -> Generator[Any, Any, dict[str, Any]]:
    """Read all chunks of one document at once, and merge the answers with one more call."""
    answers = yield when_all(
        [
            _call(ctx, DOCUMENT, given, step=chunk, previous=FIRST_DIGEST)
            for chunk in range(1, given.chunks + 1)
        ]
    )
    merged = yield _call(ctx, DOCUMENT, given, step=given.chunks + 1, previous=_joined(answers))
    return {"answer": merged["answer"], "output_tokens": _tokens([*answers, merged])}


def _call(
    ctx: DaprWorkflowContext, workflow: str, given: DocumentInput, *, step: int, previous: str
) -> Any:
    return ctx.call_activity(
        LLM_STEP,
        input=StepInput(
            workflow=workflow,
            root=given.root,
            step=step,
            previous=previous,
            prompt_tokens=given.prompt_tokens,
            max_tokens=given.max_tokens,
        ),
        retry_policy=retry_policy(given.retry),
    )


def _joined(results: Iterable[dict[str, Any]]) -> str:
    return digest(" ".join(result["answer"] for result in results))


def _tokens(results: Iterable[dict[str, Any]]) -> int:
    return sum(result["output_tokens"] for result in results)
