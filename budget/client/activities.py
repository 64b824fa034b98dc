"""Whose call it is: the workflow activity that this code runs in, told by a context."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from typing import Any, Final

from metering.identity import UNKNOWN, CallerIdentity

_DIGEST_LENGTH: Final = 16


class Ordinals:
    """Numbers equal requests of one activity: what failed gives its number to the next try.

    So an activity that is executed again numbers its calls as before, whatever was retried.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: defaultdict[str, set[int]] = defaultdict(set)

    def take(self, body: bytes) -> "Ordinal":
        """Return the lowest free number of this request, from 1."""
        digest = sha256(body).hexdigest()[:_DIGEST_LENGTH]
        with self._lock:
            taken = self._taken[digest]
            number = next(n for n in range(1, len(taken) + 2) if n not in taken)
            taken.add(number)
        return Ordinal(self, digest, number)

    def give_back(self, ordinal: "Ordinal") -> None:
        """Let the next equal request have it."""
        with self._lock:
            self._taken[ordinal.digest].discard(ordinal.number)


@dataclass(frozen=True, slots=True)
class Ordinal:
    """Which call of its activity a call is."""

    ordinals: Ordinals
    digest: str
    number: int

    def __str__(self) -> str:
        return f"{self.digest}.{self.number}"

    def give_back(self) -> None:
        """Let the next equal request have it, for this one was not answered."""
        self.ordinals.give_back(self)


@dataclass(frozen=True, slots=True)
class _Activity:
    identity: CallerIdentity
    ordinals: Ordinals


_CURRENT: Final[ContextVar[_Activity | None]] = ContextVar("budget_activity", default=None)


@contextmanager
def activity(
    ctx: Any,
    *,
    workflow: str = UNKNOWN,
    root: str | None = None,
    app: str = UNKNOWN,
    name: str = UNKNOWN,
) -> Iterator[CallerIdentity]:
    """Say that the calls within the block are made by a Dapr workflow activity.

    Holds for this thread or task, and for tasks that it starts; threads that it starts do not know.

    Args:
        ctx: The SDK's WorkflowActivityContext, from which instance, task and execution id are read.
        workflow: Name of the workflow; the SDK does not tell it to an activity.
        root: Instance id of the outermost parent; the instance itself unless told.
        app: Dapr app id.
        name: Name of the activity.
    """
    instance = ctx.workflow_id
    identity = CallerIdentity(
        app=app,
        workflow=workflow,
        root=instance if root is None else root,
        instance=instance,
        activity=name,
        task_id=str(ctx.task_id),
        # Below dapr-ext-workflow 1.18 the SDK does not tell it: then nothing is replayed.
        execution_id=getattr(ctx.get_inner_context(), "task_execution_id", "") or UNKNOWN,
    )
    token = _CURRENT.set(_Activity(identity, Ordinals()))
    try:
        yield identity
    finally:
        _CURRENT.reset(token)


def caller_of(
    headers: Mapping[str, str], body: bytes, default_app: str | None
) -> tuple[CallerIdentity, Ordinal | None]:
    """Return who makes a call: its headers say, else the context; and the number it took there."""
    identity = CallerIdentity.from_headers(headers)
    current = _CURRENT.get()
    ordinal = None
    if current is not None:
        told = {f.name: v for f in fields(identity) if (v := getattr(identity, f.name)) != UNKNOWN}
        identity = replace(current.identity, **told)
        if identity.idempotency_key == UNKNOWN and identity.execution_id != UNKNOWN:
            ordinal = current.ordinals.take(body)
            place = f"{identity.instance}:{identity.execution_id}:{identity.task_id}"
            identity = replace(identity, idempotency_key=f"{place}:{ordinal}")
    if identity.app == UNKNOWN and default_app:
        identity = replace(identity, app=default_app)
    return identity, ordinal
