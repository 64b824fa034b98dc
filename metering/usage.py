"""What one call used, in tokens, whatever its provider: each way of counting ends here."""

from dataclasses import dataclass

from metering.errors import UsageError


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. Each input token is in one of four groups with a price of its own.

    Attributes:
        input_tokens: All tokens of the prompt: read from the cache, written to it, and neither.
        cached_tokens: Those of `input_tokens` that the provider read from its cache.
        output_tokens: Tokens that were generated, reasoning included.
        cache_write_tokens: Those of `input_tokens` that were written to the provider's cache for
            its usual time (Anthropic's 5 minutes).
        cache_write_1h_tokens: Those of `input_tokens` that were written for one hour.
        reasoning_tokens: Those of `output_tokens` that were reasoning; they cost what the others
            cost.

    Raises:
        UsageError: A negative count, or parts that are more than their whole.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        parts = (self.cached_tokens, self.cache_write_tokens, self.cache_write_1h_tokens)
        if min(self.input_tokens, self.output_tokens, self.reasoning_tokens, *parts) < 0:
            raise UsageError(f"token counts can't be negative: {self}")
        if self.plain_tokens < 0:
            raise UsageError(f"more cached tokens than input tokens: {self}")
        if self.reasoning_tokens > self.output_tokens:
            raise UsageError(f"more reasoning tokens than output tokens: {self}")

    @property
    def plain_tokens(self) -> int:
        """Input tokens that the cache has nothing to do with."""
        return (
            self.input_tokens
            - self.cached_tokens
            - self.cache_write_tokens
            - self.cache_write_1h_tokens
        )
