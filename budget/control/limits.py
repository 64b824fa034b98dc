"""The routes with which an operator reads and edits limits and velocities."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field, StrictInt, StrictStr, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from budget.control.budgets import WindowName
from budget.control.fields import (
    BAD_BODY,
    BAD_QUERY,
    Document,
    Name,
    error_answer,
    errors,
)
from budget.errors import StoreArgumentError
from budget.limits import LimitRule, Match, Over, VelocityRule
from budget.metrics import Metrics
from budget.scopes import MAX_LIMIT_NANO_USD, Limits, ScopeKind, Window
from budget.store.limits import LimitBook
from metering.errors import MoneyError
from metering.identity import MAX_VALUE_LENGTH
from metering.money import Money, NanoUsd, format_usd, money_json, parse_usd

Value = Annotated[str, Field(max_length=MAX_VALUE_LENGTH)]


class RuleBody(Document):
    """Which scopes a rule is about, how much it allows, and who sets it.

    `match` is `id` (the scope called `value`), `workflow` (each scope of the kind, in calls of the
    workflow called `value`) or `each`. The amount is `usd`, a string, or `nano_usd`, an integer.
    """

    scope: ScopeKind
    match: Match = Match.ID
    value: Annotated[Value, Field(validate_default=True)] = ""
    usd: StrictStr | None = None
    nano_usd: Annotated[StrictInt | None, Field(validate_default=True)] = None
    actor: Name

    @field_validator("value")
    @classmethod
    def _goes_with_its_match(cls, value: str, info: ValidationInfo) -> str:
        scope, match = info.data.get("scope"), info.data.get("match")
        if scope is None or match is None:
            return value
        needs_none = match is Match.EACH or (match is Match.ID and scope is ScopeKind.GLOBAL)
        if needs_none and value:
            raise ValueError('leave it out with match "each", and with scope "global"')
        if not needs_none and not value:
            raise ValueError(f"needed: which {scope if match is Match.ID else 'workflow'}")
        return value

    @field_validator("usd")
    @classmethod
    def _is_an_amount(cls, usd: str | None) -> str | None:
        if usd is not None:
            try:
                _bounded(parse_usd(usd))
            except MoneyError as error:
                raise ValueError(str(error)) from None
        return usd

    @field_validator("nano_usd")
    @classmethod
    def _is_the_only_amount(cls, nano_usd: int | None, info: ValidationInfo) -> int | None:
        if nano_usd is not None:
            _bounded(nano_usd)
        if "usd" in info.data and (nano_usd is None) == (info.data["usd"] is None):
            raise ValueError('give the amount once: "usd" as text, or "nano_usd" as an integer')
        return nano_usd

    @property
    def amount(self) -> NanoUsd:
        """The amount in nano-dollars."""
        return parse_usd(self.usd) if self.usd is not None else NanoUsd(self.nano_usd or 0)


class LimitBody(RuleBody):
    """A limit: what may be spent in a window. 0 is nothing."""

    window: WindowName = Window.LIFETIME

    def rule(self) -> LimitRule:
        """Return it as the store takes it."""
        return LimitRule(self.scope, Window(self.window), self.match, self.value, self.amount)


class VelocityBody(RuleBody):
    """A velocity: what may be spent a minute, measured over 60 seconds or 10 minutes."""

    over: Over = "60s"

    @model_validator(mode="after")
    def _is_countable(self) -> Self:
        self.rule()
        return self

    def rule(self) -> VelocityRule:
        """Return it as the store takes it."""
        return VelocityRule(self.scope, self.match, self.value, self.amount, self.over)


class LimitDocument(Document):
    """A limit that is set."""

    scope: ScopeKind
    window: WindowName
    match: Match
    value: str
    limit: Money


class VelocityDocument(Document):
    """A velocity that is set."""

    scope: ScopeKind
    match: Match
    value: str
    per_minute: Money
    over: Over


class SettingsDocument(Document):
    """What the gateway's settings say, where no rule for the same kind over a lifetime does."""

    cap: Money | None
    instance_cap: Money | None
    safety_cap: Money | None


class LimitsDocument(Document):
    """All limits; `version` counts the edits. In mode `observe` only the safety cap is enforced."""

    mode: str
    version: int
    limits: list[LimitDocument]
    settings: SettingsDocument


class VelocitiesDocument(Document):
    """All velocities; `version` counts the edits."""

    mode: str
    version: int
    velocities: list[VelocityDocument]


class EditDocument(Document):
    """Whether an edit changed anything."""

    changed: bool


WhichScope = Annotated[ScopeKind, Query()]
WhichMatch = Annotated[Match, Query()]
WhichValue = Annotated[str, Query(max_length=MAX_VALUE_LENGTH)]
WhichWindow = Annotated[WindowName, Query()]
WhichOver = Annotated[Over, Query()]
Actor = Annotated[str, Query(min_length=1, max_length=MAX_VALUE_LENGTH, description="Who edits.")]


def limit_routes(book: LimitBook, limits: Limits, metrics: Metrics) -> APIRouter:
    """Build the routes of the limits."""
    router = APIRouter(tags=["limits"])

    @router.get("/limits", responses=errors())
    async def read() -> LimitsDocument:
        """All limits that operators have set, and what the settings say."""
        rules = await book.read()
        return LimitsDocument(
            mode=limits.mode,
            version=rules.version,
            limits=[_limit(rule) for rule in rules.limits],
            settings=SettingsDocument(
                cap=_money(limits.cap),
                instance_cap=_money(limits.instance_cap),
                safety_cap=_money(limits.safety_cap),
            ),
        )

    @router.put("/limits", response_model=EditDocument, responses=EDIT_ERRORS)
    async def put(body: LimitBody) -> Response:
        """Set a limit: it holds on every gateway with the next call, and clears no usage."""
        return await _edit(book.put(body.rule(), body.actor), metrics)

    @router.delete("/limits", response_model=EditDocument, responses=errors(_422=BAD_QUERY))
    async def remove(
        scope: WhichScope,
        actor: Actor,
        window: WhichWindow = Window.LIFETIME,
        match: WhichMatch = Match.ID,
        value: WhichValue = "",
    ) -> Response:
        """Remove a limit; where the settings say one, that holds again."""
        return await _edit(book.remove(scope, Window(window), match, value, actor), metrics)

    return router


def velocity_routes(book: LimitBook, limits: Limits, metrics: Metrics) -> APIRouter:
    """Build the routes of the velocities."""
    router = APIRouter(tags=["limits"])

    @router.get("/velocity", responses=errors())
    async def read() -> VelocitiesDocument:
        """All velocities that operators have set."""
        rules = await book.read()
        return VelocitiesDocument(
            mode=limits.mode,
            version=rules.version,
            velocities=[_velocity(rule) for rule in rules.velocities],
        )

    @router.put("/velocity", response_model=EditDocument, responses=EDIT_ERRORS)
    async def put(body: VelocityBody) -> Response:
        """Set a velocity: it holds on every gateway with the next call."""
        return await _edit(book.put_velocity(body.rule(), body.actor), metrics)

    @router.delete("/velocity", response_model=EditDocument, responses=errors(_422=BAD_QUERY))
    async def remove(
        scope: WhichScope,
        actor: Actor,
        over: WhichOver = "60s",
        match: WhichMatch = Match.ID,
        value: WhichValue = "",
    ) -> Response:
        """Remove a velocity; a scope that it stopped stays so until it is resumed."""
        return await _edit(book.remove_velocity(scope, match, value, over, actor), metrics)

    return router


EDIT_ERRORS = errors(_422=BAD_BODY, _409="`too_many_rules`")


async def _edit(editing: Any, metrics: Metrics) -> Response:
    try:
        has_changed = await editing
    except StoreArgumentError as error:
        return error_answer(409, str(error), "too_many_rules")
    if has_changed:
        metrics.tripped("limit")
    return JSONResponse({"changed": has_changed})


def _bounded(nano_usd: int) -> None:
    if not 0 <= nano_usd <= MAX_LIMIT_NANO_USD:
        raise ValueError(f"an amount is between 0 and {format_usd(MAX_LIMIT_NANO_USD)} dollars")


def _money(nano_usd: NanoUsd | None) -> Money | None:
    return None if nano_usd is None else money_json(nano_usd)


def _limit(rule: LimitRule) -> LimitDocument:
    return LimitDocument(
        scope=rule.kind,
        window=rule.window,
        match=rule.match,
        value=rule.value,
        limit=money_json(rule.limit_nano_usd),
    )


def _velocity(rule: VelocityRule) -> VelocityDocument:
    return VelocityDocument(
        scope=rule.kind,
        match=rule.match,
        value=rule.value,
        per_minute=money_json(rule.nano_usd_per_minute),
        over=rule.over,
    )
