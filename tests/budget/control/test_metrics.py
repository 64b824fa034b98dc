"""Laws of the metrics, read as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway


def samples(gateway: RunningGateway) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample by its name and labels."""
    text = gateway.http.get(f"{gateway.url}/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_the_store_counts_is_exact_and_apart(start_gateway: StartGateway) -> None:
    """Spent, held and the limits, with no instance in a label."""
    gateway = start_gateway(BUDGET_CAP_USD="1")
    for rule in (
        {"scope": "instance", "match": "each", "usd": "0.25", "actor": "a"},
        {"scope": "instance", "value": gateway.instance, "usd": "0.5", "actor": "a"},
        {"scope": "global", "window": "day", "nano_usd": 9 * 10**15, "actor": "a"},
    ):
        gateway.http.put(f"{gateway.url}/limits", json=rule)
    gateway.chat()
    gateway.chat(model="no-such-model")
    found = samples(gateway)
    every = (("scope_kind", "global"),)
    assert found["budget_spend_nano_usd_total", every] == CALL_NANO_USD
    assert found["budget_reserved_nano_usd", every] == 0
    limits = {
        tuple(dict(labels).values()): value
        for (name, labels), value in found.items()
        if name == "budget_limit_nano_usd"
    }
    assert limits == {
        ("global", "lifetime"): 10**9,
        ("global", "day"): 9 * 10**15,
        ("instance", "lifetime"): 25 * 10**7,
    }
    decided = {
        tuple(dict(labels)[key] for key in ("decision", "code", "scope_kind")): value
        for (name, labels), value in found.items()
        if name == "budget_decisions_total"
    }
    assert decided == {
        ("allow", "", "global"): 1,
        ("deny", "unpriced_model", "global"): 1,
    }
    assert found["budget_trips_total", (("kind", "limit"),)] == 3
    assert found["budget_store_up", ()] == 1
    assert found["budget_overshoot_nano_usd", ()] == 0
    assert found["budget_decision_seconds_count", ()] == 1
    assert not any(gateway.instance in str(labels) for _, labels in found)
