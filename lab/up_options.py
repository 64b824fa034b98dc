"""What `runaway up` was asked for, checked as a whole before anything starts."""

from collections.abc import Mapping
from pathlib import Path
from random import SystemRandom
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from lab.errors import UsageError
from lab.expectation import KNOWN_PROFILES
from lab.money import parse_usd
from lab.paths import COMPONENTS
from lab.ports import Ports, flag_of, with_free_inner
from lab.stack_config import ZOMBIE_EXECUTIONS, RuntimeName, StackConfig

Port = Annotated[int, Field(ge=1, le=65_535)]


class UpOptions(BaseModel):
    """The options, with their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: Literal["observe", "cap", "full"] = "observe"
    cap: str | None = None
    runtime: RuntimeName = "embedded"
    dapr_bin: Path | None = None
    profile: str | None = None
    call_s: float = Field(2.0, ge=0, le=600)
    ports: dict[str, Port] = Field(default_factory=dict)

    @field_validator("cap")
    @classmethod
    def _is_money(cls, value: str | None) -> str | None:
        if value is None:
            return None
        text = value.strip().removeprefix("$")
        parse_usd(text)
        return text

    @field_validator("profile")
    @classmethod
    def _is_known(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("runtime") == "embedded" and value not in (None, *KNOWN_PROFILES):
            raise ValueError(f"must be one of {', '.join(KNOWN_PROFILES)}")
        return value

    def config(self, directory: Path, profile: str) -> StackConfig:
        """Return the stack that was asked for, of the version that its runtime is of."""
        return StackConfig(
            directory=directory,
            components=COMPONENTS,
            ports=with_free_inner(Ports(**self.ports), SystemRandom()),
            runtime=self.runtime,
            # The background form works from the project's root.
            dapr_bin=self.dapr_bin and self.dapr_bin.absolute(),
            profile=profile,
            budget_mode="observe" if self.budget == "observe" else "cap",
            replay=self.budget == "full",
            zombie_executions=ZOMBIE_EXECUTIONS if self.budget == "full" else None,
            cap_usd=self.cap,
            ttft_s=self.call_s,
            inherit_settings=True,
        )


def parse_up_options(chosen: Mapping[str, Any], ports: Mapping[str, str | None]) -> UpOptions:
    """Check the command line's values; None is a value that was not given.

    Raises:
        UsageError: naming every bad one.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    if "cap" in given:
        given.setdefault("budget", "cap")
    wanted = {name: port for name, port in ports.items() if port is not None}
    problems = []
    if given.get("budget") in ("cap", "full") and "cap" not in given:
        problems.append(f"--budget {given['budget']}: needs --cap USD")
    if given.get("budget") == "observe" and "cap" in given:
        problems.append("--budget observe: refuses nothing, so it takes no --cap; leave one out")
    try:
        options = UpOptions.model_validate({**given, "ports": wanted})
    except ValidationError as error:
        problems += [_problem(dict(entry)) for entry in error.errors()]
        raise UsageError(problems) from None
    if problems:
        raise UsageError(problems)
    return options


def _problem(entry: Mapping[str, Any]) -> str:
    location = [str(part) for part in entry["loc"]]
    message = str(entry["msg"]).removeprefix("Value error, ")
    is_port = location[0] == "ports" and len(location) > 1
    flag = flag_of(location[1]) if is_port else f"--{location[0].replace('_', '-')}"
    return f"{flag}: {message} (got {entry['input']!r})"
