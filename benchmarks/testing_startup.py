"""How long a test waits for its sidecar: `python benchmarks/testing_startup.py [repetitions]`.

Wall time in seconds, median and range; CPU time is of all the processes of one start and end.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict

from sidecar.testing import running_sidecar

REPETITIONS = 10


def once() -> dict[str, float]:
    """Return how long each step of one sidecar's life took."""
    times: dict[str, float] = {}
    began = time.perf_counter()
    cpu_s = _children_cpu_s()
    with running_sidecar() as dapr:
        times["start"] = time.perf_counter() - began
        began = time.perf_counter()
        dapr.restart()
        times["kill and start again"] = time.perf_counter() - began
        began = time.perf_counter()
    times["end"] = time.perf_counter() - began
    times["CPU, all of it"] = _children_cpu_s() - cpu_s
    began = time.perf_counter()
    program = "from sidecar.testing import running_sidecar"
    subprocess.run([sys.executable, "-c", program], check=True)
    times["a Python that imports sidecar.testing"] = time.perf_counter() - began
    return times


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a table."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(repetitions):
        for name, seconds in once().items():
            found[name].append(seconds)
    print(f"{'':40}{'median':>8}{'least':>8}{'most':>8}   of {repetitions}")
    for name, each in found.items():
        print(f"{name:40}{statistics.median(each):8.3f}{min(each):8.3f}{max(each):8.3f}")


if __name__ == "__main__":
    main()
