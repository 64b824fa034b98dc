"""Runs one arm: stack up, load, blow, observation, draining, evidence, stack down."""

import math
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from lab.arm_plan import ArmPlan
from lab.clock import now_unix_ms
from lab.collecting import budget_line, collect, pending_jobs
from lab.components import read_ttl_s
from lab.controls import Controls
from lab.disruptions import DISRUPTIONS, DisruptionRecord
from lab.errors import CannotRunError, DeadlineError
from lab.evidence import ArmEvidence
from lab.expectation import Again, expected_again
from lab.load import Load
from lab.processes import Nursery
from lab.recorder import Recorder
from lab.runtimes import Runtime
from lab.scenario import CALLS_IN_FLIGHT
from lab.stack import Stack
from lab.waiting import Waiter

# The SDK waits up to 15 s between two attempts to reach the sidecar again (facts of the SDK).
_RECONNECT_S = 40.0
_LOAD_MARGIN_S = 40.0
_DRAIN_MARGIN_S = 15.0
_HURRY_S = 1.0


@dataclass(slots=True)
class ArmRun:
    """One arm while it runs."""

    plan: ArmPlan
    stack: Stack
    load: Load
    waiter: Waiter
    recorder: Recorder
    controls: Controls
    expected: Again | None = None
    _in_flight: int = 0
    _missing: list[str] = field(default_factory=list)

    def run(self, nursery: Nursery) -> ArmEvidence:
        """Do all that comes between a ready stack and its end."""
        scenario, config = self.plan.scenario, self.plan.config
        disruption = DISRUPTIONS[scenario.disrupt]
        self.expected = expected_again(scenario.profile, loses_cache=disruption.loses_cache)
        label, began = self.stack.label(), now_unix_ms()
        self.load.start(nursery, self.stack.environment())
        self._await_load()
        self.load.loaded = True
        loaded, in_flight = now_unix_ms(), self._in_flight
        ttl_s = read_ttl_s(config.components)
        blow = disruption.apply(self.stack, self.waiter, ttl_s=ttl_s, outage_s=scenario.outage_s)
        if self.plan.arm == "full":
            self.controls.start(self.waiter, timeout_s=_RECONNECT_S)
        self._await_effect(blow, ttl_s)
        self.waiter.watch_for(scenario.observe_s, "observing")
        seen: dict[str, Any] = {
            "runtime": label,
            "ttl_s": ttl_s,
            "began_unix_ms": began,
            "loaded_unix_ms": loaded,
            "in_flight_at_blow": in_flight,
            "disrupted": asdict(blow),
            "controls": self.controls.started,
            "observed_until_unix_ms": now_unix_ms(),
            "jobs_left": pending_jobs(config, self.controls.started),
        }
        if self.controls.started:
            self.controls.wait(self.waiter, self.recorder)
        self.waiter.say("ending the load")
        self.load.stop(nursery)
        self.recorder.look_at("workflows")
        last_words = self.recorder.workflows()
        self._drain()
        self.waiter.say("collecting what was seen")
        seen["first_again_unix_ms"] = self._first_again(blow.began_unix_ms)
        return collect(
            self.plan,
            self.recorder,
            self.load,
            last_words=last_words,
            seen=seen,
            missing=self._missing,
        )

    def _await_load(self) -> None:
        scenario = self.plan.scenario
        parallel = CALLS_IN_FLIGHT[scenario.workflow]
        enough = math.ceil(scenario.workflows * parallel * scenario.in_flight_share)
        started = 0

        def is_loaded() -> bool:
            nonlocal started
            self.recorder.look_at("workflows")
            mine = [
                w
                for name, w in self.recorder.workflows().items()
                if name.startswith(f"{self.plan.run_id}-")
            ]
            started = sum(1 for w in mine if w["app"]["executions"] > 0)
            self._refuse_low_cap(sum(w["app"]["refusals"] for w in mine))
            self._in_flight = self._llm_in_flight()
            return started >= scenario.workflows and self._in_flight >= enough

        spread_s = scenario.workflows / scenario.start_rate_per_s
        self.waiter.until(
            is_loaded,
            f"{scenario.workflows} workflows to run and {enough} calls to be in flight",
            poll_s=0.1,
            timeout_s=spread_s + 4 * scenario.call_s + _LOAD_MARGIN_S,
            progress=lambda: f"{started} have run a step, {self._in_flight} in flight",
        )

    def _refuse_low_cap(self, refusals: int) -> None:
        if refusals:
            raise CannotRunError(
                f"{refusals} calls were refused before all workflows ran: the cap must let the "
                "healthy phase pass; raise cap_usd (--cap)"
            )

    def _llm_in_flight(self) -> int:
        return int(self.recorder.get(f"{self.plan.config.url('fake_llm')}/spend")["in_flight"])

    def _await_effect(self, blow: DisruptionRecord, ttl_s: int | None) -> None:
        """Wait for what the observation is counted from; its absence is for the verdict to see."""
        if self.expected is Again.NEVER:
            condition, what = self._has_expired, "state to expire under the running workflows"
            timeout_s = (ttl_s or 0) + 10.0
        else:

            def condition() -> bool:
                return self._first_again(blow.began_unix_ms) is not None

            what = "the app to reconnect and the first activity to run again"
            timeout_s = _RECONNECT_S + self.plan.scenario.call_s
        try:
            self.waiter.until(condition, what, timeout_s=timeout_s, poll_s=0.2)
        except DeadlineError:
            return

    def _has_expired(self) -> bool:
        polls = self.recorder.polls
        had = set().union(*(poll.with_first_row for poll in polls))
        return bool(polls) and bool(had - polls[-1].with_first_row)

    def _first_again(self, blow_unix_ms: int) -> int | None:
        earlier: set[tuple[str, str]] = set()
        for e in sorted(self.recorder.executions(), key=lambda e: e["started_unix_ms"]):
            key = (e["execution_id"], e["task_id"])
            if key in earlier and e["started_unix_ms"] > blow_unix_ms:
                return int(e["started_unix_ms"])
            earlier.add(key)
        return None

    def _drain(self) -> None:
        """Take the engine away, so that nothing new begins, and let what runs come to its end."""
        self.stack.kill("sidecar")
        left = ""

        def is_quiet() -> bool:
            nonlocal left
            self.recorder.look_at("workflows")
            executing = sum(w["app"]["in_flight"] for w in self.recorder.workflows().values())
            calls, held = self._llm_in_flight(), self._held_nano_usd()
            left = f"{executing} activities, {calls} calls"
            return executing == 0 and calls == 0 and held == 0

        try:
            self.waiter.until(
                is_quiet,
                "activities and calls in flight to end",
                timeout_s=self.plan.scenario.call_s * 2 + _DRAIN_MARGIN_S,
                progress=lambda: left,
            )
        except DeadlineError as error:
            self._missing += [f"calls: {error}", f"ledger: {error}"]

    def _held_nano_usd(self) -> int:
        return int(budget_line(self.recorder, self.plan.config)["reserved"]["nano_usd"])


def _await_a_death(stack: Stack) -> None:
    """Raise when a service turns out to have ended; a closed port comes before the exit."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        stack.alive()
        time.sleep(0.05)


def run_arm(
    plan: ArmPlan,
    runtime: Runtime,
    nursery: Nursery,
    waiter: Waiter,
) -> ArmEvidence:
    """Run one arm from nothing to nothing; its stack is gone when this returns or raises.

    Raises:
        ServiceFailedError: a service failed to start or died.
        DeadlineError: the workflows did not get going, or state did not expire.
        GuardStoppedError: the load's guard ended it.
    """
    stack = runtime.stack(plan.config, nursery)
    guard_usd = plan.scenario.safety_cap_usd if plan.arm == "off" else None
    load = Load(plan.config, plan.scenario, plan.run_id, guard_usd)

    def alive() -> None:
        stack.alive()
        load.alive()

    watched = Waiter(waiter.stopped, alive, waiter.say)
    try:
        stack.start(watched)
        with Recorder(plan.config) as recorder:
            controls = Controls(plan.config, plan.scenario, plan.run_id)
            return ArmRun(plan, stack, load, watched, recorder, controls).run(nursery)
    except httpx.HTTPError as error:
        # A service that just died explains itself better than the call to it that failed.
        _await_a_death(stack)
        raise DeadlineError(f"a service did not answer: {error!r}") from error
    finally:
        waiter.say("stopping its services")
        # In a run that came to its end Locust is gone already; Ctrl-C shall not wait for it.
        load.stop(nursery, grace_s=_HURRY_S)
        stack.stop()
