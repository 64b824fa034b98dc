"""Laws of gateways that die at each step of a call, and of a Redis that dies under load."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.budget.conftest import StartGateway
from tests.budget.gateways import RunningGateway, until, wait_until
from tests.budget.recovery.ledgers import (
    Past,
    start,
    start_closed,
    sum_of_providers,
)
from tests.budget.test_keeper import load
from tests.support.services import Service

CLIENTS = 8
RESERVATION_BYTES = 600
"""More than a keeper's commands have, less than a reservation."""
SHORT = {
    "BUDGET_CAP_USD": "1000",
    "BUDGET_UPSTREAM_TIMEOUT_S": "0.6",
    "BUDGET_HOLD_MARGIN_S": "0.4",
}
Step = Callable[[RunningGateway, Past, Service, httpx.AsyncClient], AsyncIterator[None]]


async def before_the_reservation(
    gateway: RunningGateway, past: Past, _server: Service, _client: httpx.AsyncClient
) -> AsyncIterator[None]:
    """Its request is not whole yet."""
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{"
        )
        gateway.chat()
        yield
    assert past.client.ping()


async def before_the_answer_of_the_reservation(
    gateway: RunningGateway, past: Past, server: Service, client: httpx.AsyncClient
) -> AsyncIterator[None]:
    """Redis carries out what it was sent after the gateway is gone: no journal has that."""
    server.process.send_signal(signal.SIGSTOP)
    call = asyncio.create_task(client.post(**gateway.request()))
    await until(lambda: unread(past.port), "it was sent")
    yield
    server.process.send_signal(signal.SIGCONT)
    await asyncio.gather(call, return_exceptions=True)
    await until(lambda: past.seq() > 2, "it was carried out")


async def while_the_provider_answers(
    gateway: RunningGateway, past: Past, _server: Service, client: httpx.AsyncClient
) -> AsyncIterator[None]:
    """The call is upstream."""
    call = asyncio.create_task(client.post(**gateway.request(user="wait:0.5")))
    await until(lambda: len(gateway.provider.ledger(gateway.app)["calls"]) == 2, "it is upstream")
    yield
    await asyncio.gather(call, return_exceptions=True)
    assert past.client.ping()


async def in_the_middle_of_a_stream(
    gateway: RunningGateway, past: Past, _server: Service, client: httpx.AsyncClient
) -> AsyncIterator[None]:
    """Some of the answer has passed."""
    request = gateway.request(stream=True, user="pace:0.2;chunks:20", max_tokens=20)
    stream = client.stream("POST", **request)
    pieces = (await stream.__aenter__()).aiter_bytes()
    await anext(pieces)
    yield
    with pytest.raises(httpx.TransportError):
        [_ async for _ in pieces]
    assert past.client.ping()


async def before_the_settlement(
    gateway: RunningGateway, past: Past, server: Service, client: httpx.AsyncClient
) -> AsyncIterator[None]:
    """The provider has answered; Redis has not heard of it."""
    call = asyncio.create_task(client.post(**gateway.request(user="wait:0.3")))
    await until(lambda: len(gateway.provider.ledger(gateway.app)["calls"]) == 2, "it is upstream")
    server.process.send_signal(signal.SIGSTOP)
    await call
    yield
    server.process.send_signal(signal.SIGCONT)
    assert past.client.ping()


def unread(port: int) -> bool:
    """Whether a server was sent a reservation that it has not read."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(
        local.endswith(f":{port:04X}") and int(queues.partition(":")[2], 16) > RESERVATION_BYTES
        for _, local, _, _, queues, *_ in lines
    )


@pytest.mark.parametrize(
    "step",
    [
        before_the_reservation,
        before_the_answer_of_the_reservation,
        while_the_provider_answers,
        in_the_middle_of_a_stream,
        before_the_settlement,
    ],
)
async def test_a_gateway_that_is_killed_leaves_no_money_uncounted(
    start_gateway: StartGateway, past: Past, tmp_path: Path, step: Step
) -> None:
    """At least what the provider charged is spent, after a rollback to before the call too."""
    with past.running() as server:
        gateway = start(start_gateway, past, tmp_path / "j", **SHORT)
        past.remember()
        assert gateway.chat().status_code == 200
        async with httpx.AsyncClient(timeout=20) as client, at(step, gateway, past, server, client):
            await asyncio.to_thread(gateway.service.kill)
        with start_closed(gateway, tmp_path):
            await until(gateway.is_ready, "it opens")
            await until(lambda: all_counted(gateway), "every call is closed")
            await until(
                lambda: gateway.get("/recovery")["journal"]["complete_upto"] == past.seq(),
                "the journal is complete",
            )
            before = past.money()
            server.kill()
            await until(lambda: not gateway.is_ready(), "it is closed")
            past.roll_back()
            with past.running():
                await until(gateway.is_ready, "it opens")
                assert past.money() == before
                assert all_counted(gateway)


@asynccontextmanager
async def at(
    step: Step, gateway: RunningGateway, past: Past, server: Service, client: httpx.AsyncClient
) -> AsyncIterator[None]:
    """Be at a step of a call."""
    steps = step(gateway, past, server, client)
    await anext(steps)
    yield
    async for _ in steps:
        raise AssertionError("a step is reached once")


def all_counted(gateway: RunningGateway) -> bool:
    """Whether nothing is held, and the provider charged no more than the gateway counts."""
    total = gateway.total()
    charged = gateway.provider.ledger(gateway.app)["nano_usd"]
    return bool(total["reserved"]["nano_usd"] == 0 and total["spent"]["nano_usd"] >= charged > 0)


async def test_a_redis_that_dies_and_forgets_under_load_loses_no_reservation(
    start_gateway: StartGateway, past: Past, tmp_path: Path
) -> None:
    """It comes back with an older past; what was spent is exactly what the provider charged."""
    with past.running() as server:
        gateways = [
            start(start_gateway, past, tmp_path / f"j{n}", BUDGET_CAP_USD="1000") for n in range(2)
        ]
        stop, statuses = asyncio.Event(), list[int]()
        clients = [
            asyncio.create_task(load(gateway, stop, statuses))
            for gateway in gateways
            for _ in range(CLIENTS)
        ]
        await until(lambda: statuses.count(200) >= 5 * CLIENTS, "calls pass")
        past.remember()
        passed = statuses.count(200)
        await until(lambda: statuses.count(200) >= passed + 20 * CLIENTS, "calls pass")
        server.kill()
        await until(lambda: statuses.count(503) >= CLIENTS, "calls are refused")
    past.roll_back()
    with past.running():
        passed = statuses.count(200)
        await until(lambda: statuses.count(200) >= passed + 5 * CLIENTS, "calls pass again")
        stop.set()
        await asyncio.gather(*clients)
        wait_until(lambda: gateways[0].total()["reserved"]["nano_usd"] == 0, "all are closed")
        assert set(statuses) == {200, 503}
        assert gateways[0].total()["spent"]["nano_usd"] == sum_of_providers(gateways)
