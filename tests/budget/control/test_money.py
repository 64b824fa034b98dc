"""Laws of the control API's documents."""

from tests.budget.gateways import CALL_NANO_USD, RunningGateway


def test_decisions_name_the_caller_and_are_read_by_cursor(rich_gateway: RunningGateway) -> None:
    """Each call is in the feed once, with what it asked for."""
    gateway = rich_gateway.for_another_test()
    start = gateway.get("/decisions?after=9007199254740991")["next"]
    request = gateway.request()
    request["headers"] |= {
        "X-Workflow-Activity": "think",
        "X-Workflow-Task-Id": "3",
        "X-Workflow-Execution-Id": "e-1",
    }
    gateway.http.post(**request)
    gateway.chat(model="no-such-model")
    first = gateway.get(f"/decisions?after={start}&limit=1")
    (allowed,) = first["decisions"]
    (denied,) = gateway.get(f"/decisions?after={first['next']}")["decisions"]
    assert (allowed["seq"], denied["seq"]) == (start + 1, start + 2)
    assert first["dropped"] == 0
    assert allowed["decision"] == "allow"
    assert allowed["requested"]["nano_usd"] == CALL_NANO_USD
    assert allowed["instance"] == gateway.instance
    assert (allowed["activity"], allowed["task_id"], allowed["execution_id"]) == (
        *("think", "3", "e-1"),
    )
    assert allowed["reservation_id"] == gateway.events()[0]["reservation_id"]
    assert (denied["decision"], denied["code"]) == ("deny", "unpriced_model")


def test_the_ledger_is_read_by_cursor_and_sums_to_the_counters(
    rich_gateway: RunningGateway,
) -> None:
    """Page by page, nothing is missed, and the sums are what is spent and held."""
    gateway = rich_gateway.for_another_test()
    for _ in range(3):
        gateway.chat()
    spent, reserved, cursor, numbers = 0, 0, 0, list[int]()
    while (page := gateway.get(f"/ledger?after={cursor}&limit=7"))["entries"]:
        assert page["dropped"] == 0
        cursor = page["next"]
        for entry in page["entries"]:
            numbers.append(entry["seq"])
            if entry["instance"] == gateway.instance:
                spent += entry["spent_delta"]["nano_usd"]
                reserved += entry["reserved_delta"]["nano_usd"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (spent, reserved) == (3 * CALL_NANO_USD, 0)
    assert spent == gateway.spent()


def test_budgets_list_the_global_one_first_and_the_newest_instances(
    rich_gateway: RunningGateway,
) -> None:
    """Money is always the pair, and the list is bounded."""
    gateway = rich_gateway.for_another_test()
    gateway.chat()
    document = gateway.get("/budgets?limit=1")
    assert document["mode"] == "cap"
    total, newest = document["budgets"]
    assert (total["scope"], total["id"], total["window"]) == ("global", "", "lifetime")
    assert total["limit"] == {"usd": "1000.000000000", "nano_usd": 10**12}
    assert newest == {
        "scope": "instance",
        "id": gateway.instance,
        "window": "lifetime",
        "limit": None,
        "safety_limit": None,
        "spent": {"usd": "0.000960000", "nano_usd": CALL_NANO_USD},
        "reserved": {"usd": "0.000000000", "nano_usd": 0},
        "calls": 1,
        "refusals": 0,
        "cut_off_unix_ms": None,
        "remaining": None,
        "resets_at_unix_ms": None,
        "state": "live",
    }


def test_metrics_name_no_instance(rich_gateway: RunningGateway) -> None:
    """Labels are bounded; the names are those of the contract."""
    gateway = rich_gateway.for_another_test()
    gateway.chat()
    text = gateway.http.get(f"{gateway.url}/metrics").text
    assert gateway.instance not in text
    for name in (
        "budget_spend_nano_usd_total",
        "budget_reserved_nano_usd",
        "budget_limit_nano_usd",
        "budget_decisions_total",
        "budget_decision_seconds_bucket",
        "budget_hold_expired_total",
        "budget_overshoot_nano_usd",
        "budget_store_up 1.0",
    ):
        assert name in text


def test_the_documentation_shows_the_provider_s_routes(rich_gateway: RunningGateway) -> None:
    """What FastAPI does not serve is on its page all the same, once."""
    for _ in range(2):
        document = rich_gateway.get("/openapi.json")
    assert {"/v1/chat/completions", "/v1/models", "/budgets"} <= set(document["paths"])
    assert "ChatRequest" in document["components"]["schemas"]


def test_a_bad_cursor_is_named(rich_gateway: RunningGateway) -> None:
    """Errors have the one shape of the contract."""
    answer = rich_gateway.http.get(f"{rich_gateway.url}/ledger?after=-1")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_query"
    assert "query.after" in answer.json()["error"]["message"]
    assert rich_gateway.http.post(f"{rich_gateway.url}/budgets").status_code == 405
