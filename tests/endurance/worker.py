"""A worker process on the real SDK: workflows of every shape, whose outputs follow from the inputs.

Each execution of the activity is a JSON line in the journal: one when it begins, one when it ends.
"""

import json
import os
import signal
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import (
    DaprWorkflowContext,
    RetryPolicy,
    WorkflowActivityContext,
    WorkflowRuntime,
    when_all,
)

from tests.endurance.arithmetic import mix, task_output

Steps = Generator[Any, Any, Any]
Asked = dict[str, Any]
_THREADS = 64
_POLICY = RetryPolicy(first_retry_interval=timedelta(seconds=0.1), max_number_of_attempts=5)


def _record(event: str, ctx: Any, output: str = "") -> None:
    line = {
        "event": event,
        "at": time.time(),
        "pid": os.getpid(),
        "instance": ctx.workflow_id,
        "task": ctx.task_id,
        "execution_id": ctx.get_inner_context().task_execution_id,
        "output": output,
    }
    # One write to a file opened for appending, so that lines of several workers do not mix.
    out = os.open(os.environ["ENDURANCE_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, f"{json.dumps(line)}\n".encode())
    os.close(out)


def act(ctx: WorkflowActivityContext, asked: Asked) -> str:
    """Sleep `nap`, fail up to the task id `fails_to`, and compute."""
    _record("start", ctx)
    time.sleep(asked.get("nap", 0))
    if int(ctx.task_id) <= asked.get("fails_to", 0):
        _record("fail", ctx)
        raise ValueError("not yet")
    output = task_output(ctx.workflow_id, asked["x"], asked["i"])
    _record("end", ctx, output)
    return output


def chain(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run one activity after the other."""
    x = asked["x"]
    for i, nap in enumerate(asked["naps"]):
        x = yield ctx.call_activity(act, input={"x": x, "i": i, "nap": nap})
    return x


def fan(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run activities side by side."""
    x = asked["x"]
    tasks = [
        ctx.call_activity(act, input={"x": x, "i": i, "nap": nap})
        for i, nap in enumerate(asked["naps"])
    ]
    return mix(*(yield when_all(tasks)))


def timers(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run an activity after each of some timers."""
    x = asked["x"]
    for i, nap in enumerate(asked["naps"]):
        yield ctx.create_timer(timedelta(seconds=nap))
        x = yield ctx.call_activity(act, input={"x": x, "i": i})
    return x


def events(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run an activity after each of some events."""
    x = asked["x"]
    for i in range(asked["count"]):
        value = yield ctx.wait_for_external_event(f"go-{i}")
        x = yield ctx.call_activity(act, input={"x": mix(x, value), "i": i})
    return x


def children(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run chains as children side by side."""
    tasks: list[Any] = [
        ctx.call_child_workflow(
            chain,
            input={"x": asked["x"], "naps": naps},
            instance_id=f"{ctx.instance_id}.{n}",
        )
        for n, naps in enumerate(asked["kids"])
    ]
    return mix(*(yield when_all(tasks)))


def family(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run a parent as a child, and an activity after it."""
    kid = f"{ctx.instance_id}.p"
    x = yield ctx.call_child_workflow(children, input=asked, instance_id=kid)
    return (yield ctx.call_activity(act, input={"x": x, "i": 0}))


def again(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Continue as new a few times, each time with another task id.

    Apps do not say which generation an answer is of: on 1.16.1 a late one answers the same task id
    of the next, as in Dapr. So each generation takes one timer more before its activity.
    """
    generation = asked["generation"]
    for _ in range(generation):
        yield ctx.create_timer(timedelta(0))
    x = yield ctx.call_activity(act, input={"x": asked["x"], "i": generation, "nap": asked["nap"]})
    if generation < asked["last"]:
        ctx.continue_as_new({**asked, "x": x, "generation": generation + 1}, save_events=True)
        return None
    return x


def retry(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run an activity that fails twice: as tasks 1 and 3, with timers between."""
    failing = {"x": asked["x"], "i": 0, "fails_to": 3}
    return (yield ctx.call_activity(act, input=failing, retry_policy=_POLICY))


def retries(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run activities side by side that fail once each, so that task ids follow the timers."""
    width = asked["width"]
    tasks = [
        ctx.call_activity(
            act, input={"x": asked["x"], "i": i, "fails_to": width}, retry_policy=_POLICY
        )
        for i in range(width)
    ]
    return mix(*(yield when_all(tasks)))


def doomed(ctx: DaprWorkflowContext, asked: Asked) -> Steps:
    """Run activities until it is terminated."""
    x = asked["x"]
    for i in range(1000):
        x = yield ctx.call_activity(act, input={"x": x, "i": i, "nap": 0.2})
    return x


WORKFLOWS = (chain, fan, timers, events, children, family, again, retry, retries, doomed)


def main() -> None:
    """Work until it is killed."""
    host, port = os.environ["ENDURANCE_SIDECAR"].split(":")
    runtime = WorkflowRuntime(host=host, port=port, maximum_thread_pool_workers=_THREADS)
    for workflow in WORKFLOWS:
        runtime.register_workflow(workflow)
    runtime.register_activity(act)
    runtime.start()  # type: ignore[no-untyped-call]  # the SDK's
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
