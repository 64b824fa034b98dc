"""How many activities a second the sidecar carries, beside what real Dapr did on two cores.

200 workflows of 5 empty activities at once, then 20 of them one after the other; CPU by process.
Run: `python benchmarks/sidecar_throughput.py [profile]`.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from dapr.ext.workflow import DaprWorkflowClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.sidecar.stack import Stack, stack

WORKFLOWS = 200
SEQUENTIAL = 20
STEPS = 5
# Recorded: real daprd, scheduler and Redis on two cores, mean of two rounds each; CPU of daprd,
# scheduler, redis and placement, without the app, an activity.
REAL = {
    "1.16.1": {"activities_per_s": 280.0, "sequential_ms": 11.6, "cpu_ms": 4.0},
    "1.18.3": {"activities_per_s": 307.0, "sequential_ms": 7.4, "cpu_ms": 3.5},
}


def main() -> None:
    """Print the figures and their ratio to the recorded ones."""
    profile = sys.argv[1] if len(sys.argv) > 1 else "1.16.1"
    real = REAL[profile]
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "stack"
        with stack(folder, profile, relayed=False) as running:
            _run(running.client, [f"warm-{n}" for n in range(5)])
            before = _cpu(running)
            began = time.perf_counter()
            _run(running.client, [f"many-{n}" for n in range(WORKFLOWS)])
            took_s = time.perf_counter() - began
            cpu = _used(before, _cpu(running))
            began = time.perf_counter()
            for n in range(SEQUENTIAL):
                _run(running.client, [f"one-{n}"])
            sequential_ms = (time.perf_counter() - began) * 1000 / (SEQUENTIAL * STEPS)
    activities = WORKFLOWS * STEPS
    engine_ms = sum(cpu[name] for name in ("sidecar", "scheduler", "redis")) * 1000 / activities
    print(f"profile {profile}, {os.cpu_count()} cores: {activities} activities in {took_s:.2f} s")
    print(f"{'':28}{'embedded':>10}{'real Dapr':>12}{'ratio':>8}")
    _line("activities/s", activities / took_s, real["activities_per_s"])
    _line("sequential, ms/activity", sequential_ms, real["sequential_ms"])
    _line("CPU without app, ms/activity", engine_ms, real["cpu_ms"])
    for name, used_s in cpu.items():
        print(f"  CPU {name:10}{used_s * 1000 / activities:8.2f} ms/activity")


def _line(what: str, ours: float, real: float) -> None:
    print(f"{what:28}{ours:10.1f}{real:12.1f}{ours / real:8.2f}")


def _run(client: DaprWorkflowClient, instances: Iterable[str]) -> None:
    def one(instance: str) -> None:
        client.schedule_new_workflow("seq", input={"steps": STEPS}, instance_id=instance)
        ended = client.wait_for_workflow_completion(instance, timeout_in_seconds=120)
        if ended is None or ended.runtime_status.name != "COMPLETED":
            raise RuntimeError(f"{instance} did not complete: {ended}")

    with ThreadPoolExecutor(WORKFLOWS) as pool:
        list(pool.map(one, instances))


def _cpu(running: Stack) -> Mapping[str, float]:
    processes = {
        "sidecar": running.sidecar,
        "scheduler": running.scheduler,
        "redis": running.redis_service,
        "app": running.app,
    }
    used: dict[str, float] = {}
    for name, service in processes.items():
        if service is None:
            raise RuntimeError(f"{name} does not run")
        times = psutil.Process(service.process.pid).cpu_times()
        used[name] = times.user + times.system
    return used


def _used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


if __name__ == "__main__":
    main()
