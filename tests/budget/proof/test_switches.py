"""Laws of what an operator says to one gateway: it is in force on the other with the next call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.budget.proof.conftest import StartFleet
from tests.budget.proof.fleet import Fleet, assert_books_agree

CALLERS = 16
ORDER = {"reason": "runaway", "actor": "operator"}


@asynccontextmanager
async def busy(fleet: Fleet, gateway: int) -> AsyncIterator[None]:
    """Let callers call one gateway all the time."""
    is_over = asyncio.Event()

    async def keep_calling() -> None:
        while not is_over.is_set():
            await fleet.call(gateway)

    callers = [asyncio.create_task(keep_calling()) for _ in range(CALLERS)]
    try:
        yield
    finally:
        is_over.set()
        await asyncio.gather(*callers)


async def next_calls(fleet: Fleet, gateway: int) -> set[str]:
    """Return what calls get that begin now, amid the others."""
    answers = await asyncio.gather(*(fleet.call(gateway) for _ in range(CALLERS)))
    return {answer.kind for answer in answers}


async def test_a_kill_on_one_gateway_is_in_force_on_the_other_with_the_next_call(
    start_fleet: StartFleet,
) -> None:
    """While callers hammer B, A kills: no call that begins after A's answer is let through."""
    fleet = await start_fleet(BUDGET_CAP_USD="1000")
    async with busy(fleet, 1):
        for _ in range(10):
            assert await next_calls(fleet, 1) == {"200"}
            await fleet.post(0, "/kill", {"scope": "global", **ORDER})
            assert await next_calls(fleet, 1) == {"402 budget_killed"}
            await fleet.post(0, "/resume", {"scope": "global", **ORDER})
    await assert_books_agree(fleet)


async def test_a_kill_of_one_instance_stops_no_other(start_fleet: StartFleet) -> None:
    """The other gateway refuses that instance at once, and nobody else."""
    fleet = await start_fleet(BUDGET_CAP_USD="1000")
    await fleet.post(0, "/kill", {"scope": "instance", "id": "i-7", **ORDER})
    killed, alive = [await fleet.call(1, {"X-Workflow-Instance": name}) for name in ("i-7", "i-8")]
    assert (killed.kind, alive.kind) == ("402 budget_killed", "200")
    assert [call["instance"] for call in await fleet.served()] == ["i-8"]
