"""The loads of the sidecar's benchmark: each runs workflows on a stack and returns figures."""

import json
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.sidecar_processes import measured, resident_mb
from benchmarks.sidecar_recorded import HISTORY_MB, NOT_RECORDED, SLEEPERS_MB, Recorded
from benchmarks.sidecar_table import Figure
from tests.sidecar.stack import Stack

THREADS = 200
STEPS = 5
SEQUENTIAL = 20
SLEEP_S = 3600
PAYLOAD_BYTES = 1_000_000
DEEP_SAMPLE = 50
Load = Callable[[Stack, Recorded, int], list[Figure]]


def warm_up(running: Stack, workflows: int) -> None:
    """Run a few workflows that are not measured."""
    _run_all(running, "warm", workflows, STEPS)


def parallel(running: Stack, recorded: Recorded, workflows: int) -> list[Figure]:
    """Start so many workflows of five empty activities at once."""
    with measured(running) as use:
        starts = _run_all(running, "many", workflows, STEPS)
    activities = workflows * STEPS
    of_record = recorded if workflows == THREADS else NOT_RECORDED
    return [
        Figure("activities", activities / use.seconds, "/s", of_record.activities_per_s),
        Figure("engine CPU", use.engine_ms(activities), "ms/activity", of_record.cpu_ms),
        *(
            Figure(f"CPU {name}", used * 1000 / activities, "ms/activity")
            for name, used in use.cpu_s.items()
        ),
        Figure("start p50", statistics.median(starts), "s", of_record.start_p50_s),
        Figure("start p99", _percentile(starts, 99), "s", of_record.start_max_s),
        Figure("start max", max(starts), "s", of_record.start_max_s),
    ]


def sequential(running: Stack, recorded: Recorded, workflows: int) -> list[Figure]:
    """Run workflows of five empty activities one after the other."""
    with measured(running) as use:
        for n in range(workflows):
            _run(running, f"one-{n}", STEPS)
    activities = workflows * STEPS
    milliseconds = use.seconds * 1000 / activities
    return [
        Figure("an activity", milliseconds, "ms", recorded.sequential_ms),
        Figure("engine CPU", use.engine_ms(activities), "ms/activity"),
    ]


def sustained(running: Stack, _: Recorded, workflows: int) -> list[Figure]:
    """Run many more short workflows than threads, two hundred at a time."""
    steps = 3
    with measured(running) as use:
        _run_all(running, "sustained", workflows, steps)
    activities = workflows * steps
    resident = resident_mb(running)
    return [
        Figure("activities", activities / use.seconds, "/s"),
        Figure("workflows", workflows / use.seconds, "/s"),
        Figure("engine CPU", use.engine_ms(activities), "ms/activity"),
        Figure("sidecar after it", resident["sidecar"], "MB"),
        Figure("scheduler after it", resident["scheduler"], "MB"),
    ]


def deep(running: Stack, _: Recorded, activities: int) -> list[Figure]:
    """Run one workflow of so many activities, each of which adds three events to its history."""
    with measured(running) as use:
        _run(running, "deep", activities)
    ends = sorted(each["at"] for each in running.executions("deep", "end"))
    first, last = ends[:DEEP_SAMPLE], ends[-DEEP_SAMPLE:]
    return [
        Figure("first activities", _mean_gap_ms(first), "ms"),
        Figure("last activities", _mean_gap_ms(last), "ms"),
        Figure("CPU sidecar", use.cpu_s["sidecar"] * 1000 / activities, "ms/activity"),
        Figure("CPU app", use.cpu_s["app"] * 1000 / activities, "ms/activity"),
    ]


def payloads(running: Stack, _: Recorded, workflows: int) -> list[Figure]:
    """Pass a megabyte as input and result of workflow and activity: three stand in the history."""
    text = "x" * PAYLOAD_BYTES
    with measured(running) as use:
        for n in range(workflows):
            instance = f"payload-{n}"
            running.client.schedule_new_workflow("retry", input={"i": text}, instance_id=instance)
            if json.loads(_completed(running, instance)) != {"i": text}:
                raise RuntimeError(f"{instance}: the result is not what was sent")
    return [
        Figure("a workflow", use.seconds / workflows, "s"),
        Figure("engine CPU", use.engine_ms(workflows), "ms/workflow"),
        Figure("history", 3 * PAYLOAD_BYTES / 1e6, "MB", HISTORY_MB),
    ]


def sleepers(running: Stack, _: Recorded, workflows: int) -> list[Figure]:
    """Start workflows that each wait in a timer of an hour."""

    def start(n: int) -> None:
        running.client.schedule_new_workflow("timer", input=SLEEP_S, instance_id=f"sleeper-{n}")

    before = resident_mb(running)
    with measured(running) as use, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(start, range(workflows)))
    after = resident_mb(running)
    both = after["sidecar"] + after["scheduler"]
    kb_each = {name: (after[name] - before[name]) * 1000 / workflows for name in after}
    return [
        Figure("all asleep after", use.seconds, "s"),
        Figure("starts", workflows / use.seconds, "/s"),
        Figure("sidecar and scheduler", both, "MB", SLEEPERS_MB),
        *(
            Figure(f"{name}, of each", kb_each[name], "kB")
            for name in ("sidecar", "scheduler", "redis")
        ),
    ]


def _run_all(running: Stack, prefix: str, workflows: int, steps: int) -> list[float]:
    """Run workflows from many threads; return how long each start took, in seconds."""
    with ThreadPoolExecutor(THREADS) as pool:
        instances: Iterable[str] = (f"{prefix}-{n}" for n in range(workflows))
        return list(pool.map(lambda instance: _run(running, instance, steps), instances))


def _run(running: Stack, instance: str, steps: int) -> float:
    began = time.perf_counter()
    running.client.schedule_new_workflow("seq", input={"steps": steps}, instance_id=instance)
    started_s = time.perf_counter() - began
    _completed(running, instance)
    return started_s


def _completed(running: Stack, instance: str) -> str:
    ended: Any = running.client.wait_for_workflow_completion(instance, timeout_in_seconds=300)
    if ended is None or ended.runtime_status.name != "COMPLETED":
        raise RuntimeError(f"{instance} did not complete: {ended}")
    return str(ended.serialized_output)


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _mean_gap_ms(times_s: list[float]) -> float:
    return (times_s[-1] - times_s[0]) * 1000 / (len(times_s) - 1)
