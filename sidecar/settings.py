"""The sidecar's settings, read from `SIDECAR_…` environment variables."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sidecar.errors import ConfigError
from sidecar.profiles import UnknownProfileError, profile

_ENV_PREFIX = "SIDECAR_"
Port = Annotated[int, Field(ge=1, le=65535)]


def _known_profile(name: str) -> str:
    try:
        return profile(name).name
    except UnknownProfileError as error:
        raise ValueError(str(error)) from None


class SidecarSettings(BaseSettings):
    """Where the sidecar listens, whom it serves and which Dapr it behaves like."""

    model_config = SettingsConfigDict(env_prefix=_ENV_PREFIX, frozen=True)

    host: str = "127.0.0.1"
    grpc_port: Port = 50001
    http_port: Port = 3500
    app_id: Annotated[str, Field(min_length=1)] = "workflow-app"
    namespace: Annotated[str, Field(min_length=1)] = "default"
    profile: Annotated[str, AfterValidator(_known_profile)] = "1.16.1"
    resources_path: Path = Path("dapr/components")
    scheduler_address: Annotated[str, Field(pattern=r"^\S+:\d+$")] = "127.0.0.1:50006"


def load_settings() -> SidecarSettings:
    """Read the environment; ConfigError names every bad setting in one line."""
    try:
        return SidecarSettings()
    except ValidationError as error:
        problems = "; ".join(
            f"{_ENV_PREFIX}{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}"
            f" (got {each['input']!r})"
            for each in error.errors()
        )
        raise ConfigError(problems) from None
