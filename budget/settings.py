"""The gateway's settings, read from `BUDGET_*`. Amounts are exact decimal dollars, never floats."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from budget.calls.target import Target
from budget.scopes import MAX_LIMIT_NANO_USD
from metering.money import NanoUsd, format_usd, parse_usd
from serving.settings import NOT_SHOWN, Port

ENV_PREFIX: Final = "BUDGET_"
MAX_PORT: Final = 65535

_OF_OTHERS: Final = re.compile(
    rf"{ENV_PREFIX}(?:GUARD_COUNTS|SERVICE_(?:HOST|PORT.*)|PORT_\d+_(?:TCP|UDP).*)"
)
"""Variables that are no settings of a gateway: the guard's, and those that Kubernetes sets for a
service called budget."""


def _limit(value: Any) -> Any:
    """Read a limit in dollars as nano-dollars."""
    if value is None:
        return None
    nano_usd = parse_usd(value)
    if not 0 <= nano_usd <= MAX_LIMIT_NANO_USD:
        raise ValueError(f"a limit is between 0 and {format_usd(MAX_LIMIT_NANO_USD)} dollars")
    return nano_usd


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError("write the provider's base, such as http://127.0.0.1:8001")
    if parts.username is not None or parts.password is not None:
        # Callers are told where their provider is.
        raise PydanticCustomError(
            NOT_SHOWN, "leave out the name and password: BUDGET_UPSTREAM_API_KEY is for credentials"
        )
    _check_port(value)
    if parts.path.rstrip("/").endswith("/v1"):
        raise ValueError("leave out /v1: the route brings it")
    return value.rstrip("/")


def _check_port(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError(f"the port is a number from 0 to {MAX_PORT}") from None


def _header_value(value: SecretStr) -> SecretStr:
    """Take a key that a header can carry; one that was read from a file may end with a break."""
    text = value.get_secret_value().strip()
    if not re.fullmatch(r"[!-~](?:[ -~]*[!-~])?", text):
        raise PydanticCustomError(NOT_SHOWN, "a key is printable ASCII, without line breaks")
    return SecretStr(text)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= MAX_PORT or "/" in value:
        raise ValueError("write it as HOST:PORT, such as 127.0.0.1:50006")
    return value


def _redis_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("write it as redis://HOST:PORT/DB")
    if parts.scheme != "unix":
        try:
            _check_port(value)
        except ValueError as error:
            raise PydanticCustomError(NOT_SHOWN, "{why}", {"why": str(error)}) from None
        if not re.fullmatch(r"/?[0-9]*", parts.path):
            # Redis's client would take database 0.
            raise PydanticCustomError(NOT_SHOWN, "the database is a number: redis://HOST:PORT/DB")
    return value


def _host_names(value: str) -> str:
    for name in value.split(","):
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name.strip()):
            raise ValueError("write host names without ports, separated by commas")
    return value


UpstreamKey = Annotated[SecretStr, AfterValidator(_header_value)]
LimitNanoUsd = Annotated[NanoUsd | None, BeforeValidator(_limit)]


class Settings(BaseSettings):
    """Everything that can be told to a gateway; see docs/contracts.md."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, validate_by_name=True
    )

    host: str = "127.0.0.1"
    port: Port = 8002
    upstream_url: Annotated[str, AfterValidator(_http_url)] = "http://127.0.0.1:8001"
    upstream_kind: Literal["fake", "provider"] | None = None
    upstream_api_key: UpstreamKey | None = None
    anthropic_upstream_url: Annotated[str, AfterValidator(_http_url)] | None = None
    anthropic_api_key: UpstreamKey | None = None
    redis_url: Annotated[str, AfterValidator(_redis_url)] = "redis://127.0.0.1:6380/0"
    mode: Literal["cap", "observe"] = "cap"
    cap_nano_usd: LimitNanoUsd = Field(default=None, validation_alias="BUDGET_CAP_USD")
    instance_cap_nano_usd: LimitNanoUsd = Field(
        default=None, validation_alias="BUDGET_INSTANCE_CAP_USD"
    )
    safety_cap_nano_usd: LimitNanoUsd = Field(
        default=None, validation_alias="BUDGET_SAFETY_CAP_USD"
    )
    default_max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    clamp: bool = False
    upstream_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120
    hold_margin_s: Annotated[float, Field(gt=0, le=3600)] = 10
    price_file: Path | None = None
    journal_dir: Path | None = None
    allow_unsafe_store: bool = False
    replay: bool = True
    zombie_executions: Annotated[int | None, Field(ge=2, le=1_000_000)] = None
    scheduler_address: Annotated[str, AfterValidator(_address)] | None = None
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,63}$")] = "default"
    app_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    auth: Literal["keys", "none"] | None = None
    admin_key: SecretStr | None = None
    allow_anyone: bool = False
    allowed_hosts: Annotated[str, AfterValidator(_host_names)] | None = None
    metrics_open: bool | None = None
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 4096
    head_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 10
    client_stall_s: Annotated[float, Field(gt=0, le=3600)] = 30
    keep_alive_s: Annotated[int, Field(ge=1, le=3600)] = 20

    @property
    def upstreams(self) -> dict[str, Target]:
        """Where each provider is, by name, and how the gateway shows itself there.

        Anthropic's routes go to the same place as OpenAI's unless it has one of its own.
        """
        openai = self._target(self.upstream_url, "Authorization", self.upstream_api_key)
        url = self.anthropic_upstream_url or self.upstream_url
        return {
            "openai": openai,
            "anthropic": self._target(url, "x-api-key", self.anthropic_api_key),
        }

    def _target(self, url: str, header: str, key: SecretStr | None) -> Target:
        is_fake = self.upstream_kind == "fake" if self.upstream_kind else _is_loopback(url)
        if key is not None:
            text = key.get_secret_value()
            key = SecretStr(f"Bearer {text}" if header == "Authorization" else text)
        return Target(url, sees_identity=is_fake, credential=None if key is None else (header, key))

    @property
    def replays(self) -> bool:
        """Whether a repeated idempotency key is answered from the store."""
        return self.replay and self.mode == "cap"

    @property
    def host_names(self) -> frozenset[str]:
        """The names in `allowed_hosts`, in lower case."""
        names = self.allowed_hosts.split(",") if self.allowed_hosts else []
        return frozenset(name.strip().lower() for name in names)

    @property
    def hold_ms(self) -> int:
        """How long a reservation holds money before it expires."""
        return int((self.upstream_timeout_s + self.hold_margin_s) * 1000)


def unknown_variables(names: Iterable[str]) -> dict[str, str | None]:
    """Return which variables look like settings and are none, with the likeliest one meant.

    A limit whose name has a slip of the pen limits nothing.
    """
    known = {
        str(field.validation_alias or f"{ENV_PREFIX}{name}").upper()
        for name, field in Settings.model_fields.items()
    }
    unknown = [
        name
        for name in sorted(names)
        if name.upper().startswith(ENV_PREFIX)
        and name.upper() not in known
        and not _OF_OTHERS.fullmatch(name.upper())
    ]
    return {name: _likeliest(name.upper(), known) for name in unknown}


def _likeliest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that another one may stand for: one it begins, else one that is near."""
    begun = sorted(each for each in known if each.startswith(f"{name}_"))
    return next(iter([*begun, *get_close_matches(name, known, 1, 0.7)]), None)
