"""`GET /decisions`: what one gateway let through and refused."""

from typing import Any

from fastapi import APIRouter

from budget.control.fields import BAD_QUERY, DEFAULT_PAGE, After, Document, Limit, errors
from budget.decision_log import Decision, DecisionLog
from metering.money import Money, money_json


class DecisionDocument(Document):
    """One call that was let through (`allow`), answered from the store (`replay`) or refused."""

    seq: int
    at_unix_ms: int
    decision: str
    code: str
    scope: str
    instance: str
    activity: str
    task_id: str
    execution_id: str
    requested: Money
    reservation_id: str


class DecisionsDocument(Document):
    """A page of the feed."""

    decisions: list[DecisionDocument]
    next: int
    dropped: int


def decision_routes(decided: DecisionLog) -> APIRouter:
    """Build the route."""
    router = APIRouter(tags=["budget"])

    @router.get("/decisions", responses=errors(_422=BAD_QUERY))
    async def decisions(after: After = 0, limit: Limit = DEFAULT_PAGE) -> DecisionsDocument:
        """Calls that this gateway let through or refused, oldest first."""
        page = decided.feed.read(after, limit)
        return DecisionsDocument(
            decisions=[DecisionDocument(**decision_row(seq, item)) for seq, item in page.items],
            next=page.next,
            dropped=page.dropped,
        )

    return router


def decision_row(seq: int, item: Decision) -> dict[str, Any]:
    """Return a decision as JSON shows it."""
    return {
        "seq": seq,
        "at_unix_ms": item.at_unix_ms,
        "decision": item.decision,
        "code": item.code,
        "scope": item.scope,
        "instance": item.identity.instance,
        "activity": item.identity.activity,
        "task_id": item.identity.task_id,
        "execution_id": item.identity.execution_id,
        "requested": money_json(item.requested),
        "reservation_id": item.reservation_id,
    }
