"""Answers to calls that are not made, with what the client should do next.

The SDKs retry 409, 429 and 5xx unless `x-should-retry` tells them otherwise: each refusal says so
explicitly, and none is ever a 409.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from budget.decisions import Code, Verdict
from budget.reservations import Stopped
from budget.scopes import Scope, ScopeKind
from metering.chat import JsonObject, encode_json, error_body
from metering.errors import RequestError
from metering.money import NanoUsd, format_usd

Headers = list[tuple[bytes, bytes]]

NEVER_RETRY: Final = (b"x-should-retry", b"false")
RETRY: Final = (b"x-should-retry", b"true")
STORE_RETRY_AFTER_S: Final = 5

_ONCE_MORE: Final = "Making it once more is another call, and another charge."


@dataclass(frozen=True, slots=True)
class Refusal:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        type: `error.type`.
        code: `error.code`.
        message: For people; says how to mend it.
        headers: Beside the content's own.
        param: The bad field of the request, or None.
        more: Joins the error object.
    """

    status: int
    type: str
    code: str | None
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    param: str | None = None
    more: JsonObject = field(default_factory=dict)

    @property
    def affordable_output_tokens(self) -> int | None:
        """With how many output tokens the call would fit; None when with none, or nobody knows."""
        found: int | None = self.more.get("budget", {}).get("affordable_output_tokens")
        return found

    def body(self) -> bytes:
        """Encode the error in OpenAI's shape; `Provider.error_body` does it in any."""
        return encode_json(
            error_body(self.message, kind=self.type, code=self.code, param=self.param, **self.more)
        )


def over_limit(verdict: Verdict, requested: NanoUsd, retry_after_ms: int) -> Refusal:
    """Refuse a call that a limit does not let through."""
    is_retryable = verdict.code is Code.BUDGET_IN_FLIGHT
    budget = _budget_object(verdict, requested, is_retryable=is_retryable)
    if is_retryable:
        headers = ((b"retry-after-ms", b"%d" % retry_after_ms), RETRY)
        return Refusal(
            429,
            "rate_limit_error",
            verdict.code,
            f"{_where(verdict)}: calls in flight hold the money that this one may need. "
            "Try again when some have ended.",
            headers,
            more={"budget": budget},
        )
    return Refusal(
        402,
        "billing_error",
        verdict.code,
        f"{_where(verdict)}: {_what_is_left(verdict, requested)}",
        (NEVER_RETRY,),
        more={"budget": budget},
    )


def _where(verdict: Verdict) -> str:
    limit = verdict.barrier.limit
    assert limit.limit_nano_usd is not None  # noqa: S101  # only a limit can be in the way
    return (
        f"The {limit.window} budget of ${format_usd(limit.limit_nano_usd)} "
        f"for {_scope_name(limit.scope)} does not allow this call"
    )


def _scope_name(scope: Scope) -> str:
    return "all calls" if scope.kind is ScopeKind.GLOBAL else f"{scope.kind} {scope.id!r}"


def _what_is_left(verdict: Verdict, requested: NanoUsd) -> str:
    totals = verdict.barrier.totals
    text = f"${format_usd(totals.spent)} are spent and it may cost ${format_usd(requested)}."
    if verdict.affordable_output_tokens is None:
        return f"{text} Do not retry."
    return (
        f"{text} Do not retry it as it is: with max_tokens of at most "
        f"{verdict.affordable_output_tokens} it would fit."
    )


def _budget_object(verdict: Verdict, requested: NanoUsd, *, is_retryable: bool) -> dict[str, Any]:
    limit, totals = verdict.barrier.limit, verdict.barrier.totals
    budget: dict[str, Any] = {
        "scope": limit.scope.kind,
        "id": limit.scope.id,
        "window": limit.window,
        "limit_usd": format_usd(limit.limit_nano_usd or 0),
        "spent_usd": format_usd(totals.spent),
        "reserved_usd": format_usd(totals.reserved),
        "requested_usd": format_usd(requested),
        "resets_at": verdict.barrier.resets_at_unix_ms,
        "retryable": is_retryable,
    }
    if verdict.affordable_output_tokens is not None:
        budget["affordable_output_tokens"] = verdict.affordable_output_tokens
    return budget


_CODE_OF_STOP: Final = {
    "killed": Code.BUDGET_KILLED,
    "zombie": Code.WORKFLOW_NOT_LIVE,
    "velocity": Code.BUDGET_VELOCITY_TRIPPED,
}


def stopped(stop: Stopped) -> Refusal:
    """Refuse a call of a scope that was stopped: by somebody, as a zombie, or by its velocity."""
    who = "All calls are" if stop.is_global else f"The calls of {_scope_name(stop.scope)} are"
    how = {
        "killed": f"stopped by {stop.actor}",
        "zombie": "stopped, for it is not live",
        "velocity": "stopped, for they spend too fast",
    }[stop.state]
    return Refusal(
        402,
        "billing_error",
        _CODE_OF_STOP[stop.state],
        f"{who} {how}: {stop.reason}. Do not retry; POST /resume lets them pass again.",
        (NEVER_RETRY,),
    )


def idempotency_mismatch() -> Refusal:
    """Refuse another request under a key that was used."""
    return Refusal(
        422,
        "invalid_request_error",
        Code.IDEMPOTENCY_MISMATCH,
        "This Idempotency-Key was used with another request. A repeated call must have the very "
        "same body, and another call a key of its own.",
        (NEVER_RETRY,),
    )


def idempotency_in_flight(waited_s: float) -> Refusal:
    """Refuse a repeated call whose first one did not end in time."""
    return Refusal(
        429,
        "rate_limit_error",
        Code.IDEMPOTENCY_IN_FLIGHT,
        f"The call with this Idempotency-Key is still under way after {waited_s:g} seconds. Try "
        "again: its answer will be repeated.",
        ((b"retry-after-ms", b"1000"), RETRY),
    )


def store_unavailable() -> Refusal:
    """Refuse while the store can't be asked: closed, never open."""
    return Refusal(
        503,
        "service_unavailable",
        Code.STORE_UNAVAILABLE,
        "The budget's store is unavailable, so no call is let through. See /readyz for the cause.",
        (NEVER_RETRY, (b"retry-after", b"%d" % STORE_RETRY_AFTER_S)),
    )


def overloaded(most: int) -> Refusal:
    """Refuse a call beyond what one gateway carries at once."""
    return Refusal(
        503,
        "service_unavailable",
        "gateway_overloaded",
        f"This gateway carries {most} calls already. Try again.",
        ((b"retry-after", b"1"), RETRY),
    )


def bad_request(error: RequestError) -> Refusal:
    """Refuse what a provider would refuse."""
    return invalid(error.message, code=error.code, param=error.param)


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> Refusal:
    """Refuse a request that can't be let through as it is."""
    return Refusal(400, "invalid_request_error", code, message, (NEVER_RETRY,), param)


def too_large(most_bytes: int) -> Refusal:
    """Refuse a body above the bound."""
    return Refusal(
        413,
        "invalid_request_error",
        "request_too_large",
        f"The body is larger than {most_bytes} bytes.",
        (NEVER_RETRY, (b"connection", b"close")),
    )


def body_timeout(after_s: float) -> Refusal:
    """Refuse a body that does not arrive."""
    return Refusal(
        408,
        "invalid_request_error",
        "request_timeout",
        f"The body did not arrive within {after_s:g} seconds.",
        (RETRY, (b"connection", b"close")),
    )


def unknown_route(method: str, path: str) -> Refusal:
    """Answer for a provider route that is not metered: it is never forwarded."""
    return Refusal(
        404,
        "invalid_request_error",
        "unknown_route",
        f"Not a route of this gateway: {method} {path}. Calls that it can't meter are not "
        "forwarded; it forwards POST /v1/chat/completions, /v1/embeddings, /v1/messages and "
        "/v1/messages/count_tokens, GET /v1/models and /v1/models/{id}.",
        (NEVER_RETRY,),
    )


def upstream_unreachable(url: str) -> Refusal:
    """Answer when no connection to the provider could be made: nothing was charged."""
    return Refusal(
        502,
        "upstream_error",
        "upstream_unreachable",
        f"The provider at {url} can't be reached; nothing was charged.",
        (RETRY,),
    )


def upstream_timeout(after_s: float) -> Refusal:
    """Answer when the provider did not: charged at the worst case, and so would a retry be."""
    return Refusal(
        504,
        "upstream_error",
        "upstream_timeout",
        f"The provider did not answer within {after_s:g} seconds; the call is charged at its "
        f"worst case, for it may have been carried out. {_ONCE_MORE}",
        (NEVER_RETRY,),
    )


def upstream_silent(after_s: float) -> Refusal:
    """Answer when the provider keeps a stream open and says nothing: charged as one that broke."""
    return Refusal(
        504,
        "upstream_error",
        "upstream_silent",
        f"The provider kept its stream open for {after_s:g} seconds without any output; it is cut "
        f"here, and charged at its worst case unless its usage had come. {_ONCE_MORE}",
        (NEVER_RETRY,),
    )


def upstream_interrupted() -> Refusal:
    """Answer when the provider's answer broke off: charged as one that did not come."""
    return Refusal(
        502,
        "upstream_error",
        "upstream_interrupted",
        "The provider's answer broke off; the call is charged at its worst case, for it may have "
        f"been carried out. {_ONCE_MORE}",
        (NEVER_RETRY,),
    )


def beyond_reservation(reserved_tokens: int) -> Refusal:
    """Answer when the provider goes on above the limit that it was given: charged as counted."""
    return Refusal(
        502,
        "upstream_error",
        "output_beyond_limit",
        f"The provider did not stop after the {reserved_tokens} output tokens that it was asked "
        "for; its answer is cut here, and charged at what was counted.",
        (NEVER_RETRY,),
    )


def upstream_failed() -> Refusal:
    """Answer when a call that costs nothing got no whole answer."""
    return Refusal(
        502,
        "upstream_error",
        "upstream_interrupted",
        "The provider's answer did not come or broke off.",
        (RETRY,),
    )
