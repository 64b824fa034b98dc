"""The routes that show workflow instances: what each has done, spent and been stopped for."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from budget.control.fields import (
    BAD_QUERY,
    DEFAULT_PAGE,
    Document,
    InstanceId,
    Limit,
    error_answer,
    errors,
)
from budget.instances import DeletedJob, Instance, InstanceState, SourceStop, StopState
from budget.scopes import Scope, ScopeKind
from budget.store.reading import Reading
from metering.money import Money, money_json

LOOKED_AT: Final = 10_000
LEDGER_PAGE: Final = 100
MOST_CURSOR: Final = 2**64 - 1
"""Redis's cursors of a scan have 64 bits."""

MOST_OFFSET: Final = 2**53
SCANS: Final = 50
"""One request looks at about 50,000 keys for instances that may not call."""


class JobDocument(Document):
    """A deleted job of the scheduler."""

    task_id: int
    generation: int
    activity: str
    execution_id: str


class SourceDocument(Document):
    """A stop at the source; `jobs` are the first 100."""

    state: StopState
    requested_unix_ms: int
    ended_unix_ms: int | None
    attempts: int
    jobs_deleted: int
    jobs: list[JobDocument]
    jobs_left: int | None
    error: str | None


class TreeDocument(Document):
    """The instance and all that have it as their root, together."""

    spent: Money
    reserved: Money
    calls: int


class InstanceSummary(Document):
    """What one instance did and spent."""

    instance: str
    app: str | None
    state: InstanceState
    since_unix_ms: int | None
    reason: str | None
    actor: str | None
    activities: int
    executions: int
    calls: int
    replays: int
    refusals: int
    most_executions: int
    spent: Money
    reserved: Money


class InstanceDocument(InstanceSummary):
    """The same, with its stop at the source and the money of its whole tree."""

    source: SourceDocument | None
    tree: TreeDocument


class InstancesDocument(Document):
    """A page; `next` is null on the last one. `known` counts the instances that ever called."""

    instances: list[InstanceSummary]
    known: int | None
    next: int | None


class ChildrenDocument(Document):
    """Instances with this one as their root, found so far back; `next` is null at the beginning."""

    children: list[str]
    next: int | None


def instance_routes(reading: Reading) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["operating"])

    @router.get("/instances", responses=errors(_422=BAD_QUERY))
    async def instances(
        state: Annotated[
            InstanceState | None, Query(description="Only those in this state.")
        ] = None,
        limit: Limit = DEFAULT_PAGE,
        after: Annotated[int, Query(ge=0, le=MOST_CURSOR, description="`next` of a page.")] = 0,
    ) -> InstancesDocument:
        """Instances, those that called last first.

        With `state=killed` or `zombie` also those that never called, in no order. With a state a
        page may be short, or longer than `limit` by a few, while `next` still leads on.
        """
        if state in {None, InstanceState.LIVE}:
            return await _page(reading, state, limit, min(after, MOST_OFFSET))
        return await _page_of_stopped(reading, state, limit, after)

    @router.get(
        "/instances/{instance_id}",
        response_model=InstanceDocument,
        responses=errors(_404="`unknown_instance`", _422=BAD_QUERY),
    )
    async def instance(instance_id: InstanceId) -> Response:
        """What is known of one workflow instance."""
        found = await reading.instance(instance_id)
        if found is None:
            return error_answer(
                404, f"No call and no kill of instance {instance_id!r}", "unknown_instance"
            )
        return JSONResponse(await instance_json(reading, found))

    @router.get("/instances/{instance_id}/children", responses=errors(_422=BAD_QUERY))
    async def children(
        instance_id: InstanceId,
        before: Annotated[
            int, Query(ge=1, le=2**53, description="`next` of a page: a ledger entry.")
        ] = 2**53,
    ) -> ChildrenDocument:
        """Instances that called with this one as their root, those that called last first.

        Looks at 10,000 ledger entries: a page may be empty while `next` still leads back.
        """
        found, following = await _children(reading, instance_id, before)
        return ChildrenDocument(children=found, next=following)

    return router


async def _page(
    reading: Reading, state: InstanceState | None, limit: int, after: int
) -> InstancesDocument:
    found, known = await reading.instances(limit, after)
    seen = after + len(found)
    return InstancesDocument(
        instances=[_summary(each) for each in found if state in {None, each.state}],
        known=known,
        next=seen if found and seen < known else None,
    )


async def _page_of_stopped(
    reading: Reading, state: InstanceState | None, limit: int, after: int
) -> InstancesDocument:
    rows: list[InstanceSummary] = []
    for _ in range(SCANS):
        found, after = await reading.stopped_instances(after)
        rows += [_summary(each) for each in found if each.state is state]
        if not after or len(rows) >= limit:
            break
    return InstancesDocument(instances=rows, known=None, next=after or None)


async def _children(reading: Reading, root: str, before: int) -> tuple[list[str], int | None]:
    key = Scope(ScopeKind.ROOT, root).key
    found: dict[str, None] = {}
    for _ in range(LOOKED_AT // LEDGER_PAGE):
        entries = await reading.ledger_before(before, LEDGER_PAGE)
        if not entries:
            return list(found), None
        before = entries[-1].seq
        found |= {
            entry.instance: None
            for entry in entries
            if key in entry.scopes and entry.instance != root
        }
        await asyncio.sleep(0)
    return list(found), before


async def instance_json(reading: Reading, found: Instance) -> dict[str, object]:
    """Return an instance as JSON shows it."""
    tree = await reading.scope(Scope(ScopeKind.ROOT, found.money.id))
    document = InstanceDocument(
        **_summary(found).model_dump(),
        source=None if found.source is None else _source(found.source),
        tree=TreeDocument(
            spent=money_json(tree.totals.spent),
            reserved=money_json(tree.totals.reserved),
            calls=tree.calls,
        ),
    )
    return document.model_dump(mode="json")


def _summary(found: Instance) -> InstanceSummary:
    money = found.money
    return InstanceSummary(
        instance=money.id,
        app=found.app or None,
        state=found.state,
        since_unix_ms=found.since_unix_ms,
        reason=found.reason,
        actor=found.actor,
        activities=found.activities,
        executions=found.executions,
        calls=money.calls,
        replays=found.replays,
        refusals=found.refusals,
        most_executions=found.most_executions,
        spent=money_json(money.totals.spent),
        reserved=money_json(money.totals.reserved),
    )


def _source(stop: SourceStop) -> SourceDocument:
    return SourceDocument(
        state=stop.state,
        requested_unix_ms=stop.requested_unix_ms,
        ended_unix_ms=stop.ended_unix_ms,
        attempts=stop.attempts,
        jobs_deleted=stop.jobs_deleted,
        jobs=[_job(job) for job in stop.jobs],
        jobs_left=stop.jobs_left,
        error=stop.error,
    )


def _job(job: DeletedJob) -> JobDocument:
    return JobDocument(
        task_id=job.task_id,
        generation=job.generation,
        activity=job.activity,
        execution_id=job.execution_id,
    )
