"""How often an activity is executed whose job comes more than once."""

import asyncio

from sidecar.engine.in_flight import InFlight


class _Activity:
    """Counts its executions; each waits until it is told how it ends."""

    def __init__(self) -> None:
        self.began = 0
        self._ends: asyncio.Queue[bool] = asyncio.Queue()

    async def execute(self) -> bool:
        self.began += 1
        return await self._ends.get()

    def end(self, *, success: bool) -> None:
        self._ends.put_nowait(success)


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_job_that_comes_again_joins_its_execution() -> None:
    """One execution, whose outcome is that of both, well or not."""
    for success in (True, False):
        in_flight, activity = InFlight(joined=True), _Activity()
        both = asyncio.gather(*(in_flight.run("a", "x", activity.execute) for _ in range(2)))
        await _settle()
        assert activity.began == 1
        activity.end(success=success)
        assert await both == [success, success]


async def test_a_success_is_known_for_a_minute() -> None:
    """A job whose answer was lost is answered without another execution; a failed one is not."""
    now_s = 0.0
    in_flight, activity = InFlight(joined=True, now_s=lambda: now_s), _Activity()
    for success, began in ((False, 1), (True, 2), (True, 2)):
        activity.end(success=success)
        assert await in_flight.run("a", "x", activity.execute) is success
        assert activity.began == began
    now_s = 61.0
    await in_flight.run("a", "x", activity.execute)
    assert activity.began == 3


async def test_a_success_without_an_execution_id_is_not_kept() -> None:
    """An app that sends none has each of its executions carried out."""
    in_flight, activity = InFlight(joined=True), _Activity()
    for began in (1, 2):
        activity.end(success=True)
        assert await in_flight.run("a", "", activity.execute)
        assert activity.began == began


async def test_another_execution_of_the_same_task_is_not_joined() -> None:
    """A new run of an instance has the actor's id, and an execution id of its own."""
    in_flight, activity = InFlight(joined=True), _Activity()
    both = asyncio.gather(*(in_flight.run("a", each, activity.execute) for each in "xy"))
    await _settle()
    assert activity.began == 2
    for _ in "xy":
        activity.end(success=True)
    await both


async def test_on_older_versions_one_execution_follows_the_other() -> None:
    """Never two at once, and none is left out."""
    in_flight, activity = InFlight(joined=False), _Activity()
    both = asyncio.gather(*(in_flight.run("a", "x", activity.execute) for _ in range(2)))
    await _settle()
    assert activity.began == 1
    activity.end(success=True)
    await _settle()
    assert activity.began == 2
    activity.end(success=False)
    assert sorted(await both) == [False, True]


async def test_a_success_that_is_forgotten_is_executed_again() -> None:
    """Nobody took its result, so the job that comes next is for another one."""
    in_flight, activity = InFlight(joined=True), _Activity()
    for began in (1, 2):
        activity.end(success=True)
        assert await in_flight.run("a", "x", activity.execute)
        assert activity.began == began
        in_flight.forget("a", "x")
