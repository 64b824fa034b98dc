"""A small HTTP app with the routes that the load generator uses, and a fate for each workflow."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FATES = {
    "finish": ("COMPLETED", True),
    "expire": ("NOT_FOUND", True),
    "fail": ("FAILED", False),
    "lose": ("NOT_FOUND", False),
    "hang": ("RUNNING", False),
}
"""What the engine says in the end, and whether the workflow function returned.

`refuse` answers the start with 503, `vanish` accepts it and forgets it, `cut` starts it and closes
the connection without an answer.
"""

REFUSED = {"error": {"message": "no sidecar", "type": "server_error", "code": "x"}}


@dataclass
class ToyApp:
    """A running toy.

    Attributes:
        url: Base URL of all routes; of the ledger and the budget too.
        fates: By number of the workflow; `finish` for all others.
        nano_usd_per_start: What each start costs.
        start_takes_s: How long a start takes.
        starts: When each start came, and its body.
        feed: Entries by instance id.
    """

    url: str = ""
    fates: Mapping[int, str] = field(default_factory=dict)
    nano_usd_per_start: int = 0
    start_takes_s: float = 0.0
    starts: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    feed: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, body: dict[str, Any]) -> str:
        """Take a start and return its fate."""
        with self.lock:
            self.starts.append((time.monotonic(), body))
            fate = self.fates.get(int(body["id"].rpartition("-")[2]), "finish")
            if fate not in {"refuse", "vanish"}:
                self._show(body["id"], "finish" if fate == "cut" else fate)
        time.sleep(self.start_takes_s)
        return fate

    def read(self, after: int) -> dict[str, Any]:
        """Return the feed after a cursor."""
        with self.lock:
            entries = [entry for entry in self.feed.values() if entry["seq"] > after]
        following = max((entry["seq"] for entry in entries), default=after)
        return {"workflows": entries, "next": following, "dropped": 0}

    def _show(self, instance_id: str, fate: str) -> None:
        status, finished = FATES[fate]
        self.feed[instance_id] = {
            "seq": len(self.feed) + 1,
            "instance_id": instance_id,
            "engine": {"status": status},
            "app": {"executions": 2, "in_flight": 1, "finished": finished},
        }

    def spend(self) -> dict[str, Any]:
        """Return the ledger, which was not empty when the run began."""
        calls = len(self.starts)
        nano_usd = 5_000_000_000 + calls * self.nano_usd_per_start
        return {"calls": 7 + calls, "duplicate_calls": 1, "nano_usd": nano_usd}

    def budgets(self) -> dict[str, Any]:
        """Return a global budget that has cut off."""
        spent = {"nano_usd": self.spend()["nano_usd"]}
        return {"mode": "cap", "budgets": [{"cut_off_unix_ms": 1, "spent": spent}]}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, toy: ToyApp) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.toy = toy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        toy, parts = self.server.toy, urlsplit(self.path)
        match parts.path:
            case "/health":
                self._answer(200, {"status": "ok"})
            case "/workflows":
                self._answer(200, toy.read(int(parse_qs(parts.query)["after"][0])))
            case "/spend":
                self._answer(200, toy.spend())
            case "/budgets":
                self._answer(200, toy.budgets())
            case _:
                self._answer(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fate = self.server.toy.start(body)
        if fate == "cut":
            self.close_connection = True
        elif fate == "refuse":
            self._answer(503, REFUSED)
        else:
            self._answer(202, {"instance_id": body["id"], "name": body["name"]})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def toy_app(**settings: Any) -> Iterator[ToyApp]:
    """Serve a toy on a free port until the block ends."""
    toy = ToyApp(**settings)
    server = _Server(toy)
    toy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield toy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
