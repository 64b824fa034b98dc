"""One admitted call on its way to the provider and back: forwarded once, settled in every case."""

import asyncio
import time
from http import HTTPStatus
from typing import Final

from aiohttp import ClientResponse

from budget.accounts import Accounts, Receipt, Ticket
from budget.answers import MAX_STORED_BYTES, StoredAnswer, Tee, storable
from budget.calls import refusals
from budget.calls.asgi import Answer
from budget.calls.providers import Route
from budget.calls.refusals import Headers
from budget.calls.streams import StreamReader
from budget.calls.upstream import (
    UnknownOutcomeError,
    UnreachableError,
    Upstream,
    read_answer,
    response_headers,
)
from budget.errors import UpstreamError
from budget.reservations import Replay
from metering.errors import SseError, UsageError
from metering.usage import Usage

OUTCOME_UNKNOWN: Final = frozenset({502, 504, 520, 524})
"""What an edge (a proxy, a CDN) answers when it passed the request on and lost the answer."""


class BeyondReservationError(UpstreamError):
    """The provider says more than it was asked for: its stream is cut."""


class _Silence:
    """How long a stream was waited for without any output: comments and empty pieces are none.

    The time that its client takes does not count.

    Args:
        reader: Knows what was said, and whether the usage came.
        most_s: Longer is too long.
    """

    def __init__(self, reader: StreamReader, most_s: float) -> None:
        self._reader = reader
        self._most_s = most_s
        self._seen = self._progress()
        self._silent_s = 0.0
        self.waits()

    def waits(self) -> None:
        """Begin to wait for the next piece."""
        self._since_s = time.monotonic()

    def arrived(self) -> None:
        """Take note that it came."""
        self._silent_s += time.monotonic() - self._since_s

    def check(self) -> None:
        """Raise UnknownOutcomeError when it, and all before it for too long, said nothing."""
        progress = self._progress()
        if progress != self._seen:
            self._seen, self._silent_s = progress, 0.0
        elif self._silent_s > self._most_s:
            raise UnknownOutcomeError(refusals.upstream_silent(self._most_s))

    def _progress(self) -> tuple[int, bool]:
        return self._reader.meter.pieces, self._reader.usage is not None


class Forwarding:
    """Follows one call to its end.

    Args:
        accounts: Where it is charged.
        upstream: The provider.
        route: How the call and its answer read.
        ticket: The call.
        answer: Where the client is.
    """

    def __init__(
        self, accounts: Accounts, upstream: Upstream, route: Route, ticket: Ticket, answer: Answer
    ) -> None:
        self._accounts = accounts
        self._upstream = upstream
        self._route = route
        self._ticket = ticket
        self._answer = answer
        self._reader = route.reader(ticket.call)
        self._tee = Tee(MAX_STORED_BYTES if ticket.reservation.claim else 0)

    async def run(self, target: str, headers: dict[str, str]) -> None:
        """Forward the call, answer it, settle it.

        Raises:
            UpstreamError: There is no answer, and none was begun.
        """
        call = self._ticket.call
        try:
            async with self._upstream.send(
                "POST", target, headers, call.body, is_stream=call.is_stream
            ) as response:
                body = await self._take(response)
        except UnreachableError:
            await self._accounts.release(self._ticket)
            raise
        except BaseException as error:
            await self._settle_broken(error)
            if self._answer.is_started and isinstance(error, UpstreamError):
                event = self._route.provider.error_event(error.refusal)
                await self._answer.write(event, is_last=True)
                return
            raise
        if body is None:
            await self._finish_stream(response)
        else:
            await self._finish(response, body)

    async def _take(self, response: ClientResponse) -> bytes | None:
        """Pass a stream on as it comes, or return a plain answer's body."""
        if not self._ticket.call.is_stream:
            return await read_answer(response)
        if response.content_type != "text/event-stream":
            # Asked for as a stream, it is sent without a limit for the whole of it.
            async with asyncio.timeout(self._upstream.timeout_s):
                return await read_answer(response)
        passed = self._passed_headers(response) + _budget_headers(self._ticket, None)
        await self._answer.start(response.status, passed)
        silence = _Silence(self._reader, self._upstream.timeout_s)
        async for chunk in response.content.iter_any():
            silence.arrived()
            kept = self._follow(chunk)
            silence.check()
            if kept:
                self._tee.feed(kept)
                await self._answer.write(kept)
            silence.waits()
        return None

    def _follow(self, chunk: bytes) -> bytes:
        try:
            kept = self._reader.feed(chunk)
        except SseError:
            raise UnknownOutcomeError(refusals.upstream_interrupted()) from None
        # What is whole already can't be made cheaper, and says what it cost.
        if self._reader.meter.is_beyond and self._reader.usage is None:
            most = self._ticket.call.choices * self._ticket.call.max_output_tokens
            raise BeyondReservationError(refusals.beyond_reservation(most))
        return kept

    async def _settle_broken(self, error: BaseException) -> None:
        """Charge a call without a whole answer: what it reported, else a bound."""
        least = None
        if isinstance(error, BeyondReservationError):
            least = self._ticket.call.cost_bound(self._reader.meter.bound)
        await self._accounts.settle(self._ticket, self._reader.final_usage, least_nano_usd=least)

    async def _finish_stream(self, response: ClientResponse) -> None:
        """Charge what a stream used; a whole one is stored as it was sent."""
        stored = None
        if self._reader.usage is not None and self._tee.kept is not None:
            stored = self._stored(response, self._tee.kept)
        await self._accounts.settle(self._ticket, self._reader.usage, stored)
        await self._answer.write(b"", is_last=True)

    async def _finish(self, response: ClientResponse, body: bytes) -> None:
        """Charge what the provider says the call used, then let the answer end.

        Without usage a success, and an edge that lost the answer, are charged at the worst case,
        and any other error nothing. What an edge lost, no client repeats by itself: each try would
        be charged.
        """
        usage = self._usage_of(body)
        receipt = None
        if usage is None and _cost_nothing(response.status):
            await self._accounts.release(self._ticket)
        else:
            stored = self._stored(response, body)
            receipt = await self._accounts.settle(self._ticket, usage, stored)
        passed = self._passed_headers(response) + _budget_headers(self._ticket, receipt)
        if response.status in OUTCOME_UNKNOWN:
            passed = [header for header in passed if header[0] != refusals.NEVER_RETRY[0]]
            passed.append(refusals.NEVER_RETRY)
        await self._answer.whole(response.status, passed, body)

    def _usage_of(self, body: bytes) -> Usage | None:
        try:
            return self._route.read_usage(body)
        except UsageError:
            return None

    def _passed_headers(self, response: ClientResponse) -> Headers:
        """Return the provider's headers, and to how many tokens the call was lowered."""
        passed = response_headers(response.raw_headers)
        call = self._ticket.call
        if call.clamped_from is not None:
            passed.append((b"x-budget-clamped-max-tokens", b"%d" % call.max_output_tokens))
        return passed

    def _stored(self, response: ClientResponse, body: bytes) -> StoredAnswer | None:
        if self._ticket.reservation.claim is None:
            return None
        return storable(response.status, self._passed_headers(response), body)


def _cost_nothing(status: int) -> bool:
    return status >= HTTPStatus.MULTIPLE_CHOICES and status not in OUTCOME_UNKNOWN


def _budget_headers(ticket: Ticket, receipt: Receipt | None) -> Headers:
    """Return what is known: a stream's cost is not when its headers leave."""
    headers: Headers = [(b"x-budget-reservation-id", ticket.reservation.id.encode())]
    remaining = ticket.remaining_nano_usd
    if receipt is not None:
        headers.append((b"x-budget-cost-nano", b"%d" % receipt.cost_nano_usd))
        remaining = receipt.remaining_nano_usd
    if remaining is not None:
        headers.append((b"x-budget-remaining-nano", b"%d" % remaining))
    return headers


async def replay(stored: Replay, answer: Answer) -> None:
    """Send what the call was answered the first time."""
    headers: Headers = [
        *stored.answer.raw_headers(),
        (b"x-budget-replay", b"true"),
        (b"x-budget-reservation-id", stored.reservation_id.encode()),
        (b"x-budget-cost-nano", b"0"),
    ]
    await answer.whole(stored.answer.status, headers, stored.answer.body.encode())
