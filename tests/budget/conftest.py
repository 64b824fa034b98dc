"""Fixtures of the gateway's tests: a durable store, a provider, gateways."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from budget.store.link import RedisLink
from budget.store.store import Store
from tests.budget.gateways import Provider, RunningGateway, gateway
from tests.support.ports import free_port
from tests.support.services import redis_server, running, wait_until_http

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")

StartGateway = Callable[..., RunningGateway]


@pytest.fixture(scope="session")
def durable_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give a server that keeps what it acknowledges."""
    directory = tmp_path_factory.mktemp("redis")
    with redis_server(directory, *DURABLE, "--databases", "1000") as (_, port):
        yield port


@pytest.fixture(scope="session")
def databases() -> Iterator[int]:
    """Number the databases, so that no two tests share one."""
    return count()


@pytest.fixture
def redis_url(durable_port: int, databases: Iterator[int]) -> str:
    """Give an empty database of a durable server."""
    return f"redis://127.0.0.1:{durable_port}/{next(databases)}"


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Give a provider that keeps a ledger of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.budget.provider", str(port)]
    with running("provider", command, tmp_path_factory.mktemp("provider")) as service:
        wait_until_http(service, f"http://127.0.0.1:{port}/v1/models")
        yield Provider(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def rich_gateway(
    tmp_path_factory: pytest.TempPathFactory,
    durable_port: int,
    databases: Iterator[int],
    provider: Provider,
) -> Iterator[RunningGateway]:
    """Give a gateway with more money than its tests spend, and short timeouts."""
    with gateway(
        tmp_path_factory.mktemp("gateway"),
        f"redis://127.0.0.1:{durable_port}/{next(databases)}",
        provider,
        BUDGET_CAP_USD="1000",
        BUDGET_UPSTREAM_TIMEOUT_S="1",
        BUDGET_HOLD_MARGIN_S="0.5",
    ) as running_gateway:
        yield running_gateway


@pytest.fixture
def start_gateway(tmp_path: Path, redis_url: str, provider: Provider) -> Iterator[StartGateway]:
    """Start gateways on one database; they end with the test."""
    with ExitStack() as stack:

        def start(url: str = redis_url, **settings: str) -> RunningGateway:
            running_gateway: AbstractContextManager[RunningGateway] = gateway(
                tmp_path, url, provider, **settings
            )
            return stack.enter_context(running_gateway)

        yield start


@pytest_asyncio.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    """Give a link to an empty database."""
    connection = RedisLink(redis_url)
    connection.start()
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def store(link: RedisLink) -> Store:
    """Give an open store on an empty database."""
    opened = Store(link)
    await opened.load()
    await opened.open()
    return opened
