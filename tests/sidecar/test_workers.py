"""How work items find a worker and answers find their item."""

import asyncio

import pytest

from sidecar.errors import ExecutionAbortedError, ExecutionCancelledError
from sidecar.protos import service_pb2 as pb
from sidecar.worker import Worker
from sidecar.workers import Hold, Workers


def _activity(instance: str, task_id: int) -> pb.ActivityRequest:
    request = pb.ActivityRequest(name="act", taskId=task_id)
    request.workflowInstance.instanceId = instance
    return request


def _workers() -> Workers:
    return Workers(lambda: None)


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def _next(worker: Worker) -> pb.WorkItem:
    item = await asyncio.wait_for(worker.queue.get(), 5)
    assert item is not None
    return item


async def test_items_go_to_the_workers_in_turn() -> None:
    """Two workers get every other item."""
    workers = _workers()
    streams = [workers.connect(), workers.connect()]
    running = [asyncio.create_task(workers.run_activity(_activity("a", n))) for n in range(4)]
    got = [[(await _next(each)).activityRequest.taskId for _ in range(2)] for each in streams]
    assert sorted(map(sorted, got)) == [[0, 2], [1, 3]]
    workers.close()
    assert all(
        isinstance(each, ExecutionAbortedError)
        for each in await asyncio.gather(*running, return_exceptions=True)
    )


async def test_an_answer_is_matched_by_instance_and_task_alone() -> None:
    """Whoever sends it, and whichever execution it is of."""
    workers = _workers()
    workers.connect()
    running = asyncio.create_task(workers.run_activity(_activity("a", 1)))
    await asyncio.sleep(0)
    assert not workers.activity_done(pb.ActivityResponse(instanceId="a", taskId=2))
    assert not workers.activity_done(pb.ActivityResponse(instanceId="b", taskId=1))
    assert workers.activity_done(pb.ActivityResponse(instanceId="a", taskId=1))
    assert (await running).taskId == 1
    assert not workers.activity_done(pb.ActivityResponse(instanceId="a", taskId=1))


async def test_an_answer_goes_to_whoever_began_to_wait_last() -> None:
    """As in Dapr, whose newer execution takes the older's place; what is left goes to the older."""
    workers = _workers()
    workers.connect()
    older, newer = (asyncio.create_task(workers.run_activity(_activity("a", 1))) for _ in range(2))
    await asyncio.sleep(0)
    for result in ("new", "old"):
        response = pb.ActivityResponse(instanceId="a", taskId=1)
        response.result.value = result
        assert workers.activity_done(response)
    assert ((await newer).result.value, (await older).result.value) == ("new", "old")


async def test_a_worker_that_goes_fails_what_it_had_in_hand() -> None:
    """Only its own items fail; the other worker's are still waited for."""
    workers = _workers()
    first, second = workers.connect(), workers.connect()
    running = [
        asyncio.create_task(workers.run_turn(pb.WorkflowRequest(instanceId=i))) for i in "ab"
    ]
    await asyncio.sleep(0)
    lost = (await _next(first)).workflowRequest.instanceId
    kept = (await _next(second)).workflowRequest.instanceId
    workers.disconnect(first)
    with pytest.raises(ExecutionAbortedError):
        await running["ab".index(lost)]
    assert workers.turn_done(pb.WorkflowResponse(instanceId=kept))
    assert (await running["ab".index(kept)]).instanceId == kept


async def test_nobody_runs_anything_without_a_worker() -> None:
    """An item without a worker fails at once."""
    with pytest.raises(ExecutionAbortedError):
        await _workers().run_activity(_activity("a", 1))


async def test_presence_is_told_of_the_first_and_the_last_worker() -> None:
    """The second worker and its end change nothing."""
    told: list[int] = []
    workers = Workers(lambda: told.append(workers.connected))
    first, second = workers.connect(), workers.connect()
    workers.disconnect(first)
    workers.disconnect(first)
    workers.disconnect(second)
    assert told == [1, 0]


async def test_a_closed_sidecar_ends_each_stream() -> None:
    """Streams that were open end, and those that are opened later end at once."""
    workers = _workers()
    before = workers.connect()
    workers.close()
    assert [item async for item in before.items()] == []
    assert [item async for item in workers.connect().items()] == []


async def test_a_held_stream_keeps_its_items_in_their_order() -> None:
    """Nothing comes while it is held, all of it afterwards; what is held is counted."""
    workers, held = _workers(), list[int]()
    worker = workers.connect()
    workers.hold(Hold(number=None, answers=False, on_held=lambda: held.append(1)))
    running = [asyncio.create_task(workers.run_activity(_activity("a", n))) for n in range(3)]
    items = worker.items()
    first = asyncio.ensure_future(anext(items))
    await asyncio.wait([first], timeout=0.05)
    assert not first.done()
    assert len(held) == 3
    workers.release()
    got = [await first, *[await anext(items) for _ in range(2)]]
    assert [each.activityRequest.taskId for each in got] == [0, 1, 2]
    workers.close()
    await asyncio.gather(*running, return_exceptions=True)


async def test_one_stream_alone_can_be_held() -> None:
    """The other worker goes on, and so does one that connects later."""
    workers = _workers()
    first, second = workers.connect(), workers.connect()
    workers.hold(Hold(number=first.number, answers=False, on_held=lambda: None))
    assert (first.is_held, second.is_held, workers.connect().is_held) == (True, False, False)
    workers.hold(Hold(number=None, answers=False, on_held=lambda: None))
    assert (first.is_held, second.is_held, workers.connect().is_held) == (True, True, True)


async def test_a_held_stream_can_still_be_ended() -> None:
    """Its items fail, and it ends without one of them."""
    workers = _workers()
    worker = workers.connect()
    workers.hold(Hold(number=None, answers=False, on_held=lambda: None))
    running = asyncio.create_task(workers.run_activity(_activity("a", 1)))
    items = worker.items()
    first = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    workers.disconnect(worker)
    with pytest.raises(ExecutionAbortedError):
        await running
    with pytest.raises(StopAsyncIteration):
        await first


async def test_held_answers_wait() -> None:
    """They wait only where the hold says so, and until it is released."""
    workers = _workers()
    workers.hold(Hold(number=None, answers=False, on_held=lambda: None))
    await asyncio.wait_for(workers.answers_flow(), 1)
    workers.hold(Hold(number=None, answers=True, on_held=lambda: None))
    waiting = asyncio.ensure_future(workers.answers_flow())
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    workers.release()
    await asyncio.wait_for(waiting, 1)


async def test_a_hold_that_takes_the_place_of_another_lets_nothing_through() -> None:
    """Neither the item nor the answer that the earlier one held."""
    workers, held = _workers(), list[int]()
    worker = workers.connect()
    hold = Hold(number=None, answers=True, on_held=lambda: held.append(1))
    workers.hold(hold)
    running = asyncio.create_task(workers.run_activity(_activity("a", 1)))
    item = asyncio.ensure_future(anext(worker.items()))
    answer = asyncio.ensure_future(workers.answers_flow())
    await _settle()
    workers.hold(hold)
    await _settle()
    assert not item.done()
    assert not answer.done()
    assert len(held) == 3
    workers.release()
    assert (await item).activityRequest.taskId == 1
    await answer
    workers.close()
    await asyncio.gather(running, return_exceptions=True)


async def test_streams_that_are_kept_out_get_in_later() -> None:
    """They count as connected, and are told as present, only once they are admitted."""
    told: list[int] = []
    workers = Workers(lambda: told.append(workers.connected))
    workers.keep_out()
    kept, gone = workers.connect(), workers.connect()
    workers.disconnect(gone)
    assert (workers.connected, told) == (0, [])
    workers.admit()
    assert (workers.numbers, told) == ([kept.number], [1])


async def test_dropping_one_stream_leaves_the_others() -> None:
    """The number tells which; an unknown one drops none."""
    workers = _workers()
    first, second = workers.connect(), workers.connect()
    assert workers.drop(99) == 0
    assert workers.drop(first.number) == 1
    assert workers.numbers == [second.number]
    assert workers.drop(None) == 1


async def test_what_is_in_flight_can_be_given_up_for_one_instance() -> None:
    """Its work fails, the others' goes on."""
    workers = _workers()
    workers.connect()
    given_up, kept = (
        asyncio.create_task(workers.run_activity(_activity(each, 1))) for each in "ab"
    )
    await asyncio.sleep(0)
    assert workers.cancel("a", activities=False) == 0
    assert workers.cancel("a", activities=True) == 1
    with pytest.raises(ExecutionCancelledError):
        await given_up
    assert [each.instance_id for each in workers.in_flight()] == ["b"]
    assert workers.activity_done(pb.ActivityResponse(instanceId="b", taskId=1))
    await kept


async def test_executions_of_an_activity_are_counted() -> None:
    """From one, each task by itself."""
    workers = _workers()
    workers.connect()
    for task_id, execution in ((1, 1), (1, 2), (2, 1)):
        running = asyncio.create_task(workers.run_activity(_activity("a", task_id)))
        await asyncio.sleep(0)
        (work,) = workers.in_flight()
        assert (work.task_id, work.execution) == (task_id, execution)
        workers.activity_done(pb.ActivityResponse(instanceId="a", taskId=task_id))
        await running
