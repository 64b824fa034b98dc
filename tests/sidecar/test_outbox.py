"""How items that wait to be sent are put together."""

import asyncio

from sidecar.outbox import Outbox


async def test_what_has_come_goes_together_in_its_order() -> None:
    """A batch holds what was put before it was taken; nothing is lost or taken twice."""
    outbox: Outbox[int] = Outbox()
    for each in range(1000):
        outbox.put(each)
    taken: list[int] = []
    while len(taken) < 1000:
        batch = await outbox.take()
        assert 0 < len(batch) <= 256
        taken += batch
    assert taken == list(range(1000))


async def test_a_message_is_closed_once_it_is_large() -> None:
    """Items share a message up to a mebibyte; a larger one has its own."""
    outbox: Outbox[str] = Outbox()
    for name, size_bytes in (("a", 600_000), ("b", 400_000), ("c", 100_000), ("d", 9_000_000)):
        outbox.put(name, size_bytes)
    assert [await outbox.take() for _ in range(3)] == [["a", "b"], ["c"], ["d"]]


async def test_the_end_comes_after_all_items() -> None:
    """A closed outbox gives what it holds, then nothing."""
    outbox: Outbox[int] = Outbox()
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.put(1)
    outbox.close()
    assert await waiting == [1]
    assert await outbox.take() == []


async def test_all_is_sent_when_each_taken_item_was() -> None:
    """Waiting for all to be sent ends with the last item that is in hand."""
    outbox: Outbox[int] = Outbox()
    await outbox.all_sent()
    outbox.put(1)
    outbox.put(2)
    waiting = asyncio.create_task(outbox.all_sent())
    outbox.sent(len(await outbox.take()) - 1)
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.sent(1)
    await asyncio.wait_for(waiting, 5)
