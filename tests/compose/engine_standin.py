"""An engine for reproduce_issue.sh: one server that is docker and every container.

What it says of executions is written by the app's own record and feed; only the moments at which
activities begin and end are told by the test.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workflow_app.executions import Execution, ExecutionLog
from workflow_app.feed import Feed
from workflow_app.instances import Instances
from workflow_app.metrics import Metrics

PARALLEL = 3


class Engine:
    """A stack whose activities in flight end after the loss, and are then executed again.

    Attributes:
        reruns: how often each is, one more at each look.
        volumes: what `docker volume ls` prints.
        asked: what docker was asked for, each with the project's name before it.
    """

    def __init__(self, *, reruns: int = 1, volumes: str = "") -> None:
        self.reruns, self.volumes = reruns, volumes
        self.asked: list[tuple[str, str]] = []
        self.url = ""
        self._feed, self._instances = Feed(limit=1000, first=1), Instances(limit=10, first=1)
        metrics = Metrics(self._instances.by_status)
        self._log = ExecutionLog(feed=self._feed, instances=self._instances, metrics=metrics)
        self._instance, self._running, self._restarted = "", ExitStack(), False

    def docker(self, project: str, command: str) -> str:
        """Do a command of the client; return what it prints."""
        self.asked.append((project, command))
        if command == "compose start redis dapr":
            self._running.close()
            self._restarted = True
        if command.startswith("compose port "):
            return self.url.removeprefix("http://")
        return self.volumes if command.startswith("volume ls ") else ""

    def start_workflow(self, instance: str) -> None:
        """Execute a first round to its end, and begin the next."""
        self._instance = instance
        for number in range(PARALLEL):
            with self._executing(number):
                pass
        for number in range(PARALLEL, 2 * PARALLEL):
            self._running.enter_context(self._executing(number))

    def executions(self, after: int, limit: int) -> dict[str, Any]:
        """Return a page of the feed, with the next rerun in it."""
        if self._restarted and self.reruns:
            self.reruns -= 1
            for number in range(PARALLEL, 2 * PARALLEL):
                with self._executing(number):
                    pass
        return self._feed.read(after, limit).as_json("executions")

    def workflow(self) -> dict[str, Any]:
        """Return the entry of the workflow."""
        found = self._instances.get(self._instance)
        assert found is not None
        return found.as_json()

    def _executing(self, number: int) -> Any:
        task = Execution(self._instance, "hello", "llm_step", str(number), f"e{number}")
        return self._log.recording(task)


class _Handler(BaseHTTPRequestHandler):
    engine: Engine
    lock = RLock()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "/v1.0/metadata": lambda: {"runtimeVersion": "stand-in"},
            "/spend": lambda: {"calls": 9, "usd": "0.1", "duplicate_calls": 3, "parts": {}},
            "/executions": lambda: self.engine.executions(
                *(int(parse_qs(url.query)[name][0]) for name in ("after", "limit"))
            ),
        }
        with self.lock:
            answer = answers.get(url.path, self.engine.workflow)()
            # Without blanks, as the app writes it.
            self._answer(json.dumps(answer, separators=(",", ":")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        with self.lock:
            if self.path == "/docker":
                self._answer(self.engine.docker(*body.split(" ", 1)))
            else:
                self.engine.start_workflow(json.loads(body)["instance_id"])
                self._answer("{}")

    def _answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(engine: Engine) -> Iterator[Engine]:
    """Let an engine answer on a free port until the block ends."""
    handler = type("Handler", (_Handler,), {"engine": engine})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        engine.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
