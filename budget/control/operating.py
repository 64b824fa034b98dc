"""The routes with which an operator stops callers and lets them go on; what is known of each."""

import asyncio
import time
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from budget.control.money import DEFAULT_PAGE, After, JsonObject, Limit, error_answer
from budget.instances import Instance, SourceStop, StopState, Trip
from budget.metrics import Metrics
from budget.scopes import ScopeKind
from budget.store.reading import Reading
from budget.store.switches import Order, Switches
from metering.identity import MAX_VALUE_LENGTH
from metering.money import money_json

STOP_WAIT_S: Final = 8.0
POLL_S: Final = 0.05

Text = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_VALUE_LENGTH)]


def _decoded(value: str) -> str:
    """Decode an id: its route was found while it was still encoded."""
    instance = unquote(value)
    if not 1 <= len(instance) <= MAX_VALUE_LENGTH:
        raise ValueError(f"an instance id has 1 to {MAX_VALUE_LENGTH} characters")
    return instance


InstanceId = Annotated[
    str, Path(description="Percent-encoded where needed."), AfterValidator(_decoded)
]


class StopBody(BaseModel):
    """Why an instance is stopped, and who says so."""

    model_config = ConfigDict(extra="forbid")

    reason: Text
    actor: Name
    app: Name | None = None


class OrderBody(BaseModel):
    """Whom a kill or a resume concerns, why, and who says so."""

    model_config = ConfigDict(extra="forbid")

    scope: ScopeKind
    id: Annotated[Name | None, Field(validate_default=True)] = None
    reason: Text
    actor: Name

    @field_validator("id")
    @classmethod
    def _belongs_to_an_instance(cls, value: str | None, info: ValidationInfo) -> str | None:
        scope = info.data.get("scope")
        if scope is not None and (value is None) == (scope is ScopeKind.INSTANCE):
            raise ValueError('needed with scope "instance", and only there')
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
        return JSONResponse(_instance(await self._stopped(order.id)))

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


def operating_routes(operations: Operations) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["operating"])
    reading = operations.reading

    @router.post("/kill")
    async def kill(body: OrderBody) -> JsonObject:
        """Let no call of a scope pass any more, on every gateway, in every mode."""
        await operations.kill(body.order())
        return {"scope": body.scope, "id": body.id or "", "state": "killed"}

    @router.post("/resume")
    async def resume(body: OrderBody) -> JsonObject:
        """Let the calls of a scope pass again; a zombie's executions are counted anew."""
        await operations.resume(body.order())
        return {"scope": body.scope, "id": body.id or "", "state": "live"}

    @router.get("/trips")
    async def trips(after: After = 0, limit: Limit = DEFAULT_PAGE) -> JsonObject:
        """Kills, resumes, zombies and ends of stops at the source, oldest first."""
        page = await reading.trips(after, limit)
        items = [_trip(trip) for trip in page.trips]
        return {"trips": items, "next": page.next_seq, "dropped": page.dropped}

    @router.get("/instances/{instance_id}")
    async def instance(instance_id: InstanceId) -> Response:
        """What is known of one workflow instance."""
        found = await reading.instance(instance_id)
        if found is None:
            return error_answer(
                404, f"No call and no kill of instance {instance_id!r}", "unknown_instance"
            )
        return JSONResponse(_instance(found))

    @router.post("/instances/{instance_id}/stop")
    async def stop(instance_id: InstanceId, body: StopBody) -> Response:
        """Kill an instance and delete the scheduler's jobs that feed it; waits for the outcome."""
        order = Order(ScopeKind.INSTANCE, instance_id, body.reason, body.actor)
        return await operations.stop(order, body.app)

    return router


def _instance(found: Instance) -> JsonObject:
    money = found.money
    return {
        "instance": money.id,
        "app": found.app or None,
        "state": found.state,
        "since_unix_ms": found.since_unix_ms,
        "reason": found.reason,
        "actor": found.actor,
        "activities": found.activities,
        "executions": found.executions,
        "calls": money.calls,
        "replays": found.replays,
        "refusals": found.refusals,
        "most_executions": found.most_executions,
        "spent": money_json(money.totals.spent),
        "reserved": money_json(money.totals.reserved),
        "source": None if found.source is None else _source(found.source),
    }


def _source(stop: SourceStop) -> dict[str, Any]:
    return {
        "state": stop.state,
        "requested_unix_ms": stop.requested_unix_ms,
        "ended_unix_ms": stop.ended_unix_ms,
        "attempts": stop.attempts,
        "jobs_deleted": stop.jobs_deleted,
        "jobs": [
            {
                "task_id": job.task_id,
                "generation": job.generation,
                "activity": job.activity,
                "execution_id": job.execution_id,
            }
            for job in stop.jobs
        ],
        "jobs_left": stop.jobs_left,
        "error": stop.error,
    }


def _trip(trip: Trip) -> JsonObject:
    return {
        "seq": trip.seq,
        "at_unix_ms": trip.at_unix_ms,
        "kind": trip.kind,
        "scope": trip.scope,
        "id": trip.id,
        "reason": trip.reason,
        "actor": trip.actor,
        "detail": trip.detail,
    }
