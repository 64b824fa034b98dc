"""Who may call the admin routes."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from sidecar.http.guard import refusal

OWN = "127.0.0.1:3500"


def _refusal(peer: str = "127.0.0.1", **headers: str) -> str | None:
    transport = Mock(spec=asyncio.Transport)
    transport.get_extra_info.side_effect = {"peername": (peer, 40_000)}.get
    named: dict[str, Any] = {"Host": OWN, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return refusal(make_mocked_request("POST", "/admin/faults", named, transport=transport))


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_machine_gets_through(peer: str) -> None:
    """Whichever loopback address it comes from."""
    assert _refusal(peer) is None


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "192.168.1.7", "2001:db8::1"])
def test_another_machine_does_not(peer: str) -> None:
    """Even where the sidecar is bound to its network."""
    assert "on loopback alone" in str(_refusal(peer))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3500", "10.0.0.1:3500", "127.0.0.1:99999", ""]
)
def test_a_name_that_was_rebound_to_loopback_does_not_get_through(host: str) -> None:
    """The page that uses it is at home there, but the name stands in `Host`."""
    assert "use 127.0.0.1" in str(_refusal(Host=host))


@pytest.mark.parametrize("host", ["localhost:3500", "[::1]:3500", "127.0.0.1"])
def test_names_of_loopback_get_through(host: str) -> None:
    """As people write them."""
    assert _refusal(Host=host) is None


def test_a_page_of_another_site_does_not_get_through() -> None:
    """The browser says so, in a header that pages can't set, or by the origin."""
    assert "another site" in str(_refusal(Sec_Fetch_Site="cross-site"))
    assert "another site" in str(_refusal(Sec_Fetch_Site="same-site"))
    assert "another origin" in str(_refusal(Origin="http://evil.example"))
    assert "another origin" in str(_refusal(Origin="null"))


def test_the_address_bar_and_own_pages_get_through() -> None:
    """Neither comes from elsewhere."""
    assert _refusal(Sec_Fetch_Site="none") is None
    assert _refusal(Sec_Fetch_Site="same-origin", Origin=f"http://{OWN}") is None
