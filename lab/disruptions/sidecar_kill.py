"""`sidecar-kill`: SIGKILL the sidecar, let the workflows' state expire, start it again."""

from dataclasses import dataclass

import redis

from lab.clock import now_unix_ms
from lab.disruptions.base import DisruptionRecord
from lab.errors import CannotRunError
from lab.stack import RESTART_TIMEOUT_S, Stack
from lab.state_keys import StateKeys
from lab.waiting import Waiter

# Redis drops an expired key when it is next looked at, which the scan below does.
_MARGIN_S = 10


@dataclass(frozen=True, slots=True)
class SidecarKill:
    """The incident: the sidecar's memory and the stored state are both gone."""

    kind: str = "sidecar-kill"
    summary: str = "SIGKILL the sidecar, start it again once no workflow has a key left in Redis"
    on_demand: bool = True
    loses_cache: bool = True

    def longest_s(self, ttl_s: int | None) -> float:
        """Return the time that the state may take to expire and the sidecar to come back."""
        return (ttl_s or 0) + _MARGIN_S + RESTART_TIMEOUT_S

    def apply(self, stack: Stack, waiter: Waiter, *, ttl_s: int | None) -> DisruptionRecord:
        """Kill, wait for the TTL, restart, wait until ready."""
        if ttl_s is None:
            raise CannotRunError(
                "sidecar-kill waits for state to expire, and the component has no ttlInSeconds"
            )
        began = now_unix_ms()
        stack.kill("sidecar")
        try:
            port = stack.config.ports.state_redis
            gone = wait_until_expired(port, waiter, timeout_s=ttl_s + _MARGIN_S)
        finally:
            if not waiter.stopped.is_set():
                stack.restart("sidecar", waiter)
        return DisruptionRecord(self.kind, began, gone, now_unix_ms())


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
