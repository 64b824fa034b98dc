"""Laws of what is told of those who are not let in."""

import json
import re
from collections import Counter

from budget.access.denials import ROUND_S
from tests.budget.access.keyed import Keys, bearer, call
from tests.budget.gateways import RunningGateway

COUNTED = re.compile(
    r'^budget_decisions_total\{code="(\w+)",decision="deny",scope_kind="none"\} (\d+)', re.MULTILINE
)
FLOOD = 50


def counts(gateway: RunningGateway) -> Counter[str]:
    """Return how often each code was answered for want of a key or a right."""
    text = gateway.http.get(f"{gateway.url}/metrics").text
    return Counter({code: int(times) for code, times in COUNTED.findall(text)})


def test_every_401_and_403_is_counted_by_its_code(keyed: RunningGateway, keys: Keys) -> None:
    """Of calls, of free routes and of the control API; the label is never what a caller sent."""
    bound = keys.make(models=["some-model"])["key"]
    before = counts(keyed)
    assert call(keyed, None).status_code == 401
    assert call(keyed, f"rwy_data_{'0' * 12}_{'0' * 64}").status_code == 401
    assert call(keyed, bound).status_code == 403
    assert keyed.http.get(f"{keyed.url}/v1/models").status_code == 401
    assert keyed.http.get(f"{keyed.url}/budgets").status_code == 401
    assert keyed.http.get(f"{keyed.url}/budgets", headers=bearer(bound)).status_code == 403
    found = counts(keyed) - before
    assert found == {"missing_api_key": 3, "invalid_api_key": 1, "scope_forbidden": 2}


def test_a_flood_fills_neither_the_feed_nor_the_log(keyed: RunningGateway, keys: Keys) -> None:
    """Whoever has no key pushes nothing out, and no key material is told."""
    secret = keys.make()["key"] + "0"
    newest = keys.ask("GET", "/decisions?limit=1000").json()["next"]
    lines_before = len(keyed.service.log.read_text().splitlines())
    before = counts(keyed)
    for _ in range(FLOOD):
        assert call(keyed, secret).status_code == 401
    assert (counts(keyed) - before)["invalid_api_key"] == FLOOD
    assert keys.ask("GET", "/decisions?limit=1000").json()["next"] == newest
    text = keyed.service.log.read_text()
    told = [line for line in text.splitlines()[lines_before:] if "access_denied" in line]
    assert len(told) <= 1 + FLOOD // ROUND_S
    assert secret[:20] not in text
    assert any("access_denied" in line for line in text.splitlines())
    assert all("event" in json.loads(line) for line in told)
