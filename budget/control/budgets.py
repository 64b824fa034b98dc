"""`GET /budgets`: what every scope may spend, has spent and holds, in each of its windows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator

from budget.caller import Caller
from budget.control.fields import BAD_QUERY, DEFAULT_PAGE, Document, Limit, errors
from budget.limits import Rulebook
from budget.reservations import ScopeState
from budget.scopes import Limits, Scope, ScopeKind, ScopeLimit, Window
from budget.store.limits import LimitBook
from budget.store.reading import Reading
from budget.store.totals import WindowTotals
from metering.identity import CallerIdentity
from metering.money import Money, money_json

WindowName = Annotated[str, AfterValidator(Window)]
Offset = Annotated[
    int, Query(ge=0, le=2**53, description="So many scopes are passed over: `next` of a page.")
]


class BudgetDocument(Document):
    """One window of one scope.

    `calls`, `refusals` and `cut_off_unix_ms` are those of the scope's whole life, and null in
    other windows. `remaining` is what the lower of `limit` and `safety_limit` leaves; it is below
    zero after an overshoot or a lowered limit.
    """

    scope: ScopeKind
    id: str
    window: WindowName
    limit: Money | None
    safety_limit: Money | None
    spent: Money
    reserved: Money
    remaining: Money | None
    resets_at_unix_ms: int | None
    state: str
    calls: int | None
    refusals: int | None
    cut_off_unix_ms: int | None


class BudgetsDocument(Document):
    """The global lifetime first, then what was asked for; `next` is null on the last page."""

    mode: str
    limits_version: int
    budgets: list[BudgetDocument]
    instances: int
    known: int
    next: int | None


def budget_routes(reading: Reading, book: LimitBook, limits: Limits) -> APIRouter:
    """Build the route."""
    router = APIRouter(tags=["budget"])

    @router.get("/budgets", responses=errors(_422=BAD_QUERY))
    async def budgets(
        limit: Limit = DEFAULT_PAGE,
        after: Offset = 0,
        scope: ScopeKind = ScopeKind.INSTANCE,
        window: Annotated[WindowName | None, Query(description="Only this window.")] = None,
    ) -> BudgetsDocument:
        """Limits and counters: all calls first, then the scopes of a kind that called last.

        Each has its lifetime, and the windows in which its kind has a limit; with `window` that
        one alone.
        """
        rules = await book.read()
        table = _Table(reading, rules, limits)
        states, known = await reading.latest(scope, limit, after)
        total = await reading.total()
        rows = await table.rows(ScopeKind.GLOBAL, [total], Window.LIFETIME)
        if scope is ScopeKind.GLOBAL or window is None:
            rows += (await table.rows(ScopeKind.GLOBAL, [total], window))[window is None :]
        if scope is not ScopeKind.GLOBAL:
            rows += await table.rows(scope, states, window)
        seen = after + len(states)
        return BudgetsDocument(
            mode=limits.mode,
            limits_version=rules.version,
            budgets=rows,
            instances=await reading.count(ScopeKind.INSTANCE),
            known=known,
            next=seen if states and seen < known else None,
        )

    return router


class _Table:
    """Rows of scopes under the rules of one version."""

    def __init__(self, reading: Reading, rules: Rulebook, limits: Limits) -> None:
        self._reading = reading
        self._rules = rules
        self._limits = limits

    async def rows(
        self,
        kind: ScopeKind,
        states: Sequence[ScopeState],
        window: str | None,
    ) -> list[BudgetDocument]:
        """Return the rows of some scopes of a kind."""
        windows = [Window(window)] if window else self._windows_of(kind)
        scopes = [Scope(kind, state.id) for state in states]
        others = [each for each in windows if each != Window.LIFETIME]
        found: dict[tuple[str, str], WindowTotals] = {}
        if others and scopes:
            totals = await self._reading.windows(scopes, others)
            found = {(each.scope.id, each.window): each for each in totals}
        return [
            self._row(kind, state, each, found.get((state.id, each)))
            for state in states
            for each in windows
        ]

    def _windows_of(self, kind: ScopeKind) -> list[Window]:
        limited = {rule.window for rule in self._rules.limits if rule.kind is kind}
        return [Window.LIFETIME, *sorted(limited - {Window.LIFETIME})]

    def _row(
        self, kind: ScopeKind, state: ScopeState, window: Window, other: WindowTotals | None
    ) -> BudgetDocument:
        limit = self._limit(Scope(kind, state.id), window)
        safety = self._limits.safety(kind) if other is None else None
        totals = state.totals if other is None else other.totals
        caps = [cap for cap in (limit, safety) if cap is not None]
        return BudgetDocument(
            scope=kind,
            id=state.id,
            window=window,
            limit=None if limit is None else money_json(limit),
            safety_limit=None if safety is None else money_json(safety),
            spent=money_json(totals.spent),
            reserved=money_json(totals.reserved),
            remaining=money_json(min(caps) - totals.spent - totals.reserved) if caps else None,
            resets_at_unix_ms=None if other is None else other.resets_at_unix_ms,
            state=state.state,
            calls=state.calls if other is None else None,
            refusals=state.refusals if other is None else None,
            cut_off_unix_ms=state.cut_off_unix_ms if other is None else None,
        )

    def _limit(self, scope: Scope, window: Window) -> int | None:
        found = limits_of(scope, self._rules, self._limits)
        return next((each.limit_nano_usd for each in found if each.window == window), None)


def limits_of(scope: Scope, rules: Rulebook, limits: Limits) -> Iterable[ScopeLimit]:
    """Return what holds for every call of a scope, the safety cap aside.

    A rule for one workflow's calls is none of these, but for the scope of that very workflow.
    """
    is_workflow = scope.kind is ScopeKind.WORKFLOW
    caller = Caller(CallerIdentity(workflow=scope.id if is_workflow else ""))
    return rules.in_force((scope,), caller, replace(limits, safety_cap=None)).limits
