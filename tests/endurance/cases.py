"""The workflows of a run: what each is asked, what is done to it, what must come of it. Pure."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.endurance import arithmetic
from tests.endurance.arithmetic import mix


@dataclass(frozen=True, slots=True)
class Case:
    """One workflow to start.

    Attributes:
        kind: Names what it exercises; its instance ids begin with it.
        workflow: The workflow's name in the worker.
        instance: Its id.
        asked: Its input.
        expected: Its output.
        status: Runtime status it ends with.
        events: Names and payloads of the events to raise, in this order.
        suspended_s: How long it is suspended before its events are raised; None for never.
        terminated: Whether it is terminated, with `expected` as its output.
    """

    kind: str
    workflow: str
    instance: str
    asked: dict[str, Any]
    expected: str
    status: str = "COMPLETED"
    events: tuple[tuple[str, str], ...] = field(default=())
    suspended_s: float | None = None
    terminated: bool = False


def _naps(rng: random.Random, most: int) -> list[float]:
    """Return short activities, and now and then one that an outage is likely to meet."""
    return [
        round(rng.uniform(0.2, 0.9) if rng.random() < 0.15 else rng.uniform(0, 0.05), 3)
        for _ in range(rng.randint(2, most))
    ]


def _chain(rng: random.Random, instance: str, x: str) -> Case:
    naps = _naps(rng, 6)
    expected = arithmetic.chain_output(instance, x, len(naps))
    return Case("chain", "chain", instance, {"x": x, "naps": naps}, expected)


def _fan(rng: random.Random, instance: str, x: str) -> Case:
    naps = _naps(rng, 8)
    expected = arithmetic.fan_output(instance, x, len(naps))
    return Case("fan", "fan", instance, {"x": x, "naps": naps}, expected)


def _timers(rng: random.Random, instance: str, x: str) -> Case:
    naps = [round(rng.uniform(0, 0.6), 3) for _ in range(rng.randint(2, 4))]
    expected = arithmetic.chain_output(instance, x, len(naps))
    return Case("timers", "timers", instance, {"x": x, "naps": naps}, expected)


def _events(rng: random.Random, instance: str, x: str) -> Case:
    count = rng.randint(1, 4)
    raised = tuple((f"go-{i}", arithmetic.event_value(instance, i)) for i in range(count))
    expected = arithmetic.events_output(instance, x, count)
    return Case("events", "events", instance, {"x": x, "count": count}, expected, events=raised)


def _children(rng: random.Random, instance: str, x: str) -> Case:
    kids = [_naps(rng, 3) for _ in range(rng.randint(1, 3))]
    expected = arithmetic.children_output(instance, x, [len(each) for each in kids])
    return Case("children", "children", instance, {"x": x, "kids": kids}, expected)


def _family(rng: random.Random, instance: str, x: str) -> Case:
    kids = [_naps(rng, 2) for _ in range(rng.randint(1, 2))]
    inner = arithmetic.children_output(f"{instance}.p", x, [len(each) for each in kids])
    expected = arithmetic.task_output(instance, inner, 0)
    return Case("family", "family", instance, {"x": x, "kids": kids}, expected)


def _again(rng: random.Random, instance: str, x: str) -> Case:
    last = rng.randint(1, 3)
    asked = {"x": x, "generation": 0, "last": last, "nap": round(rng.uniform(0, 0.3), 3)}
    expected = arithmetic.chain_output(instance, x, last + 1)
    return Case("again", "again", instance, asked, expected)


def _retry(_rng: random.Random, instance: str, x: str) -> Case:
    expected = arithmetic.task_output(instance, x, 0)
    return Case("retry", "retry", instance, {"x": x}, expected)


def _retries(rng: random.Random, instance: str, x: str) -> Case:
    width = rng.randint(2, 4)
    expected = arithmetic.fan_output(instance, x, width)
    return Case("retries", "retries", instance, {"x": x, "width": width}, expected)


def _suspended(rng: random.Random, instance: str, x: str) -> Case:
    # Suspended while it waits for an event: the SDK fails a workflow that is suspended in the same
    # turn in which it asks for a task, for then it asks again in the next.
    count = rng.randint(1, 3)
    raised = tuple((f"go-{i}", arithmetic.event_value(instance, i)) for i in range(count))
    expected = arithmetic.events_output(instance, x, count)
    asked = {"x": x, "count": count}
    pause_s = rng.uniform(0, 0.6)
    return Case(
        "suspended", "events", instance, asked, expected, events=raised, suspended_s=pause_s
    )


def _terminated(_rng: random.Random, instance: str, x: str) -> Case:
    expected = mix("end", instance, x)
    return Case("terminated", "doomed", instance, {"x": x}, expected, "TERMINATED", terminated=True)


KINDS: dict[str, Callable[[random.Random, str, str], Case]] = {
    "chain": _chain,
    "fan": _fan,
    "timers": _timers,
    "events": _events,
    "children": _children,
    "family": _family,
    "again": _again,
    "retry": _retry,
    "retries": _retries,
    "suspended": _suspended,
    "terminated": _terminated,
}


def case(seed: int, number: int, kinds: tuple[str, ...]) -> Case:
    """Return the case of that number: the same for the same seed, whatever ran before it."""
    rng = random.Random(f"{seed}/{number}")  # noqa: S311 - to be run again, not to be secret
    kind = rng.choice(kinds)
    instance = f"{kind}-{number:05d}"
    return KINDS[kind](rng, instance, mix("x", rng.random()))
