"""The routes with which an operator stops callers and lets them go on; what is known of each."""

import asyncio
import time
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field, ValidationInfo, field_validator

from budget.control.events import trip_row
from budget.control.fields import (
    BAD_BODY,
    BAD_QUERY,
    DEFAULT_PAGE,
    After,
    Document,
    InstanceId,
    Limit,
    Name,
    Text,
    error_answer,
    errors,
)
from budget.control.instances import InstanceDocument, instance_json
from budget.instances import Instance, StopState
from budget.metrics import Metrics
from budget.scopes import ScopeKind
from budget.store.reading import Reading
from budget.store.switches import Order, Switches

TripKind = Literal[
    "kill", "resume", "zombie", "velocity", "threshold", "limit", "source_stop", "key", "recovery"
]

STOP_WAIT_S: Final = 8.0
POLL_S: Final = 0.05


class StopBody(Document):
    """Why an instance is stopped, and who says so."""

    reason: Text
    actor: Name
    app: Name | None = None


class OrderBody(Document):
    """Whom a kill or a resume concerns, why, and who says so."""

    scope: ScopeKind
    id: Annotated[Name | None, Field(validate_default=True)] = None
    reason: Text
    actor: Name

    @field_validator("id")
    @classmethod
    def _goes_with_its_scope(cls, value: str | None, info: ValidationInfo) -> str | None:
        scope = info.data.get("scope")
        if scope is not None and (value is None) == (scope is not ScopeKind.GLOBAL):
            raise ValueError('needed, but for scope "global", which has none')
        return value

    def order(self) -> Order:
        """Return it as the store takes it."""
        return Order(self.scope, self.id or "", self.reason, self.actor)


class Operations:
    """What the routes need of the gateway.

    Args:
        switches: Kills and resumes.
        reading: What is known.
        metrics: Where trips are counted.
        wake: Tells the stopper that there is something to do.
        has_scheduler: Whether BUDGET_SCHEDULER_ADDRESS is set.
        app_id: The app of an instance whose calls named none; empty when it is not known.
    """

    def __init__(
        self,
        switches: Switches,
        reading: Reading,
        metrics: Metrics,
        wake: asyncio.Event,
        *,
        has_scheduler: bool,
        app_id: str,
    ) -> None:
        self.switches = switches
        self.reading = reading
        self._metrics = metrics
        self._wake = wake
        self._has_scheduler = has_scheduler
        self._app_id = app_id

    async def kill(self, order: Order) -> None:
        """Let no call of the scope pass."""
        if await self.switches.kill(order):
            self._metrics.tripped("kill")

    async def resume(self, order: Order) -> None:
        """Let the scope's calls pass again."""
        if await self.switches.resume(order):
            self._metrics.tripped("resume")

    async def stop(self, order: Order, app: str | None) -> Response:
        """Kill an instance and stop it at its source; the kill is in force whatever follows."""
        if not self._has_scheduler:
            await self.kill(order)
            return error_answer(
                503,
                "The kill is in force, but the instance was not stopped at its source: "
                "BUDGET_SCHEDULER_ADDRESS is not set",
                "scheduler_not_configured",
            )
        known = await self.reading.instance(order.id)
        seen = known.app if known else ""
        if app and seen and app != seen:
            await self.kill(order)
            return error_answer(
                409,
                "The kill is in force, but the instance was not stopped at its source: its calls "
                f'named the app {seen!r}, not {app!r}; leave "app" out',
                "another_app",
            )
        app = seen or app or self._app_id
        if not app:
            await self.kill(order)
            return error_answer(
                409,
                "The kill is in force, but the instance was not stopped at its source: none of its "
                'calls named its app; give "app", or set BUDGET_APP_ID',
                "unknown_app",
            )
        if await self.switches.kill_at_source(order, app):
            self._metrics.tripped("kill")
        self._wake.set()
        return JSONResponse(await instance_json(self.reading, await self._stopped(order.id)))

    async def _stopped(self, instance: str) -> Instance:
        """Wait, bounded, until a stop has ended."""
        ends_s = time.monotonic() + STOP_WAIT_S
        while True:
            found = await self.reading.instance(instance)
            assert found is not None  # noqa: S101  # it was killed
            is_pending = found.source is not None and found.source.state is StopState.PENDING
            if not is_pending or time.monotonic() >= ends_s:
                return found
            await asyncio.sleep(POLL_S)


class OrderedDocument(Document):
    """What is in force."""

    scope: ScopeKind
    id: str
    state: Literal["killed", "live"]


class TripDocument(Document):
    """Something that stopped calls, let them pass again, or is worth a look."""

    seq: int
    at_unix_ms: int
    kind: str
    scope: str
    id: str
    reason: str
    actor: str
    detail: str


class TripsDocument(Document):
    """A page of the feed."""

    trips: list[TripDocument]
    next: int
    dropped: int


Kinds = Annotated[
    list[TripKind] | None, Query(description="Only these kinds; may be given several times.")
]


def operating_routes(operations: Operations) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["operating"])
    reading = operations.reading

    @router.post("/kill", responses=errors(_422=BAD_BODY))
    async def kill(body: OrderBody) -> OrderedDocument:
        """Let no call of a scope pass any more, on every gateway, in every mode."""
        await operations.kill(body.order())
        return OrderedDocument(scope=body.scope, id=body.id or "", state="killed")

    @router.post("/resume", responses=errors(_422=BAD_BODY))
    async def resume(body: OrderBody) -> OrderedDocument:
        """Let the calls of a scope pass again; a zombie's executions are counted anew."""
        await operations.resume(body.order())
        return OrderedDocument(scope=body.scope, id=body.id or "", state="live")

    @router.get("/trips", responses=errors(_422=BAD_QUERY))
    async def trips(
        after: After = 0, limit: Limit = DEFAULT_PAGE, kind: Kinds = None
    ) -> TripsDocument:
        """Kills, resumes, zombies, velocities, thresholds, edits of limits and ends of stops.

        Oldest first. With `kind` a page may be short, or empty, while `next` still moves on.
        """
        page = await reading.trips(after, limit)
        return TripsDocument(
            trips=[
                TripDocument(**trip_row(trip))
                for trip in page.trips
                if kind is None or trip.kind in kind
            ],
            next=page.next_seq,
            dropped=page.dropped,
        )

    @router.post(
        "/instances/{instance_id}/stop",
        response_model=InstanceDocument,
        responses=errors(
            _409="`unknown_app` or `another_app`; the kill is in force.",
            _422=BAD_BODY,
            _503="`budget_store_unavailable`; or `scheduler_not_configured`: the kill is in force.",
        ),
    )
    async def stop(instance_id: InstanceId, body: StopBody) -> Response:
        """Kill an instance and delete the scheduler's jobs that feed it; waits for the outcome."""
        order = Order(ScopeKind.INSTANCE, instance_id, body.reason, body.actor)
        return await operations.stop(order, body.app)

    return router
