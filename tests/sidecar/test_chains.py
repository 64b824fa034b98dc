"""Late results of lost workflows: how many executions of one activity run side by side, for ever.

An execution that outlives an outage of its sidecar delivers its result to the job's next execution.
That fails the job, and a further execution begins beside the one that still runs.
"""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sidecar import traces
from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import start
from tests.sidecar.stack import Stack, stack, until

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
LOST = [f"lost-{n}" for n in range(4)]
# Three chains of this length ask for less than the one execution a second that a job allows.
ACTIVITY_S = 3.5
TIMER = "timer-lost"
TIMER_S = 8
DROPPED = f"No workflow state found for actor '{TIMER}', terminating execution"
# A job is tried again after a second; a result that nobody waits for is offered again sooner.
SETTLED_S = 1.5


@dataclass(frozen=True)
class Aftermath:
    """What ran of the lost workflows after each outage.

    Attributes:
        chains: Executions of one activity side by side.
        executions: All that had begun by then.
        turns: Of a workflow whose timer fired after its state was lost.
        drops: Log lines that say so.
    """

    chains: Mapping[str, int]
    executions: Mapping[str, int]
    turns: int
    drops: int


@pytest.fixture(scope="module")
def outages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, list[Aftermath]]]:
    """Lose four workflows, and have two outages shorter than an activity and one longer."""
    directory = tmp_path_factory.mktemp("chains")
    with ExitStack() as closing, ThreadPoolExecutor(len(PROFILES)) as pool:

        def play(profile: str) -> list[Aftermath]:
            return _play(closing.enter_context(stack(directory / profile, profile)))

        yield dict(zip(PROFILES, pool.map(play, PROFILES), strict=True))


def _play(stack: Stack) -> list[Aftermath]:
    hold = stack.directory / "hold"
    hold.touch()
    start(stack, "timer", TIMER, TIMER_S)
    for each in LOST:
        start(stack, "seq", each, {"steps": 1, "sleep": ACTIVITY_S, "hold": str(hold)})
    until(lambda: all(_running(stack, each) == 1 for each in LOST))
    short, second, long = (2, 3, 1) if stack.profile == "1.16.1" else (0, 0, 0)
    return [
        _short(stack, hold, lasting=short),
        _short(stack, hold, lasting=second),
        _long(stack, hold, lasting=long),
    ]


def _short(stack: Stack, hold: Path, *, lasting: int) -> Aftermath:
    """Restart the sidecar while what is in flight is held until after the re-execution."""
    in_flight = any(_running(stack, each) for each in LOST)
    known = _executions(stack)
    stack.kill_sidecar()
    stack.redis.flushall()
    stack.start_sidecar()
    if in_flight:
        _began_since(stack, known)
    return _aftermath(stack, hold, lasting=lasting)


def _long(stack: Stack, hold: Path, *, lasting: int) -> Aftermath:
    """Restart the sidecar after all that was in flight has ended."""
    stack.kill_sidecar()
    hold.unlink(missing_ok=True)
    until(lambda: not any(_running(stack, each) for each in LOST))
    stack.start_sidecar()
    until(lambda: stack.logged(DROPPED))
    return _aftermath(stack, hold, lasting=lasting)


def _aftermath(stack: Stack, hold: Path, *, lasting: int) -> Aftermath:
    """Let all go on for a round where something lasts, hold it, and count it once nothing moves."""
    hold.unlink(missing_ok=True)
    if lasting:
        _began_since(stack, _executions(stack), lasting + 1)
        hold.touch()
    until(lambda: all(_running(stack, each) == lasting for each in LOST), 30)
    time.sleep(SETTLED_S)
    return Aftermath(
        {each: _running(stack, each) for each in LOST},
        _executions(stack),
        len(traces.turns(stack.tap.of(TIMER))),
        stack.logged(DROPPED),
    )


def _began_since(stack: Stack, known: Mapping[str, int], more: int = 1) -> None:
    until(lambda: all(len(stack.executions(each)) >= known[each] + more for each in LOST), 40)


def _executions(stack: Stack) -> dict[str, int]:
    return {each: len(stack.executions(each)) for each in LOST}


def _running(stack: Stack, instance: str) -> int:
    return len(stack.executions(instance)) - len(stack.executions(instance, "end"))


def test_each_outage_that_an_execution_outlives_adds_one_chain(
    outages: Mapping[str, list[Aftermath]], profile: str
) -> None:
    """On 1.16.1 two, then three executions side by side, for ever; on 1.18.3 one more in all."""
    first, second, _ = outages[profile]
    if profile == "1.16.1":
        assert first.chains == dict.fromkeys(LOST, 2)
        assert second.chains == dict.fromkeys(LOST, 3)
    else:
        assert first.executions == dict.fromkeys(LOST, 2)


def test_an_outage_that_no_execution_outlives_leaves_one_chain(
    outages: Mapping[str, list[Aftermath]], profile: str
) -> None:
    """On 1.16.1 one execution at a time, as after the loss itself; on 1.18.3 none at all."""
    *_, second, long = outages[profile]
    if profile == "1.16.1":
        assert long.chains == dict.fromkeys(LOST, 1)
    else:
        assert long.executions == second.executions == dict.fromkeys(LOST, 2)


def test_reminders_of_a_lost_workflow_are_dropped(
    outages: Mapping[str, list[Aftermath]], profile: str
) -> None:
    """Its timer fires for nobody: no turn is taken, nothing is tried again."""
    last = outages[profile][-1]
    assert (last.turns, last.drops) == (1, 1)
