"""`GET /calls`: the feed of charged calls."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fake_llm.books.journal import CallRecord, CallStatus, Page
from fake_llm.books.meter import Meter
from fake_llm.control.fields import UsdText
from metering.money import format_usd


class CallView(BaseModel):
    """One charged call."""

    seq: int
    started_unix_ms: int
    ended_unix_ms: int
    model: str
    app: str
    workflow: str
    root: str
    instance: str
    activity: str
    task_id: str
    execution_id: str
    idempotency_key: str
    stream: bool
    input_tokens: int
    output_tokens: int
    usd: UsdText
    nano_usd: int
    duplicate: bool
    status: CallStatus

    @classmethod
    def of(cls, call: CallRecord) -> "CallView":
        """Show a call."""
        who = call.identity
        return cls(
            seq=call.seq,
            started_unix_ms=call.started_unix_ms,
            ended_unix_ms=call.ended_unix_ms,
            model=call.model,
            app=who.app,
            workflow=who.workflow,
            root=who.root,
            instance=who.instance,
            activity=who.activity,
            task_id=who.task_id,
            execution_id=who.execution_id,
            idempotency_key=who.idempotency_key,
            stream=call.stream,
            input_tokens=call.usage.input_tokens,
            output_tokens=call.usage.output_tokens,
            usd=format_usd(call.nano_usd),
            nano_usd=call.nano_usd,
            duplicate=call.duplicate,
            status=call.status,
        )


class CallsView(BaseModel):
    """A stretch of the feed of charged calls."""

    calls: list[CallView]
    next: Annotated[int, Field(description="What to ask for as `after` the next time")]
    dropped: Annotated[int, Field(description="Calls after `after` that are no longer kept")]

    @classmethod
    def of(cls, page: Page) -> "CallsView":
        """Show a stretch."""
        calls = [CallView.of(call) for call in page.calls]
        return cls(calls=calls, next=page.next, dropped=page.dropped)


def calls_routes(meter: Meter) -> APIRouter:
    """Build the route over one meter."""
    router = APIRouter()

    @router.get("/calls")
    async def calls(
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> CallsView:
        """Show charged calls after a cursor, oldest first."""
        return CallsView.of(meter.journal.page(after, limit))

    return router
