"""A sidecar that runs for as long as a block does, seen from the test."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from sidecar.names import AppNames
from sidecar.testing import state
from sidecar.testing.errors import HostError, NotReadyError, UsageError
from sidecar.testing.options import DEFAULT_PROFILE, Options
from sidecar.testing.ports import HOST
from sidecar.testing.process import HostProcess

if TYPE_CHECKING:
    from dapr.ext.workflow import DaprWorkflowClient

    from sidecar.testing.runtime import SafeRuntime

_LOG_TAIL_LINES = 15
_LOOK_S = 0.02
_HTTP_TIMEOUT_S = 5.0


class RunningSidecar:
    """One sidecar with its scheduler; made by `running_sidecar`.

    Its methods may be called from any thread, and block until what they say has happened.

    Attributes:
        options: What it is like.
        grpc_port: Of the workflow API, on 127.0.0.1.
        http_port: Of the health and metadata routes.
        scheduler_port: Of the scheduler's gRPC, for `scheduler_api.SchedulerClient`.
        log_path: Where sidecar and scheduler write their JSON lines.
    """

    def __init__(self, options: Options, directory: Path) -> None:
        self.options = options
        self.log_path = directory / "sidecar.log"
        self._directory = directory
        self._lock = threading.Lock()
        self._names = AppNames(options.app_id, options.namespace)
        self._up = True
        self._host = HostProcess(self.log_path)
        try:
            ports = self._ask(json.dumps([options.to_json(), str(directory)]))
        except BaseException:
            self.close()
            raise
        self.grpc_port = ports["grpc_port"]
        self.http_port = ports["http_port"]
        self.scheduler_port = ports["scheduler_port"]

    @property
    def address(self) -> str:
        """Return `host:port` of the gRPC API."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def scheduler_address(self) -> str:
        """Return `host:port` of the scheduler's gRPC API."""
        return f"{HOST}:{self.scheduler_port}"

    def environment(self) -> dict[str, str]:
        """Return the variables by which the Dapr SDKs of an app process find the sidecar."""
        return {
            "APP_ID": self.options.app_id,
            "DAPR_RUNTIME_HOST": HOST,
            "DAPR_GRPC_PORT": str(self.grpc_port),
            "DAPR_HTTP_PORT": str(self.http_port),
            "DAPR_GRPC_ENDPOINT": f"http://{self.address}",
            "DAPR_HTTP_ENDPOINT": f"http://{HOST}:{self.http_port}",
        }

    def runtime(self, **options: Any) -> "SafeRuntime":
        """Return the SDK's worker for this sidecar, to register workflows on and to start."""
        from sidecar.testing.runtime import SafeRuntime  # noqa: PLC0415 - not every test needs it

        return SafeRuntime(host=HOST, port=str(self.grpc_port), **options)

    def client(self) -> "DaprWorkflowClient":
        """Return the SDK's client for this sidecar; close it when done."""
        from dapr.ext.workflow import DaprWorkflowClient  # noqa: PLC0415 - as above

        return DaprWorkflowClient(host=HOST, port=str(self.grpc_port))

    @contextmanager
    def app(
        self,
        workflows: Iterable[Callable[..., Any]],
        activities: Iterable[Callable[..., Any]] = (),
        **options: Any,
    ) -> Iterator["DaprWorkflowClient"]:
        """Run an app of these workflows and activities within a block; give a client.

        Unlike on a runtime of one's own, a function may be in any number of apps. The end of the
        block waits for activities that run.

        Args:
            workflows: Functions; the name of each is its own, or what a decorator of the SDK says.
            activities: Likewise; plain or async.
            options: Of the SDK's WorkflowRuntime.

        Raises:
            UsageError: the sidecar is down; the SDK would wait for it without end.
        """
        if not self._up:
            raise UsageError("app: the sidecar is down; start it first")
        from sidecar.testing.sdk import unregistered  # noqa: PLC0415 - as above

        runtime, client = self.runtime(**options), self.client()
        for each in workflows:
            runtime.register_workflow(unregistered(each))
        for each in activities:
            runtime.register_activity(unregistered(each))
        try:
            runtime.start()  # type: ignore[no-untyped-call]  # the SDK's
            yield client
        finally:
            runtime.shutdown()
            client.close()  # type: ignore[no-untyped-call]  # as above

    def kill(self) -> None:
        """SIGKILL the sidecar, as a crash does; scheduler and state live on."""
        self._command("kill", up=False)

    def stop(self) -> None:
        """SIGTERM the sidecar, and wait for its orderly end."""
        self._command("stop", up=False)

    def start(self) -> None:
        """Start a sidecar that was killed or stopped, on the same ports, jobs and state."""
        self._command("start", up=True)

    def restart(self) -> None:
        """Kill the sidecar and start it: its memory is gone, a running activity runs on.

        The SDK's worker comes back by itself after 1 to 3 s (longer, up to 16 s, where the sidecar
        was down for long); `wait_for_app` waits for it.
        """
        self.kill()
        self.start()

    def restart_scheduler(self) -> None:
        """Kill the scheduler and start it on the same jobs."""
        with self._lock:
            self._ask("restart_scheduler")

    def lose_state(self, instance_id: str = "", *, row: str = "") -> int:
        """Delete stored state, as a flush does; return how many rows were there.

        A running sidecar remembers its workflows, so nothing happens before it restarts.

        Args:
            instance_id: Only the rows of this workflow.
            row: Only this one of them, such as `metadata` or `history-000000`.

        Raises:
            UsageError: a row without an instance.
        """
        if row and not instance_id:
            raise UsageError("lose_state(row=…) needs the instance_id that the row is of")
        return state.lose(self._directory, self._names, instance_id, row)

    def expire_state(self) -> int:
        """Let all rows that have a TTL expire at once; return how many there were.

        Raises:
            UsageError: there is none: started without `ttl_s`, or nothing is stored.
        """
        return state.expire(self._directory)

    def wait_for_app(self, timeout_s: float = 30.0) -> None:
        """Wait until an app's worker is connected.

        Raises:
            NotReadyError: none came.
        """
        deadline = time.monotonic() + timeout_s
        url = f"http://{HOST}:{self.http_port}/v1.0/healthz"
        # A proxy in the environment is not for the loopback.
        opener = build_opener(ProxyHandler({}))
        while time.monotonic() < deadline:
            with suppress(HTTPError, URLError, OSError), opener.open(url, timeout=_HTTP_TIMEOUT_S):
                return
            time.sleep(_LOOK_S)
        raise NotReadyError(
            f"no app connected to {self.address} within {timeout_s:g} s: start a WorkflowRuntime "
            "with this host and port, or an app process with environment()"
        )

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """Return the last lines that sidecar and scheduler have logged."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def close(self) -> None:
        """End all processes; a second time does nothing."""
        self._host.close()

    def _command(self, name: str, *, up: bool) -> None:
        with self._lock:
            if self._up == up:
                what = "runs already; kill or stop it first" if up else "is down; start it first"
                raise UsageError(f"{name}: the sidecar {what}")
            self._up = False
            self._ask(name)
            self._up = up

    def _ask(self, line: str) -> dict[str, int]:
        try:
            return self._host.ask(line)
        except HostError as error:
            raise HostError(f"{error}; the last lines of its log:\n{self.log_tail()}") from None


@contextmanager
def running_sidecar(
    profile: str = DEFAULT_PROFILE,
    *,
    app_id: str = "app",
    namespace: str = "default",
    ttl_s: int | None = None,
) -> Iterator[RunningSidecar]:
    """Run a sidecar on free ports until the block ends, its state in memory.

    Args:
        profile: The version of Dapr that it behaves like, one of `sidecar.profiles.PROFILES`.
        app_id: Of the app under test.
        namespace: Of the app.
        ttl_s: Seconds after which state that is not written again expires; None for never.

    Raises:
        UsageError: an argument is bad.
        HostError: it did not start; the message has the end of its log.
    """
    options = Options(profile=profile, app_id=app_id, namespace=namespace, ttl_s=ttl_s)
    directory = Path(tempfile.mkdtemp(prefix="dapr-sidecar-"))
    try:
        made = RunningSidecar(options, directory)
        try:
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
