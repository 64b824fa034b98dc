"""One run: load, kills, and the reckoning at the end."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.endurance import journal, rows
from tests.endurance.client import Client
from tests.endurance.kills import Kill, plan
from tests.endurance.load import Fate, Load
from tests.endurance.stack import Stack, stack

_AT_ONCE = 24
_DRAIN_S = 45.0
_JOBS_S = 20.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run.

    Attributes:
        faults: What must not be; empty when nothing was lost.
        figures: Counts, in the order in which to print them.
        kinds: Ended workflows by kind.
        errors: What clients were answered instead of an acknowledgement.
        took_s: Seconds from the first kill to the end.
    """

    faults: tuple[str, ...]
    figures: dict[str, int]
    kinds: Counter[str]
    errors: Counter[str]
    took_s: float

    def lines(self) -> list[str]:
        """Return it for people."""
        told = [f"{value:7d}  {name}" for name, value in self.figures.items()]
        told.append(f"{self.took_s:7.1f}  seconds")
        told.append("ended: " + ", ".join(f"{n} {kind}" for kind, n in sorted(self.kinds.items())))
        told += [f"client was told {n:5d} times: {text}" for text, n in self.errors.most_common(12)]
        return told + [f"FAULT {each}" for each in self.faults]


async def run(
    directory: Path, profile: str, *, seed: int, rounds: int, kinds: tuple[str, ...]
) -> Report:
    """Kill so many times under load; `directory` keeps logs, journal and jobs."""
    async with stack(directory, profile) as made:
        client = Client(made.sidecar_address)
        load = Load(made, client, seed, kinds)
        drain: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(load.run(_AT_ONCE, drain))
        began_s = time.monotonic()
        try:
            for number, kill in enumerate(plan(seed, rounds)):
                known = len(load.faults)
                await _round(made, kill)
                _say(number, kill, load, load.faults[known:])
            await made.ready()
            drain.set_result(_DRAIN_S)
            await running
            return await reckon(made, load, time.monotonic() - began_s)
        finally:
            running.cancel()
            await client.close()


async def _round(made: Stack, kill: Kill) -> None:
    if kill.moment != "at start-up":
        await made.ready()
    await asyncio.sleep(kill.after_s)
    number = signal.SIGTERM if kill.is_asked else signal.SIGKILL
    for _ in range(2 if kill.moment == "twice" else 1):
        await asyncio.to_thread(made.kill, kill.targets, number)


def _say(number: int, kill: Kill, load: Load, faults: Sequence[str]) -> None:
    ended = sum(each.fate in (Fate.ENDED, Fate.PURGED) for each in load.entries.values())
    lines = [
        f"round {number}: {kill}, {len(load.entries)} started, {ended} ended",
        *(f"  found in this round: {each}" for each in faults),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


async def reckon(made: Stack, load: Load, took_s: float) -> Report:
    """Compare what the load knows with what there is, once the load has ended."""
    fates = Counter(each.fate for each in load.entries.values())
    faults = load.faults + await _stuck(made, load)
    faults += await _left_jobs(load)
    faults += await _leftovers(made, load)
    written = journal.read(made.journal)
    figures = {
        **dict(sorted(made.kills.items())),
        "workflows started": len(load.entries),
        "workflows ended": fates[Fate.ENDED] + fates[Fate.PURGED],
        "of them purged": fates[Fate.PURGED],
        "starts given up, and nowhere": fates[Fate.ABANDONED],
        "workflows stuck": fates[Fate.STARTING] + fates[Fate.ACKNOWLEDGED],
        **dict(sorted(load.notes.items())),
        "activity executions": written.executions,
        "of them repeated": written.repeated,
        "most executions of one task": written.most,
    }
    ended = Counter(
        each.case.kind for each in load.entries.values() if each.fate in (Fate.ENDED, Fate.PURGED)
    )
    return Report(tuple(faults), figures, ended, load.client.errors, took_s)


async def _stuck(made: Stack, load: Load) -> list[str]:
    faults = []
    for each in load.entries.values():
        if each.fate in (Fate.STARTING, Fate.ACKNOWLEDGED):
            instance = each.case.instance
            found = rows.read(made.redis, instance)
            inbox = [str(event.WhichOneof("eventType")) for event in found.inbox]
            jobs = await load.open_jobs(instance)
            faults.append(
                f"stuck: {instance} ({each.fate.name}) history {_short(found.kinds)} "
                f"inbox {inbox} jobs {jobs}"
            )
    return faults


def _short(kinds: Iterable[str]) -> str:
    return " ".join(kinds)


async def _left_jobs(load: Load) -> list[str]:
    try:
        async with asyncio.timeout(_JOBS_S):
            await load.without_jobs()
    except TimeoutError:
        return [f"job left: {each}" for each in await load.open_jobs()]
    return []


async def _leftovers(made: Stack, load: Load) -> list[str]:
    faults = []
    for instance in rows.instances(made.redis):
        root = instance.partition(".")[0]
        entry = load.entries.get(root)
        if entry is None:
            faults.append(f"{instance} was started by nobody")
        elif entry.fate in (Fate.ABANDONED, Fate.PURGED):
            faults.append(f"{instance} has rows, and is {entry.fate.name}")
        elif entry.fate is Fate.ENDED:
            faults += await load.audit(instance)
    return faults
