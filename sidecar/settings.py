"""The sidecar's settings, read from `SIDECAR_…` environment variables."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.settings import Port
from sidecar.components.manifests import Reader
from sidecar.profiles import UnknownProfileError, profile

ENV_PREFIX = "SIDECAR_"


def _known_profile(name: str) -> str:
    try:
        return profile(name).name
    except UnknownProfileError as error:
        raise ValueError(str(error)) from None


class SidecarSettings(BaseSettings):
    """Where the sidecar listens, whom it serves and which Dapr it behaves like."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True)

    host: str = "127.0.0.1"
    grpc_port: Port = 50001
    http_port: Port = 3500
    app_id: Annotated[str, Field(min_length=1)] = "workflow-app"
    namespace: Annotated[str, Field(min_length=1)] = "default"
    profile: Annotated[str, AfterValidator(_known_profile)] = "1.16.1"
    resources_path: Path = Path("dapr/components")
    scheduler_address: Annotated[str, Field(pattern=r"^\S+:\d+$")] = "127.0.0.1:50006"

    def reader(self) -> Reader:
        """Return who reads the components; a namespace that nobody set leaves out none."""
        given = "namespace" in self.model_fields_set
        return Reader(self.app_id, self.namespace if given else None)
