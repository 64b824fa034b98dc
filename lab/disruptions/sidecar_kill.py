"""`sidecar-kill`: SIGKILL the sidecar, let the workflows' state expire, start it again."""

from dataclasses import dataclass

from lab.clock import now_unix_ms
from lab.disruptions.base import DisruptionRecord
from lab.errors import CannotRunError
from lab.stack import Stack
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

    def apply(self, stack: Stack, waiter: Waiter, *, ttl_s: int | None) -> DisruptionRecord:
        """Kill, wait for the TTL, restart, wait until ready."""
        if ttl_s is None:
            raise CannotRunError(
                "sidecar-kill waits for state to expire, and the component has no ttlInSeconds"
            )
        began = now_unix_ms()
        stack.kill("sidecar")
        try:
            gone = _wait_until_expired(stack, waiter, ttl_s + _MARGIN_S)
        finally:
            if not waiter.stopped.is_set():
                stack.restart("sidecar", waiter)
        return DisruptionRecord(self.kind, began, gone, now_unix_ms())


def _wait_until_expired(stack: Stack, waiter: Waiter, timeout_s: float) -> int:
    keys = StateKeys(stack.config.ports.state_redis)
    left: list[str] = []

    def all_gone() -> bool:
        left[:] = [f"{len(rows)} keys of {instance}" for instance, rows in keys.rows().items()]
        return not left

    try:
        waiter.until(
            all_gone,
            "the workflows' state to expire in Redis",
            timeout_s=timeout_s,
            progress=lambda: f"{len(left)} workflows left" if left else "none left",
            poll_s=0.1,
        )
    finally:
        keys.close()
    return now_unix_ms()
