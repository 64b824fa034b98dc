"""Laws of who may make calls, and of what the provider learns of it."""

from secrets import token_hex
from typing import Any

import anthropic
import openai
import pytest
import redis

from budget.scopes import Scope, ScopeKind
from tests.budget.access.keyed import ADMIN_KEY, Keys, bearer, call, code_of, send_raw, status_of
from tests.budget.conftest import StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway


def received(gateway: RunningGateway) -> list[dict[str, Any]]:
    """Return the headers of each call that the provider carried out, names in lower case."""
    calls = gateway.provider.ledger(gateway.app)["calls"]
    return [{name.lower(): value for name, value in c["headers"].items()} for c in calls]


def test_no_key_no_call(keyed: RunningGateway) -> None:
    """401 in the provider's shape, with the scheme to use; nothing is held or sent."""
    for path in ("/v1/chat/completions", "/v1/models"):
        method = "GET" if path.endswith("models") else "POST"
        answer = keyed.http.request(method, f"{keyed.url}{path}")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json()["error"].keys() >= {"message", "type", "code", "param"}
        assert code_of(answer) == "missing_api_key"
    for key in ("sk-proj-1", "rwy_data_0123456789ab_" + "0" * 64, "x" * 20_000, "-"):
        assert call(keyed, key).status_code == 401
    assert received(keyed) == []


def test_the_public_part_of_a_key_opens_nothing(keyed: RunningGateway, keys: Keys) -> None:
    """Not even with all of the secret but its last digit."""
    data, admin = keys.make()["key"], keys.make(kind="admin", tenant=None)["key"]
    assert call(keyed, data).status_code == 200
    assert Keys(keyed, admin).ask("GET", "/keys").status_code == 200
    for key in (data, admin):
        prefix, _, secret = key.rpartition("_")
        last = "0" if secret[-1] != "0" else "1"
        for other in (secret[:-1] + last, "0" * 64, secret[:-1], secret.upper(), ""):
            assert call(keyed, f"{prefix}_{other}").status_code == 401
            assert Keys(keyed, f"{prefix}_{other}").ask("GET", "/keys").status_code == 401
    swapped = f"{data.rpartition('_')[0]}_{admin.rpartition('_')[2]}"
    assert call(keyed, swapped).status_code == 401


def test_a_request_is_refused_before_its_body_is_read(keyed: RunningGateway) -> None:
    """Whoever shows no key can't make the gateway read and hold megabytes."""
    answer = send_raw(
        keyed, "POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Length: 4000000"
    )
    assert status_of(answer) == 401


def test_an_admin_key_makes_no_calls(keyed: RunningGateway, keys: Keys) -> None:
    """It belongs to no tenant: neither that of the settings nor one of the store."""
    for key in (ADMIN_KEY, keys.make(kind="admin", tenant=None)["key"]):
        answer = call(keyed, key)
        assert (answer.status_code, code_of(answer)) == (403, "scope_forbidden")


def test_the_providers_key_is_not_the_callers(keyed: RunningGateway, keys: Keys) -> None:
    """Nothing of what the caller shows leaves for the provider; its other headers do."""
    key = keys.make()["key"]
    shown = {"x-api-key": key, "api-key": "sk-1", "x-goog-api-key": "sk-2", "x-mine": "kept"}
    assert call(keyed, key, shown).status_code == 200
    (headers,) = received(keyed)
    assert headers["x-mine"] == "kept"
    assert not {"authorization", "x-api-key", "api-key", "x-goog-api-key"} & headers.keys()
    assert key not in str(headers)


def test_without_keys_the_callers_credential_is_the_providers(
    start_gateway: StartGateway,
) -> None:
    """The gateway has none of its own then."""
    gateway = start_gateway(BUDGET_AUTH="none")
    assert call(gateway, "sk-mine").status_code == 200
    (headers,) = received(gateway)
    assert headers["authorization"] == "Bearer sk-mine"


def test_the_sdks_show_the_key_where_it_is_looked_for(keyed: RunningGateway, keys: Keys) -> None:
    """In `Authorization`, in `x-api-key`, or in both; the refusal is an error of theirs."""
    key = keys.make()["key"]
    with openai.OpenAI(api_key=key, base_url=f"{keyed.url}/v1") as client:
        assert client.models.list().data == []
    with (
        openai.OpenAI(api_key="sk-1", base_url=f"{keyed.url}/v1") as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.models.list()
    assert caught.value.code == "invalid_api_key"
    with anthropic.Anthropic(api_key=key, base_url=keyed.url) as other:
        assert list(other.models.list()) == []
    assert keyed.http.get(f"{keyed.url}/v1/models", headers={"x-api-key": key}).status_code == 200


def test_each_providers_client_understands_the_refusal(keyed: RunningGateway, keys: Keys) -> None:
    """No key that is known, and one that is bound to another model: errors of Anthropic's SDK."""
    key = keys.make(models=["gpt-4"])["key"]
    request: dict[str, Any] = {
        "model": "claude-opus-5",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "hi"}],
    }
    with anthropic.Anthropic(api_key="sk-ant-1", base_url=keyed.url) as client:
        with pytest.raises(anthropic.AuthenticationError) as unknown:
            client.messages.create(**request)
        with pytest.raises(anthropic.PermissionDeniedError) as bound:
            client.with_options(api_key=key).messages.create(**request)
    for caught, kind in ((unknown, "authentication_error"), (bound, "permission_error")):
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["type"] == "error"
        assert caught.value.body["error"]["type"] == kind


def test_routes_that_cost_nothing_ask_for_a_key_too(keyed: RunningGateway, keys: Keys) -> None:
    """They are made with the provider's key."""
    key = keys.make()["key"]
    free = (
        ("GET", "/v1/models"),
        ("GET", "/v1/models/gpt-4"),
        ("POST", "/v1/messages/count_tokens"),
    )
    for method, path in free:
        url = f"{keyed.url}{path}"
        assert keyed.http.request(method, url).status_code == 401
        answer = keyed.http.request(method, url, headers=bearer(key), json={})
        assert answer.status_code not in {401, 403}


def test_the_tenant_is_the_keys(keyed: RunningGateway, keys: Keys) -> None:
    """A header can repeat it and not change it."""
    key = keys.make(tenant="acme")["key"]
    assert call(keyed, key, {"X-Budget-Tenant": "acme"}).status_code == 200
    for other in ("umbrella", "ACME", "acme,umbrella", "acme%20"):
        answer = call(keyed, key, {"X-Budget-Tenant": other})
        assert (answer.status_code, code_of(answer)) == (403, "scope_forbidden")
    twice = send_raw(
        keyed,
        "POST /v1/chat/completions HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {key}",
        "X-Budget-Tenant: acme",
        "X-Budget-Tenant: umbrella",
        "Content-Length: 2",
        body=b"{}",
    )
    assert status_of(twice) == 403


def test_a_call_is_counted_as_its_keys_tenants(keyed: RunningGateway, keys: Keys) -> None:
    """Whichever of the tenant's keys it showed, and nobody else's."""
    ours, theirs = token_hex(4), token_hex(4)
    first, second = keys.make(tenant=ours), keys.make(tenant=ours)
    other = keys.make(tenant=theirs)
    for made in (first, second, other):
        assert call(keyed, made["key"]).status_code == 200
    with redis.Redis.from_url(keyed.env["BUDGET_REDIS_URL"], decode_responses=True) as client:
        spent = [
            client.hget(Scope(ScopeKind.TENANT, tenant).key, "spent") for tenant in (ours, theirs)
        ]
    assert spent == [str(2 * CALL_NANO_USD), str(CALL_NANO_USD)]


def test_where_nobody_has_a_key_nobody_has_a_tenant(start_gateway: StartGateway) -> None:
    """A header that names one would be believed by who reads it."""
    gateway = start_gateway(BUDGET_AUTH="none")
    answer = call(gateway, None, {"X-Budget-Tenant": "acme"})
    assert (answer.status_code, code_of(answer)) == (403, "scope_forbidden")
    assert call(gateway, None, {"X-Budget-Tenant": "unknown"}).status_code == 200


@pytest.mark.parametrize(
    ("binding", "header"),
    [("apps", "X-Workflow-App"), ("workflows", "X-Workflow-Name")],
)
def test_a_key_is_good_for_what_it_is_bound_to(
    keyed: RunningGateway, keys: Keys, binding: str, header: str
) -> None:
    """A call that names something else is refused; with one possible meaning it may name none."""
    one, two = token_hex(4), token_hex(4)
    key = keys.make(**{binding: [one]})["key"]
    for named in (one, ""):
        assert call(keyed, key, {header: named}).status_code == 200
    for named in (two, f"{one} x", f"{one},{two}"):
        answer = call(keyed, key, {header: named})
        assert (answer.status_code, code_of(answer)) == (403, "scope_forbidden")
    both = keys.make(**{binding: [one, two]})["key"]
    assert call(keyed, both, {header: two}).status_code == 200
    assert call(keyed, both, {header: ""}).status_code == 403


def test_what_a_call_leaves_out_is_what_its_key_means(keyed: RunningGateway, keys: Keys) -> None:
    """The provider, and the ledger, are told the app that the key is bound to."""
    name = token_hex(8)
    assert call(keyed, keys.make(apps=[name])["key"], {"X-Workflow-App": ""}).status_code == 200
    (found,) = keyed.provider.ledger(name)["calls"]
    assert found["headers"]["X-Workflow-App"] == name


def test_a_key_is_good_for_its_models_only(keyed: RunningGateway, keys: Keys) -> None:
    """As the request names them."""
    key = keys.make(models=["gpt-4o", "gpt-4"])["key"]
    assert call(keyed, key).status_code == 200
    answer = call(keyed, key, model="gpt-4o-mini")
    assert (answer.status_code, code_of(answer)) == (403, "scope_forbidden")
    assert len(received(keyed)) == 1


def test_a_stored_answer_is_not_repeated_to_another_key(keyed: RunningGateway, keys: Keys) -> None:
    """Not even to one of the same tenant: it may be bound otherwise."""
    first, second = keys.make()["key"], keys.make()["key"]
    again = {"Idempotency-Key": token_hex(8)}
    for key, is_replay in ((first, False), (first, True), (second, False), (second, True)):
        answer = call(keyed, key, again)
        assert answer.status_code == 200
        assert ("x-budget-replay" in answer.headers) is is_replay
    assert len(received(keyed)) == 2


@pytest.mark.parametrize(
    "lines",
    [
        ("Authorization: Bearer {key}", "Authorization: Bearer {key}"),
        ("Authorization: Bearer {key}", "authorization: Bearer sk-1"),
        ("Authorization: Bearer sk-1", "AUTHORIZATION: Bearer {key}"),
        ("Authorization: Bearer {key}, Bearer sk-1",),
        ("Authorization: Bearer {key} {key}",),
        ("Authorization: Bearer {key}", "X-Api-Key: sk-1"),
        ("Authorization: Bearer\t{key}",),
        ("Authorization: Bearer {key}\xa0",),
        ("Authorization: Bearer {key}\xff",),
        ("Authorization:", " Bearer {key}"),
        ("Authorization: Bearer {key}\0",),
        ("Authorization\0: Bearer {key}",),
        ("Authorization : Bearer {key}",),
        ("X-Authorization: Bearer {key}",),
        ("Cookie: authorization=Bearer {key}",),
        ("Transfer-Encoding: chunked", "Trailer: Authorization"),
    ],
)
def test_a_doubtful_credential_is_refused(
    keyed: RunningGateway, keys: Keys, lines: tuple[str, ...]
) -> None:
    """401, or 400 where it is no HTTP; never a guess."""
    key = keys.make()["key"]
    is_chunked = lines[0].startswith("Transfer")
    body = f"0\r\nAuthorization: Bearer {key}\r\n\r\n".encode() if is_chunked else b""
    answer = send_raw(
        keyed,
        "GET /v1/models HTTP/1.1",
        "Host: localhost",
        *(line.replace("{key}", key) for line in lines),
        body=body,
    )
    assert status_of(answer) in {400, 401}


def test_the_names_of_headers_have_no_case(keyed: RunningGateway, keys: Keys) -> None:
    """Nor has that of the scheme."""
    key = keys.make()["key"]
    for line in (
        f"AUTHORIZATION: bearer {key}",
        f"aUTHORIZATION:BEARER  {key} ",
        f"X-API-KEY:{key}",
    ):
        answer = send_raw(keyed, "GET /v1/models HTTP/1.1", "Host: localhost", line)
        assert status_of(answer) == 200


def test_a_trailer_is_no_header(keyed: RunningGateway, keys: Keys) -> None:
    """What comes after a body was not there when the headers were checked."""
    key, instance = keys.make()["key"], token_hex(8)
    body = b'{"model": "gpt-4", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}'
    answer = send_raw(
        keyed,
        "POST /v1/chat/completions HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {key}",
        f"X-Workflow-App: {instance}",
        "Transfer-Encoding: chunked",
        body=b"%x\r\n%s\r\n0\r\nX-Late: 1\r\n\r\n" % (len(body), body),
    )
    assert status_of(answer) == 200
    (found,) = keyed.provider.ledger(instance)["calls"]
    assert "x-late" not in {name.lower() for name in found["headers"]}


def test_a_web_page_can_not_spend_an_open_gateways_money(start_gateway: StartGateway) -> None:
    """Neither from its own origin nor from one that it made resolve here."""
    gateway = start_gateway(BUDGET_AUTH="none")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ):
        assert call(gateway, None, headers).status_code == 403
    assert received(gateway) == []
    assert call(gateway, None).status_code == 200


def test_a_refusal_is_not_worth_a_retry(keyed: RunningGateway) -> None:
    """The SDK makes one request."""
    seen: list[object] = []
    with (
        openai.DefaultHttpxClient(event_hooks={"request": [seen.append]}) as http,
        openai.OpenAI(
            api_key="sk-1", base_url=f"{keyed.url}/v1", max_retries=2, http_client=http
        ) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
    assert len(seen) == 1


def test_a_key_is_not_in_the_log(keyed: RunningGateway, keys: Keys) -> None:
    """Neither one that opens nor one that does not."""
    key = keys.make()["key"]
    call(keyed, key)
    keyed.http.get(f"{keyed.url}/nowhere", headers=bearer(key))
    log = keyed.service.log.read_text()
    assert key not in log
    assert ADMIN_KEY not in log
