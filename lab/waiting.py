"""Waits for conditions, never for time to pass by itself."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.errors import DeadlineError, StoppedError

POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Waiter:
    """Polls a condition until it holds, a deadline passes or a stop is asked for.

    Attributes:
        stopped: set when the user wants out; every wait then raises `StoppedError`.
        alive: called at each poll; raises when what is waited on can no longer happen.
        say: told in words what is awaited.
    """

    stopped: threading.Event
    alive: Callable[[], None] = field(default=lambda: None)
    say: Callable[[str], None] = field(default=lambda _: None)

    def until(
        self,
        condition: Callable[[], bool],
        what: str,
        *,
        timeout_s: float,
        progress: Callable[[], str] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        """Wait until `condition()`; raise `DeadlineError` that names `what` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._check()
            if condition():
                return
            detail = f" ({progress()})" if progress else ""
            if time.monotonic() >= deadline:
                raise DeadlineError(f"waited {timeout_s:g} s for {what}{detail}, in vain")
            self.say(f"waiting for {what}{detail}")
            self.stopped.wait(poll_s)

    def watch_for(self, seconds: float, what: str) -> None:
        """Observe for `seconds`, noticing a stop or a death at once."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._check()
            self.say(f"{what}, {left:.0f} s left")
            self.stopped.wait(min(0.2, left))

    def _check(self) -> None:
        if self.stopped.is_set():
            raise StoppedError("stopped")
        self.alive()
