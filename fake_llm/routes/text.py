"""Tokens as the insides of JSON strings: most are plain words, which need no escape."""

import re
from collections.abc import Sequence
from typing import Final

from pydantic_core import to_json

_NEEDS_ESCAPE: Final = re.compile(r'["\\\x00-\x1f\x7f]')


def json_texts(words: Sequence[str]) -> Sequence[str]:
    """Return each word as it stands between the quotes of a JSON string."""
    if _NEEDS_ESCAPE.search("".join(words)) is None:
        return words
    return [to_json(word)[1:-1].decode() for word in words]
