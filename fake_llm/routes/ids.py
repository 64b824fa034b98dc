"""Ids that no other answer has: the process draws one part, and counts the other."""

from itertools import count
from secrets import token_hex

_ids = count(1)
_boot = token_hex(6)


def new_id(prefix: str) -> str:
    """Return a new id, such as `chatcmpl-…`."""
    return f"{prefix}{_boot}{next(_ids):08x}"
