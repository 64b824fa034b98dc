"""What a transport is told: the store, the limits, the rules. The gateway's settings, as values."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from budget.settings import Settings
from metering.identity import MAX_VALUE_LENGTH, UNKNOWN
from metering.money import NanoUsd, format_usd
from serving.settings import read_settings

_ARGUMENT_OF_FIELD: Final = {
    "cap_nano_usd": "cap_usd",
    "instance_cap_nano_usd": "instance_cap_usd",
    "safety_cap_nano_usd": "safety_cap_usd",
    "upstream_timeout_s": "hold_s",
    "hold_margin_s": "hold_s",
}


class _Given(Settings):
    """The gateway's settings and their checks, without the environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget; transports with equal ones share one connection to its store.

    Amounts are exact decimal text, or whole dollars as int; never a float.

    Attributes:
        redis_url: The budget's own Redis.
        cap_usd: Lifetime limit of all calls.
        instance_cap_usd: Lifetime limit of each workflow instance.
        safety_cap_usd: Lifetime limit of all calls that holds in every mode.
        mode: `cap` enforces; `observe` counts and refuses nothing but for the safety stop.
        tenant: Whose calls these are.
        default_max_tokens: For requests that limit nothing.
        clamp: Make a call smaller that does not fit, unless `x-budget-clamp` says otherwise.
        hold_s: After so long without a sign of this process, a call's money counts as spent.
        price_file: Overrides of unit prices.
        allow_unsafe_store: Go on with a Redis that may forget money.
        replay: In mode `cap`, a repeated idempotency key gets the stored answer.
        zombie_executions: In mode `cap`, at so many executions of one activity its instance is
            refused for good.
        scheduler_address: `host:port` of Dapr's scheduler; zombies are stopped there.
        namespace: Of the apps, as the scheduler knows them.
        app_id: App of calls that name none.

    Raises:
        ValueError: Names the argument that is wrong.
    """

    redis_url: str = "redis://127.0.0.1:6380/0"
    cap_usd: str | int | None = None
    instance_cap_usd: str | int | None = None
    safety_cap_usd: str | int | None = None
    mode: Literal["cap", "observe"] = "cap"
    tenant: str = UNKNOWN
    default_max_tokens: int = 1024
    clamp: bool = False
    hold_s: float = 130
    price_file: Path | None = None
    allow_unsafe_store: bool = False
    replay: bool = True
    zombie_executions: int | None = None
    scheduler_address: str | None = None
    namespace: str = "default"
    app_id: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.tenant) <= MAX_VALUE_LENGTH:
            # No limit could name it.
            raise ValueError(f"tenant: a name has 1 to {MAX_VALUE_LENGTH} characters")
        try:
            self.settings()
        except ValidationError as error:
            raise ValueError("; ".join(_problems(error))) from None

    @classmethod
    def from_environment(cls, *, tenant: str = UNKNOWN) -> "Budget":
        """Read the gateway's own variables, `BUDGET_REDIS_URL`, `BUDGET_CAP_USD` and so on.

        Raises:
            StartError: Names every bad variable.
        """
        found = read_settings(Settings)
        return cls(
            redis_url=found.redis_url,
            cap_usd=_dollars(found.cap_nano_usd),
            instance_cap_usd=_dollars(found.instance_cap_nano_usd),
            safety_cap_usd=_dollars(found.safety_cap_nano_usd),
            mode=found.mode,
            tenant=tenant,
            default_max_tokens=found.default_max_tokens,
            clamp=found.clamp,
            hold_s=found.hold_ms / 1000,
            price_file=found.price_file,
            allow_unsafe_store=found.allow_unsafe_store,
            replay=found.replay,
            zombie_executions=found.zombie_executions,
            scheduler_address=found.scheduler_address,
            namespace=found.namespace,
            app_id=found.app_id,
        )

    def settings(self) -> Settings:
        """Return the gateway's settings for this budget."""
        return _Given(
            redis_url=self.redis_url,
            cap_nano_usd=self.cap_usd,
            instance_cap_nano_usd=self.instance_cap_usd,
            safety_cap_nano_usd=self.safety_cap_usd,
            mode=self.mode,
            default_max_tokens=self.default_max_tokens,
            clamp=self.clamp,
            upstream_timeout_s=self.hold_s / 2,
            hold_margin_s=self.hold_s / 2,
            price_file=self.price_file,
            allow_unsafe_store=self.allow_unsafe_store,
            replay=self.replay,
            zombie_executions=self.zombie_executions,
            scheduler_address=self.scheduler_address,
            namespace=self.namespace,
            app_id=self.app_id,
        )


def _problems(error: ValidationError) -> Iterator[str]:
    """Say what is wrong with each argument, under the name that it has here."""
    told = set()
    for each in error.errors(include_url=False, include_input=False):
        field = str(each["loc"][0])
        name = _ARGUMENT_OF_FIELD.get(field, field.removeprefix("BUDGET_").lower())
        if name not in told:
            told.add(name)
            yield f"{name}: {each['msg'].removeprefix('Value error, ')}"


def _dollars(limit: NanoUsd | None) -> str | None:
    return None if limit is None else format_usd(limit)
