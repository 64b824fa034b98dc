"""The usage that Anthropic reports, normalised: its prompt count leaves the cache out."""

from typing import Final

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from metering.errors import UsageError
from metering.usage import Usage
from metering.wire import WireModel

_STANDARD_GEO: Final = frozenset({None, "", "global", "not_available"})
_STANDARD_SPEED: Final = frozenset({None, "standard"})


class CacheCreation(WireModel):
    """The tokens written to the cache, by how long they stay."""

    ephemeral_5m_input_tokens: NonNegativeInt | None = None
    ephemeral_1h_input_tokens: NonNegativeInt | None = None


class OutputTokensDetails(WireModel):
    """What the output tokens were."""

    thinking_tokens: NonNegativeInt | None = None


class ServerToolUse(WireModel):
    """What tools of Anthropic's own were used, which cost money of their own."""

    web_search_requests: NonNegativeInt | None = None


class MessagesUsage(WireModel):
    """`usage` of an answer; `input_tokens` are those that the cache has nothing to do with."""

    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    cache_read_input_tokens: NonNegativeInt | None = None
    cache_creation_input_tokens: NonNegativeInt | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputTokensDetails | None = None
    server_tool_use: ServerToolUse | None = None
    inference_geo: str | None = None
    speed: str | None = None

    def to_usage(self) -> Usage:
        """Return the counts, with all of the prompt in `input_tokens`.

        Writes that the breakdown does not explain are taken for the dearer ones, of one hour;
        without a breakdown they are the usual ones, of 5 minutes.

        Raises:
            UsageError: The counts contradict one another, or include what has a price of its own
                that `Usage` can't carry (web searches, fast mode, inference in one region).
        """
        searches = self.server_tool_use and self.server_tool_use.web_search_requests
        is_standard = self.inference_geo in _STANDARD_GEO and self.speed in _STANDARD_SPEED
        if searches or not is_standard:
            raise UsageError(f"searches, speed or region can't be priced: {self!r}")
        write, write_1h = self._writes()
        read = self.cache_read_input_tokens or 0
        details = self.output_tokens_details or OutputTokensDetails()
        return Usage(
            input_tokens=self.input_tokens + read + write + write_1h,
            cached_tokens=read,
            output_tokens=self.output_tokens,
            cache_write_tokens=write,
            cache_write_1h_tokens=write_1h,
            reasoning_tokens=min(details.thinking_tokens or 0, self.output_tokens),
        )

    def _writes(self) -> tuple[int, int]:
        total = self.cache_creation_input_tokens
        if self.cache_creation is None:
            return total or 0, 0
        write = self.cache_creation.ephemeral_5m_input_tokens or 0
        write_1h = self.cache_creation.ephemeral_1h_input_tokens or 0
        return write, write_1h if total is None else max(write_1h, total - write)


class _WithUsage(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    usage: MessagesUsage | None = None


def read_usage(body: bytes | str) -> Usage | None:
    """Return the usage that a plain answer reports, None when it reports none.

    Raises:
        UsageError: No JSON, a malformed usage, or one that can't be priced.
    """
    try:
        usage = _WithUsage.model_validate_json(body).usage
    except ValidationError as error:
        raise UsageError(f"no usage can be read from the provider's answer: {error}") from None
    return None if usage is None else usage.to_usage()
