"""What can be seen of the instances: in memory, in the store, and in the app's hands."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidecar.engine.actors import Engine
from sidecar.engine.instance import Instance, runtime_status, start, status_name
from sidecar.errors import SidecarError
from sidecar.stores.workflows import WorkflowStore
from sidecar.worker import Work
from sidecar.workers import Workers


@dataclass(frozen=True, slots=True)
class Asked:
    """Which instances.

    Attributes:
        prefix: Their ids begin so.
        after: Their ids come behind this one.
        limit: At most so many.
    """

    prefix: str = ""
    after: str = ""
    limit: int = 100

    def takes(self, instance_id: str) -> bool:
        """Tell whether an instance is one of them."""
        return instance_id.startswith(self.prefix) and instance_id > self.after


class Inspection:
    """Looks at a running sidecar and changes nothing."""

    def __init__(self, engine: Engine, store: WorkflowStore, workers: Workers) -> None:
        self._engine = engine
        self._store = store
        self._workers = workers

    async def page(self, asked: Asked) -> dict[str, Any]:
        """Return a page of instances in the order of their ids; without a store what memory has.

        What is in flight of an instance that is neither in memory nor stored is shown too: that is
        what runs away.
        """
        remembered, in_flight = self._engine.remembered(), _by_instance(self._workers)
        stored, problem = await self._stored_ids()
        known = {*remembered, *stored, *in_flight}
        found = sorted(filter(asked.takes, known))
        shown = found[: asked.limit]
        ttls_s = await self._ttls_s(shown, problem)
        instances = [
            {
                "id": each,
                **await self._state(each, remembered, is_stored=each in stored),
                "in_memory": each in remembered,
                "stored": each in stored,
                "metadata_ttl_s": ttl_s,
                "in_flight": [_shown(work) for work in in_flight.get(each, ())],
            }
            for each, ttl_s in zip(shown, ttls_s, strict=True)
        ]
        more = shown[-1] if len(found) > len(shown) else None
        return {"instances": instances, "total": len(found), "next": more, "store_error": problem}

    async def _stored_ids(self) -> tuple[set[str], str | None]:
        try:
            return set((await self._store.instance_ids()).ids), None
        except SidecarError as error:
            return set(), str(error)

    async def _ttls_s(self, shown: Sequence[str], problem: str | None) -> Sequence[int | None]:
        nothing = [None] * len(shown)
        try:
            return nothing if problem or not shown else await self._store.ttls_s(shown)
        except SidecarError:
            return nothing

    async def _state(
        self, instance_id: str, remembered: Mapping[str, Instance], *, is_stored: bool
    ) -> dict[str, Any]:
        state = remembered.get(instance_id)
        try:
            if state is None and is_stored:
                state = await self._store.load(instance_id)
        except SidecarError as error:
            return {"error": str(error)}
        if state is None:
            return {}
        started = start((*state.history, *state.inbox))
        return {
            "name": None if started is None else started.executionStarted.name,
            "status": status_name(runtime_status(state.history)),
            "generation": state.generation,
            "history_length": len(state.history),
            "inbox_length": len(state.inbox),
        }


def _by_instance(workers: Workers) -> Mapping[str, Sequence[Work]]:
    found: dict[str, list[Work]] = defaultdict(list)
    for work in workers.in_flight():
        found[work.instance_id].append(work)
    return found


def _shown(work: Work) -> dict[str, Any]:
    since_ms = round((time.monotonic() - work.since_s) * 1000)
    if work.task_id is None:
        return {"kind": "turn", "since_ms": since_ms}
    return {
        "kind": "activity",
        "since_ms": since_ms,
        "task_id": work.task_id,
        "name": work.name,
        "execution_id": work.execution_id,
        "execution": work.execution,
    }
