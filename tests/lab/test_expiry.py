import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.disruptions.expiry import wait_until_expired
from lab.errors import DeadlineError
from lab.redis_binary import default_redis
from lab.waiting import Waiter
from tests.support.ports import free_port


@contextmanager
def store_on(port: int, *, after: threading.Event) -> Iterator[None]:
    """Start a state store once the event is set; it ends with the block."""
    started: list[subprocess.Popen[bytes]] = []
    command = [str(default_redis().path), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]

    def start() -> None:
        if after.wait(10):
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    thread = threading.Thread(target=start)
    thread.start()
    try:
        yield
    finally:
        after.set()
        thread.join()
        for process in started:
            process.kill()
            process.wait()


def test_a_store_that_does_not_answer_is_asked_again() -> None:
    """One failed look at Redis ends nothing: the next one may succeed."""
    port, failed = free_port(), threading.Event()

    def say(text: str) -> None:
        if "does not answer" in text:
            failed.set()

    with store_on(port, after=failed):
        wait_until_expired(port, Waiter(threading.Event(), say=say), timeout_s=20)
    assert failed.is_set()


def test_a_store_that_never_answers_is_named_at_the_deadline() -> None:
    """State that can't be seen is no state that has expired; the deadline is kept."""
    began = time.monotonic()
    with pytest.raises(DeadlineError, match="Redis does not answer"):
        wait_until_expired(free_port(), Waiter(threading.Event()), timeout_s=0.3)
    assert time.monotonic() - began < 2
