"""Laws of the routes that show instances."""

from urllib.parse import quote

from tests.budget.gateways import CALL_NANO_USD, RunningGateway

WHO = {"reason": "loops", "actor": "ann"}


def test_an_instance_tells_what_its_whole_tree_spent(rich_gateway: RunningGateway) -> None:
    """Its own calls, and those of all that have it as their root."""
    gateway = rich_gateway.for_another_test()
    gateway.chat()
    request = gateway.request(instance=f"{gateway.instance}.001")
    request["headers"] |= {"X-Workflow-Root": gateway.instance}
    gateway.http.post(**request)
    found = gateway.get(f"/instances/{gateway.instance}")
    assert (found["spent"]["nano_usd"], found["calls"]) == (CALL_NANO_USD, 1)
    assert (found["tree"]["spent"]["nano_usd"], found["tree"]["calls"]) == (2 * CALL_NANO_USD, 2)
    child = gateway.get(f"/instances/{gateway.instance}.001")
    assert (child["tree"]["calls"], child["calls"]) == (0, 1)
    children = gateway.get(f"/instances/{gateway.instance}/children")
    assert children["children"] == [f"{gateway.instance}.001"]


def test_instances_are_listed_by_their_last_call(rich_gateway: RunningGateway) -> None:
    """Paged, with their state; hostile names are text like any other."""
    gateway = rich_gateway.for_another_test()
    hostile = f'<img src=x onerror="alert(1)">{gateway.instance}'
    gateway.chat()
    gateway.chat(instance=quote(hostile, safe=""))
    first = gateway.get("/instances?limit=1")
    (newest,) = first["instances"]
    assert (newest["instance"], newest["state"], newest["calls"]) == (hostile, "live", 1)
    (second,) = gateway.get(f"/instances?limit=1&after={first['next']}")["instances"]
    assert second["instance"] == gateway.instance


def test_killed_instances_are_found_though_they_never_called(
    rich_gateway: RunningGateway,
) -> None:
    """In every page together, once each; those that are live are in none."""
    gateway = rich_gateway.for_another_test()
    gateway.chat()
    never = f"never-{gateway.instance}"
    gateway.http.post(f"{gateway.url}/kill", json={"scope": "instance", "id": never, **WHO})

    def found(state: str) -> list[str]:
        names = list[str]()
        after: int | None = 0
        while after is not None:
            page = gateway.get(f"/instances?state={state}&limit=50&after={after}")
            assert {row["state"] for row in page["instances"]} <= {state}
            names += [row["instance"] for row in page["instances"]]
            after = page["next"]
        return names

    assert found("killed").count(never) == 1
    assert gateway.instance not in found("killed")
    assert gateway.instance in found("live")
    assert never not in found("live")
    assert found("zombie") == []
    gateway.http.post(f"{gateway.url}/resume", json={"scope": "instance", "id": never, **WHO})
    assert never not in found("killed")


def test_a_cursor_out_of_bounds_is_the_askers_mistake(rich_gateway: RunningGateway) -> None:
    """It is told so, and not that the store is away; one past the end leads to an empty page."""
    url = f"{rich_gateway.url}/instances"
    for state in ({}, {"state": "killed"}):
        beyond = rich_gateway.http.get(url, params={"after": 2**64, **state})
        assert (beyond.status_code, beyond.json()["error"]["code"]) == (422, "invalid_query")
    last = rich_gateway.http.get(url, params={"after": 2**64 - 1})
    assert (last.status_code, last.json()["instances"]) == (200, [])
