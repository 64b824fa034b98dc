"""One run of the load generator: starts, the watcher, the guard, the drain and the verdict.

Runs under gevent inside Locust. Greenlets, each the only one of its kind: the watcher follows the
app's feed, the guard reads the ledgers and stops an expensive run, the ticker writes the timeline.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import gevent
import httpx
from gevent.lock import RLock

from loadgen.guard import BudgetState, Ledger, Meter
from loadgen.options import Options
from loadgen.outcomes import Run
from loadgen.report import Verdict, judge, summary, timeline_line

POLL_INTERVAL_S: Final = 0.5
GUARD_INTERVAL_S: Final = 0.5
TICK_S: Final = 1.0
READ_TIMEOUT_S: Final = 3.0
PAGE_LIMIT: Final = 1_000

_T = TypeVar("_T")

_log = logging.getLogger("loadgen")


class Conductor:
    """Belongs to the process that sees the whole run: Locust's local runner or its master."""

    def __init__(
        self,
        options: Options,
        *,
        finished: Callable[[str], None],
        all_settled: Callable[[], None],
        over_budget: Callable[[], None],
    ) -> None:
        self.options = options
        self.run = Run(options.instance_ids())
        self.verdict: Verdict | None = None
        self._finished = finished
        self._all_settled = all_settled
        self._over_budget = over_budget
        self._meter = Meter()
        self._app, self._ledgers = _client(), _client()
        self._cursor = 0
        self._told = False
        self._stopped: str | None = None
        self._timeline: TextIO | None = None
        self._greenlets: list[gevent.Greenlet] = []
        self._closing = RLock()

    def begin(self) -> str | None:
        """Take the first readings and start watching; return why the run can't begin, or None."""
        problem = unreachable(self.options.host) or self._open_files()
        if problem is not None:
            return problem
        self._read_ledgers()
        if self.options.max_spend_nano_usd is not None and not self._meter.sighted:
            return (
                "--max-spend-usd needs a ledger: neither "
                f"--fake-llm-url {self.options.fake_llm_url} nor "
                f"--budget-url {self.options.budget_url} answers"
            )
        self._greenlets = [
            gevent.spawn(self._every, POLL_INTERVAL_S, self._watch),
            gevent.spawn(self._every, GUARD_INTERVAL_S, self._guard),
            gevent.spawn(self._every, TICK_S, self._tick),
        ]
        return None

    def end(self) -> Verdict:
        """Wait for open workflows, stop watching, judge and write the summary; once.

        Whoever calls it while it runs waits for the same verdict.
        """
        with self._closing:
            if self.verdict is None:
                self._drain()
                gevent.killall(self._greenlets)
                # A watcher killed within a request leaves a connection in no known state.
                self._app, self._ledgers = _client(), _client()
                self._poll()
                self._read_ledgers()
                self._tick()
                self.verdict = self._judge()
                self._close()
            return self.verdict

    def _open_files(self) -> str | None:
        summary_path, timeline_path = self.options.summary, self.options.timeline
        try:
            if summary_path is not None:
                Path(summary_path).write_text("", encoding="utf-8")
            if timeline_path is not None:
                self._timeline = Path(timeline_path).open("w", encoding="utf-8")  # noqa: SIM115 - `end` closes it
        except OSError as error:
            return f"--summary or --timeline {error.filename} can't be written: {error.strerror}"
        return None

    def _drain(self) -> None:
        deadline = time.monotonic() + self.options.drain_timeout_s
        while self.run.draining and self._stopped is None and time.monotonic() < deadline:
            gevent.sleep(min(0.1, max(0.0, deadline - time.monotonic())))

    def _judge(self) -> Verdict:
        finals = self.run.finals()
        verdict = judge(finals, self.options, stopped=self._stopped)
        if self.options.summary is not None:
            text = json.dumps(summary(finals, self.options, verdict), indent=2)
            Path(self.options.summary).write_text(text + "\n", encoding="utf-8")
        return verdict

    def _close(self) -> None:
        self._app.close()
        self._ledgers.close()
        if self._timeline is not None:
            self._timeline.close()

    def _every(self, interval_s: float, act: Callable[[], None]) -> None:
        due = time.monotonic()
        while True:
            try:
                act()
            except Exception:  # noqa: BLE001 - a guard that ends by a surprise guards nothing
                _log.exception("%s failed", act.__name__)
            due = max(due + interval_s, time.monotonic())
            gevent.sleep(due - time.monotonic())

    def _watch(self) -> None:
        self._poll()
        if self.run.settled and not self._told:
            self._told = True
            self._all_settled()

    def _poll(self) -> None:
        while True:
            query = f"after={self._cursor}&limit={PAGE_LIMIT}"
            page = _read(self._app, f"{self.options.host}/workflows?{query}", dict)
            if page is None:
                return
            for entry in page["workflows"]:
                if self.run.saw(entry):
                    self._finished(entry["instance_id"])
            self._cursor = page["next"]
            if len(page["workflows"]) < PAGE_LIMIT:
                return

    def _guard(self) -> None:
        self._read_ledgers()
        reason = self._meter.reason_to_stop(self.options.max_spend_nano_usd, now_s=time.monotonic())
        if reason is not None and self._stopped is None:
            self._stopped = reason
            _log.error("stopping: %s", reason)
            self._over_budget()

    def _tick(self) -> None:
        if self._timeline is not None:
            line = timeline_line(self.run, self._meter, t_unix_ms=time.time_ns() // 1_000_000)
            self._timeline.write(json.dumps(line) + "\n")
            self._timeline.flush()

    def _read_ledgers(self) -> None:
        fake_llm, budget = self.options.fake_llm_url, self.options.budget_url
        self._meter.read(
            _read(self._ledgers, f"{fake_llm}/spend", Ledger.from_json),
            _read(self._ledgers, f"{budget}/budgets?limit=1", BudgetState.from_json),
            now_s=time.monotonic(),
        )


def unreachable(host: str) -> str | None:
    """Return one line that says why no workflow app can be reached at `host`, or None."""
    try:
        with _client() as client:
            client.get(f"{host}/health").raise_for_status()
    except httpx.HTTPError as error:
        return f"--host {host}: no workflow app answers there: {error}"
    return None


def _client() -> httpx.Client:
    return httpx.Client(timeout=READ_TIMEOUT_S, trust_env=False)


def _read(client: httpx.Client, url: str, parse: Callable[[Any], _T]) -> _T | None:
    try:
        response = client.get(url)
        response.raise_for_status()
        return parse(response.json())
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
