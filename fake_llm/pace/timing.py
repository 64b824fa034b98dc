"""When the tokens of one answer are there."""

from abc import ABC, abstractmethod
from bisect import bisect_right


class Timing(ABC):
    """The times of one answer's tokens, counted from the moment at which it is begun."""

    __slots__ = ()

    @abstractmethod
    def token_due_s(self, index: int) -> float:
        """Return the time at which a token (from 0) is there: never before the one before it."""

    def total_s(self, output_tokens: int) -> float:
        """Return the time after which the last token is there; an answer of none takes one's."""
        return self.token_due_s(max(output_tokens, 1) - 1)

    def tokens_due(self, elapsed_s: float, output_tokens: int) -> int:
        """Return how many of the answer's tokens are there after a time."""
        return bisect_right(range(output_tokens), elapsed_s, key=self.token_due_s)
