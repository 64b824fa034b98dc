"""Laws of whose events are sent."""

import json
import time

import httpx

from tests.budget.access.keyed import Keys, bearer
from tests.budget.conftest import StartGateway
from tests.budget.gateways import RunningGateway

BOUND_S = 5.0
"""The key is asked for every two seconds; the rest is for a busy machine."""


def read_to_the_end(response: httpx.Response, begun_s: float) -> str:
    """Return what comes until the stream ends, which is soon."""
    text = ""
    for piece in response.iter_text():
        text += piece
        assert time.monotonic() - begun_s < BOUND_S, text
    assert time.monotonic() - begun_s < BOUND_S
    return text


def test_a_revoked_key_hears_no_more(keyed: RunningGateway, keys: Keys) -> None:
    """Its stream ends by itself within seconds, and says why; another's goes on."""
    key = keys.ask("POST", "/keys", json={"kind": "admin"}).json()
    url = f"{keyed.url}/events"
    with (
        keyed.http.stream("GET", url, headers=bearer(key["key"])) as response,
        keyed.http.stream("GET", url, headers=bearer(keys.admin_key)) as other,
    ):
        assert (response.status_code, other.status_code) == (200, 200)
        assert keys.revoke(key).status_code == 200
        text = read_to_the_end(response, time.monotonic())
        order = {"scope": "workflow", "id": "w", "reason": "r", "actor": "a"}
        assert keys.ask("POST", "/kill", json=order).status_code == 200
        assert any("event: trip" in piece for piece in other.iter_text())
    data = text.rpartition("event: dropped\ndata: ")[2].partition("\n")[0]
    assert json.loads(data)["why"].startswith("This key is not known here, or was revoked")
    assert keyed.http.get(url, headers=bearer(key["key"])).status_code == 401


def test_who_came_before_there_were_keys_hears_no_more(start_gateway: StartGateway) -> None:
    """The first key closes the streams that were opened without one."""
    gateway = start_gateway()
    with gateway.http.stream("GET", f"{gateway.url}/events") as response:
        made = gateway.http.post(f"{gateway.url}/keys", json={"kind": "admin"})
        assert made.status_code == 201
        text = read_to_the_end(response, time.monotonic())
    assert "This gateway asks for a key." in text
