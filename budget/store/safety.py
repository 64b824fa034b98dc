"""Whether Redis keeps what it acknowledges: a budget that can be forgotten is no limit."""

from collections.abc import Mapping
from typing import Final

from budget.errors import UnsafeStoreError
from budget.store.link import RedisLink

REQUIRED: Final[Mapping[str, str]] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
}


async def check_safety(link: RedisLink) -> None:
    """Ask Redis for its settings.

    Raises:
        UnsafeStoreError: Names each setting that is wrong, and the command that mends it.
        StoreUnavailableError: No answer, or Redis does not tell its settings.
    """
    reply = await link.send("CONFIG", "GET", *REQUIRED)
    found = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    wrong = {name: found.get(name, "?") for name in REQUIRED if found.get(name) != REQUIRED[name]}
    if wrong:
        raise UnsafeStoreError(describe(wrong))


def describe(wrong: Mapping[str, str]) -> str:
    """Say what is wrong with a store, and how to mend it."""
    seen = ", ".join(f"{name} {value}" for name, value in wrong.items())
    mend = " ".join(f"--{name} {REQUIRED[name]}" for name in wrong)
    return (
        f"the Redis at BUDGET_REDIS_URL may forget money (it has {seen}): start it with "
        f"`redis-server {mend}`, or set BUDGET_ALLOW_UNSAFE_STORE=true to accept that"
    )
