"""How work items find a worker and answers find their item."""

import asyncio

import pytest

from sidecar.errors import ExecutionAbortedError
from sidecar.protos import service_pb2 as pb
from sidecar.workers import Worker, Workers


def _activity(instance: str, task_id: int) -> pb.ActivityRequest:
    request = pb.ActivityRequest(name="act", taskId=task_id)
    request.workflowInstance.instanceId = instance
    return request


def _workers() -> Workers:
    return Workers(lambda: None)


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
