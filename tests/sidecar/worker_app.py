"""A worker process: the workflows that were recorded on real Dapr, on the real SDK.

Run with the sidecar's address and a file; each execution of the activity is a JSON line there. A
third argument is the number of threads.
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from dapr.ext.workflow import (
    DaprWorkflowContext,
    RetryPolicy,
    WorkflowActivityContext,
    WorkflowRuntime,
    when_all,
    when_any,
)

from scheduler_api import SchedulerClient

Steps = Generator[Any, Any, Any]
_FAN_WIDTH = 5
_LAST_GENERATION = 2
_LOOK_S = 0.05
_lock = threading.Lock()
_runs: Counter[str] = Counter()
_WITH_THREADS = 3
_journal = Path(sys.argv[2])
_threads = int(sys.argv[3]) if len(sys.argv) > _WITH_THREADS else 64


def _record(event: str, ctx: Any, run: int) -> None:
    line = {
        "event": event,
        "at": time.time(),
        "instance": ctx.workflow_id,
        "task": ctx.task_id,
        "execution_id": ctx.get_inner_context().task_execution_id,
        "run": run,
    }
    with _lock, _journal.open("a") as out:
        out.write(json.dumps(line) + "\n")


class NonRetryableError(Exception):
    """The SDK knows what may not be retried by this name alone."""


def _orders(instance: str) -> dict[str, Any]:
    path = _journal.parent / f"orders-{quote(instance, safe='')[:100]}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def _obey(instance: str) -> None:
    """Wait while it says `hold`; delete the own reminder or job; raise what it says."""
    while (orders := _orders(instance)).get("hold"):
        time.sleep(_LOOK_S)
    if "delete_url" in orders:
        httpx.delete(orders["delete_url"], timeout=5)
    if "scheduler" in orders:
        with closing(SchedulerClient(orders["scheduler"])) as scheduler:
            scheduler.delete_instance_jobs(orders["app_id"], instance, orders["namespace"])
    if orders.get("raise") == NonRetryableError.__name__:
        raise NonRetryableError("ordered")
    if "raise" in orders:
        raise ValueError("ordered")


def act(ctx: WorkflowActivityContext, asked: dict[str, Any] | None) -> dict[str, Any]:
    """Sleep `sleep` (`later` from the second run on), fail the first `fail` runs, return `i`.

    It does not end while the file `hold` exists, and obeys the orders for its instance.
    """
    asked = asked or {}
    with _lock:
        key = f"{ctx.workflow_id} {ctx.get_inner_context().task_execution_id}"
        _runs[key] += 1
        run = _runs[key]
    _record("start", ctx, run)
    time.sleep(asked.get("later", asked.get("sleep", 0)) if run > 1 else asked.get("sleep", 0))
    while "hold" in asked and Path(asked["hold"]).exists():
        time.sleep(_LOOK_S)
    _obey(ctx.workflow_id)
    if run <= asked.get("fail", 0):
        _record("fail", ctx, run)
        raise ValueError(f"boom {run}")
    _record("end", ctx, run)
    return {"i": asked.get("i", 0)}


def seq(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Run one activity after the other."""
    results = []
    for i in range(asked["steps"]):
        result = yield ctx.call_activity(act, input={**asked, "i": i})
        results.append(result)
    return results


def fan(ctx: DaprWorkflowContext, asked: dict[str, Any] | None) -> Steps:
    """Run `width` activities at once, five if it is not said, that sleep `sleep`."""
    asked = asked or {}
    sleep_s, width = asked.get("sleep", 0.2), asked.get("width", _FAN_WIDTH)
    also = {"hold": asked["hold"]} if "hold" in asked else {}
    tasks = [ctx.call_activity(act, input={"i": i, "sleep": sleep_s, **also}) for i in range(width)]
    return (yield when_all(tasks))


def retry(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Run an activity under a retry policy."""
    policy = RetryPolicy(
        first_retry_interval=timedelta(seconds=1), max_number_of_attempts=3, backoff_coefficient=2
    )
    return (yield ctx.call_activity(act, input=asked, retry_policy=policy))


def timer(ctx: DaprWorkflowContext, seconds: float) -> Steps:
    """Sleep durably."""
    yield ctx.create_timer(timedelta(seconds=seconds))
    return "fired"


def ext(ctx: DaprWorkflowContext, _asked: Any) -> Steps:
    """Wait for an event."""
    ctx.set_custom_status("waiting")
    return (yield ctx.wait_for_external_event("go"))


def ext_timeout(ctx: DaprWorkflowContext, _asked: Any) -> Steps:
    """Wait for an event, one second."""
    event = ctx.wait_for_external_event("go")
    timeout = ctx.create_timer(timedelta(seconds=1))
    winner = yield when_any([event, timeout])
    return "timeout" if winner == timeout else event.get_result()


def can(ctx: DaprWorkflowContext, generation: int) -> Steps:
    """Continue as new, twice."""
    yield ctx.call_activity(act, input={"i": generation})
    if generation < _LAST_GENERATION:
        ctx.continue_as_new(generation + 1)
        return None
    return generation


def child(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Run an activity for a parent."""
    return {"child": (yield ctx.call_activity(act, input=asked))}


def parent(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Run two children, one with an id of its own."""
    instance = ctx.instance_id + "-kid"
    first = yield ctx.call_child_workflow(child, input=asked, instance_id=instance)
    second = yield ctx.call_child_workflow(child, input=asked)
    return [first, second]


def family(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Run a parent with children of its own, as its child."""
    return (yield ctx.call_child_workflow(parent, input=asked, instance_id=ctx.instance_id + "-p"))


def late_ext(ctx: DaprWorkflowContext, asked: dict[str, Any]) -> Steps:
    """Run an activity, and wait for two events after it."""
    yield ctx.call_activity(act, input=asked)
    first = yield ctx.wait_for_external_event("go")
    second = yield ctx.wait_for_external_event("go")
    return [first, second]


def noact(ctx: DaprWorkflowContext, _asked: Any) -> Steps:
    """Call an activity that nobody registered."""
    return (yield ctx.call_activity("no_such_activity"))


WORKFLOWS = (
    *(seq, fan, retry, timer, ext, ext_timeout, late_ext, can),
    *(child, parent, family, noact),
)


def main() -> None:
    """Work until SIGTERM."""
    host, port = sys.argv[1].split(":")
    runtime = WorkflowRuntime(host=host, port=port, maximum_thread_pool_workers=_threads)
    for workflow in WORKFLOWS:
        runtime.register_workflow(workflow)
    runtime.register_activity(act)
    runtime.start()  # type: ignore[no-untyped-call]  # the SDK's
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
