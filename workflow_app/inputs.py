"""What callers send: the request to start a workflow, its input, and the payload of its events."""

import json
from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core.core_schema import ValidationInfo

from workflow_app.ids import LONGEST_PARENT_ID, InstanceId
from workflow_app.retries import Retry

MAX_STEPS: Final = 9_999
MAX_DOCUMENTS: Final = 50
MAX_CHUNKS: Final = 50
APPROVE: Final = "approve"


class HelloInput(BaseModel):
    """The workflow `hello` takes no input."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _CallsInput(BaseModel):
    """What every LLM call of a workflow has in common.

    Attributes:
        prompt_tokens: Length of each prompt, about.
        max_tokens: Limit of each answer.
        retry: `none`, or the retry policy of the incident.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt_tokens: int = Field(400, ge=1, le=100_000)
    max_tokens: int = Field(200, ge=1, le=100_000)
    retry: Retry = "none"


class AgentInput(_CallsInput):
    """Input of `agent`.

    Attributes:
        steps: LLM calls, one after the other.
        pause_s: Length of the durable timer between two steps; 0 means none.
        approval_after: Step after which it waits for the event `approve`; None means never.
    """

    steps: int = Field(20, ge=1, le=MAX_STEPS)
    pause_s: float = Field(1.0, ge=0, le=86_400, allow_inf_nan=False)
    approval_after: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _approves_a_step(self) -> Self:
        if self.approval_after is not None and self.approval_after >= self.steps:
            raise ValueError(
                f"approval_after: no step comes after {self.approval_after}; "
                f"give less than steps ({self.steps})"
            )
        return self


class PipelineInput(_CallsInput):
    """Input of `pipeline`.

    Attributes:
        documents: Child workflows, all at once.
        chunks: LLM calls of each child at once; one more merges them.
    """

    documents: int = Field(3, ge=1, le=MAX_DOCUMENTS)
    chunks: int = Field(4, ge=1, le=MAX_CHUNKS)


class Approval(BaseModel):
    """Payload of `agent`'s event `approve`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    approved: bool


INPUT_OF_WORKFLOW: Final[Mapping[str, type[BaseModel]]] = {
    "hello": HelloInput,
    "agent": AgentInput,
    "pipeline": PipelineInput,
}
PAYLOAD_OF_EVENT: Final[Mapping[tuple[str, str], type[BaseModel]]] = {
    ("agent", APPROVE): Approval,
}
"""By workflow and event, whose name has no case to the SDK."""


class StartRequest(BaseModel):
    """Body of `POST /workflows`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    id: InstanceId | None = None
    input: dict[str, Any] | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in INPUT_OF_WORKFLOW:
            known = ", ".join(sorted(INPUT_OF_WORKFLOW))
            raise ValueError(f"unknown workflow {name!r}; known are: {known}")
        return name

    @field_validator("id")
    @classmethod
    def _leaves_room(cls, value: str | None, info: ValidationInfo) -> str | None:
        is_parent = info.data.get("name") == "pipeline"
        if is_parent and value is not None and len(value) > LONGEST_PARENT_ID:
            raise ValueError(
                f"the children of {info.data['name']!r} have longer ids than their parent; "
                f"give at most {LONGEST_PARENT_ID} characters"
            )
        return value

    @field_validator("input")
    @classmethod
    def _fits(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        model = INPUT_OF_WORKFLOW.get(info.data.get("name", ""))
        if model is None or value is None:
            return value
        try:
            model.model_validate(value)
        except ValidationError as error:
            raise ValueError(describe_problems(error.errors())) from None
        return value

    def workflow_input(self) -> dict[str, Any]:
        """Return the workflow's whole input, with the defaults filled in."""
        return INPUT_OF_WORKFLOW[self.name].model_validate(self.input or {}).model_dump()


class HelloRequest(BaseModel):
    """Body of `POST /workflow/hello`, as in the incident's public reproduction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instance_id: InstanceId | None = None


def check_json(payload: Any) -> Any:
    """Return the payload of an event, or raise a ValueError that says how to send it."""
    if isinstance(payload, bytes):
        raise ValueError("give the payload as JSON, with content-type: application/json")  # noqa: TRY004 - pydantic wants a ValueError
    try:
        json.dumps(payload, allow_nan=False)
    except ValueError:
        raise ValueError("NaN and Infinity are no JSON") from None
    return payload


def check_payload(workflow: str, event: str, payload: Any) -> None:
    """Raise a ValueError that says what is wrong with the payload of an event that is known."""
    model = PAYLOAD_OF_EVENT.get((workflow, event.casefold()))
    if model is None:
        return
    try:
        model.model_validate(payload)
    except ValidationError as error:
        raise ValueError(
            f"the payload of {event!r} does not fit {workflow!r}: "
            f"{describe_problems(error.errors())}"
        ) from None


def describe_problems(problems: Any) -> str:
    """Return one line that names every bad field of a validation error and what is wrong.

    Args:
        problems: What pydantic's `errors()` gives.
    """
    return "; ".join(_describe(problem) for problem in problems)


def _describe(problem: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in problem["loc"] if part not in {"body", "query", "path"})
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{path}: {text}" if path else text
