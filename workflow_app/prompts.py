"""Prompts of a wanted length that depend on nothing but their arguments.

All prompts of one run have the same number of bytes and of tokens, and none has the time of day in
it: so a repeated activity sends the same body, and a gateway reserves the same for each step.
"""

from hashlib import sha256
from itertools import cycle, islice
from typing import Final

FIRST_DIGEST: Final = "00000000"
"""Stands for the answer before the first one."""

_SYSTEM: Final = "You are a careful clerk. Answer in plain words."
_FRAME_TOKENS: Final = 57
"""What the system message, the heading and the chat framing cost in cl100k_base."""
_RECORD: Final = (
    "the order was sent to our main office and then it came back with a note from the bank"
)


def digest(text: str) -> str:
    """Return eight decimal digits that stand for a text, such as an answer or an instance id."""
    return f"{int.from_bytes(sha256(text.encode()).digest()[:8]) % 10**8:08d}"


def step_messages(
    *, instance: str, step: int, previous: str, prompt_tokens: int
) -> list[dict[str, str]]:
    """Return the chat messages of one step.

    Args:
        instance: Instance id; stands in the prompt as eight digits, so that ids of any length give
            prompts of one length.
        step: Number of the step, from 1 to 9999.
        previous: Digest of the answer before this step, or `FIRST_DIGEST`.
        prompt_tokens: Wanted length in tokens, framing included; what the heading alone needs is
            the least.
    """
    heading = (
        f"Case {digest(instance)}, step {step:04d}, after answer {previous}. "
        "Read the record and say in a few words what should be done next. Record:"
    )
    words = islice(cycle(_RECORD.split()), max(0, prompt_tokens - _FRAME_TOKENS))
    return [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": " ".join((heading, *words))},
    ]
