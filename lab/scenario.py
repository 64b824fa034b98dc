"""A scenario: what one run does. Validated as a whole, so that every bad field is named at once."""

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from lab.disruptions import DISRUPTIONS
from lab.errors import UsageError
from lab.expectation import KNOWN_PROFILES
from lab.money import parse_usd
from lab.price_files import price_file_names
from lab.scenario_file import read_scenario
from lab.stack_config import ZOMBIE_EXECUTIONS, RuntimeName

ArmName = Literal["off", "cap", "full"]
WorkflowName = Literal["agent", "hello"]

CALLS_IN_FLIGHT: Final[Mapping[WorkflowName, int]] = {"agent": 1, "hello": 3}
"""How many activities a workflow runs side by side."""


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


def _profile(value: object, info: ValidationInfo) -> str:
    # Real Dapr may be of any version; what nobody knows of it ends as UNKNOWN.
    if info.data.get("runtime") == "embedded" and str(value) not in KNOWN_PROFILES:
        raise ValueError(f"must be one of {', '.join(KNOWN_PROFILES)}")
    return str(value)


# Time for three executions that come again, and then for a silence that is longer than the third
# of the observation which an endless activity may be silent, with what a late scheduler adds.
_LEAST_EXECUTIONS = 5
_LATE_S = 2
Arm = Annotated[ArmName, BeforeValidator(_arm)]
Money = Annotated[str, BeforeValidator(_money)]


def _price_file(value: str) -> str:
    if value not in price_file_names() and not Path(value).is_file():
        known = ", ".join(price_file_names())
        raise ValueError(f"no such file, and no price file that comes with the lab ({known})")
    return value


class AgentInput(BaseModel):
    """Input of the `agent` workflow; `hello` takes none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(30, ge=1, le=1000)
    pause_s: float = Field(0.5, ge=0, le=3600)
    prompt_tokens: int = Field(400, ge=1, le=100_000)
    max_tokens: int = Field(200, ge=1, le=100_000)
    retry: Literal["none", "incident"] = "none"


class Scenario(BaseModel):
    """One scenario.

    Attributes:
        dapr_bin: folder of Dapr's programs for runtime `dapr`; None: they are looked for.
        workflow: `agent`, a chain of calls, or `hello`, rounds of three calls side by side under
            the incident's retry policy.
        ttl_s: TTL for the run's copy of the state store component; None: that of the file.
        workflows: how many are started in all.
        start_rate_per_s: starts a second.
        call_s: how long one LLM call takes (time to first token), seconds.
        outage_s: least time from a kill to the new start; None: the disruption's own.
        observe_s: how long the arm is watched after the first re-execution.
        cap_usd: hard cap of the arms `cap` and `full`, exact decimal dollars.
        safety_cap_usd: the gateway's safety stop in arm `off`, far above what is expected.
        zombie_executions: at so many executions of one activity the gateway of arm `full` stops
            its workflow at its source; a healthy one may be executed twice after a restart.
        price_file: prices in place of the published ones: a name of the lab's own, or a file.
        in_flight_share: share of the workflows that must have an activity in flight before the
            disruption.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("custom", pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    runtime: RuntimeName = "embedded"
    dapr_bin: Path | None = None
    profile: Annotated[str, BeforeValidator(_profile)] = "1.16.1"
    disrupt: Annotated[str, BeforeValidator(str), BeforeValidator(_kind)] = "sidecar-kill"
    arms: tuple[Arm, ...] = Field(("off", "cap", "full"), min_length=1)
    workflow: WorkflowName = "agent"
    ttl_s: int | None = Field(None, ge=1, le=86_400)
    workflows: int = Field(8, ge=1, le=500)
    start_rate_per_s: float = Field(8, gt=0, le=1000)
    input: AgentInput = AgentInput()
    call_s: float = Field(2.0, ge=0.1, le=600)
    outage_s: float | None = Field(None, ge=0, le=3600)
    observe_s: float = Field(25.0, ge=1, le=86_400)
    in_flight_share: float = Field(0.75, gt=0, le=1)
    cap_usd: Money = "1.20"
    safety_cap_usd: Money = "1000"
    zombie_executions: int = Field(ZOMBIE_EXECUTIONS, ge=3, le=1000)
    price_file: Annotated[str, AfterValidator(_price_file)] | None = None
    seed: int = Field(1, ge=0, le=2**31)

    @property
    def asked_profile(self) -> str | None:
        """Return the version that was asked for; None when it is only the default."""
        return self.profile if "profile" in self.model_fields_set else None

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
        if "full" in self.arms and self.observe_s < self.zombie_executions:
            raise ValueError(
                f"zombie_executions: {self.zombie_executions} executions at one a second are not "
                f"reached within observe_s ({self.observe_s:g})"
            )
        if self.workflow == "hello" and self.input != AgentInput():
            raise ValueError("input: the workflow hello takes none, nor a retry policy")
        return self

    def spelled_out(self, ttl_s: int | None) -> "Scenario":
        """Return it with the TTL that will be in force, so that it repeats the run.

        Raises:
            UsageError: no disruption of this kind can happen with such a TTL.
        """
        if self.disrupt == "sidecar-restart" and ttl_s is not None and self.call_s <= ttl_s:
            problem = (
                f"scenario {self.name}: call_s: must be longer than the TTL ({ttl_s} s) with "
                "sidecar-restart, which comes when no running workflow has state left "
                f"(got {self.call_s:g}); see the preset scale"
            )
            raise UsageError([problem])
        return self.model_copy(update={"ttl_s": ttl_s})


def load_scenario(source: str, overrides: Mapping[str, Any], flags: Mapping[str, str]) -> Scenario:
    """Return a preset or a scenario file with the command line's choices laid over it.

    Args:
        source: a preset's name, or the path of a YAML file.
        overrides: field, or `input.` and one of its fields, to value; None leaves it alone.
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
        scenario = Scenario.model_validate(_overlaid(document, chosen))
    except ValidationError as error:
        named = {field: flags[field] for field in chosen}
        problems += dict.fromkeys(_problems(error, source, named))
    if problems:
        raise UsageError(problems)
    return scenario


def _overlaid(document: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with single fields replaced, those of a mapping within it too."""
    result = dict(document)
    for name, value in chosen.items():
        outer, _, inner = name.partition(".")
        if not inner:
            result[outer] = value
            continue
        within = result.get(outer)
        # What is no mapping stays, to be named as the bad value that it is.
        if within is None or isinstance(within, dict):
            result[outer] = {**(within or {}), inner: value}
    return result


def _problems(error: ValidationError, source: str, flags: Mapping[str, str]) -> list[str]:
    problems = []
    for entry in error.errors(include_url=False):
        location = [str(part) for part in entry["loc"]]
        flag = flags.get(".".join(location)) or flags.get(location[0] if location else "")
        where = flag or f"scenario {source}: {'.'.join(location)}".rstrip(": ")
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
