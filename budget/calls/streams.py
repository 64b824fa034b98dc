"""What every provider's streamed answer has in common: how it is followed, and how long it may be.

Pure: bytes in, bytes out.
"""

from typing import Final, Protocol

from metering.tokens import count_text, encoding_name, utf8_length
from metering.usage import Usage

SLACK_TOKENS: Final = 16
"""How far each answer may seem to be above its limit: counts of tokenizers differ a little."""


class OutputMeter:
    """Counts what passes of an answer.

    Two counts, for nobody but the provider knows the exact one: of the first it is sure that at
    least so much was generated (OpenAI's models: their tokenizer; else one token for each piece),
    of the second that what was seen is not more.

    Args:
        model: Decides the tokenizer.
        max_tokens: What was reserved, of all answers together.
        answers: How many there are.
    """

    def __init__(self, model: str, max_tokens: int, answers: int = 1) -> None:
        self._model = model
        self._has_tokenizer = encoding_name(model) is not None
        self._most = max_tokens + SLACK_TOKENS * answers
        self._pieces = 0
        self._bytes = 0
        self._counted = 0
        self._counted_texts: list[str] = []
        self._tail: list[str] = []
        self._tail_bytes = 0

    @property
    def pieces(self) -> int:
        """How many pieces said something."""
        return self._pieces

    @property
    def is_beyond(self) -> bool:
        """Whether the answer is certainly longer than was reserved."""
        return (self._counted if self._has_tokenizer else self._pieces) > self._most

    @property
    def bound(self) -> int:
        """A number of tokens that what passed is not above."""
        if not self._has_tokenizer:
            return self._bytes
        # A whole may even have more tokens than its pieces: a tokenizer merges where it begins.
        whole = count_text(self._model, "".join([*self._counted_texts, *self._tail]))
        return max(self._counted + self._tail_bytes, whole)

    def add(self, text: str) -> None:
        """Take what passes."""
        if not text:
            return
        size = utf8_length(text)
        self._pieces += 1
        self._bytes += size
        if self._has_tokenizer:
            self._tail.append(text)
            self._tail_bytes += size
            # A token has at least a byte: fewer bytes than are left need no tokenizer.
            if self._counted + self._tail_bytes > self._most:
                self._count_tail()

    def _count_tail(self) -> None:
        text = "".join(self._tail)
        self._tail.clear()
        self._tail_bytes = 0
        self._counted_texts.append(text)
        self._counted += count_text(self._model, text)
        if self._counted > self._most:
            # Cut pieces have more tokens than the whole.
            self._counted_texts = ["".join(self._counted_texts)]
            self._counted = count_text(self._model, self._counted_texts[0])


class StreamReader(Protocol):
    """Follows one streamed answer."""

    meter: OutputMeter

    @property
    def usage(self) -> Usage | None:
        """What the whole stream reported; None without, when it can't be priced, or is partial."""

    @property
    def final_usage(self) -> Usage | None:
        """The same, where nothing can follow it: it holds though the connection breaks."""

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from upstream and return those for the client.

        Raises:
            SseError: An event is too large to be followed.
        """
