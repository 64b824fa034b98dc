"""An event loop in a thread of its own, and results that are handed from it to other threads."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

Result = TypeVar("Result")

_STOP_S: Final = 5.0


class LoopClosedError(RuntimeError):
    """The loop has ended, or is about to: it begins nothing any more."""


class LoopThread:
    """Runs until it is closed; dies with the process.

    What was given to it before that begins, or is cancelled; nothing is left undone unheard.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="budget-client", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine; never blocks.

        Raises:
            LoopClosedError: It is not run.
        """
        with self._lock:
            if not self._is_closed:
                return asyncio.run_coroutine_threadsafe(work, self.loop)
        work.close()
        raise LoopClosedError("the loop is closed")

    def call(self, callback: Callable[[], None]) -> None:
        """Call a function on the loop; never blocks.

        Raises:
            LoopClosedError: It is not called.
        """
        with self._lock:
            if self._is_closed:
                raise LoopClosedError("the loop is closed")
            self.loop.call_soon_threadsafe(callback)

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self.loop.call_soon_threadsafe(self.loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            # What is cancelled may begin something else.
            while left := asyncio.all_tasks(self.loop):
                for task in left:
                    task.cancel()
                self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.close()


class Handover(Generic[Result]):
    """A result that somebody in another thread takes, or that is undone.

    Args:
        thread: Where it is made.
        make: Makes it.
        undo: Undoes one that nobody took.
        closed: Builds the error of a result that the loop ended before.

    Attributes:
        outcome: The result, for the other thread.

    Raises:
        LoopClosedError: It is not made.
    """

    def __init__(
        self,
        thread: LoopThread,
        make: Callable[[], Awaitable[Result]],
        undo: Callable[[Result], Awaitable[None]],
        *,
        closed: Callable[[], Exception],
    ) -> None:
        self.outcome: Future[Result] = Future()
        # Whoever stops waiting must not cancel it: the loop has yet to say what it did.
        self.outcome.set_running_or_notify_cancel()
        self._thread = thread
        self._make = make
        self._undo = undo
        self._closed = closed
        self._task: asyncio.Task[None] | None = None
        self._is_given_up = False
        thread.call(self._start)

    def give_up(self) -> None:
        """Say that nobody takes the result; never blocks."""
        with contextlib.suppress(LoopClosedError):
            self._thread.call(self._stop)

    def _start(self) -> None:
        self._task = self._thread.loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def _ended(self, _task: "asyncio.Task[None]") -> None:
        """Tell who waits when it was cancelled, perhaps before it began."""
        if not self.outcome.done():
            self.outcome.set_exception(self._closed())

    async def _run(self) -> None:
        try:
            result = await self._make()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is taken
            self.outcome.set_exception(error)
            return
        self.outcome.set_result(result)
        if self._is_given_up:
            await self._undo(result)

    def _stop(self) -> None:
        self._is_given_up = True
        if not self.outcome.done():
            assert self._task is not None  # noqa: S101  # started before it was given up
            self._task.cancel()
        elif self.outcome.exception() is None:
            self._task = self._thread.loop.create_task(self._undone())

    async def _undone(self) -> None:
        await self._undo(self.outcome.result())
