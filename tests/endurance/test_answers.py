"""Answers out of their order: before the turn that asked for them is saved, or after another."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from sidecar.engine import events
from sidecar.engine.instance import Instance
from sidecar.errors import ExecutionAbortedError
from sidecar.protos import HistoryEvent, service_pb2
from sidecar.worker import Worker
from sidecar.workers import Workers

NOW_NS = 10**18


def _event(event_id: Any = events.NO_ID, **kind: Any) -> HistoryEvent:
    return events.event(NOW_NS, event_id=event_id, **kind)


STARTED = _event(executionStarted={"name": "flow"})
ANSWERS = {
    "task": (
        _event(2, taskScheduled={"name": "act"}),
        _event(taskCompleted={"taskScheduledId": 2}),
    ),
    "failed task": (
        _event(2, taskScheduled={"name": "act"}),
        _event(taskFailed={"taskScheduledId": 2}),
    ),
    "timer": (_event(2, timerCreated={}), _event(timerFired={"timerId": 2})),
    "child": (
        _event(2, childWorkflowInstanceCreated={"instanceId": "kid"}),
        _event(childWorkflowInstanceCompleted={"taskScheduledId": 2}),
    ),
}


@pytest.mark.parametrize(("question", "answer"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_early_until_its_question_is_in_the_history(
    question: HistoryEvent, answer: HistoryEvent
) -> None:
    """Whether the start has been taken up by a turn, or waits in the inbox."""
    assert Instance(history=(STARTED,)).never_asked(answer)
    assert Instance(inbox=(STARTED,)).never_asked(answer)
    assert not Instance(history=(STARTED, question)).never_asked(answer)


def test_a_history_without_its_beginning_may_have_lost_the_question() -> None:
    """As on Dapr 1.16 where rows have expired: the result is taken."""
    _, answer = ANSWERS["task"]
    assert not Instance(history=(_event(workflowStarted={}),)).never_asked(answer)


@pytest.mark.parametrize(("asked", "answered"), list(permutations(ANSWERS, 2)))
def test_an_id_that_asked_for_something_else_has_not_asked(asked: str, answered: str) -> None:
    """The turn that gave the id to another kind was not saved; the SDK can't tell them apart."""
    (question, _), (_, answer) = ANSWERS[asked], ANSWERS[answered]
    same = asked.endswith("task") and answered.endswith("task")
    assert Instance(history=(STARTED, question)).never_asked(answer) is not same


def test_a_result_from_before_the_start_answers_whatever_has_its_id() -> None:
    """Recorded on 1.16.1: a runaway's result fails the workflow that took its instance's id."""
    (question, _), (scheduled, answer) = ANSWERS["timer"], ANSWERS["task"]
    state = Instance(history=(STARTED, question))
    assert state.never_asked(answer, scheduled)
    scheduled = HistoryEvent.FromString(scheduled.SerializeToString())
    scheduled.timestamp.FromNanoseconds(NOW_NS - 1)
    assert not state.never_asked(answer, scheduled)
    assert Instance(history=(STARTED,)).never_asked(answer, scheduled)


def test_a_result_of_another_execution_under_the_same_id_was_not_asked_for() -> None:
    """The turn that asked for it was not saved, and asked for another one when taken again."""
    asked = _event(2, taskScheduled={"name": "act", "taskExecutionId": "second"})
    state = Instance(history=(STARTED, asked))
    for kind in ("taskCompleted", "taskFailed"):
        told = {
            of: _event(**{kind: {"taskScheduledId": 2, "taskExecutionId": of}})
            for of in ("first", "second", "")
        }
        assert [of for of, each in told.items() if state.never_asked(each)] == ["first"]


@pytest.mark.parametrize("kind", ["executionStarted", "eventRaised", "executionTerminated"])
def test_what_answers_nothing_is_never_early(kind: str) -> None:
    """Starts, events and steering need no question."""
    body: dict[str, Any] = {kind: {}}
    assert not Instance(history=(STARTED,)).never_asked(_event(**body))


async def test_a_late_answer_to_a_turn_is_not_taken_for_the_next_ones() -> None:
    """It is dropped: the app that gave it had not seen the news that the next turn is about."""
    workers = Workers(lambda: None)
    worker = workers.connect()
    first = asyncio.create_task(workers.run_turn(service_pb2.WorkflowRequest(instanceId="w")))
    late = service_pb2.WorkflowResponse(
        instanceId="w", completionToken=(await _next(worker)).completionToken
    )
    workers.disconnect(worker)
    with pytest.raises(ExecutionAbortedError):
        await first
    assert not workers.turn_done(late)

    worker = workers.connect()
    second = asyncio.create_task(workers.run_turn(service_pb2.WorkflowRequest(instanceId="w")))
    token = (await _next(worker)).completionToken
    assert workers.turn_done(late)
    assert not second.done()
    response = service_pb2.WorkflowResponse(instanceId="w", completionToken=token)
    assert workers.turn_done(response)
    assert await second == response


async def test_an_app_that_sends_no_token_back_is_understood() -> None:
    """Dapr sets none, so its answers go by the instance alone."""
    workers = Workers(lambda: None)
    worker = workers.connect()
    turn = asyncio.create_task(workers.run_turn(service_pb2.WorkflowRequest(instanceId="w")))
    assert (await _next(worker)).completionToken
    assert workers.turn_done(service_pb2.WorkflowResponse(instanceId="w"))
    assert (await turn).instanceId == "w"


async def _next(worker: Worker) -> service_pb2.WorkItem:
    item = await asyncio.wait_for(worker.queue.get(), 5)
    assert item is not None
    return item
