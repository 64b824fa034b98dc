"""Laws of the control API's description of itself."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.budget.conftest import StartGateway
from tests.budget.gateways import RunningGateway

WHO = {"reason": "r", "actor": "ann"}
UNKNOWN_ID = "no-such-instance"
CALL = {"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
LIMIT = {"scope": "model", "value": "some-model", "actor": "ann"}

ASKED: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("get", "/budgets"): [{}, {"params": {"scope": "tenant", "window": "day"}}],
    ("get", "/budgets#bad"): [{"params": {"window": "year"}}],
    ("post", "/simulate"): [{"json": {"body": CALL}}, {"json": {"body": {}}}, {"json": {}}],
    ("get", "/decisions"): [{}, {"params": {"after": -1}}],
    ("get", "/ledger"): [{}, {"params": {"event": "settle"}}, {"params": {"limit": 0}}],
    ("get", "/ledger/verify"): [{}],
    ("get", "/limits"): [{}],
    ("put", "/limits"): [{"json": {**LIMIT, "usd": "1"}}, {"json": {}}],
    ("delete", "/limits"): [{"params": LIMIT}, {}],
    ("get", "/velocity"): [{}],
    ("put", "/velocity"): [{"json": {**LIMIT, "usd": "1"}}, {"json": {}}],
    ("delete", "/velocity"): [{"params": LIMIT}, {}],
    ("post", "/kill"): [{"json": {"scope": "instance", "id": "walked", **WHO}}, {"json": {}}],
    ("post", "/resume"): [{"json": {"scope": "instance", "id": "walked", **WHO}}, {"json": {}}],
    ("get", "/trips"): [{}, {"params": {"kind": "kill"}}, {"params": {"kind": "x"}}],
    ("get", "/instances"): [{}, {"params": {"state": "killed"}}, {"params": {"state": "x"}}],
    ("get", "/instances/{instance_id}"): [{}],
    ("get", "/instances/{instance_id}/children"): [{}, {"params": {"before": 0}}],
    ("post", "/instances/{instance_id}/stop"): [{"json": WHO}, {"json": {}}],
    ("post", "/keys"): [{"json": {"tenant": "acme"}}, {"json": {}}],
    ("get", "/keys"): [{}],
    ("delete", "/keys/{key_id}"): [{}],
    ("get", "/recovery"): [{}],
    ("post", "/recovery/confirm"): [{"json": WHO}, {"json": {}}],
    ("get", "/healthz"): [{}],
    ("get", "/readyz"): [{}],
}
NOT_JSON = {("get", "/"), ("get", "/metrics"), ("get", "/ledger/export"), ("get", "/events")}
OF_THE_PROVIDER = "/v1/"


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return every documented operation of the control API."""
    for path, methods in document["paths"].items():
        if not path.startswith(OF_THE_PROVIDER):
            yield from ((method, path) for method in methods)


def check(document: dict[str, Any], method: str, path: str, answer: httpx.Response) -> None:
    """Compare an answer with what is documented for its status."""
    described = document["paths"][path][method]["responses"]
    status = str(answer.status_code)
    assert status in described, f"{method} {path}: {status} is not documented"
    schema = described[status]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(answer.json())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_answer_is_what_is_documented(rich_gateway: RunningGateway) -> None:
    """All routes are walked, those that answer JSON with good and with bad requests."""
    gateway = rich_gateway.for_another_test()
    gateway.chat()
    gateway.http.post(f"{gateway.url}/kill", json={"scope": "instance", "id": "dead", **WHO})
    document = gateway.get("/openapi.json")
    walked = set()
    for (method, named), requests in ASKED.items():
        path = named.partition("#")[0]
        walked.add((method, path))
        for instance in (gateway.instance, UNKNOWN_ID) if "{" in path else ("",):
            url = gateway.url + path.replace("{instance_id}", instance).replace("{key_id}", "0")
            for request in requests:
                check(document, method, path, gateway.http.request(method, url, **request))
    assert set(operations(document)) == walked | NOT_JSON
    for method, path in operations(document):
        described = document["paths"][path][method]
        assert described["summary"], path
        assert described.get("description"), path


def test_schemas_take_nothing_that_is_not_documented(rich_gateway: RunningGateway) -> None:
    """So the walk would see a field that the documentation does not know."""
    schemas = rich_gateway.get("/openapi.json")["components"]["schemas"]
    own = [name for name in schemas if name.endswith("Document")]
    assert len(own) > 20
    assert [name for name in own if schemas[name].get("additionalProperties") is not False] == []


def test_every_operation_has_a_schema_for_each_of_its_answers(rich_gateway: RunningGateway) -> None:
    """Successes and errors, of the providers' routes too: errors are always an object of JSON."""
    document = rich_gateway.get("/openapi.json")
    bare = [
        f"{method} {path} {status}"
        for path, methods in document["paths"].items()
        for method, described in methods.items()
        for status, answer in described["responses"].items()
        if not (
            answer.get("content", {}).get("application/json", {}).get("schema")
            if int(status) >= 400
            else is_described(path, answer.get("content", {}))
        )
    ]
    assert bare == []
    for path, methods in document["paths"].items():
        if path not in {"/", "/healthz", "/readyz"}:
            assert all({"401", "403"} <= each["responses"].keys() for each in methods.values())


def is_described(path: str, content: dict[str, Any]) -> bool:
    """Whether a success has a schema, or at least its kind where it is no JSON."""
    if ("get", path) in NOT_JSON:
        return bool(content)
    return bool(content) and all(each.get("schema") for each in content.values())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_who_is_refused_gets_what_is_documented(start_gateway: StartGateway) -> None:
    """Keys are made, listed and revoked as documented; without one a call and a look are a 401."""
    gateway = start_gateway()
    document = gateway.get("/openapi.json")
    made = gateway.http.post(f"{gateway.url}/keys", json={"kind": "admin"})
    check(document, "post", "/keys", made)
    gateway.http.headers = {"Authorization": f"Bearer {made.json()['key']}"}
    data = gateway.http.post(f"{gateway.url}/keys", json={"tenant": "acme", "apps": ["a"]})
    check(document, "post", "/keys", data)
    revoked = gateway.http.delete(f"{gateway.url}/keys/{data.json()['id']}")
    check(document, "delete", "/keys/{key_id}", revoked)
    listed = gateway.http.get(f"{gateway.url}/keys")
    check(document, "get", "/keys", listed)
    assert (len(listed.json()["keys"]), len(listed.json()["revoked"])) == (1, 1)
    check(document, "post", "/v1/chat/completions", gateway.chat())
    gateway.http.headers = {}
    found = [gateway.chat(), gateway.http.get(f"{gateway.url}/keys")]
    assert [answer.status_code for answer in found] == [401, 401]
    check(document, "post", "/v1/chat/completions", found[0])
    check(document, "get", "/keys", found[1])
