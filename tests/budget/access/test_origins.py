"""Laws of keeping other sites' pages away."""

import pytest

from budget.access.origins import check_origin
from budget.errors import RefusedError

Headers = list[tuple[bytes, bytes]]


def outcome(method: str, headers: Headers, *names: str, is_open: bool = True) -> str | None:
    """Return the code of the refusal, None when it passes."""
    try:
        check_origin(method, headers, frozenset(names), is_open=is_open)
    except RefusedError as error:
        return error.refusal.code
    return None


@pytest.mark.parametrize(
    "host",
    [
        *(b"127.0.0.1:8002", b"localhost:8002", b"LOCALHOST", b"[::1]:8002", b"192.0.2.7"),
        *(b"budget:8002", b"BUDGET"),
    ],
)
def test_an_open_gateway_answers_to_addresses_and_its_own_names(host: bytes) -> None:
    """No other site can be served from under these."""
    assert outcome("POST", [(b"host", host)], "budget") is None


@pytest.mark.parametrize(
    "host",
    [b"evil.example:8002", b"127.0.0.1.evil.example", b"localhost.evil.example", b"2130706433"],
)
def test_a_name_made_to_resolve_here_is_refused(host: bytes) -> None:
    """DNS rebinding: for reading too, and though the page's origin is the same."""
    assert outcome("GET", [(b"host", host)]) == "host_forbidden"
    headers = [(b"host", host), (b"origin", b"http://" + host)]
    assert outcome("POST", headers) == "host_forbidden"


def test_where_keys_are_asked_for_any_name_will_do() -> None:
    """A browser adds no key by itself."""
    assert outcome("POST", [(b"host", b"gateway.example")], is_open=False) is None


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"127.0.0.1"), (b"host", b"127.0.0.1")],
        [(b"host", b"127.0.0.1/evil")],
        [(b"host", b"user@127.0.0.1")],
        [(b"host", b"127.0.0.1:8002, evil.example")],
        [(b"host", b"")],
        [(b"host", b"\xff")],
    ],
)
def test_a_host_that_is_no_single_plain_name_is_malformed(headers: Headers) -> None:
    """Two readers could understand it in two ways."""
    assert outcome("GET", headers) == "invalid_host"


@pytest.mark.parametrize(
    "origin",
    [
        *(b"http://evil.example", b"null", b"http://127.0.0.1:3000", b"http://localhost:8002"),
        *(b"http://127.0.0.1:8002.evil.example", b"http://127.0.0.1:8002@evil.example"),
        *(b"https://127.0.0.1", b"file://", b"http://[", b""),
    ],
)
@pytest.mark.parametrize("is_open", [True, False])
def test_another_sites_page_is_refused(origin: bytes, *, is_open: bool) -> None:
    """Another port of this machine is another site."""
    headers = [(b"host", b"127.0.0.1:8002"), (b"origin", origin)]
    assert outcome("POST", headers, is_open=is_open) == "origin_forbidden"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (b"127.0.0.1:8002", b"http://127.0.0.1:8002"),
        (b"[::1]:8002", b"http://[::1]:8002"),
        (b"127.0.0.1", b"http://127.0.0.1:80"),
        (b"127.0.0.1:443", b"https://127.0.0.1"),
        (b"10.0.0.1:8002", b"https://gateway.example"),
    ],
)
def test_the_gateways_own_page_may_write(host: bytes, origin: bytes) -> None:
    """Default ports are understood, and so are names that the operator gave it."""
    assert outcome("POST", [(b"host", host), (b"origin", origin)], "gateway.example") is None


def test_a_link_leads_to_the_page_but_a_form_changes_nothing() -> None:
    """Browsers tell where a request comes from even where they send no origin."""
    headers = [(b"host", b"127.0.0.1:8002"), (b"sec-fetch-site", b"cross-site")]
    assert outcome("GET", headers) is None
    assert outcome("POST", headers) == "origin_forbidden"
    headers[1] = (b"sec-fetch-site", b"same-origin")
    assert outcome("POST", headers) is None
