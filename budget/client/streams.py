"""Streamed answers on their way to the caller: metered as they pass, settled however they end.

One that came to its end is charged what it used, also when the caller closes it after `[DONE]`. One
that breaks off, that is closed before its end or is dropped unread, is charged its worst case.
"""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

from budget.accounts import Ticket
from budget.client.calls import Metered, Outgoing
from budget.client.libraries import AsyncStream, SyncStream
from budget.client.office import Office
from metering.errors import SseError


class Charge:
    """Settles a stream's call once.

    Args:
        office: Where.
        ticket: Of the call.
        outgoing: Its request.
        metered: What passed.
    """

    def __init__(
        self, office: Office, ticket: Ticket, outgoing: Outgoing, metered: Metered
    ) -> None:
        self._office = office
        self._ticket = ticket
        self._outgoing = outgoing
        self._metered = metered
        self._is_made = False

    def make(self, *, is_whole: bool) -> "Any | None":
        """Begin to settle; return the future of it, None when that was done before."""
        if self._is_made:
            return None
        self._is_made = True
        outcome = self._metered.whole() if is_whole else self._metered.so_far()
        if outcome.usage is None:
            self._outgoing.failed()
        return self._office.settle(
            self._ticket, outcome.usage, outcome.stored, least_nano_usd=outcome.least_nano_usd
        )

    def drop(self) -> None:
        """Settle for a stream that nobody holds any more; never blocks, never raises."""
        with contextlib.suppress(RuntimeError):
            self.make(is_whole=False)


class MeteredStream(SyncStream):
    """A streamed answer.

    Args:
        response: The provider's.
        metered: Reads it.
        charge: Settles it.
        library: httpx or httpx2.
    """

    def __init__(self, response: Any, metered: Metered, charge: Charge, library: Any) -> None:
        self._response = response
        self._metered = metered
        self._charge = charge
        self._library = library
        self._finalizer = weakref.finalize(self, charge.drop)
        self._finalizer.atexit = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._response.iter_bytes():
                if kept := self._metered.feed(chunk):
                    yield kept
                if self._metered.is_beyond:
                    break
        except SseError as error:
            self._charge.make(is_whole=False)
            raise _unreadable(self._library, error) from error
        except GeneratorExit:
            # The caller may still close the stream, or go on with another iterator of it.
            raise
        except BaseException:
            self._charge.make(is_whole=False)
            raise
        _wait_for(self._charge.make(is_whole=not self._metered.is_beyond))

    def close(self) -> None:
        """Close the connection and settle what is not settled."""
        try:
            self._response.close()
        finally:
            _wait_for(self._charge.make(is_whole=False))


class AsyncMeteredStream(AsyncStream):
    """A streamed answer of an asynchronous client; the arguments are the same."""

    def __init__(self, response: Any, metered: Metered, charge: Charge, library: Any) -> None:
        self._response = response
        self._metered = metered
        self._charge = charge
        self._library = library
        self._finalizer = weakref.finalize(self, charge.drop)
        self._finalizer.atexit = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_bytes():
                if kept := self._metered.feed(chunk):
                    yield kept
                if self._metered.is_beyond:
                    break
        except SseError as error:
            self._charge.make(is_whole=False)
            raise _unreadable(self._library, error) from error
        except GeneratorExit:
            raise
        except BaseException:
            # Also cancelled: nothing may be waited for here.
            self._charge.make(is_whole=False)
            raise
        await _awaited(self._charge.make(is_whole=not self._metered.is_beyond))

    async def aclose(self) -> None:
        """Close the connection and settle what is not settled."""
        try:
            await self._response.aclose()
        finally:
            await _awaited(self._charge.make(is_whole=False))


def _wait_for(settling: Any) -> None:
    if settling is not None:
        settling.result()


async def _awaited(settling: Any) -> None:
    if settling is not None:
        await asyncio.shield(asyncio.wrap_future(settling))


def _unreadable(library: Any, error: SseError) -> Exception:
    broken: Exception = library.RemoteProtocolError(
        f"the provider's stream can't be metered, and is charged at its worst case: {error}"
    )
    return broken
