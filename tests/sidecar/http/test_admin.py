"""The admin routes that set, lift and show faults, on a running sidecar."""

import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sidecar.faults import KINDS
from tests.sidecar.stack import until
from tests.support.components import write_component
from tests.support.ports import free_port
from tests.support.services import Service, running, wait_until_http


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """Give a sidecar, bound to all addresses, without store, scheduler and app; and its URL."""
    directory = tmp_path_factory.mktemp("admin")
    write_component(directory / "components", ttl_s=5)
    port = free_port()
    env = {
        "STATE_REDIS_HOST": "127.0.0.1:1",
        "SIDECAR_SCHEDULER_ADDRESS": "127.0.0.1:1",
        "SIDECAR_RESOURCES_PATH": str(directory / "components"),
        "SIDECAR_HOST": "0.0.0.0",  # noqa: S104 - what is tested
        "SIDECAR_GRPC_PORT": str(free_port()),
        "SIDECAR_HTTP_PORT": str(port),
    }
    with running("sidecar", [sys.executable, "-m", "sidecar"], directory, env) as service:
        wait_until_http(service, f"http://127.0.0.1:{port}/v1.0/metadata")
        yield service, f"http://127.0.0.1:{port}"


@pytest.fixture
def admin(sidecar: tuple[Service, str]) -> Iterator[httpx.Client]:
    """Give a client of the admin routes; all faults are lifted in the end."""
    with httpx.Client(base_url=f"{sidecar[1]}/admin", timeout=5) as client:
        yield client
        client.delete("/faults")


def _listed(admin: httpx.Client, kind: str) -> dict[str, Any]:
    (shown,) = [each for each in admin.get("/faults").json()["faults"] if each["kind"] == kind]
    found: dict[str, Any] = shown
    return found


def test_each_kind_is_listed_whether_set_or_not(admin: httpx.Client) -> None:
    """So that the list says what there is."""
    listed = admin.get("/faults").json()
    assert [each["kind"] for each in listed["faults"]] == list(KINDS)
    assert listed["streams"] == []
    assert not any(each["active"] for each in listed["faults"])


def test_a_fault_is_shown_as_it_was_set_until_it_is_lifted(admin: httpx.Client) -> None:
    """With its attributes, the time, and what it has struck."""
    before_ms = time.time_ns() // 1_000_000
    answer = admin.post("/faults/slow_store", json={"latency_ms": 20, "duration_s": 60})
    assert answer.status_code == 200
    shown = _listed(admin, "slow_store")
    assert shown == answer.json()
    assert shown["attributes"] == {
        "latency_ms": 20.0,
        "jitter_ms": 0,
        "operations": "all",
        "duration_s": 60.0,
    }
    assert shown["active"]
    assert shown["set_unix_ms"] >= before_ms
    assert shown["lifts_unix_ms"] == shown["set_unix_ms"] + 60_000
    assert admin.delete("/faults/slow_store").json() == {"lifted": 1}
    assert admin.delete("/faults/slow_store").json() == {"lifted": 0}
    assert not _listed(admin, "slow_store")["active"]


def test_a_fault_lifts_itself_after_its_duration(admin: httpx.Client) -> None:
    """And not before."""
    began = time.monotonic()
    admin.post("/faults/stall_app_stream", json={"duration_s": 0.3})
    until(lambda: not _listed(admin, "stall_app_stream")["active"])
    assert time.monotonic() - began >= 0.3


def test_a_fault_takes_the_place_of_the_one_of_its_kind(admin: httpx.Client) -> None:
    """The earlier one's duration is gone with it."""
    admin.post("/faults/stall_app_stream", json={"duration_s": 0.2})
    admin.post("/faults/stall_app_stream", json={})
    time.sleep(0.3)
    assert _listed(admin, "stall_app_stream")["active"]
    assert admin.delete("/faults").json() == {"lifted": 1}


def test_setting_and_lifting_are_logged(admin: httpx.Client, sidecar: tuple[Service, str]) -> None:
    """One line each, with the attributes, the hits and the reason."""
    admin.post("/faults/failing_store", json={"next": 7, "operations": "reads"})
    admin.delete("/faults/failing_store")
    log = sidecar[0].log.read_text()
    (was_set,) = [each for each in log.splitlines() if '"next": 7' in each]
    assert '"event": "fault set"' in was_set
    (lifted,) = [
        each
        for each in log.splitlines()
        if '"fault": "failing_store"' in each and '"event": "fault lifted"' in each
    ]
    assert '"reason": "lifted by hand"' in lifted


def test_every_bad_attribute_is_named_at_once(admin: httpx.Client) -> None:
    """Out of bounds, of another type, or unknown; and nothing is set."""
    body = {"latency_ms": 60_001, "jitter_ms": "x", "operations": "some", "late": 1}
    refused = admin.post("/faults/slow_store", json=body)
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert error["code"] == "invalid_fault"
    for name in body:
        assert f"{name}: " in error["message"]
    assert not _listed(admin, "slow_store")["active"]


@pytest.mark.parametrize(
    ("kind", "attributes", "problem"),
    [
        ("failing_store", {}, "give either share or next"),
        ("failing_store", {"share": 0.5, "next": 1}, "give either share or next"),
        ("failing_store", {"share": 0}, "share: Input should be greater than 0"),
        ("slow_store", {"latency_ms": 1, "jitter_ms": 2}, "jitter_ms must not be above latency_ms"),
        ("forget", {"duration_s": 1}, "duration_s: Input should be None"),
        ("drop_app_stream", {"stream": 1, "duration_s": 1}, "give either stream or duration_s"),
        ("cut_scheduler_stream", {"duration_s": 0}, "duration_s: Input should be greater than 0"),
        ("stall_app_stream", [], "Input should be a valid dictionary"),
    ],
)
def test_bad_attributes_are_refused(
    admin: httpx.Client, kind: str, attributes: object, problem: str
) -> None:
    """With the words that mend them."""
    refused = admin.post(f"/faults/{kind}", json=attributes)
    assert refused.status_code == 422
    assert problem in refused.json()["error"]["message"]


def test_an_unknown_kind_is_refused_with_those_that_there_are(admin: httpx.Client) -> None:
    """Set or lifted."""
    for refused in (admin.post("/faults/storm", json={}), admin.delete("/faults/storm")):
        assert refused.status_code == 404
        message = refused.json()["error"]["message"]
        assert message == f"no fault 'storm'; there are: {', '.join(KINDS)}"


def test_a_body_that_is_no_json_is_refused(admin: httpx.Client) -> None:
    """Whatever it says it is."""
    for headers, content, problem in (
        ({"content-type": "application/json"}, "{", "no JSON"),
        ({"content-type": "application/json"}, "[" * 9_000, "nested too deeply"),
        ({"content-type": "text/plain"}, "{}", "only with content-type: application/json"),
        ({"content-type": "application/json"}, " " * 20_000, "more than 10000 bytes"),
    ):
        refused = admin.post("/faults/forget", headers=headers, content=content)
        assert refused.status_code == 422
        assert problem in refused.json()["error"]["message"]


def test_admin_routes_are_for_this_machine_alone(
    admin: httpx.Client, sidecar: tuple[Service, str]
) -> None:
    """403 for the machine's own address on a network, for other names and for other sites."""
    refusals = [
        admin.post("/faults/forget", headers={"origin": "http://evil.example"}),
        admin.get("/faults", headers={"host": "evil.example"}),
    ]
    own = _own_address()
    if own is not None:
        port = sidecar[1].rpartition(":")[2]
        refusals.append(httpx.get(f"http://{own}:{port}/admin/faults", timeout=5))
    for each in refusals:
        assert each.status_code == 403
        assert each.json()["error"]["code"] == "local_only"


def _own_address() -> str | None:
    """Return an address of this machine that is not loopback; None where it has none."""
    addresses = {each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None)}
    found = [str(each) for each in addresses if not str(each).startswith(("127.", "::1", "fe80"))]
    return found[0] if found else None
