"""What a provider answers: usage, and the chunks of a streamed answer, as a reader needs them."""

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError
from pydantic_core import to_json

from metering.errors import UsageError
from metering.usage import Usage
from metering.wire import JsonObject, WireModel


class PromptTokensDetails(WireModel):
    """What the prompt tokens were."""

    cached_tokens: NonNegativeInt | None = None
    audio_tokens: NonNegativeInt | None = None
    cache_write_tokens: NonNegativeInt | None = None


class CompletionTokensDetails(WireModel):
    """What the completion tokens were."""

    reasoning_tokens: NonNegativeInt | None = None
    audio_tokens: NonNegativeInt | None = None


class ChatUsage(WireModel):
    """`usage` of an answer; `prompt_tokens` include those of the cache."""

    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt
    total_tokens: NonNegativeInt | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None

    def to_usage(self) -> Usage:
        """Return the counts.

        Reasoning tokens are among OpenAI's completion tokens. Some providers of the same shape
        (xAI) count them beside these; their total tells.

        Raises:
            UsageError: The counts contradict one another, or include tokens that have a price of
                their own which `Usage` can't carry (audio).
        """
        prompt = self.prompt_tokens_details or PromptTokensDetails()
        completion = self.completion_tokens_details or CompletionTokensDetails()
        if prompt.audio_tokens or completion.audio_tokens:
            raise UsageError(f"audio tokens can't be priced: {self!r}")
        reasoning = completion.reasoning_tokens or 0
        output = self.completion_tokens
        if self.total_tokens == self.prompt_tokens + output + reasoning:
            output += reasoning
        return Usage(
            input_tokens=self.prompt_tokens,
            cached_tokens=prompt.cached_tokens or 0,
            output_tokens=output,
            cache_write_tokens=prompt.cache_write_tokens or 0,
            reasoning_tokens=reasoning,
        )


class ChunkDelta(WireModel):
    """What one chunk adds to a choice."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[JsonObject] | None = None


class ChunkChoice(WireModel):
    """One choice's part of a chunk."""

    index: int = 0
    delta: ChunkDelta = ChunkDelta()
    finish_reason: str | None = None


class ChatChunk(WireModel):
    """One event of a streamed answer."""

    model: str | None = None
    choices: list[ChunkChoice] = Field(default_factory=list)
    usage: ChatUsage | None = None

    def text(self) -> str:
        """Return the text that became output tokens, of all choices."""
        return "".join(
            (choice.delta.content or "")
            + (choice.delta.refusal or "")
            + (choice.delta.reasoning_content or "")
            + (to_json(choice.delta.tool_calls).decode() if choice.delta.tool_calls else "")
            for choice in self.choices
        )


class _WithUsage(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    usage: ChatUsage | None = None


def read_usage(body: bytes | str) -> Usage | None:
    """Return the usage that a plain answer or a chunk reports, None when it reports none.

    Raises:
        UsageError: No JSON, a malformed usage, or one that can't be priced.
    """
    try:
        usage = _WithUsage.model_validate_json(body).usage
    except ValidationError as error:
        raise UsageError(f"no usage can be read from the provider's answer: {error}") from None
    return None if usage is None else usage.to_usage()
