import json

import pytest

from fake_llm.errors import ApiError, ContextLengthError
from fake_llm.routes import anthropic, openai


def _error(status: int, code: str | None = None) -> ApiError:
    error = ApiError("why", code=code)
    error.status = status
    return error


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (429, "requests", "rate_limit_exceeded"),
        (503, "server_error", None),
    ],
)
def test_openais_type_and_code_follow_the_status(status: int, kind: str, code: str | None) -> None:
    """Where nothing else is said."""
    error = json.loads(openai.encode_error(_error(status)))["error"]
    assert error == {"message": "why", "type": kind, "param": None, "code": code}


def test_openais_code_may_be_given() -> None:
    """A 429 may be a matter of money, too."""
    error = json.loads(openai.encode_error(_error(429, "insufficient_quota")))["error"]
    assert error["code"] == "insufficient_quota"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (405, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_anthropics_type_follows_the_status(status: int, kind: str) -> None:
    """Anthropic has types, no codes."""
    document = json.loads(anthropic.encode_error(_error(status, "some_code")))
    assert document == {"type": "error", "error": {"type": kind, "message": "why"}}


def test_anthropic_says_in_its_own_words_what_is_too_long() -> None:
    """A prompt by itself, or only with the answer."""
    alone = ContextLengthError(window=100, prompt_tokens=101, answer_tokens=1)
    both = ContextLengthError(window=100, prompt_tokens=99, answer_tokens=2)
    assert b"prompt is too long: 101 tokens > 100 maximum" in anthropic.encode_error(alone)
    assert b"exceed context limit: 99 + 2 > 100" in anthropic.encode_error(both)
