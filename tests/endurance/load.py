"""Starts workflows without a pause, does to each what its case says, checks what comes of it."""

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count
from typing import Any

import aiohttp

from sidecar.protos import OrchestrationStatus
from tests.endurance import journal, rows
from tests.endurance.cases import Case, case
from tests.endurance.client import Client, Look, LostError
from tests.endurance.stack import APP_ID, Stack

_PURGED = 0.5
_ABANDONED = 0.5
_BEFORE_TERMINATION_S = 0.3
_LOOK_S = 0.1
_FAR = "9999-"
_TYPES = (f"dapr.internal.default.{APP_ID}.activity", f"dapr.internal.default.{APP_ID}.workflow")


class Fate(Enum):
    """How far an instance has come, as its client knows it."""

    STARTING = auto()
    # The start was not acknowledged, and the sidecar said that there is no such instance.
    ABANDONED = auto()
    ACKNOWLEDGED = auto()
    ENDED = auto()
    PURGED = auto()


@dataclass(slots=True)
class Entry:
    """What the load knows of one instance, without the sidecar."""

    case: Case
    fate: Fate = Fate.STARTING
    began_s: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Load:
    """The workflows of one run.

    Attributes:
        stack: Where they run.
        client: Calls the sidecar.
        seed: Of the cases.
        kinds: Which there are.
        entries: All that were started, by instance id.
        faults: What must not be.
        notes: Counts of what may be.
    """

    stack: Stack
    client: Client
    seed: int
    kinds: tuple[str, ...]
    entries: dict[str, Entry] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    stopping: bool = False
    _numbers: "count[int]" = field(default_factory=count)

    async def run(self, at_once: int, drain_s: "asyncio.Future[float]") -> None:
        """Keep so many workflows going until told to stop, then wait so long for the last."""
        tasks = [asyncio.create_task(self._keep_going()) for _ in range(at_once)]
        timeout_s = await drain_s
        self.stopping = True
        _, stuck = await asyncio.wait(tasks, timeout=timeout_s)
        for each in stuck:
            each.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [each for each in results if isinstance(each, Exception)]
        self.faults += [f"the load failed: {each!r}" for each in failures]

    async def _keep_going(self) -> None:
        while not self.stopping:
            entry = Entry(case(self.seed, next(self._numbers), self.kinds))
            self.entries[entry.case.instance] = entry
            try:
                await self.drive(entry)
            except LostError as error:
                self.faults.append(f"lost: {error}")

    async def drive(self, entry: Entry) -> None:
        """Start a workflow, and do to it what its case says, until it has ended."""
        this = entry.case
        rng = random.Random(this.instance)  # noqa: S311 - to be run again, not to be secret
        if not await self._start(entry, rng):
            return
        if this.suspended_s is not None:
            await self.client.begun(this.instance)
            await self.client.suspend(this.instance, self._holds(this, "executionSuspended"))
            await asyncio.sleep(this.suspended_s)
        for name, value in this.events:
            await self.client.raise_event(this.instance, name, json.dumps(value))
        if this.suspended_s is not None:
            await self.client.resume(this.instance, self._holds(this, "executionResumed"))
        if this.terminated:
            await asyncio.sleep(_BEFORE_TERMINATION_S)
            await self.client.terminate(this.instance, json.dumps(this.expected))
        await self._check(this, await self.client.ended(this.instance))
        entry.fate = Fate.ENDED
        if rng.random() < _PURGED:
            await self._purge(entry)

    async def _start(self, entry: Entry, rng: random.Random) -> bool:
        this = entry.case
        while not await self.client.start(this.workflow, this.instance, json.dumps(this.asked)):
            if await self.client.get(this.instance) is not None:
                self.notes["unsure starts that were there"] += 1
                break
            self.notes["unsure starts that were not there"] += 1
            if rng.random() < _ABANDONED:
                entry.fate = Fate.ABANDONED
                return False
        entry.fate = Fate.ACKNOWLEDGED
        return True

    def _holds(self, this: Case, kind: str) -> Look:
        async def look() -> bool:
            found = await self.rows(this.instance)
            return found.holds(kind) or found.holds("executionCompleted")

        return look

    async def _check(self, this: Case, state: Any) -> None:
        status = OrchestrationStatus.Name(state.workflowStatus).removeprefix(
            "ORCHESTRATION_STATUS_"
        )
        if (status, state.output.value) != (this.status, json.dumps(this.expected)):
            failed = state.failureDetails.errorMessage[:200]
            self.faults.append(
                f"{this.instance}: {status} {state.output.value} {failed}, "
                f"expected {this.status} {json.dumps(this.expected)}"
            )
        self.faults += await self.audit(this.instance)

    async def rows(self, instance: str) -> rows.Rows:
        """Return the rows of an instance."""
        # In a thread, for Redis may be away.
        return await asyncio.to_thread(rows.read, self.stack.redis, instance)

    async def audit(self, instance: str) -> list[str]:
        """Return what is wrong with the rows of an instance that has ended."""
        found = await self.rows(instance)
        faults = [*found.faults]
        if found.inbox:
            faults.append(f"{instance} has ended, and its inbox holds {len(found.inbox)} rows")
        written = journal.read(self.stack.journal)
        return faults + written.unfounded(instance, found.history)

    async def _purge(self, entry: Entry) -> None:
        instance = entry.case.instance
        # On 1.16.1 what still runs of a purged workflow runs for ever, as in Dapr.
        await self.without_jobs(instance)
        await self.client.purge(instance)
        # On 1.16.1 a purge that was cut off leaves children that the next one does not reach.
        for each in await asyncio.to_thread(rows.instances, self.stack.redis, instance):
            await self.client.purge(each)
        entry.fate = Fate.PURGED

    async def without_jobs(self, instance: str = "") -> None:
        """Wait until an instance has no jobs left."""
        while True:
            if not await self.open_jobs(instance):
                return
            await asyncio.sleep(_LOOK_S)

    async def open_jobs(self, instance: str = "") -> list[str]:
        """Return the jobs of an instance and its children, but for timers of the year 9999."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                found = [
                    each
                    for kind in _TYPES
                    for each in await self.stack.jobs(f"actorreminder||default||{kind}||{instance}")
                ]
                return [each["key"] for each in found if not str(each["due"]).startswith(_FAR)]
            await asyncio.sleep(_LOOK_S)
