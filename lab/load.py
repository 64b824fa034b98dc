"""The Locust process of an arm: starts the workflows, watches them, writes timeline and summary."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import GuardStoppedError, ServiceFailedError
from lab.evidence import LoadResult
from lab.paths import LOCUSTFILE
from lab.processes import Child, Nursery, tail_of
from lab.scenario import Scenario
from lab.stack_config import StackConfig

DRAIN_S = 1
_END_GRACE_S = DRAIN_S + 15.0
# What the locustfile ends with when it could not do its work, or the guard stopped it.
_COULD_NOT_RUN, _GUARD = 2, 3


@dataclass(slots=True)
class Load:
    """One Locust run.

    Attributes:
        run_id: workflow instances are called `<run_id>-<n>`.
        loaded: whether all that was asked for runs; until then no failure of Locust is one of
            the workflows that it watches.
    """

    config: StackConfig
    scenario: Scenario
    run_id: str
    max_spend_usd: str | None
    loaded: bool = False
    _child: Child | None = None
    _exit_code: int | None = None
    _folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self._folder = self.config.directory

    def start(self, nursery: Nursery, env: Mapping[str, str]) -> None:
        """Start Locust."""
        log = self.config.logs / "locust.log"
        self._child = nursery.spawn("locust", self.command(), env=env, log=log)

    def command(self) -> list[str]:
        """Return the command line, as a user could type it."""
        scenario, config = self.scenario, self.config
        command = [
            *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--users", "1"),
            *("--host", config.url("app"), "--expect", "any"),
            *("--workflows", str(scenario.workflows)),
            *("--start-rate", f"{scenario.start_rate_per_s:g}"),
            *("--workflow", scenario.workflow, "--input", self._input()),
            *("--run-id", self.run_id, "--drain-timeout-s", str(DRAIN_S)),
            *("--fake-llm-url", config.url("fake_llm"), "--budget-url", config.url("budget")),
            *("--timeline", str(self._timeline), "--summary", str(self._summary)),
        ]
        if self.max_spend_usd is not None:
            command += ["--max-spend-usd", self.max_spend_usd]
        return command

    def exit_code(self) -> int | None:
        """Return how Locust ended by itself; None when it did not, or was told to."""
        return self._child.exit_code() if self._child else None

    def alive(self) -> None:
        """Raise when Locust failed while it was needed, or its guard stopped the run.

        Raises:
            GuardStoppedError: its guard stopped the run.
            ServiceFailedError: it failed, with its last log lines.
        """
        code = self.exit_code()
        if code is None:
            return
        if code == _GUARD:
            raise GuardStoppedError("the load's spending guard stopped the run")
        if code == _COULD_NOT_RUN or code < 0 or (code > 0 and not self.loaded):
            tail = tail_of(self.config.logs / "locust.log")
            raise ServiceFailedError("locust", f"ended by itself ({code})", tail)

    def stop(self, nursery: Nursery, *, grace_s: float = _END_GRACE_S) -> None:
        """Ask Locust to end and wait until it has written its summary."""
        if self._child is not None:
            self._exit_code = nursery.end(self._child, grace_s=grace_s)
            self._child = None

    def result(self) -> LoadResult:
        """Return what Locust wrote."""
        return LoadResult(
            exit_code=self._exit_code,
            summary=read_summary(self._summary),
            timeline=tuple(read_timeline(self._timeline)),
        )

    def _input(self) -> str:
        return self.scenario.input.model_dump_json() if self.scenario.workflow == "agent" else "{}"

    @property
    def _timeline(self) -> Path:
        return self._folder / "load-timeline.ndjson"

    @property
    def _summary(self) -> Path:
        return self._folder / "load-summary.json"


def read_summary(path: Path) -> dict[str, Any] | None:
    """Return the summary; None when Locust did not get to write it to its end."""
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return document


def read_timeline(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the timeline, without a last one that a death has torn.

    Raises:
        ValueError: another line than the last is no JSON.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    try:
        last = [json.loads(line) for line in lines[-1:]]
    except ValueError:
        last = []
    return [json.loads(line) for line in lines[:-1]] + last
