"""Laws of what an operator says to one gateway: it is in force on the other with the next call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.budget.proof.conftest import StartFleet
from tests.budget.proof.fleet import CALL_NANO_USD, Fleet, assert_books_agree

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
    """Return what calls get that begin now, amid the others; a starved gateway may answer 503."""
    stories = await asyncio.gather(*(fleet.persist(gateway) for _ in range(CALLERS)))
    return {answer.kind for story in stories for answer in story if answer.status != 503}


async def test_a_kill_on_one_gateway_is_in_force_on_the_other_with_the_next_call(
    start_fleet: StartFleet,
) -> None:
    """While callers hammer B, A kills: no call that begins after A's answer is let through."""
    fleet = await start_fleet(BUDGET_CAP_USD="1000")
    async with busy(fleet, 1):
        for _ in range(5):
            assert await next_calls(fleet, 1) == {"200"}
            await fleet.send("POST", 0, "/kill", {"scope": "global", **ORDER})
            assert await next_calls(fleet, 1) == {"402 budget_killed"}
            await fleet.send("POST", 0, "/resume", {"scope": "global", **ORDER})
    await assert_books_agree(fleet)


async def test_a_kill_of_one_instance_stops_no_other(start_fleet: StartFleet) -> None:
    """The other gateway refuses that instance at once, and nobody else."""
    fleet = await start_fleet(BUDGET_CAP_USD="1000")
    await fleet.send("POST", 0, "/kill", {"scope": "instance", "id": "i-7", **ORDER})
    killed, alive = [await fleet.call(1, {"X-Workflow-Instance": name}) for name in ("i-7", "i-8")]
    assert (killed.kind, alive.kind) == ("402 budget_killed", "200")
    assert [call["instance"] for call in await fleet.served()] == ["i-8"]


async def limit(fleet: Fleet, dimes: int) -> None:
    """Tell the first gateway how many calls there may be in all."""
    amount = {"nano_usd": dimes * CALL_NANO_USD, "actor": "operator"}
    await fleet.send("PUT", 0, "/limits", {"scope": "global", **amount})


async def test_a_limit_edited_on_one_gateway_is_in_force_on_both_with_the_next_call(
    start_fleet: StartFleet,
) -> None:
    """While callers hammer both, an edit to nothing lets no later call through, and back again."""
    fleet = await start_fleet(BUDGET_CAP_USD="1000")
    async with busy(fleet, 0), busy(fleet, 1):
        for _ in range(5):
            for gateway in (0, 1):
                assert await next_calls(fleet, gateway) == {"200"}
            await limit(fleet, 0)
            for gateway in (0, 1):
                assert await next_calls(fleet, gateway) == {"402 request_exceeds_budget"}
            await limit(fleet, 10_000)
    await assert_books_agree(fleet)


async def test_what_was_spent_counts_under_a_limit_that_is_lowered_below_it(
    start_fleet: StartFleet,
) -> None:
    """An edit clears no usage: after $0.50 a limit of $0.40 refuses, one of $0.60 lets one pass."""
    fleet = await start_fleet(BUDGET_CAP_USD="1000")
    await fleet.calls(of=range(5))
    answers = []
    for dimes in (4, 5, 6):
        await limit(fleet, dimes)
        answers += [(await fleet.call(number)).kind for number in (1, 0)]
    assert answers == ["402 budget_exceeded"] * 4 + ["200", "402 budget_exceeded"]
    assert await assert_books_agree(fleet) == 6 * CALL_NANO_USD
