"""How the watch for due jobs is cut and joined."""

import asyncio

from sidecar.faults.scheduler_link import SchedulerLink


class _Watch:
    """Counts how often it is begun; watches until it is cancelled."""

    def __init__(self) -> None:
        self.begun = 0

    async def run(self) -> None:
        self.begun += 1
        await asyncio.Event().wait()


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_link_that_is_cut_anew_stays_cut() -> None:
    """A cut that takes the place of another leaves no gap between them."""
    watch = _Watch()
    link = SchedulerLink(watch.run)
    running = asyncio.create_task(link.run())
    await _settle()
    assert link.cut()
    await _settle()
    link.join()
    assert not link.cut()
    await _settle()
    assert watch.begun == 1
    link.join()
    await _settle()
    assert watch.begun == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
