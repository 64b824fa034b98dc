"""What the workflows compute: known beforehand to the load, so that a wrong result shows."""

import hashlib
from collections.abc import Sequence


def mix(*parts: object) -> str:
    """Return a short digest of the parts in their order."""
    text = "|".join(map(str, parts))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def task_output(instance: str, x: str, i: int) -> str:
    """Return what the activity number `i` of an instance makes of `x`."""
    return mix(instance, x, i)


def chain_output(instance: str, x: str, steps: int, first: int = 0) -> str:
    """Return what so many activities make of `x` one after the other."""
    for i in range(first, first + steps):
        x = task_output(instance, x, i)
    return x


def fan_output(instance: str, x: str, width: int) -> str:
    """Return what so many activities make of `x` side by side, in their order."""
    return mix(*(task_output(instance, x, i) for i in range(width)))


def event_value(instance: str, i: int) -> str:
    """Return the payload of the event number `i` of an instance."""
    return mix("event", instance, i)


def events_output(instance: str, x: str, count: int) -> str:
    """Return what a workflow makes of `x` that runs an activity after each event."""
    for i in range(count):
        x = task_output(instance, mix(x, event_value(instance, i)), i)
    return x


def children_output(instance: str, x: str, shape: Sequence[int]) -> str:
    """Return what children make of `x` that run chains of these lengths."""
    kids = [chain_output(f"{instance}.{n}", x, steps) for n, steps in enumerate(shape)]
    return mix(*kids)
