"""What one call used, in tokens."""

from dataclasses import dataclass

from metering.errors import UsageError


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as OpenAI counts them.

    Attributes:
        input_tokens: All tokens of the prompt, cached ones included.
        cached_tokens: Those of `input_tokens` that the provider read from its cache.
        output_tokens: Tokens that were generated, reasoning included.

    Raises:
        UsageError: A negative count, or more cached tokens than input tokens.
    """

    input_tokens: int
    cached_tokens: int
    output_tokens: int

    def __post_init__(self) -> None:
        if min(self.input_tokens, self.cached_tokens, self.output_tokens) < 0:
            raise UsageError(f"token counts can't be negative: {self}")
        if self.cached_tokens > self.input_tokens:
            raise UsageError(f"more cached tokens than input tokens: {self}")
