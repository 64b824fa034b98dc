"""Laws of finding the one credential of a request."""

import pytest

from budget.access.credentials import credential_in, without_credentials
from budget.errors import RefusedError

HOST = (b"host", b"127.0.0.1:8002")


def code(*headers: tuple[bytes, bytes]) -> str | None:
    """Return with what code headers are refused."""
    with pytest.raises(RefusedError) as caught:
        credential_in([HOST, *headers])
    refusal = caught.value.refusal
    assert refusal.status == 401
    assert (b"www-authenticate", b"Bearer") in refusal.headers
    return refusal.code


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer k")],
        [(b"authorization", b"bEARER   k ")],
        [(b"x-api-key", b"k")],
        [(b"x-api-key", b"k"), (b"authorization", b"Bearer k")],
    ],
)
def test_a_key_is_found_where_the_sdks_put_it(headers: list[tuple[bytes, bytes]]) -> None:
    """In either header, or the same in both."""
    assert credential_in([HOST, *headers]) == b"k"


def test_no_key_is_missing_not_invalid() -> None:
    """An empty header is none."""
    assert code() == "missing_api_key"
    assert code((b"authorization", b"")) == "missing_api_key"
    assert code((b"x-api-key", b" ")) == "missing_api_key"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")],
        [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer a")],
        [(b"x-api-key", b"a"), (b"x-api-key", b"b")],
        [(b"x-api-key", b"a"), (b"authorization", b"Bearer b")],
        [(b"authorization", b""), (b"authorization", b"Bearer b")],
        [(b"authorization", b"Basic a")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"k")],
    ],
)
def test_of_several_keys_none_is_chosen(headers: list[tuple[bytes, bytes]]) -> None:
    """Neither the first nor the last wins, and another scheme is no key."""
    assert code(*headers) == "invalid_api_key"


def test_no_header_that_a_provider_takes_for_a_key_is_forwarded() -> None:
    """Everything else is."""
    names = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
    kept = [HOST, (b"anthropic-version", b"2023-06-01")]
    assert without_credentials([*((name, b"v") for name in names), *kept]) == kept
