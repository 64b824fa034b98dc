"""What a denial by the store means for the caller: pure, exact integer arithmetic."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from budget.reservations import Denied, Obstacle, ScopeBarrier
from metering.money import NanoUsd
from metering.prices import TOKENS_PER_UNIT, UnitPrice


class Code(StrEnum):
    """Why a call is not made: `error.code` of the answer."""

    BUDGET_EXCEEDED = "budget_exceeded"
    REQUEST_EXCEEDS_BUDGET = "request_exceeds_budget"
    BUDGET_IN_FLIGHT = "budget_in_flight"
    UNPRICED_MODEL = "unpriced_model"
    STORE_UNAVAILABLE = "budget_store_unavailable"
    BUDGET_KILLED = "budget_killed"
    BUDGET_VELOCITY_TRIPPED = "budget_velocity_tripped"
    WORKFLOW_NOT_LIVE = "workflow_not_live"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a denied call is answered.

    Attributes:
        code: One of the first three codes.
        barrier: The scope that decided.
        affordable_output_tokens: How many output tokens a choice may have so that this prompt
            fits into the money left; only with REQUEST_EXCEEDS_BUDGET, None there too when a
            request that is larger than the whole limit would not fit with one token.
    """

    code: Code
    barrier: ScopeBarrier
    affordable_output_tokens: int | None = None


def judge(
    denied: Denied, requested: NanoUsd, price: UnitPrice, max_input_tokens: int, choices: int
) -> Verdict:
    """Tell a call that may come again from one that may not, and one that may be made smaller."""
    barrier = denied.barriers[denied.decisive]
    if denied.obstacle is Obstacle.HELD:
        return Verdict(Code.BUDGET_IN_FLIGHT, barrier)
    left = [money for money in map(_money_left, denied.barriers) if money is not None]
    tokens = affordable_output_tokens(price, max_input_tokens, min(left)) // choices
    if tokens >= 1:
        return Verdict(Code.REQUEST_EXCEEDS_BUDGET, barrier, tokens)
    is_oversized = requested > (barrier.limit.limit_nano_usd or 0)
    return Verdict(Code.REQUEST_EXCEEDS_BUDGET if is_oversized else Code.BUDGET_EXCEEDED, barrier)


def affordable_output_tokens(price: UnitPrice, max_input_tokens: int, nano_usd: int) -> int:
    """Return the most output tokens t with `price.worst_case(max_input_tokens, t) <= nano_usd`.

    0 when not even one fits, or when output is free and so not what the call is too dear for.
    """
    output_rate = price.worst_case(max_input_tokens, TOKENS_PER_UNIT) - price.worst_case(
        max_input_tokens, 0
    )
    if nano_usd <= 0 or output_rate == 0:
        return 0
    too_many = nano_usd * TOKENS_PER_UNIT // output_rate + 2
    fitting = bisect_right(
        range(too_many), nano_usd, key=lambda tokens: price.worst_case(max_input_tokens, tokens)
    )
    return max(0, fitting - 1)


def _money_left(barrier: ScopeBarrier) -> int | None:
    """Return what the largest call may still cost in a scope once nothing is held."""
    if barrier.limit.limit_nano_usd is None:
        return None
    left = barrier.limit.limit_nano_usd - barrier.totals.spent
    return left if barrier.closed_nano_usd is None else min(left, barrier.closed_nano_usd - 1)
