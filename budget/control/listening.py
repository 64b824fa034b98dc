"""`GET /events`: the event log as server-sent events, to a bounded number of listeners.

A listener that is too slow is told so and let go: nothing waits for it, nothing piles up for it.
One whose key was revoked, or has expired, is let go within LOOK_EVERY_S.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from budget.control.events import EventLog, Happening, Place
from budget.control.fields import ErrorDocument, error_answer
from budget.errors import RefusedError
from metering.sse import MEDIA_TYPE, encode_event

MOST_LISTENERS: Final = 64
HEARTBEAT_S: Final = 10.0
STALL_S: Final = 30.0
"""Of whoever takes no byte for so long the connection is ended, without a word."""

LOOK_EVERY_S: Final = 2.0
"""How often a listener is asked for its key again."""

LAST_EVENT_ID: Final = "last-event-id"
HEARTBEAT: Final = b": alive\n\n"
LAST: Final = {"type": "http.response.body", "body": b"", "more_body": False}
HELLO: Final = b"retry: 2000\n: listening\n\n"


Check = Callable[[Scope], Awaitable[None]]
"""Lets a request pass, or raises RefusedError."""


class Listeners:
    """Counts who listens.

    Args:
        events: What they are told.
        check: Whether a request may still be answered.
    """

    def __init__(self, events: EventLog, check: Check) -> None:
        self.events = events
        self.check = check
        self.count = 0


class EventStream(Response):
    """One listener's answer."""

    def __init__(self, listeners: Listeners, place: Place) -> None:
        super().__init__(
            headers={"cache-control": "no-store", "x-accel-buffering": "no"}, media_type=MEDIA_TYPE
        )
        del self.headers["content-length"]
        self._listeners = listeners
        self._events = listeners.events
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the listener leaves, falls behind or may listen no more."""
        self._listeners.count += 1
        sending = asyncio.create_task(self._send(send, scope), name="events")
        leaving = asyncio.create_task(_left(receive))
        is_stopping = False
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The server stops: the answer ends in order instead of as a failure.
            is_stopping = True
        finally:
            self._listeners.count -= 1
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if is_stopping:
            await send(LAST)

    async def _send(self, send: Send, scope: Scope) -> None:
        with contextlib.suppress(TimeoutError, OSError):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _write(send, HELLO)
            await self._send_missed_trips(send)
            await self._follow(send, scope)
            await send(LAST)

    async def _send_missed_trips(self, send: Send) -> None:
        after = self._place.trip_seq
        while after is not None and (missed := await self._events.missed_trips(after)):
            after = missed[-1].trip_seq
            await _write(send, b"".join(self._encode(0, each) for each in missed))

    async def _follow(self, send: Send, scope: Scope) -> None:
        cursor = self._place.number
        clock = asyncio.get_running_loop().time
        checked_s = written_s = clock()
        while True:
            if clock() - checked_s >= LOOK_EVERY_S:
                if (why := await self._refusal(scope)) is not None:
                    await _write(
                        send, encode_event(json.dumps({"missed": 0, "why": why}), "dropped")
                    )
                    return
                checked_s = clock()
            page = self._events.read(cursor)
            if page.dropped:
                lost = {"missed": page.dropped, "why": "this listener was too slow"}
                await _write(send, encode_event(json.dumps(lost), "dropped"))
                return
            if page.items:
                cursor = page.next
                await _write(send, b"".join(self._encode(n, each) for n, each in page.items))
                written_s = clock()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._events.wait(cursor)
            if clock() - written_s >= HEARTBEAT_S:
                await _write(send, HEARTBEAT)
                written_s = clock()

    async def _refusal(self, scope: Scope) -> str | None:
        """Return why the listener may listen no more; while nobody can tell, it may."""
        try:
            await self._listeners.check(scope)
        except RefusedError as error:
            is_unknown = error.refusal.status == HTTPStatus.SERVICE_UNAVAILABLE
            return None if is_unknown else error.refusal.message
        return None

    def _encode(self, number: int, happening: Happening) -> bytes:
        head = f"id: {self._events.id_of(number, happening)}\n".encode()
        return head + encode_event(happening.data, happening.name)


def event_routes(listeners: Listeners) -> APIRouter:
    """Build the route."""
    router = APIRouter(tags=["operating"])

    @router.get(
        "/events",
        response_class=Response,
        responses={
            200: {"content": {"text/event-stream": {}}},
            503: {"model": ErrorDocument, "description": "`too_many_listeners`"},
        },
    )
    async def events(request: Request) -> Response:
        """Trips, thresholds, ends of source stops, refusals for good, and the store's state.

        Events: `trip`, `threshold` and `stop` (as in `/trips`), `refusal` (as in `/decisions`),
        `refusals_left_out` ({count}), `store` ({state: open | closed, reason, at_unix_ms}), and
        `dropped` ({missed, why}), after which the stream ends: for a slow listener, and for one
        whose key was revoked or has expired, within two seconds. `Last-Event-ID` goes on after an
        event; one of another or a restarted gateway misses no trip either. Comments keep the
        connection alive.
        """
        if listeners.count >= MOST_LISTENERS:
            return error_answer(
                503,
                f"{MOST_LISTENERS} listeners are there already: close one, or read /trips",
                "too_many_listeners",
                [("retry-after", "5")],
            )
        last_event_id = request.headers.get(LAST_EVENT_ID)
        return EventStream(listeners, listeners.events.place_of(last_event_id))

    return router


async def _write(send: Send, body: bytes) -> None:
    async with asyncio.timeout(STALL_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
