import threading
import time

import pytest

from lab.errors import CannotRunError, DeadlineError, StoppedError
from lab.waiting import Waiter


def test_a_deadline_names_what_was_awaited_and_how_far_it_came() -> None:
    """A wait in vain says for what, for how long, and the last progress."""
    waiter = Waiter(threading.Event())
    with pytest.raises(DeadlineError, match=r"waited 0.1 s for the moon \(3 of 4\), in vain"):
        waiter.until(lambda: False, "the moon", timeout_s=0.1, progress=lambda: "3 of 4")


def test_a_stop_ends_a_wait_at_once() -> None:
    """Whoever asks for a stop does not wait for the deadline."""
    stopped = threading.Event()
    threading.Timer(0.05, stopped.set).start()
    began = time.monotonic()
    with pytest.raises(StoppedError):
        Waiter(stopped).watch_for(30, "watching")
    assert time.monotonic() - began < 5


def test_a_death_ends_a_wait_at_once() -> None:
    """What can no longer happen is not awaited."""

    def dead() -> None:
        raise CannotRunError("it died")

    with pytest.raises(CannotRunError, match="it died"):
        Waiter(threading.Event(), dead).until(lambda: False, "life", timeout_s=30)


def test_what_is_awaited_is_said() -> None:
    """Each wait says in words what it waits for."""
    said: list[str] = []
    left = iter([False, False, True])
    Waiter(threading.Event(), say=said.append).until(lambda: next(left), "the third", timeout_s=5)
    assert said == ["waiting for the third"] * 2
