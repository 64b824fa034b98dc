"""`POST /simulate`: would this call be allowed, and why not. Nothing is written anywhere."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import Field, field_validator

from budget.accounts import Accounts
from budget.caller import UNKNOWN_TENANT, Caller
from budget.calls import refusals
from budget.calls.pricing import PricedCall
from budget.calls.providers import CHAT_PATH, Route
from budget.control.fields import BAD_BODY, Document, Name, errors
from budget.decisions import judge
from budget.errors import RefusedError
from budget.reservations import Allowed, Decided, Denied, Reservation, ScopeTotals, Stopped
from budget.scopes import ScopeKind, ScopeLimit
from budget.store.reading import Reading
from metering.chat import encode_json
from metering.identity import CallerIdentity
from metering.money import Money, money_json

ANY_RETRY_MS: Final = 0


class IdentityBody(Document):
    """Parts of the caller's identity; each one given comes before the header of the same name."""

    app: Name | None = None
    workflow: Name | None = None
    root: Name | None = None
    instance: Name | None = None
    activity: Name | None = None
    task_id: Name | None = None
    execution_id: Name | None = None


class SimulateBody(Document):
    """A provider's request as it would be sent to `path`, and who would send it."""

    path: str = CHAT_PATH
    body: dict[str, Any]
    identity: IdentityBody = Field(default_factory=IdentityBody)
    tenant: Name = UNKNOWN_TENANT

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError("a provider's route, such as /v1/chat/completions")
        return path


class BarrierDocument(Document):
    """A limit that the call meets; `is_in_the_way` when it is why the call is not made."""

    scope: ScopeKind
    id: str
    window: str
    limit: Money
    spent: Money
    reserved: Money
    requested: Money
    resets_at_unix_ms: int | None
    is_in_the_way: bool


class SimulationDocument(Document):
    """What would become of the call now.

    `worst_case`, `barriers` and `remaining` are empty for a call that can't be priced. `remaining`
    is what the tightest limit would have left.
    """

    decision: Literal["allow", "deny"]
    status: int
    code: str | None
    message: str | None
    worst_case: Money | None
    max_output_tokens: int | None
    affordable_output_tokens: int | None
    remaining: Money | None
    barriers: list[BarrierDocument]


class Simulator:
    """Prices a call as the data path does, and asks the store without telling it.

    Args:
        accounts: Where calls are admitted.
        routes: The providers' routes that cost money, by path.
        reading: What an allowed call's limits have spent and hold.
    """

    def __init__(self, accounts: Accounts, routes: Mapping[str, Route], reading: Reading) -> None:
        self._accounts = accounts
        self._routes = routes
        self._reading = reading

    async def run(self, body: SimulateBody, caller: Caller) -> SimulationDocument:
        """Return what would become of a call."""
        route = self._routes.get(body.path)
        if route is None:
            refusal = refusals.unknown_route("POST", body.path)
            return _refused(refusal.status, refusal.code, refusal.message)
        try:
            call = route.price(encode_json(body.body))
        except RefusedError as error:
            return _refused(error.refusal.status, error.refusal.code, error.refusal.message)
        except ValueError as error:
            # A lone surrogate, or lists in lists without end: no gateway reads such a body.
            return _refused(400, None, f"The body of the request is no valid JSON: {error}")
        reservation, decided = await self._accounts.simulate(call, caller)
        return await self._document(call, reservation, decided)

    async def _document(
        self, call: PricedCall, reservation: Reservation, decided: Decided
    ) -> SimulationDocument:
        document = _refused(200, None, None)
        document.worst_case = money_json(reservation.amount_nano_usd)
        document.max_output_tokens = call.max_output_tokens
        if isinstance(decided, Denied):
            _explain_denial(document, call, reservation, decided)
            return document
        document.barriers = await self._met(reservation)
        if isinstance(decided, Stopped):
            refusal = refusals.stopped(decided)
            document.status, document.code = refusal.status, refusal.code
            document.message = refusal.message
        elif isinstance(decided, Allowed):
            document.decision = "allow"
            left = decided.remaining_nano_usd
            document.remaining = None if left is None else money_json(left)
        return document

    async def _met(self, reservation: Reservation) -> list[BarrierDocument]:
        """Return the limits of a call that none of them stops."""
        rows = []
        for limit in reservation.in_force.limits:
            (found,) = await self._reading.windows([limit.scope], [limit.window])
            row = _barrier(reservation, limit, found.totals)
            row.resets_at_unix_ms = found.resets_at_unix_ms
            rows.append(row)
        return rows


def simulate_routes(simulator: Simulator) -> APIRouter:
    """Build the route."""
    router = APIRouter(tags=["budget"])

    @router.post("/simulate", responses=errors(_422=BAD_BODY))
    async def simulate(body: SimulateBody, request: Request) -> SimulationDocument:
        """Would this call be allowed now, and why not. Writes nothing, counts nothing.

        The identity comes from `identity`, else from the headers of a call (`X-Workflow-…`).
        A repeated call is not recognised: idempotency keys are left aside.
        """
        identity = replace(
            CallerIdentity.from_asgi(request.headers.raw),
            **body.identity.model_dump(exclude_none=True),
        )
        return await simulator.run(body, Caller(identity, body.tenant))

    return router


def _refused(status: int, code: str | None, message: str | None) -> SimulationDocument:
    return SimulationDocument(
        decision="deny",
        status=status,
        code=code,
        message=message,
        worst_case=None,
        max_output_tokens=None,
        affordable_output_tokens=None,
        remaining=None,
        barriers=[],
    )


def _explain_denial(
    document: SimulationDocument, call: PricedCall, reservation: Reservation, denied: Denied
) -> None:
    requested = reservation.amount_nano_usd
    verdict = judge(denied, requested, call.price, call.max_input_tokens, call.choices)
    refusal = refusals.over_limit(verdict, requested, ANY_RETRY_MS)
    document.status, document.code, document.message = (
        refusal.status,
        refusal.code,
        refusal.message,
    )
    document.affordable_output_tokens = verdict.affordable_output_tokens
    for place, barrier in enumerate(denied.barriers):
        row = _barrier(reservation, barrier.limit, barrier.totals)
        row.resets_at_unix_ms = barrier.resets_at_unix_ms
        row.is_in_the_way = row.is_in_the_way or place == denied.decisive
        document.barriers.append(row)


def _barrier(reservation: Reservation, limit: ScopeLimit, totals: ScopeTotals) -> BarrierDocument:
    most = limit.limit_nano_usd or 0
    return BarrierDocument(
        scope=limit.scope.kind,
        id=limit.scope.id,
        window=limit.window,
        limit=money_json(most),
        spent=money_json(totals.spent),
        reserved=money_json(totals.reserved),
        requested=money_json(reservation.amount_nano_usd),
        resets_at_unix_ms=None,
        is_in_the_way=totals.spent + totals.reserved + reservation.amount_nano_usd > most,
    )
