"""A worker process with workflows as users write them, on the real SDK.

Run with the sidecar's address, a file for the executions, and `old` or `new` for its release.
"""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

from dapr.ext.workflow import (
    DaprWorkflowContext,
    RetryPolicy,
    WorkflowActivityContext,
    WorkflowRuntime,
    when_all,
    when_any,
)

Steps = Generator[Any, Any, Any]
_THREADS = 32
_GENERATIONS = 3
_SOON = timedelta(seconds=0.2)
_NEVER = timedelta(hours=1)
_RETRY = RetryPolicy(first_retry_interval=_SOON, max_number_of_attempts=3)
_lock = threading.Lock()
_runs: Counter[str] = Counter()


class NonRetryableError(Exception):
    """The SDK knows it by this name."""


def add(_ctx: WorkflowActivityContext, numbers: list[int]) -> int:
    """Add numbers."""
    return sum(numbers)


def echo(_ctx: WorkflowActivityContext, said: str) -> str:
    """Return what it is given."""
    return said


def nap(_ctx: WorkflowActivityContext, seconds: float) -> str:
    """Sleep."""
    time.sleep(seconds)
    return "slept"


def who(_ctx: WorkflowActivityContext, number: int) -> int:
    """Return the id of this process; note in the file that the number was taken."""
    with _lock, Path(sys.argv[2]).open("a") as out:
        out.write(f"{number}\n")
    return os.getpid()


def flaky(ctx: WorkflowActivityContext, failures: int) -> int:
    """Fail so often, then return how often it was run; `-1`: in a way that is not to be retried."""
    with _lock:
        _runs[ctx.workflow_id] += 1
        run = _runs[ctx.workflow_id]
    if failures < 0:
        raise NonRetryableError(f"hopeless {run}")
    if run <= failures:
        raise ValueError(f"flaky {run}")
    return run


def chain(ctx: DaprWorkflowContext, number: int) -> Steps:
    """Give each activity's result to the next one."""
    for step in (1, 10, 100):
        number = yield ctx.call_activity(add, input=[number, step])
    return number


def fan_in(ctx: DaprWorkflowContext, width: int) -> Steps:
    """Run many activities at once and add their results."""
    tasks = [ctx.call_activity(add, input=[i, i]) for i in range(width)]
    return sum((yield when_all(tasks)))


def crew(ctx: DaprWorkflowContext, size: int) -> Steps:
    """Return which processes took the numbers."""
    return (yield when_all([ctx.call_activity(who, input=i) for i in range(size)]))


def monitor(ctx: DaprWorkflowContext, generation: int) -> Steps:
    """Look, sleep, continue as new; at last wait for an event that may have come long before."""
    ctx.set_custom_status(f"generation {generation}")
    yield ctx.call_activity(echo, input="look")
    if generation < _GENERATIONS:
        yield ctx.create_timer(_SOON)
        ctx.continue_as_new(generation + 1, save_events=True)
        return None
    return [generation, (yield ctx.wait_for_external_event("note"))]


def spin(ctx: DaprWorkflowContext, turns_left: int) -> Steps | int:
    """Continue as new again and again without waiting for anything."""
    if turns_left:
        ctx.continue_as_new(turns_left - 1)
    return 0


def approval(ctx: DaprWorkflowContext, patience_s: float) -> Steps:
    """Wait for a human, but not for ever."""
    ctx.set_custom_status("waiting for approval")
    answer = ctx.wait_for_external_event("approval")
    timeout = ctx.create_timer(timedelta(seconds=patience_s))
    winner = yield when_any([answer, timeout])
    return "timed out" if winner == timeout else answer.get_result()


def child(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Fail, sleep durably, or return the input doubled."""
    if "fail" in asked:
        raise ValueError(asked["fail"])
    if "sleep" in asked:
        yield ctx.create_timer(timedelta(seconds=asked["sleep"]))
    return (yield ctx.call_activity(add, input=[asked["number"], asked["number"]]))


def parent(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Call a child and live with its failure."""
    try:
        return (yield ctx.call_child_workflow(child, input=asked))
    except Exception as error:  # noqa: BLE001 - whatever the child did
        return f"child failed: {error}"


def adopter(ctx: DaprWorkflowContext, instance: str) -> Steps:
    """Call a child of a given id, and say what became of it."""
    try:
        return (yield ctx.call_child_workflow(child, input={"number": 3}, instance_id=instance))
    except Exception as error:  # noqa: BLE001 - whatever the child did
        return f"child failed: {error}"


def child_race(ctx: DaprWorkflowContext, _asked: Any) -> Steps:
    """Take the faster of two children."""
    slow: Any = ctx.call_child_workflow(child, input={"number": 1, "sleep": 3600})
    fast: Any = ctx.call_child_workflow(child, input={"number": 2})
    winner = yield when_any([slow, fast])
    return ["fast" if winner == fast else "slow", winner.get_result()]


def race(ctx: DaprWorkflowContext, fastest: str) -> Steps:
    """Take the fastest of an activity, a timer and an event."""
    runners = {
        "activity": ctx.call_activity(nap, input=0 if fastest == "activity" else 2),
        "timer": ctx.create_timer(_SOON if fastest == "timer" else _NEVER),
        "event": ctx.wait_for_external_event("go"),
    }
    winner = yield when_any(list(runners.values()))
    return next(name for name, task in runners.items() if task == winner)


def retried(ctx: DaprWorkflowContext, failures: int) -> Steps:
    """Run a flaky activity under a policy; say how it failed for good."""
    try:
        return (yield ctx.call_activity(flaky, input=failures, retry_policy=_RETRY))
    except Exception as error:  # noqa: BLE001 - whatever the activity did
        return f"gave up: {error}"


def collect(ctx: DaprWorkflowContext, wanted: int) -> Steps:
    """Return so many events, in the order that they came."""
    found = []
    for _ in range(wanted):
        event = yield ctx.wait_for_external_event("item")
        found.append(event)
    return found


def echo_input(_ctx: DaprWorkflowContext, said: str) -> str:
    """Return the input."""
    return said


def big(ctx: DaprWorkflowContext, length: int) -> Steps:
    """Pass a long text through an activity."""
    return (yield ctx.call_activity(echo, input="x" * length))


def patched(ctx: DaprWorkflowContext, _asked: Any) -> Steps:
    """Do another thing in instances that began under a newer release."""
    yield ctx.call_activity(echo, input="before")
    newer = NEW and ctx.is_patched("greet")
    yield ctx.wait_for_external_event("go")
    return "patched" if newer else "plain"


def versioned_1(ctx: DaprWorkflowContext, _asked: Any) -> Steps:
    """Be the first version."""
    yield ctx.wait_for_external_event("go")
    return "version 1"


def versioned_2(ctx: DaprWorkflowContext, _asked: Any) -> Steps:
    """Be the second version."""
    yield ctx.wait_for_external_event("go")
    return "version 2"


NEW = sys.argv[3] == "new"
WORKFLOWS = (
    *(chain, fan_in, adopter, monitor, approval, child, parent, child_race),
    *(race, retried, collect, big, patched, spin, crew, echo_input),
)


def main() -> None:
    """Work until SIGTERM."""
    host, port = sys.argv[1].split(":")
    runtime = WorkflowRuntime(host=host, port=port, maximum_thread_pool_workers=_THREADS)
    for workflow in WORKFLOWS:
        runtime.register_workflow(workflow)
    for activity in (add, echo, nap, flaky, who):
        runtime.register_activity(activity)
    runtime.register_versioned_workflow(
        versioned_1, name="versioned", version_name="v1", is_latest=not NEW
    )
    if NEW:
        runtime.register_versioned_workflow(
            versioned_2, name="versioned", version_name="v2", is_latest=True
        )
    Path(sys.argv[2]).touch()
    runtime.start()  # type: ignore[no-untyped-call]  # the SDK's
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
