"""Settings of the fake LLM, read from `FAKE_LLM_…` environment variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX = "FAKE_LLM_"


class FakeLlmSettings(BaseSettings):
    """What an operator can choose.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        ttft_s: Time to first token, in seconds.
        itl_s: Time between two output tokens, in seconds.
        output_tokens: Length of an answer that the request does not limit lower.
        price_file: Overrides of unit prices; see `metering.pricefile`.
        calls_limit: Entries of `/calls` that are kept.
        seed: Answers are a function of (seed, request).
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8001, ge=1, le=65535)
    ttft_s: float = Field(default=0.0, ge=0, le=600, allow_inf_nan=False)
    itl_s: float = Field(default=0.0, ge=0, le=60, allow_inf_nan=False)
    output_tokens: int = Field(default=64, ge=1, le=100_000)
    price_file: Path | None = None
    calls_limit: int = Field(default=200_000, ge=1, le=5_000_000)
    seed: int = 1
