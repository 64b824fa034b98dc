"""`python -m tests.lab.runtimes.hold_compose FOLDER`: keeps a compose stack up until a signal."""

import sys
from pathlib import Path
from random import SystemRandom

from lab.paths import COMPONENTS
from lab.ports import free_ports
from lab.processes import Nursery
from lab.runtimes import make_runtime
from lab.stack_config import StackConfig
from lab.supervisor import stop_on_signals
from lab.waiting import Waiter


def main() -> None:
    """Start, say so, and hold."""
    folder, ports = Path(sys.argv[1]), free_ports(SystemRandom(), set())
    config = StackConfig(directory=folder, components=COMPONENTS, ports=ports, runtime="compose")
    with stop_on_signals() as stopped, Nursery() as nursery:
        stack = make_runtime("compose").stack(config, nursery)
        try:
            stack.start(Waiter(stopped))
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            stopped.wait()
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
