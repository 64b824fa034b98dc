"""Laws of keys over two gateways on one store."""

from pathlib import Path

import pytest
import redis

from budget.access.keys import KeyKind, new_key
from budget.store.keys import KEYS, KeyBook
from budget.store.link import RedisLink
from tests.budget.access.keyed import ADMIN_KEY, Keys, bearer, call, code_of
from tests.budget.conftest import StartGateway
from tests.budget.gateways import RunningGateway, wait_until
from tests.support.services import redis_server

Pair = tuple[RunningGateway, RunningGateway]


def test_a_key_made_on_one_gateway_opens_the_other_at_once(pair: Pair) -> None:
    """And revoked on one, it is refused by both with the next call."""
    first, second = (gateway.for_another_test() for gateway in pair)
    for maker, other in ((first, second), (second, first)):
        made = Keys(maker).make()
        assert call(other, made["key"]).status_code == 200
        assert call(maker, made["key"]).status_code == 200
        assert Keys(other).revoke(made).status_code == 200
        for gateway in (maker, other):
            answer = call(gateway, made["key"])
            assert (answer.status_code, code_of(answer)) == (401, "invalid_api_key")


def test_an_admin_key_made_on_one_gateway_works_on_the_other(pair: Pair) -> None:
    """Until it is revoked there."""
    made = Keys(pair[0]).ask("POST", "/keys", json={"kind": "admin", "name": "ops"}).json()
    other = Keys(pair[1], made["key"])
    assert other.ask("GET", "/budgets").status_code == 200
    assert Keys(pair[0]).revoke(made).status_code == 200
    assert other.ask("GET", "/budgets").status_code == 401


def test_the_list_shows_what_a_key_is_for_and_never_the_key(pair: Pair) -> None:
    """Also after it was revoked, and at every gateway."""
    made = Keys(pair[0]).make(name="worker", apps=["web"], models=["gpt-4"])
    listed = Keys(pair[1]).ask("GET", "/keys")
    assert made["key"] not in listed.text
    (found,) = [each for each in listed.json()["keys"] if each["id"] == made["id"]]
    assert found == {name: value for name, value in made.items() if name != "key"}
    assert (found["name"], found["apps"], found["models"]) == ("worker", ["web"], ["gpt-4"])
    assert made["key"].startswith(found["prefix"])
    Keys(pair[1]).revoke(made)
    after = Keys(pair[0]).ask("GET", "/keys").json()
    assert made["id"] not in {each["id"] for each in after["keys"]}
    (gone,) = [each for each in after["revoked"] if each["id"] == made["id"]]
    assert gone["revoked_unix_ms"] >= made["created_unix_ms"]


def test_the_store_holds_no_key(pair: Pair) -> None:
    """Whoever reads Redis, or its file, can't call."""
    made = Keys(pair[0]).make()
    with redis.Redis.from_url(pair[0].env["BUDGET_REDIS_URL"]) as client:
        kept = client.hget(KEYS, made["id"])
    assert isinstance(kept, bytes)
    assert made["key"].rpartition("_")[2].encode() not in kept


def test_without_the_store_no_key_opens_anything(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """503 for keys in the store; the key of the settings still shows what is known."""
    with redis_server(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as (
        service,
        port,
    ):
        gateway = start_gateway(f"redis://127.0.0.1:{port}/0", BUDGET_ADMIN_KEY=ADMIN_KEY)
        made, admin = Keys(gateway).make(), Keys(gateway).make(kind="admin", tenant=None)
        assert call(gateway, made["key"]).status_code == 200
        service.kill()
        answer = call(gateway, made["key"])
        assert (answer.status_code, code_of(answer)) == (503, "budget_store_unavailable")
        assert Keys(gateway, admin["key"]).ask("GET", "/decisions").status_code == 503
        assert Keys(gateway).ask("GET", "/decisions").status_code == 200
        assert gateway.http.get(f"{gateway.url}/healthz").status_code == 200


async def test_a_full_store_revokes(tmp_path: Path) -> None:
    """What stops a spender must not wait for memory."""
    with redis_server(tmp_path) as (_, port), redis.Redis(port=port) as client:
        link = RedisLink(f"redis://127.0.0.1:{port}/0")
        link.start()
        book = KeyBook(link)
        key, record = new_key(KeyKind.DATA, 1, tenant="acme")
        await book.add(record)
        client.config_set("maxmemory", "1")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("more", "1")
        assert await book.revoke(record.id) == record
        assert await book.find(record.id) is None
        assert await book.revoke(record.id) is None
        await link.close()
    assert record.is_of(key.encode())


def test_an_expired_key_is_refused(keys: Keys, keyed: RunningGateway) -> None:
    """A key can't be made so that it has expired; from its time on it is refused."""
    answer = keys.ask("POST", "/keys", json={"tenant": "acme", "expires_unix_ms": 1})
    assert (answer.status_code, code_of(answer)) == (422, "invalid_body")
    made = keys.make(expires_unix_ms=2**53)
    assert call(keyed, made["key"]).status_code == 200
    with redis.Redis.from_url(keyed.env["BUDGET_REDIS_URL"], decode_responses=True) as client:
        kept = client.hget(KEYS, made["id"])
        assert isinstance(kept, str)
        client.hset(KEYS, made["id"], kept.replace(str(2**53), "1"))
    answer = call(keyed, made["key"])
    assert (answer.status_code, code_of(answer)) == (401, "invalid_api_key")
    assert "expired" in answer.text


def test_a_key_that_is_not_there_can_not_be_revoked(keys: Keys) -> None:
    """Whatever its id looks like."""
    for key_id in ("0123456789ab", "%2e%2e", "a%2Fb", "%00"):
        answer = keys.ask("DELETE", f"/keys/{key_id}")
        assert (answer.status_code, code_of(answer)) == (404, "unknown_key")


@pytest.mark.parametrize(
    "order",
    [
        {"tenant": None},
        {"tenant": "unknown"},
        {"tenant": ""},
        {"tenant": "a b"},
        {"tenant": "a:b"},
        {"tenant": "x" * 65},
        {"kind": "admin"},
        {"kind": "root"},
        {"models": [""]},
        {"models": "gpt-4"},
        {"name": "x" * 257},
        {"regions": ["eu"]},
    ],
)
def test_an_order_that_makes_no_sense_makes_no_key(keys: Keys, order: dict[str, object]) -> None:
    """A tenant is a plain name, and an unknown restriction is not dropped."""
    answer = keys.ask("POST", "/keys", json={"tenant": "acme", **order})
    assert (answer.status_code, code_of(answer)) == (422, "invalid_body")


def test_a_loopback_gateway_is_open_until_there_is_a_key(start_gateway: StartGateway) -> None:
    """The first key is an admin key; from then on every gateway asks, and never stops."""
    first = start_gateway(BUDGET_CAP_USD="1")
    second = start_gateway(BUDGET_CAP_USD="1")
    assert first.chat().status_code == second.chat().status_code == 200
    answer = first.http.post(f"{first.url}/keys", json={"tenant": "acme"})
    assert (answer.status_code, code_of(answer)) == (409, "admin_key_first")
    admin = first.http.post(f"{first.url}/keys", json={"kind": "admin"}).json()
    assert first.chat().status_code == 401
    assert first.http.get(f"{first.url}/budgets").status_code == 401
    wait_until(lambda: second.chat().status_code == 401, "the other one asks too")
    keys = Keys(first, admin["key"])
    assert call(second, keys.make()["key"]).status_code == 200
    assert keys.revoke(admin).status_code == 200
    with redis.Redis.from_url(first.env["BUDGET_REDIS_URL"]) as client:
        client.delete(KEYS)
    assert first.chat().status_code == second.chat().status_code == 401
    assert first.http.get(f"{first.url}/keys", headers=bearer(admin["key"])).status_code == 401
