"""One call: what is priced and sent of a request, and what its answer says that it cost. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any, Final

from budget.accounts import Receipt, Ticket
from budget.answers import MAX_STORED_BYTES, StoredAnswer, Tee, storable
from budget.caller import Caller
from budget.calls import refusals
from budget.calls.forwarding import OUTCOME_UNKNOWN
from budget.calls.free import free_route
from budget.calls.pricing import CLAMP_HEADER, PricedCall
from budget.calls.providers import Provider, Route, provider_of
from budget.calls.refusals import Headers, Refusal
from budget.calls.upstream import response_headers
from budget.claims import Claim, claim_of
from budget.client.activities import Ordinal, caller_of
from budget.errors import RefusedError
from budget.reservations import Replay
from budget.settings import Settings
from metering.errors import UsageError
from metering.identity import HEADER_OF_FIELD
from metering.money import NanoUsd
from metering.usage import Usage

_VERSION: Final = "/v1"
_WITHOUT_VERSION: Final = ("/chat/completions", "/embeddings", "/models")
"""Routes that are known without it: some providers' bases have another version, or none."""

_DONE: Final = b"data: [DONE]"
_MULTIPLE_CHOICES: Final = 300
_OWN_PREFIX: Final = b"x-budget-"
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
        route: How it and its answer read.
        call: Its bound, and the body that is sent.
        caller: Who makes it.
        claim: Its idempotency key.
        ordinal: Its number in its activity; given back when it gets no answer to keep.
        clamps: Whether it is made smaller when it does not fit.
    """

    route: Route
    call: PricedCall
    caller: Caller
    claim: Claim | None
    ordinal: Ordinal | None
    clamps: bool

    def failed(self) -> None:
        """Let the next try of this call have its number."""
        if self.ordinal is not None:
            self.ordinal.give_back()


def path_of(request: Any) -> str:
    """Return a request's path as the provider documents it, whatever base comes before it."""
    path: str = request.url.path
    if f"{_VERSION}/" in path:
        return path[path.rindex(f"{_VERSION}/") :]
    found = next((each for each in _WITHOUT_VERSION if path.endswith(each)), None)
    return path if found is None else _VERSION + found


def is_free(request: Any) -> bool:
    """Whether a request costs nothing, and is passed on as it is."""
    return free_route(request.method, path_of(request))


def provider_for(request: Any) -> Provider:
    """Return whose error shape the client of a request reads."""
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    return provider_of(path_of(request), headers)


def price_request(
    request: Any, body: bytes, routes: Mapping[str, Route], settings: Settings, tenant: str
) -> Outgoing:
    """Bound what a request of httpx or httpx2 may cost.

    Raises:
        RefusedError: 400 as the gateway, 404 for a route that can't be metered.
    """
    route = routes.get(path_of(request)) if request.method == "POST" else None
    if route is None:
        raise RefusedError(_unknown_route(request))
    call = route.price(body)
    identity, ordinal = caller_of(request.headers, body, settings.app_id)
    claim = None
    if settings.replays:
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        claim = claim_of(identity, headers, request.url.raw_path.decode("ascii"), body)
    asked = request.headers.get(CLAMP_HEADER.decode())
    clamps = settings.clamp if asked is None else asked.strip().lower() in {"true", "1"}
    return Outgoing(route, call, Caller(identity, tenant), claim, ordinal, clamps)


def _unknown_route(request: Any) -> Refusal:
    refusal = refusals.unknown_route(request.method, request.url.path)
    message = (
        f"Not a route that can be metered: {request.method} {request.url.path}, so it is not "
        "sent. Calls that need no budget belong to a client without this transport."
    )
    return replace(refusal, message=message)


def sent_headers(request: Any, caller: Caller) -> list[tuple[bytes, bytes]]:
    """Return the headers that go with a body of our own: uncompressed answers are asked for.

    A provider on this machine, a fake one, sees who calls; others have no business with it.
    """
    kept = [
        (name, value)
        for name, value in request.headers.raw
        if name.lower() not in _REPLACED and not name.lower().startswith(_OWN_PREFIX)
    ]
    identity = caller.identity.to_headers() if _is_here(request.url.host) else {}
    return [
        *kept,
        *((name.encode(), value.encode()) for name, value in identity.items()),
        (b"accept-encoding", b"identity"),
    ]


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def returned_headers(ticket: Ticket, response: Any) -> Headers:
    """Return a provider's headers, for a decoded body, and what the call was lowered to."""
    passed = response_headers(response.headers.raw)
    if ticket.call.clamped_from is not None:
        passed.append((b"x-budget-clamped-max-tokens", b"%d" % ticket.call.max_output_tokens))
    return passed


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


def usage_of(route: Route, body: bytes) -> Usage | None:
    """Return what a plain answer says was used; None when it says nothing that can be priced."""
    try:
        return route.read_usage(body)
    except UsageError:
        return None


def cost_nothing(status: int) -> bool:
    """Whether an answer without usage cost nothing, as the gateway has it."""
    return status >= _MULTIPLE_CHOICES and status not in OUTCOME_UNKNOWN


def stored_answer(ticket: Ticket, response: Any, body: bytes | None) -> StoredAnswer | None:
    """Return what is stored for the call's idempotency key."""
    if ticket.reservation.claim is None or body is None:
        return None
    return storable(response.status_code, returned_headers(ticket, response), body)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is settled for a stream.

    Attributes:
        usage: What it used; None charges the worst case.
        stored: The answer for its idempotency key.
        least_nano_usd: The worst case, where that was found to be too low.
    """

    usage: Usage | None
    stored: StoredAnswer | None = None
    least_nano_usd: NanoUsd | None = None


class Metered:
    """What passes of a streamed answer.

    Args:
        route: How it reads.
        ticket: Of its call.
        response: Status and headers.
    """

    def __init__(self, route: Route, ticket: Ticket, response: Any) -> None:
        self._provider = route.provider
        self._ticket = ticket
        self._response = response
        self._reader = route.reader(ticket.call)
        self._tee = Tee(MAX_STORED_BYTES if ticket.reservation.claim else 0)
        self._tail = b""
        self._is_done = False

    @property
    def is_beyond(self) -> bool:
        """Whether the provider sends more than it was asked for: the stream is cut."""
        return self._reader.meter.is_beyond

    def feed(self, chunk: bytes) -> bytes:
        """Take what the provider sent, and return what the caller is to see.

        Raises:
            SseError: An event is too large to be followed.
        """
        seen = self._tail + chunk
        self._is_done = self._is_done or _DONE in seen
        self._tail = seen[-len(_DONE) :]
        kept = self._reader.feed(chunk)
        if self.is_beyond:
            return self._cut()
        self._tee.feed(kept)
        return kept

    def whole(self) -> Outcome:
        """Return what a stream used that came to its end, and the answer to store."""
        usage = self._reader.usage
        if usage is None:
            return Outcome(None)
        return Outcome(usage, stored_answer(self._ticket, self._response, self._tee.kept))

    def so_far(self) -> Outcome:
        """Return the same of one that broke off, was cut, or that its caller closed."""
        if self.is_beyond:
            bound = self._ticket.call.cost_bound(self._reader.meter.bound)
            return Outcome(self._reader.final_usage, least_nano_usd=bound)
        return self.whole() if self._is_done else Outcome(self._reader.final_usage)

    def _cut(self) -> bytes:
        call = self._ticket.call
        most = call.choices * call.max_output_tokens
        return self._provider.error_event(refusals.beyond_reservation(most))


def is_event_stream(response: Any) -> bool:
    """Whether an answer is a stream of events."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == "text/event-stream"
