"""An answer, before any of it is sent."""

from dataclasses import dataclass
from typing import Literal

from metering.usage import Usage

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        model: As the request named it.
        words: Its tokens; joined they are its text.
        finish_reason: `length` when the request's limit or the context window cut it.
        input_tokens: Tokens of the prompt.
    """

    model: str
    words: list[str]
    finish_reason: FinishReason
    input_tokens: int

    @property
    def output_tokens(self) -> int:
        """How many tokens it has."""
        return len(self.words)

    @property
    def usage(self) -> Usage:
        """What the whole answer used."""
        return self.usage_of(len(self.words))

    def usage_of(self, sent_tokens: int) -> Usage:
        """Return what was used when only so many tokens were sent."""
        return Usage(self.input_tokens, 0, sent_tokens)
