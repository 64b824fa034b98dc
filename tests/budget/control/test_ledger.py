"""Laws of the ledger's routes."""

import json

from tests.budget.gateways import RunningGateway


def test_an_export_has_every_entry_and_says_where_it_ended(rich_gateway: RunningGateway) -> None:
    """It goes on where the last one ended; a cut one lacks the last line."""
    gateway = rich_gateway.for_another_test()
    gateway.chat()
    begin = gateway.http.get(f"{gateway.url}/ledger/export")
    assert begin.headers["content-type"].startswith("application/x-ndjson")
    *lines, last = map(json.loads, begin.text.splitlines())
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert last["export"] == {
        "after": 0,
        "next": len(lines),
        "entries": len(lines),
        "dropped": 0,
    }
    assert lines[-2:] == gateway.get(f"/ledger?after={len(lines) - 2}")["entries"]
    gateway.chat()
    more = gateway.http.get(f"{gateway.url}/ledger/export?after={len(lines)}").text.splitlines()
    assert [json.loads(line)["event"] for line in more[:-1]] == ["reserve", "settle"]
    assert json.loads(more[-1])["export"]["next"] == len(lines) + 2


def test_a_reservation_tells_whose_it_is(rich_gateway: RunningGateway) -> None:
    """Tenant, workflow, model and scopes; the entries that follow refer to it by its id."""
    gateway = rich_gateway.for_another_test()
    request = gateway.request()
    request["headers"] |= {"X-Workflow-Name": "agent%20one"}
    gateway.http.post(**request)
    page = gateway.get(f"/ledger?limit=1000&instance={gateway.instance}")
    reserve, settle = page["entries"]
    assert (reserve["tenant"], reserve["workflow"]) == ("unknown", "agent one")
    assert (reserve["model"], reserve["app"]) == ("gpt-4", gateway.app)
    assert f"instance:lifetime:{gateway.instance}" in reserve["scopes"]
    assert reserve["expires_unix_ms"] > reserve["at_unix_ms"]
    assert (reserve["state"], settle["state"]) == ("DISPATCHED", None)
    assert settle["scopes"] is None
    assert settle["reservation_id"] == reserve["reservation_id"]


def test_filters_page_to_the_end(rich_gateway: RunningGateway) -> None:
    """Whatever the pages' size, nothing of an instance is missed and nothing else is there."""
    gateway = rich_gateway.for_another_test()
    for _ in range(3):
        gateway.chat()
        gateway.chat(instance="another")
    found, cursor = [], 0
    path = f"/ledger?limit=2&instance={gateway.instance}&event=settle"
    while True:
        page = gateway.get(f"{path}&after={cursor}")
        found += page["entries"]
        if page["next"] == cursor:
            break
        cursor = page["next"]
    assert [(e["event"], e["instance"]) for e in found] == [("settle", gateway.instance)] * 3
    assert len({entry["seq"] for entry in found}) == 3
    answer = gateway.http.get(f"{gateway.url}/ledger?event=nothing")
    assert answer.json()["error"]["code"] == "invalid_query"


def test_the_gateway_verifies_its_ledger(rich_gateway: RunningGateway) -> None:
    """For every scope that the ledger names."""
    gateway = rich_gateway.for_another_test()
    gateway.chat()
    found = gateway.get("/ledger/verify")
    assert (found["exact"], found["complete"]) == (True, True)
    assert (found["scopes_differing"], found["differences"], found["advice"]) == (0, [], None)
    assert found["scopes_compared"] >= 7
