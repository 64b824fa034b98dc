"""Waits until Redis has expired what it held of the workflows."""

import redis

from lab.clock import now_unix_ms
from lab.errors import CannotRunError
from lab.state_keys import StateKeys
from lab.waiting import Waiter

# Redis drops an expired key when it is next looked at, which the scan below does.
EXPIRY_MARGIN_S = 10


def require_ttl(kind: str, ttl_s: int | None) -> int:
    """Return the TTL; raise `CannotRunError` when nothing would ever expire."""
    if ttl_s is None:
        raise CannotRunError(
            f"{kind} waits for state to expire, and the component has no ttlInSeconds"
        )
    return ttl_s


def wait_until_expired(port: int, waiter: Waiter, *, timeout_s: float) -> int:
    """Return when the state store on `port` had no key of a workflow left, in Unix milliseconds.

    Raises:
        DeadlineError: keys were left, or the store did not answer, until the end.
    """
    keys = StateKeys(port)
    left = ""

    def all_gone() -> bool:
        nonlocal left
        try:
            rows = keys.rows()
        except redis.RedisError as error:
            keys.close()
            left = f"Redis does not answer: {error}"
            return False
        left = f"{len(rows)} workflows left"
        return not rows

    try:
        waiter.until(
            all_gone,
            "the workflows' state to expire in Redis",
            timeout_s=timeout_s,
            progress=lambda: left,
            poll_s=0.1,
        )
    finally:
        keys.close()
    return now_unix_ms()
