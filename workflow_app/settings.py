"""The app's settings, read from `WORKFLOW_APP_…` environment variables."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.settings import Port

PREFIX: Final = "WORKFLOW_APP_"


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65535:  # noqa: PLR2004 - highest port
        raise ValueError("give it as host:port, such as 127.0.0.1:50001")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give it as http://host:port/v1")
    return value.rstrip("/")


class Settings(BaseSettings):
    """How the app listens, where its sidecar and its LLM are, and its bounds.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        sidecar_address: gRPC address of the Dapr sidecar, `host:port`.
        llm_base_url: Base of the chat completions API, with `/v1`.
        model: Model that every call asks for.
        activity_threads: How many activities may run at once.
        llm_timeout_s: Longest wait for an answer of the LLM.
        app_id: Sent as `X-Workflow-App`.
        engine_timeout_s: Longest wait for an answer of the sidecar.
        poll_interval_s: Pause between two rounds of asking the engine about open instances.
        poll_rate_per_s: Most questions to the engine per second.
        instances_limit: Instances that are remembered; those that ended longest ago go first.
        executions_limit: Entries of the executions feed that are kept.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    host: str = "127.0.0.1"
    port: Port = 8999
    sidecar_address: Annotated[str, AfterValidator(_host_and_port)] = "127.0.0.1:50001"
    llm_base_url: Annotated[str, AfterValidator(_base_url)] = "http://127.0.0.1:8002/v1"
    model: str = Field("gpt-4", min_length=1)
    activity_threads: int = Field(256, ge=1, le=4096)
    llm_timeout_s: float = Field(60.0, gt=0, le=3600)
    app_id: str = Field("workflow-app", min_length=1)
    engine_timeout_s: float = Field(5.0, gt=0, le=300)
    poll_interval_s: float = Field(0.5, gt=0, le=60)
    poll_rate_per_s: int = Field(200, ge=1, le=10_000)
    instances_limit: int = Field(20_000, ge=1, le=1_000_000)
    executions_limit: int = Field(50_000, ge=1, le=1_000_000)
