"""Answers of the library that the caller's client is of."""

from types import ModuleType
from typing import Any

from budget.accounts import Receipt, Ticket
from budget.calls.asgi import JSON
from budget.client.calls import budget_headers, provider_for, replay_headers, returned_headers
from budget.client.libraries import library_of
from budget.errors import RefusedError
from budget.reservations import Replay


def refused(request: Any, error: RefusedError) -> Any:
    """Answer a call that is not made, in its provider's shape."""
    refusal = error.refusal
    return library_of(request).Response(
        refusal.status,
        headers=[JSON, *refusal.headers],
        content=provider_for(request).error_body(refusal),
    )


def replayed(library: ModuleType, replay: Replay) -> Any:
    """Answer a call that was made before."""
    answer = replay.answer
    return library.Response(
        answer.status, headers=replay_headers(replay), content=answer.body.encode()
    )


def whole(
    library: ModuleType, response: Any, ticket: Ticket, body: bytes, receipt: Receipt | None
) -> Any:
    """Answer with what the provider said, and what it cost."""
    return library.Response(
        response.status_code,
        headers=returned_headers(ticket, response) + budget_headers(ticket, receipt),
        content=body,
        extensions=response.extensions,
    )


def streamed(library: ModuleType, response: Any, ticket: Ticket, stream: Any) -> Any:
    """Answer with a stream; what it costs is not known yet."""
    return library.Response(
        response.status_code,
        headers=returned_headers(ticket, response) + budget_headers(ticket, None),
        stream=stream,
        extensions=response.extensions,
    )
