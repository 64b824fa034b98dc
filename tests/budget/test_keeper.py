"""Laws of a gateway whose store, or which itself, dies and comes back."""

import asyncio
import signal
from pathlib import Path

import httpx
import redis

from budget.calls.renewals import Renewals
from budget.closing import Closer, End
from budget.gate import Gate
from budget.keeper import Keeper
from budget.metrics import Metrics
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.money import NanoUsd
from tests.budget.builders import reservation
from tests.budget.conftest import DURABLE, StartGateway
from tests.budget.gateways import CALL_NANO_USD, RunningGateway, until, usd, wait_until
from tests.support.ports import free_port
from tests.support.services import python_service, redis_server

CLIENTS = 20


async def load(gateway: RunningGateway, stop: asyncio.Event, statuses: list[int]) -> None:
    """Call without a pause until told to stop."""
    async with httpx.AsyncClient(timeout=10) as client:
        while not stop.is_set():
            answer = await client.post(**gateway.request())
            statuses.append(answer.status_code)
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                assert answer.headers["x-should-retry"] == "false"
                assert answer.headers["retry-after"] == "5"
                assert answer.json()["error"]["code"] == "budget_store_unavailable"
                await asyncio.sleep(0.05)


async def test_without_its_store_a_gateway_is_closed_and_recovers_by_itself(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """Redis dies under load: 503s, no call passes. It returns: calls pass, nothing is lost."""
    port = free_port()
    with redis_server(tmp_path, *DURABLE, port=port) as (server, _):
        gateway = start_gateway(f"redis://127.0.0.1:{port}/0", BUDGET_CAP_USD="1000")
        stop, statuses = asyncio.Event(), list[int]()
        clients = [asyncio.create_task(load(gateway, stop, statuses)) for _ in range(CLIENTS)]
        await until(lambda: statuses.count(200) >= 3 * CLIENTS, "calls pass")
        server.kill()
        await until(lambda: 503 in statuses, "calls are refused")
        await until(lambda: gateway.chat().status_code == 503, "the gateway is closed")
        served = len(gateway.provider.ledger(gateway.app)["calls"])
        assert not gateway.is_ready()
        refusals = statuses.count(503)
        await until(lambda: statuses.count(503) >= refusals + 3 * CLIENTS, "it stays closed")
        assert len(gateway.provider.ledger(gateway.app)["calls"]) == served

    with redis_server(tmp_path, *DURABLE, port=port):
        passed = statuses.count(200)
        await until(lambda: statuses.count(200) >= passed + 3 * CLIENTS, "calls pass again")
        stop.set()
        await asyncio.gather(*clients)
        wait_until(lambda: gateway.reserved() == 0, "every call is closed")
        assert set(statuses) == {200, 503}
        ledger = gateway.provider.ledger(gateway.app)
        assert gateway.spent() == ledger["nano_usd"] == len(ledger["calls"]) * CALL_NANO_USD


async def test_a_store_that_hangs_keeps_nobody_waiting(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """A stopped Redis is a dead one after a second; what it holds is given back when it wakes."""
    with redis_server(tmp_path, *DURABLE) as (server, port):
        gateway = start_gateway(f"redis://127.0.0.1:{port}/0", BUDGET_CAP_USD="1000")
        server.process.send_signal(signal.SIGSTOP)
        assert gateway.chat().status_code == 503
        server.process.send_signal(signal.SIGCONT)
        wait_until(gateway.is_ready, "the gateway opens again")
        wait_until(lambda: gateway.total()["reserved"]["nano_usd"] == 0, "the hold is given back")
        assert gateway.chat().status_code == 200
        wait_until(lambda: gateway.spent() == CALL_NANO_USD, "one call is charged")
        assert gateway.provider.ledger(gateway.app)["nano_usd"] == CALL_NANO_USD


def test_lost_functions_are_loaded_again_and_a_lost_ledger_is_not_accepted(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """Without our functions a store is closed for a moment; emptied, until somebody decides."""
    with redis_server(tmp_path, *DURABLE) as (_, port):
        client = redis.Redis(port=port)
        gateway = start_gateway(f"redis://127.0.0.1:{port}/0", BUDGET_CAP_USD="1000")
        client.function_flush()
        wait_until(lambda: gateway.chat().status_code == 200, "the functions are loaded again")
        client.flushall()
        client.close()
        assert [gateway.chat().status_code for _ in range(3)] == [503] * 3
        answer = gateway.http.get(f"{gateway.url}/readyz")
        assert answer.status_code == 503
        assert "restart the gateway" in answer.json()["reason"]


def wait_for_keepers(client: redis.Redis, gateways: int, command: str) -> None:
    """Wait until each of some idle gateways sent a command that its keeper repeats."""

    def looks() -> int:
        return int(client.info("commandstats")[f"cmdstat_{command}"]["calls"])

    seen = looks()
    wait_until(lambda: looks() > seen + 2 * gateways, "every keeper looked at the store")


def test_a_rolled_back_store_is_accepted_by_none_of_its_gateways(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """Room for ten calls lets ten through, though the store forgot nine of them."""
    with redis_server(tmp_path, *DURABLE) as (_, port):
        client = redis.Redis(port=port)
        url, cap = f"redis://127.0.0.1:{port}/0", usd(10 * CALL_NANO_USD)
        gateways = [start_gateway(url, BUDGET_CAP_USD=cap) for _ in range(2)]
        assert gateways[0].chat().status_code == 200
        snapshot = {key: client.dump(key) or b"" for key in client.scan_iter()}
        assert [gateways[1].chat().status_code for _ in range(9)] == [200] * 9
        wait_for_keepers(client, len(gateways), "fcall")
        rollback = client.pipeline(transaction=True)
        rollback.flushdb()
        for key, value in snapshot.items():
            rollback.restore(key, 0, value)
        rollback.execute()
        assert [gateway.chat().status_code for gateway in gateways] == [503] * 2
        client.hset("{budget}:meta", "seq", 1000)
        wait_for_keepers(client, len(gateways), "config|get")
        for gateway in gateways:
            assert gateway.chat().status_code == 503
            reason = gateway.http.get(f"{gateway.url}/readyz").json()["reason"]
            assert "rolled back" in reason
        client.close()
        made = [len(g.provider.ledger(g.app)["calls"]) for g in gateways]
        assert made == [1, 9]


async def test_a_full_store_still_closes_what_is_open(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """Without memory no call is let through, and those under way are settled all the same."""
    with redis_server(tmp_path, *DURABLE) as (_, port):
        client = redis.Redis(port=port)
        gateway = start_gateway(f"redis://127.0.0.1:{port}/0", BUDGET_CAP_USD="1")
        async with httpx.AsyncClient(timeout=20) as calls:
            slow = asyncio.create_task(calls.post(**gateway.request(user="wait:0.5")))
            await until(gateway.reserved, "the slow call holds money")
            client.config_set("maxmemory", 1)
            assert gateway.chat().status_code == 503
            assert (await slow).status_code == 200
        await until(lambda: gateway.reserved() == 0, "the call is closed")
        assert gateway.spent() == CALL_NANO_USD
        assert not gateway.is_ready()
        client.config_set("maxmemory", 0)
        client.close()
        await until(gateway.is_ready, "the gateway opens again")
        assert gateway.chat().status_code == 200


def test_a_killed_gateway_s_call_counts_as_spent(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """Between dispatch and settlement the money is held; the next gateway's keeper spends it."""
    settings = {
        "BUDGET_CAP_USD": "1000",
        "BUDGET_UPSTREAM_TIMEOUT_S": "0.5",
        "BUDGET_HOLD_MARGIN_S": "0.5",
    }
    gateway = start_gateway(**settings)

    async def die_during_a_call() -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            call = asyncio.create_task(client.post(**gateway.request(user="wait:0.4")))
            await until(
                lambda: gateway.provider.ledger(gateway.app)["calls"], "the call is carried out"
            )
            gateway.service.kill()
            await asyncio.gather(call, return_exceptions=True)

    asyncio.run(die_during_a_call())
    with python_service("budget", tmp_path, gateway.env, f"{gateway.url}/readyz"):
        wait_until(lambda: gateway.spent() == CALL_NANO_USD, "the hold expires as spent")
        assert gateway.reserved() == 0
        last = gateway.events()[-1]
        assert (last["event"], last["state"]) == ("expire", "EXPIRED_SPENT")
        assert gateway.spent() == gateway.provider.ledger(gateway.app)["nano_usd"]
        metrics = gateway.http.get(f"{gateway.url}/metrics").text
        assert 'budget_hold_expired_total{as="spent"} 1.0' in metrics


async def test_a_call_that_ends_during_the_last_step_of_a_check_is_settled(link: RedisLink) -> None:
    """What it cost is told before the gate opens, for afterwards nobody would."""
    held = reservation(10)
    gate = Gate(Metrics())

    class CallEnds(Store):
        async def open(self) -> bool:
            is_lost = await super().open()
            assert await closer.close(End(held.id, NanoUsd(7))) is None
            return is_lost

    beginning = Store(link)
    await beginning.load()
    await beginning.open()
    await beginning.reserve_and_dispatch(held)
    store = CallEnds(link)
    closer = Closer(store, gate, Metrics())
    renewals = Renewals(store, hold_ms=1000)
    keeper = Keeper(
        link, store, closer, renewals, gate, metrics=Metrics(), allow_unsafe=False, watch=None
    )
    await keeper.check()
    assert (gate.reason, closer.untold) == (None, 0)
    totals = (await Reading(link).total()).totals
    assert (totals.spent, totals.reserved) == (7, 0)
