"""The scheduler's settings, read from `SCHEDULER_…` in the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.settings import Port
from sidecar.profiles import profile

ENV_PREFIX = "SCHEDULER_"
ProfileName = Annotated[str, AfterValidator(lambda name: profile(name).name)]


class SchedulerSettings(BaseSettings):
    """Where the scheduler listens, what it keeps where, and which Dapr it is like.

    Attributes:
        host: Address that both ports are bound to.
        port: gRPC.
        http_port: `/healthz` and `/admin/jobs`.
        data_dir: Existing directory for the jobs; one scheduler at a time.
        profile: A name that sidecar.profiles knows.
        max_jobs: Jobs held at once; a further one is refused (RESOURCE_EXHAUSTED).
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True)

    host: str = "127.0.0.1"
    port: Port = 50006
    http_port: Port = 8082
    data_dir: Path
    profile: ProfileName = "1.16.1"
    max_jobs: Annotated[int, Field(ge=1)] = 100_000
