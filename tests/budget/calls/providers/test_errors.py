"""Laws of how refusals read to each provider's clients."""

import pytest

from budget.calls import refusals
from budget.calls.providers import ANTHROPIC, OPENAI, provider_of
from budget.calls.refusals import Refusal
from metering.sse import EventParser
from metering.wire import decode_json


def test_a_refusal_has_each_providers_own_shape() -> None:
    """The same facts, where each provider's clients look for them."""
    refusal = Refusal(402, "billing_error", "c", "no", param="p", more={"budget": {"scope": "x"}})
    assert decode_json(OPENAI.error_body(refusal)) == {
        "error": {
            "message": "no",
            "type": "billing_error",
            "param": "p",
            "code": "c",
            "budget": {"scope": "x"},
        }
    }
    assert decode_json(ANTHROPIC.error_body(refusal)) == {
        "type": "error",
        "error": {
            "type": "billing_error",
            "message": "no",
            "code": "c",
            "param": "p",
            "budget": {"scope": "x"},
        },
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(400, "invalid_request_error"), (401, "authentication_error"), (402, "billing_error")],
        *[(403, "permission_error"), (404, "not_found_error"), (408, "timeout_error")],
        *[(413, "request_too_large"), (422, "invalid_request_error"), (429, "rate_limit_error")],
        *[(502, "api_error"), (503, "api_error"), (504, "timeout_error")],
    ],
)
def test_anthropics_types_follow_the_status(status: int, kind: str) -> None:
    """As its page on errors lists them."""
    found = decode_json(ANTHROPIC.error_body(Refusal(status, "x", None, "no")))
    assert found["error"]["type"] == kind


def test_a_stream_ends_with_an_event_of_its_provider() -> None:
    """OpenAI's is a message with an error, Anthropic's is of type `error`."""
    refusal = refusals.beyond_reservation(5)
    (openai,) = EventParser().feed(OPENAI.error_event(refusal))
    assert openai.event == "message"
    assert decode_json(openai.data)["error"]["code"] == "output_beyond_limit"
    (anthropic,) = EventParser().feed(ANTHROPIC.error_event(refusal))
    assert anthropic.event == "error"
    assert decode_json(anthropic.data)["type"] == "error"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/v1/messages", [], "anthropic"),
        ("/v1/messages/batches", [], "anthropic"),
        ("/v1/messagesx", [], "openai"),
        ("/v1/chat/completions", [(b"anthropic-version", b"x")], "openai"),
        ("/v1/models", [(b"anthropic-version", b"x")], "anthropic"),
        ("/v1/models", [(b"authorization", b"x")], "openai"),
    ],
)
def test_whose_route_a_path_is(path: str, headers: list[tuple[bytes, bytes]], name: str) -> None:
    """Where both have it, only Anthropic's clients name a version."""
    assert provider_of(path, headers).name == name
