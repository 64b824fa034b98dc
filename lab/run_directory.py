"""Where a run is kept: `runs/<utc>-<scenario>/`, complete or marked as partial."""

import json
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from lab.evidence import ArmEvidence
from lab.full_properties import stopped_instances
from lab.properties import expiries
from lab.rates import again_per_window
from lab.scenario import Scenario
from lab.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One run's folder."""

    path: Path

    @classmethod
    def create(cls, runs: Path, name: str, now: datetime) -> "RunDirectory":
        """Make a new folder named after the time and the scenario."""
        stem = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}"
        for n in range(1, 1000):
            path = runs / (stem if n == 1 else f"{stem}-{n}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            (path / "logs").mkdir()
            return cls(path)
        raise FileExistsError(f"{runs / stem} and 998 more exist")

    def begin(self, scenario: Scenario, head: Mapping[str, Any]) -> None:
        """Write the scenario, and that the run has begun."""
        text = yaml.safe_dump(scenario.model_dump(mode="json"), sort_keys=False)
        (self.path / "scenario.yaml").write_text(text)
        self._write_json("run.json", {**head, "status": "running"})

    def arm(self, name: str) -> Path:
        """Return the folder of one arm's stack."""
        path = self.path / "arms" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def keep_logs(self, arms: Sequence[str]) -> None:
        """Move the arms' logs to `logs/`, one file a service and arm."""
        for arm in arms:
            for log in sorted((self.path / "arms" / arm / "logs").glob("*.log")):
                log.replace(self.path / "logs" / f"{arm}-{log.name}")

    def keep_traceback(self, error: Exception) -> str:
        """Append where an exception came from to a log; return that log's name in the run."""
        name = "logs/lab-errors.log"
        with (self.path / name).open("a") as log:
            log.writelines(traceback.format_exception(error))
        return name

    def keep_evidence(self, evidence: Sequence[ArmEvidence]) -> None:
        """Write what the arms saw."""
        for arm in evidence:
            (self.path / "arms" / arm.arm / "evidence.json").write_text(arm.model_dump_json())
        lines = sorted(
            (line for arm in evidence for line in timeline(arm)), key=lambda x: x["t_unix_ms"]
        )
        self._write_lines("timeline.ndjson", lines)
        calls = ({"arm": arm.arm, **c.model_dump()} for arm in evidence for c in arm.calls)
        self._write_lines("calls.ndjson", calls)

    def end(self, head: Mapping[str, Any], verdict: Verdict, status: str) -> None:
        """Write how it ended: `complete`, `failed` or `interrupted`."""
        document = {**head, "status": status, **verdict_document(verdict)}
        self._write_json("run.json", document)

    def make_latest(self) -> None:
        """Point `runs/latest` here, in one step."""
        fresh = self.path.parent / f".latest-{os.getpid()}"
        fresh.symlink_to(self.path.name)
        fresh.replace(self.path.parent / "latest")

    def _write_json(self, name: str, document: Mapping[str, Any]) -> None:
        (self.path / name).write_text(json.dumps(document, indent=1) + "\n")

    def _write_lines(
        self, name: str, lines: Iterator[dict[str, Any]] | list[dict[str, Any]]
    ) -> None:
        with (self.path / name).open("w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def timeline(arm: ArmEvidence) -> Iterator[dict[str, Any]]:
    """Yield everything that has a time: load, keys, events; one shape for each `kind`."""
    name = arm.arm
    for line in arm.load.timeline:
        yield {"arm": name, "kind": "load", **line}
    for poll in arm.keys:
        counts = {"instances": len(poll.keys), "keys": sum(poll.keys.values())}
        first = {"with_first_row": len(poll.with_first_row)}
        yield {"arm": name, "kind": "keys", "t_unix_ms": poll.t_unix_ms, **counts, **first}
    for event, at in events(arm):
        yield {"arm": name, "kind": "event", "t_unix_ms": at, "event": event}


def events(arm: ArmEvidence) -> list[tuple[str, int]]:
    """Return the moments of an arm that matter, in order of time."""
    blow, stops = arm.disrupted, source_stops(arm)
    found: list[tuple[str, int | None]] = [
        ("load began", arm.began_unix_ms),
        ("all workflows run", arm.loaded_unix_ms),
        (f"disruption: {blow.kind}", blow.began_unix_ms),
        ("no workflow has a key left", blow.state_gone_unix_ms),
        ("disruption over", blow.ended_unix_ms),
        ("first state of a running workflow expired", min(expiries(arm).values(), default=None)),
        ("first activity runs again", arm.first_again_unix_ms),
        ("cap tripped", arm.budget.cut_off_unix_ms),
        ("first workflow stopped at its source", min(stops, default=None)),
        ("last workflow stopped at its source", max(stops, default=None)),
        ("observation ended", arm.observed_until_unix_ms),
    ]
    return sorted(((e, at) for e, at in found if at is not None), key=lambda pair: pair[1])


def source_stops(arm: ArmEvidence) -> list[int]:
    """Return when the gateway had stopped workflows at their source, in order of time."""
    ends = (view.source.ended_unix_ms for view in stopped_instances(arm) if view.source)
    return sorted(at for at in ends if at is not None)


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as `--json` prints it and run.json keeps it."""
    return {
        "verdict": verdict.outcome.value,
        "sentence": verdict.sentence,
        "exit_code": int(verdict.exit_code),
        "expected": verdict.expected,
        "reasons": list(verdict.reasons),
        "arms": [
            {
                "arm": arm.evidence.arm,
                "runtime": arm.evidence.runtime,
                "ttl_s": arm.evidence.ttl_s,
                "spent_nano_usd": arm.evidence.spend.nano_usd,
                "limit_nano_usd": arm.evidence.limit_nano_usd,
                "calls": arm.evidence.spend.calls,
                "duplicate_calls": arm.evidence.spend.duplicate_calls,
                "refusals": arm.evidence.budget.refusals,
                "replays": sum(1 for d in arm.evidence.decisions if d.decision == "replay"),
                "workflows_stopped": len(stopped_instances(arm.evidence)),
                "activities_in_flight": arm.redelivery.in_flight,
                "activities_endless": arm.redelivery.endless,
                "executions_after_blow": arm.redelivery.again,
                "executions_again_per_10_s": list(again_per_window(arm.evidence)),
                "period_ms": arm.redelivery.period_ms,
                "rates": asdict(arm.rates),
                "properties": [asdict(p) for p in arm.properties],
            }
            for arm in verdict.arms
        ],
    }
