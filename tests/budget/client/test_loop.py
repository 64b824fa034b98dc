"""Laws of results that one thread makes for another."""

from collections.abc import Iterator
from queue import Queue

import pytest

from budget.client.loop import Handover, LoopClosedError, LoopThread


class EndedError(Exception):
    """What a taker is told."""


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """Give a loop in a thread."""
    opened = LoopThread()
    yield opened
    opened.close()


async def made() -> str:
    """Make a result."""
    return "made"


async def undone(_result: str) -> None:
    """Undo none."""


def handover(thread: LoopThread) -> "Handover[str]":
    """Ask for a result."""
    return Handover(thread, made, undone, closed=EndedError)


def test_a_result_is_taken_in_another_thread(thread: LoopThread) -> None:
    """As soon as it is made."""
    assert handover(thread).outcome.result(5) == "made"


def test_who_waits_is_told_when_the_loop_ends_before_it_began(thread: LoopThread) -> None:
    """Nobody waits for ever."""
    asked: Queue[Handover[str]] = Queue()

    def ask_and_end() -> None:
        asked.put(handover(thread))
        thread.close()

    thread.call(ask_and_end)
    with pytest.raises(EndedError):
        asked.get(timeout=5).outcome.result(5)


def test_a_loop_that_has_ended_takes_nothing(thread: LoopThread) -> None:
    """Neither from who asks, nor from who gives up."""
    before = handover(thread)
    before.outcome.result(5)
    thread.close()
    with pytest.raises(LoopClosedError):
        handover(thread)
    with pytest.raises(LoopClosedError):
        thread.submit(made())
    before.give_up()
