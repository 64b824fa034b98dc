"""Laws of who may operate the gateway."""

import pytest

from tests.budget.access.keyed import (
    ADMIN_KEY,
    Keys,
    bearer,
    code_of,
    send_raw,
    status_of,
)
from tests.budget.conftest import StartGateway
from tests.budget.gateways import RunningGateway

READS = (
    *("/budgets", "/decisions", "/ledger", "/trips", "/keys", "/instances/i-1"),
    *("/docs", "/openapi.json"),
)
WRITES = (
    *(("POST", "/kill"), ("POST", "/resume"), ("POST", "/keys"), ("DELETE", "/keys/0123456789ab")),
    ("POST", "/instances/i-1/stop"),
)
RESUME = {"scope": "global", "reason": "over", "actor": "test"}


@pytest.mark.parametrize(
    ("method", "path"), [*(("GET", path) for path in READS), *WRITES, ("HEAD", "/budgets")]
)
def test_the_control_api_asks_for_an_admin_key(
    keyed: RunningGateway, keys: Keys, method: str, path: str
) -> None:
    """Without one 401 in JSON; with a data key 403; a body is not looked at before."""
    url = f"{keyed.url}{path}"
    answer = keyed.http.request(method, url, content=b"{")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/json"
    if method != "HEAD":
        assert code_of(answer) == "missing_api_key"
    data_key = keys.make()["key"]
    answer = keyed.http.request(method, url, content=b"{", headers=bearer(data_key))
    assert answer.status_code == 403
    answer = keyed.http.request(method, url, content=b"{", headers=bearer(ADMIN_KEY))
    assert answer.status_code not in {401, 403}


def test_health_and_metrics_ask_for_none(keyed: RunningGateway) -> None:
    """For reading; whoever watches a gateway need not be able to stop it."""
    for path in ("/healthz", "/readyz", "/metrics"):
        assert keyed.http.get(f"{keyed.url}{path}").status_code == 200
        assert keyed.http.post(f"{keyed.url}{path}").status_code == 401


def test_metrics_can_be_closed(start_gateway: StartGateway) -> None:
    """They tell what is spent."""
    gateway = start_gateway(BUDGET_ADMIN_KEY=ADMIN_KEY, BUDGET_METRICS_OPEN="false")
    assert gateway.http.get(f"{gateway.url}/metrics").status_code == 401
    answer = gateway.http.get(f"{gateway.url}/metrics", headers={"x-api-key": ADMIN_KEY})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/kill",
            "/%6bill",
            "/KILL",
            "//kill",
            "/kill/",
            "/./kill",
            "/kill;x",
            "/kill?x=/healthz",
        ),
        *("/healthz/../kill", "/healthz/%2e%2e/kill", "/healthz%2f..%2fkill", "/healthz/kill"),
        *("/kill%00", "/%00kill", "/kill%23/healthz", "/kill%3f/healthz", "/%2fkill", "/metrics/"),
        *("/instances/%2e%2e/kill", "/instances/../kill", "/instances/i-1%2fstop", "/keys/"),
        *(
            "/instances/i-1/stop",
            "/keys/../healthz",
            "http://localhost/kill",
            "/k\N{LATIN SMALL LETTER DOTLESS I}ll",
        ),
        *("/%c3%a9", "/%ff", "/%", "/%zz", "*"),
    ],
)
def test_no_spelling_of_a_path_leads_past_the_key(keyed: RunningGateway, target: str) -> None:
    """Refused, or not a route, or no HTTP; what asks for no key is spelt exactly."""
    for method in ("POST", "GET"):
        answer = send_raw(
            keyed,
            f"{method} ".encode() + target.encode() + b" HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            "Content-Length: 2",
            body=b"{}",
        )
        assert status_of(answer) in {400, 401, 404}


def test_http_1_0_and_odd_methods_lead_past_it_neither(keyed: RunningGateway) -> None:
    """The key is asked for whatever the method."""
    assert status_of(send_raw(keyed, "GET /budgets HTTP/1.0")) == 401
    for method in ("OPTIONS", "PUT", "PATCH", "TRACE", "PROPFIND"):
        answer = send_raw(keyed, f"{method} /kill HTTP/1.1", "Host: localhost")
        assert status_of(answer) == 401
    overridden = ("X-HTTP-Method-Override: GET", "Content-Length: 0")
    answer = send_raw(keyed, "POST /healthz HTTP/1.1", "Host: localhost", *overridden)
    assert status_of(answer) == 401


def test_a_web_page_of_another_site_can_not_operate(start_gateway: StartGateway) -> None:
    """A browser's simple request, a rebound name, and a preflight: all are refused."""
    gateway = start_gateway(BUDGET_AUTH="none")
    url, own = f"{gateway.url}/resume", gateway.url
    foreign = [
        {"Origin": "https://evil.example", "Content-Type": "text/plain"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example:8002"},
        {"Host": "evil.example:8002", "Origin": "http://evil.example:8002"},
    ]
    for headers in foreign:
        answer = gateway.http.post(url, json=RESUME, headers=headers)
        assert answer.status_code == 403
        assert code_of(answer) in {"origin_forbidden", "host_forbidden"}
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = gateway.http.options(url, headers=preflight)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert gateway.http.get(f"{own}/ledger", headers={"Host": "evil.example"}).status_code == 403
    for headers in ({}, {"Origin": own, "Sec-Fetch-Site": "same-origin"}):
        assert gateway.http.post(url, json=RESUME, headers=headers).status_code == 200


def test_a_key_in_a_page_does_not_make_it_the_gateways_own(keys: Keys) -> None:
    """Where keys are asked for, another site's page is refused all the same."""
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = keys.gateway.http.post(
            f"{keys.gateway.url}/resume", json=RESUME, headers=bearer(ADMIN_KEY) | headers
        )
        assert (answer.status_code, code_of(answer)) == (403, "origin_forbidden")


def test_a_gateway_answers_to_the_names_it_was_given(start_gateway: StartGateway) -> None:
    """Such as that of its service in a network of containers."""
    gateway = start_gateway(BUDGET_AUTH="none", BUDGET_ALLOWED_HOSTS="budget, gateway.example")
    for host, status in (("budget:8002", 200), ("GATEWAY.example", 200), ("other", 403)):
        answer = gateway.http.get(f"{gateway.url}/budgets", headers={"Host": host})
        assert answer.status_code == status
