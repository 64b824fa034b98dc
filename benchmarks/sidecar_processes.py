"""CPU and memory of the processes of a stack, by name."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from tests.sidecar.stack import Stack

ENGINE = ("sidecar", "scheduler", "redis")
_BYTES_PER_MB = 1_000_000


@dataclass(slots=True)
class Use:
    """What a block of code used.

    Attributes:
        seconds: Wall time.
        cpu_s: CPU seconds by process; `driver` is the benchmark itself.
    """

    seconds: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)

    def engine_ms(self, count: int) -> float:
        """Return the CPU of what stands for Dapr, in milliseconds a unit."""
        return sum(self.cpu_s[name] for name in ENGINE) * 1000 / count


@contextmanager
def measured(running: Stack) -> Iterator[Use]:
    """Measure the block; the result is complete at its end."""
    use, before, began = Use(), _cpu(running), time.perf_counter()
    yield use
    use.seconds = time.perf_counter() - began
    after = _cpu(running)
    use.cpu_s.update({name: after[name] - before[name] for name in after})


def resident_mb(running: Stack) -> dict[str, float]:
    """Return the resident memory of each process in megabytes."""
    processes = _processes(running)
    return {name: each.memory_info().rss / _BYTES_PER_MB for name, each in processes.items()}


def _cpu(running: Stack) -> Mapping[str, float]:
    times = {name: each.cpu_times() for name, each in _processes(running).items()}
    return {name: each.user + each.system for name, each in times.items()}


def _processes(running: Stack) -> dict[str, psutil.Process]:
    services = {
        "sidecar": running.sidecar,
        "scheduler": running.scheduler,
        "redis": running.redis_service,
        "app": running.app,
    }
    found = {"driver": psutil.Process()}
    for name, service in services.items():
        if service is None:
            raise RuntimeError(f"{name} does not run")
        found[name] = psutil.Process(service.process.pid)
    return found
