"""Sets and lifts faults, one of each kind at a time. They live in memory: a restart has none."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from sidecar.faults.base import Effect, Fault, Parts
from sidecar.faults.cut_scheduler_stream import CutSchedulerStream
from sidecar.faults.drop_app_stream import DropAppStream
from sidecar.faults.errors import BadFaultError, UnknownFaultError
from sidecar.faults.failing_store import FailingStore
from sidecar.faults.forget import Forget
from sidecar.faults.slow_store import SlowStore
from sidecar.faults.stall_app_stream import StallAppStream

_LOG = structlog.get_logger(scope="sidecar.faults")
KINDS: Mapping[str, type[Fault]] = {
    each.kind: each
    for each in (
        DropAppStream,
        StallAppStream,
        Forget,
        SlowStore,
        FailingStore,
        CutSchedulerStream,
    )
}


@dataclass(slots=True)
class Setting:
    """A fault that was set, and what became of it.

    Attributes:
        fault: Its attributes.
        effect: What it does; `effect.lasts` tells whether it is in force.
        set_unix_ms: When it was set.
        lifts_unix_ms: When it lifts itself, or has; None where it does not.
    """

    fault: Fault
    effect: Effect
    set_unix_ms: int
    lifts_unix_ms: int | None
    timer: asyncio.TimerHandle | None = None


class Faults:
    """All faults of a sidecar.

    Args:
        parts: What they reach.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings: dict[str, Setting] = {}

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Return the last setting of each kind that was ever set."""
        return self._settings

    @property
    def streams(self) -> list[int]:
        """Return the numbers of the app's streams, oldest first."""
        return self._parts.workers.numbers

    def set(self, kind: str, attributes: object) -> Setting:
        """Set a fault, in place of the one of its kind.

        Raises:
            UnknownFaultError: there is no such kind.
            BadFaultError: attributes are bad; nothing has changed.
        """
        if kind not in KINDS:
            raise UnknownFaultError(kind, KINDS)
        try:
            fault = KINDS[kind].model_validate(attributes)
        except ValidationError as error:
            raise BadFaultError.of(error) from None
        self.lift(kind)
        effect = fault.begin(self._parts, lambda: self._end(kind))
        setting = self._settings[kind] = _setting(fault, effect)
        if effect.lasts and fault.duration_s is not None:
            loop = asyncio.get_running_loop()
            setting.timer = loop.call_later(fault.duration_s, self._lift, kind, "its time is up")
        given = fault.model_dump(exclude_none=True)
        _LOG.warning("fault set", fault=kind, hits=effect.hits, lasts=effect.lasts, **given)
        return setting

    def lift(self, kind: str) -> bool:
        """Lift a fault; false when it is not in force.

        Raises:
            UnknownFaultError: there is no such kind.
        """
        if kind not in KINDS:
            raise UnknownFaultError(kind, KINDS)
        return self._lift(kind, "lifted by hand")

    def lift_all(self) -> int:
        """Lift whatever is in force; return how many that was."""
        return sum(self.lift(kind) for kind in KINDS)

    def _end(self, kind: str) -> None:
        self._lift(kind, "it has run its course")

    def _lift(self, kind: str, why: str) -> bool:
        setting = self._settings.get(kind)
        if setting is None or not setting.effect.lasts:
            return False
        setting.effect.lasts = False
        if setting.timer is not None:
            setting.timer.cancel()
        setting.effect.lift()
        _LOG.warning("fault lifted", fault=kind, hits=setting.effect.hits, reason=why)
        return True


def _setting(fault: Fault, effect: Effect) -> Setting:
    now_ms = time.time_ns() // 1_000_000
    lasts = effect.lasts and fault.duration_s is not None
    lifts_ms = now_ms + round(fault.duration_s * 1000) if lasts and fault.duration_s else None
    return Setting(fault, effect, now_ms, lifts_ms)
