"""What the supervisor of `up` writes down, so that `status` and `down` work after any crash."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lab.stack_config import StackConfig

_FILE = "state.json"
_LOCK = "lock"
_ENDED = "ended.txt"


class ProcessRecord(BaseModel):
    """A process and its identity: a pid alone may be given to another one later.

    Attributes:
        started: as `guardian.start_time` says.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float


class ServiceRecord(BaseModel):
    """A service of the stack, as it was last seen by its supervisor.

    Attributes:
        pid: None while it is down, and of a container.
        started: as `guardian.start_time` says; None where there is no pid.
        health_url: answers below 400 when it is well; None: there is no such address.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int | None
    started: float | None
    state: str
    address: str
    log: str
    health_url: str | None = None


class StackState(BaseModel):
    """Everything that runs."""

    model_config = ConfigDict(frozen=True)

    supervisor: ProcessRecord
    config: StackConfig
    services: tuple[ServiceRecord, ...] = ()
    runtime: str | None = None

    def leaders(self) -> dict[int, float]:
        """Return the recorded process groups: pid to start time."""
        return {
            service.pid: service.started
            for service in self.services
            if service.pid is not None and service.started is not None
        }


def write_state(directory: Path, state: StackState) -> None:
    """Replace the state file in one step."""
    fresh = directory / f"{_FILE}.new"
    fresh.write_text(state.model_dump_json(indent=1))
    fresh.replace(directory / _FILE)


def read_state(directory: Path) -> StackState | None:
    """Return what was written last; None when nothing, or nothing readable, is there."""
    try:
        return StackState.model_validate_json((directory / _FILE).read_text())
    except (OSError, ValidationError):
        return None


def remove_state(directory: Path) -> None:
    """Forget the stack."""
    # A runs folder that is none has no state either.
    with suppress(NotADirectoryError):
        (directory / _FILE).unlink(missing_ok=True)


def note_end(directory: Path, reason: str | None) -> None:
    """Keep why the last stack ended by itself; None forgets it."""
    path = directory / _ENDED
    if reason is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(reason)


def read_end(directory: Path) -> str | None:
    """Return why the last stack ended by itself; None when it was asked to, or there was none."""
    try:
        return (directory / _ENDED).read_text()
    except OSError:
        return None


@contextmanager
def exclusive(directory: Path) -> Iterator[bool]:
    """Hold the stack's lock, which dies with the process; yield False when another has it."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _try_lock(handle)
    finally:
        os.close(handle)


def is_locked(directory: Path) -> bool:
    """Tell whether a supervisor lives."""
    if not (directory / _LOCK).exists():
        return False
    with exclusive(directory) as held:
        return not held


def _try_lock(handle: int) -> bool:
    # A `status` holds the lock for an instant while it looks.
    for _ in range(5):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False
