"""What callers send: the request to start a workflow and the input of each workflow."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core.core_schema import ValidationInfo

from workflow_app.ids import InstanceId

MAX_STEPS: Final = 9_999


class HelloInput(BaseModel):
    """The workflow `hello` takes no input."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentInput(BaseModel):
    """Input of `agent`.

    Attributes:
        steps: LLM calls, one after the other.
        pause_s: Length of the durable timer between two steps; 0 means none.
        prompt_tokens: Length of each prompt, about.
        max_tokens: Limit of each answer.
        retry: `none`, or the retry policy of the incident.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(20, ge=1, le=MAX_STEPS)
    pause_s: float = Field(1.0, ge=0, le=86_400, allow_inf_nan=False)
    prompt_tokens: int = Field(400, ge=1, le=100_000)
    max_tokens: int = Field(200, ge=1, le=100_000)
    retry: Literal["none", "incident"] = "none"


INPUT_OF_WORKFLOW: Final[Mapping[str, type[BaseModel]]] = {
    "hello": HelloInput,
    "agent": AgentInput,
}


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
