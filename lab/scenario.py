"""A scenario: what one run does. Validated as a whole, so that every bad field is named at once."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from lab.disruptions import DISRUPTIONS
from lab.errors import UsageError
from lab.expectation import KNOWN_PROFILES
from lab.money import parse_usd
from lab.scenario_file import read_scenario
from lab.stack_config import RuntimeName

ArmName = Literal["off", "cap", "full"]


def _money(value: object) -> str:
    # YAML reads 1.50 as a float; its text is what the user wrote, up to trailing zeros.
    text = str(value).strip().removeprefix("$")
    parse_usd(text)
    return text


def _arm(value: object) -> object:
    # YAML reads a bare `off` as false.
    return "off" if value is False else value


def _kind(value: str) -> str:
    if value not in DISRUPTIONS:
        raise ValueError(f"must be one of {', '.join(DISRUPTIONS)}")
    return value


def _profile(value: object) -> str:
    if str(value) not in KNOWN_PROFILES:
        raise ValueError(f"must be one of {', '.join(KNOWN_PROFILES)}")
    return str(value)


# Time for three executions that come again, and then for a silence that is longer than the third
# of the observation which an endless activity may be silent, with what a late scheduler adds.
_LEAST_EXECUTIONS = 5
_LATE_S = 2
Arm = Annotated[ArmName, BeforeValidator(_arm)]
Money = Annotated[str, BeforeValidator(_money)]


class AgentInput(BaseModel):
    """Input of the `agent` workflow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(30, ge=1, le=1000)
    pause_s: float = Field(0.5, ge=0, le=3600)
    prompt_tokens: int = Field(400, ge=1, le=100_000)
    max_tokens: int = Field(200, ge=1, le=100_000)
    retry: Literal["none", "incident"] = "none"


class Scenario(BaseModel):
    """One scenario.

    Attributes:
        ttl_s: TTL for the run's copy of the state store component; None: that of the file.
        workflows: how many are started in all.
        start_rate_per_s: starts a second.
        call_s: how long one LLM call takes (time to first token), seconds.
        observe_s: how long the arm is watched after the first re-execution.
        cap_usd: hard cap of arm `cap`, exact decimal dollars.
        safety_cap_usd: the gateway's safety stop in arm `off`, far above what is expected.
        in_flight_share: share of the workflows that must have an activity in flight before the
            disruption.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("custom", pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    runtime: RuntimeName = "embedded"
    profile: Annotated[str, BeforeValidator(_profile)] = "1.16.1"
    disrupt: Annotated[str, BeforeValidator(str), BeforeValidator(_kind)] = "sidecar-kill"
    arms: tuple[Arm, ...] = Field(("off", "cap"), min_length=1)
    ttl_s: int | None = Field(None, ge=1, le=86_400)
    workflows: int = Field(8, ge=1, le=500)
    start_rate_per_s: float = Field(8, gt=0, le=1000)
    input: AgentInput = AgentInput()
    call_s: float = Field(2.0, ge=0.1, le=600)
    observe_s: float = Field(25.0, ge=1, le=86_400)
    in_flight_share: float = Field(0.75, gt=0, le=1)
    cap_usd: Money = "1.20"
    safety_cap_usd: Money = "1000"
    seed: int = Field(1, ge=0, le=2**31)

    @model_validator(mode="after")
    def _consistent(self) -> "Scenario":
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("arms: each arm may be named once")
        if parse_usd(self.cap_usd) >= parse_usd(self.safety_cap_usd):
            raise ValueError("safety_cap_usd: must be above cap_usd")
        least_s = _LEAST_EXECUTIONS * max(1.0, self.call_s) + _LATE_S
        if self.observe_s < least_s:
            raise ValueError(
                f"observe_s: must be at least {least_s:g} with calls of {self.call_s:g} s, "
                "or a few more executions can't be told from a runaway"
            )
        return self


def load_scenario(source: str, overrides: Mapping[str, Any], flags: Mapping[str, str]) -> Scenario:
    """Return a preset or a scenario file with the command line's choices laid over it.

    Args:
        source: a preset's name, or the path of a YAML file.
        overrides: field to value; None leaves the field alone.
        flags: field to the option that set it, for the error lines.

    Raises:
        UsageError: naming every bad field, or that there is no such scenario.
    """
    chosen = {field: value for field, value in overrides.items() if value is not None}
    document: dict[str, Any] = {}
    problems: list[str] = []
    try:
        document = read_scenario(source)
    except UsageError as error:
        # The options are checked all the same, so that everything bad is named at once.
        problems += error.problems
    try:
        scenario = Scenario.model_validate({**document, **chosen})
    except ValidationError as error:
        named = {field: flags[field] for field in chosen}
        problems += dict.fromkeys(_problems(error, source, named))
    if problems:
        raise UsageError(problems)
    return scenario


def _problems(error: ValidationError, source: str, flags: Mapping[str, str]) -> list[str]:
    problems = []
    for entry in error.errors(include_url=False):
        location = [str(part) for part in entry["loc"]]
        top = location[0] if location else ""
        where = flags.get(top) or f"scenario {source}: {'.'.join(location)}".rstrip(": ")
        message = str(entry["msg"]).removeprefix("Value error, ")
        if entry["type"] == "extra_forbidden":
            message = f"no such field; there are {', '.join(_fields(location[:-1]))}"
        elif entry["type"] == "too_short" and entry["input"]:
            # The same bad item is named by an error of its own.
            continue
        shown = "" if isinstance(entry["input"], dict) else f" (got {_shown(entry['input'])})"
        problems.append(f"{where}: {message}{shown}")
    return problems


def _fields(location: Sequence[str]) -> list[str]:
    return list(AgentInput.model_fields if location else Scenario.model_fields)


def _shown(value: object) -> str:
    # A few bytes of YAML can stand for gigabytes.
    short = reprlib.Repr()
    short.maxlevel, short.maxlist, short.maxdict, short.maxstring = 2, 4, 4, 80
    return short.repr(value)
