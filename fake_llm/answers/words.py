"""Answers made of real words, each of which is one token in cl100k and in o200k.

So the token count that an answer reports is the count that a tokenizer finds in its text.
"""

from importlib.resources import files
from random import Random
from typing import Final

CORPUS_LENGTH: Final = 4096


class Words:
    """An endless text; an answer is a stretch of it that its request's hash points at.

    Args:
        seed: Decides the text.
    """

    def __init__(self, seed: int) -> None:
        listed = files("fake_llm.answers").joinpath("words.txt").read_text(encoding="ascii").split()
        # Not for secrets: the same seed must give the same text.
        chosen = Random(seed).choices(listed, k=CORPUS_LENGTH)  # noqa: S311
        self._twice = [f" {word}" for word in chosen] * 2

    def answer(self, request_hash: bytes, tokens: int) -> list[str]:
        """Return the answer's tokens; joined they are its text."""
        start = int.from_bytes(request_hash[:4]) % CORPUS_LENGTH
        turns = -(-tokens // CORPUS_LENGTH)
        text = self._twice if turns == 1 else self._twice * turns
        words = text[start : start + tokens]
        if words:
            words[0] = words[0].strip().capitalize()
        return words
