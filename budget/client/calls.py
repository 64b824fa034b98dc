"""One call: what is priced and sent of a request, and what its answer says that it cost. No I/O."""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from budget.accounts import Receipt, Ticket
from budget.answers import MAX_STORED_BYTES, StoredAnswer, Tee, storable
from budget.caller import Caller
from budget.calls import refusals
from budget.calls.gateway import OUTCOME_UNKNOWN
from budget.calls.pricing import PricedCall, price_call
from budget.calls.refusals import Headers
from budget.calls.streams import StreamReader
from budget.calls.upstream import response_headers
from budget.claims import Claim, claim_of
from budget.client.activities import Ordinal, caller_of
from budget.errors import RefusedError
from budget.reservations import Replay
from budget.settings import Settings
from metering.chat import read_usage
from metering.errors import UsageError
from metering.identity import HEADER_OF_FIELD, CallerIdentity
from metering.prices import PriceBook
from metering.usage import Usage

_CHAT: Final = re.compile(r"/chat/completions$")
_FREE: Final = re.compile(r"/models(?:/[^/]+)?$")
_DONE: Final = b"data: [DONE]"
_MULTIPLE_CHOICES: Final = 300
_REPLACED: Final = frozenset(
    {
        *(b"content-length", b"transfer-encoding", b"accept-encoding"),
        *(header.lower().encode() for header in HEADER_OF_FIELD.values()),
    }
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that was priced.

    Attributes:
        call: Its bound, and the body that is sent.
        caller: Who makes it.
        claim: Its idempotency key.
        ordinal: Its number in its activity; given back when it gets no answer to keep.
    """

    call: PricedCall
    caller: Caller
    claim: Claim | None
    ordinal: Ordinal | None

    def failed(self) -> None:
        """Let the next try of this call have its number."""
        if self.ordinal is not None:
            self.ordinal.give_back()


def is_free(request: Any) -> bool:
    """Whether a request costs nothing, and is passed on as it is."""
    return request.method == "GET" and _FREE.search(request.url.path) is not None


def price_request(
    request: Any, body: bytes, prices: PriceBook, settings: Settings, tenant: str
) -> Outgoing:
    """Bound what a request of httpx or httpx2 may cost.

    Raises:
        RefusedError: 400 as the gateway, 404 for a route that can't be metered.
    """
    path = request.url.path
    if request.method != "POST" or _CHAT.search(path) is None:
        refusal = refusals.unknown_route(request.method, path)
        message = (
            f"Not a route that can be metered: {request.method} {path}, so it is not sent. Calls "
            "that need no budget belong to a client without this transport."
        )
        raise RefusedError(replace(refusal, message=message))
    call = price_call(body, prices, settings.default_max_tokens)
    identity, ordinal = caller_of(request.headers, body, settings.app_id)
    claim = None
    if settings.replays:
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        claim = claim_of(identity, headers, request.url.raw_path.decode("ascii"), body)
    return Outgoing(call, Caller(identity, tenant), claim, ordinal)


def sent_headers(request: Any) -> list[tuple[bytes, bytes]]:
    """Return the headers that go with a body of our own: uncompressed answers are asked for.

    Of the identity only what the request's own headers say is sent, as a gateway would.
    """
    kept = [(n, v) for n, v in request.headers.raw if n.lower() not in _REPLACED]
    identity = CallerIdentity.from_headers(request.headers).to_headers()
    return [
        *kept,
        *((name.encode(), value.encode()) for name, value in identity.items()),
        (b"accept-encoding", b"identity"),
    ]


def returned_headers(response: Any, more: Headers) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers for a body that was decoded, and what the budget says of it."""
    return [*response_headers(response.headers.raw), *more]


def budget_headers(ticket: Ticket, receipt: Receipt | None) -> Headers:
    """Say what a call cost, and what is left; a stream's cost is not known when it begins."""
    headers: Headers = [(b"x-budget-reservation-id", ticket.reservation.id.encode())]
    remaining = ticket.remaining_nano_usd
    if receipt is not None:
        headers.append((b"x-budget-cost-nano", b"%d" % receipt.cost_nano_usd))
        remaining = receipt.remaining_nano_usd
    if remaining is not None:
        headers.append((b"x-budget-remaining-nano", b"%d" % remaining))
    return headers


def replay_headers(replay: Replay) -> Headers:
    """Return the headers of an answer that is repeated."""
    return [
        *replay.answer.raw_headers(),
        (b"x-budget-replay", b"true"),
        (b"x-budget-reservation-id", replay.reservation_id.encode()),
        (b"x-budget-cost-nano", b"0"),
    ]


def usage_of(body: bytes) -> Usage | None:
    """Return what a plain answer says was used; None when it says nothing that can be priced."""
    try:
        return read_usage(body)
    except UsageError:
        return None


def cost_nothing(status: int) -> bool:
    """Whether an answer without usage cost nothing, as the gateway has it."""
    return status >= _MULTIPLE_CHOICES and status not in OUTCOME_UNKNOWN


def stored_answer(ticket: Ticket, response: Any, body: bytes | None) -> StoredAnswer | None:
    """Return what is stored for the call's idempotency key."""
    if ticket.reservation.claim is None or body is None:
        return None
    return storable(response.status_code, response_headers(response.headers.raw), body)


class Metered:
    """What passes of a streamed answer.

    Args:
        ticket: Of its call.
        response: Status and headers.
    """

    def __init__(self, ticket: Ticket, response: Any) -> None:
        call = ticket.call
        self._ticket = ticket
        self._response = response
        self._reader = StreamReader(wants_usage=call.wants_usage, choices=call.choices)
        self._tee = Tee(MAX_STORED_BYTES if ticket.reservation.claim else 0)
        self._tail = b""
        self._is_done = False

    def feed(self, chunk: bytes) -> bytes:
        """Take what the provider sent, and return what the caller is to see.

        Raises:
            SseError: An event is too large to be followed.
        """
        seen = self._tail + chunk
        self._is_done = self._is_done or _DONE in seen
        self._tail = seen[-len(_DONE) :]
        kept = self._reader.feed(chunk)
        self._tee.feed(kept)
        return kept

    def whole(self) -> tuple[Usage | None, StoredAnswer | None]:
        """Return what a stream used that came to its end, and the answer to store."""
        usage = self._reader.usage
        stored = (
            None if usage is None else stored_answer(self._ticket, self._response, self._tee.kept)
        )
        return usage, stored

    def so_far(self) -> tuple[Usage | None, StoredAnswer | None]:
        """Return the same of one that broke off, or that its caller closed."""
        return self.whole() if self._is_done else (self._reader.final_usage, None)


def is_event_stream(response: Any) -> bool:
    """Whether an answer is a stream of events."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == "text/event-stream"
