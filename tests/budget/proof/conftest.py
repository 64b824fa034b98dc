"""Fixtures of the proofs: a fleet of a test's own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest_asyncio

from tests.budget.proof.fleet import Fleet, services

StartFleet = Callable[..., Awaitable[Fleet]]


@pytest_asyncio.fixture
async def start_fleet(tmp_path: Path, redis_url: str) -> AsyncIterator[StartFleet]:
    """Start a fleet on an empty database; it ends with the test.

    Settings of the fake LLM and of the gateways are given as their environment variables. A
    gateway that closed for any reason but a starved Redis fails the test.
    """
    fleets: list[Fleet] = []
    async with AsyncExitStack() as stack:

        async def start(**settings: str) -> Fleet:
            provider, gateways, logs = stack.enter_context(services(tmp_path, redis_url, settings))
            connector = aiohttp.TCPConnector(limit=0)
            timeout = aiohttp.ClientTimeout(total=30)
            session = aiohttp.ClientSession(connector=connector, timeout=timeout)
            await stack.enter_async_context(session)
            fleets.append(Fleet(gateways, provider, session, logs))
            return fleets[-1]

        yield start
        for fleet in fleets:
            fleet.assert_only_starved()
