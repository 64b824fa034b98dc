"""Says in words what each arm waits for: one live line an arm on a terminal, else plain lines."""

import os
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

_FIGURES = re.compile(r"\d+")


def make_console() -> Console:
    """Return a console on standard error; results alone go to standard output."""
    return Console(stderr=True, highlight=False, no_color="NO_COLOR" in os.environ, soft_wrap=True)


@dataclass(slots=True)
class Progress:
    """Shows what is going on, by name; safe to use from several threads."""

    console: Console
    names: tuple[str, ...]
    _texts: dict[str, str] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _live: Live | None = None
    _stopped: bool = False

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            live = Live(
                console=self.console,
                get_renderable=self._table,
                refresh_per_second=4,
                transient=True,
            )
            self._live = live
            live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the live lines away; what is said from here on is not shown."""
        with self._lock:
            self._stopped = True
        if self._live is not None:
            self._live.stop()

    def say(self, name: str, text: str) -> None:
        """Show what `name` does; on plain output only when more than figures changed."""
        with self._lock:
            before = self._texts.get(name, "")
            self._texts[name] = text
            if self._live is None and not self._stopped and _stem(before) != _stem(text):
                label = f"{name}: " if len(self.names) > 1 else ""
                self.console.print(f"[{self._elapsed()}] {label}{text}", markup=False)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:5.1f} s"

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_row(self._elapsed(), "", "")
        for name in self.names:
            table.add_row("", name, self._texts.get(name, "waiting to begin"))
        return table


def _stem(text: str) -> str:
    """Return what is said without its figures and details."""
    return _FIGURES.sub("#", text.partition(" (")[0])
