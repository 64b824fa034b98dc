"""How long an answer takes: `ttft + (output_tokens - 1) * itl`."""

from dataclasses import dataclass

from fake_llm.pace.timing import Timing


@dataclass(frozen=True, slots=True)
class Latency(Timing):
    """The two figures that make an answer's duration.

    Attributes:
        ttft_s: Time to first token.
        itl_s: Time between two output tokens.
    """

    ttft_s: float
    itl_s: float

    def token_due_s(self, index: int) -> float:
        """Return the time at which a token (from 0) is there."""
        return self.ttft_s + index * self.itl_s

    def tokens_due(self, elapsed_s: float, output_tokens: int) -> int:
        """Return how many of the answer's tokens are there after a time, without a search."""
        if elapsed_s < self.ttft_s:
            return 0
        if elapsed_s >= self.total_s(output_tokens):
            return output_tokens
        return min(output_tokens, 1 + int((elapsed_s - self.ttft_s) / self.itl_s))
