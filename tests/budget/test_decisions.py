"""Laws of judging a denial."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.decisions import Code, affordable_output_tokens, judge
from budget.reservations import Denied, Obstacle, ScopeBarrier, ScopeTotals
from budget.scopes import GLOBAL, Scope, ScopeKind, ScopeLimit
from metering.money import NanoUsd
from metering.prices import PriceTier, UnitPrice

GPT_4 = UnitPrice(input=30_000_000_000, cached=30_000_000_000, output=60_000_000_000)


def barrier(
    limit: int | None, spent: int, reserved: int = 0, closed: int | None = None
) -> ScopeBarrier:
    """Build a scope that a call met."""
    return ScopeBarrier(
        ScopeLimit(GLOBAL, None if limit is None else NanoUsd(limit)),
        ScopeTotals(NanoUsd(spent), NanoUsd(reserved)),
        None if closed is None else NanoUsd(closed),
    )


@given(
    input_rate=st.integers(0, 10**12),
    output_rate=st.integers(1, 10**12),
    tier=st.none() | st.integers(0, 3000),
    tokens=st.integers(0, 2000),
    money=st.integers(-(10**9), 10**12),
)
def test_one_token_more_would_not_fit(
    input_rate: int, output_rate: int, tier: int | None, tokens: int, money: int
) -> None:
    """What is called affordable fits, and nothing above it does."""
    tiers = () if tier is None else (PriceTier(tier, input_rate, 0, 2 * output_rate),)
    price = UnitPrice(input_rate, input_rate, output_rate, tiers=tiers)
    found = affordable_output_tokens(price, tokens, money)
    assert found == 0 or price.worst_case(tokens, found) <= money
    assert price.worst_case(tokens, found + 1) > money


def test_free_output_is_never_the_reason() -> None:
    """A call that is too dear for its prompt alone can't be mended by asking for less."""
    assert affordable_output_tokens(UnitPrice(1, 1, 0), 10, 5) == 0


def test_held_money_may_come_free() -> None:
    """Only held money in the way: try again."""
    denied = Denied(Obstacle.HELD, 0, (barrier(10, 5, 5),))
    assert judge(denied, NanoUsd(1), GPT_4, 1, 1).code is Code.BUDGET_IN_FLIGHT


@pytest.mark.parametrize(
    ("left", "choices", "code", "tokens"),
    [
        (90_000, 1, Code.REQUEST_EXCEEDS_BUDGET, 1),
        (89_999, 1, Code.BUDGET_EXCEEDED, None),
        (150_000, 2, Code.REQUEST_EXCEEDS_BUDGET, 1),
        (149_999, 2, Code.BUDGET_EXCEEDED, None),
        (0, 1, Code.BUDGET_EXCEEDED, None),
    ],
)
def test_money_for_one_output_token_makes_the_difference(
    left: int, choices: int, code: Code, tokens: int | None
) -> None:
    """One input token at 30,000 and one output token a choice at 60,000 nano-dollars."""
    requested = NanoUsd(10**6)
    denied = Denied(Obstacle.SPENT, 0, (barrier(10**9, 10**9 - left),))
    verdict = judge(denied, requested, GPT_4, 1, choices)
    assert (verdict.code, verdict.affordable_output_tokens) == (code, tokens)


@pytest.mark.parametrize("spent", [0, 80_000])
def test_a_request_larger_than_the_whole_limit_is_what_is_in_the_way(spent: int) -> None:
    """A prompt that no such budget pays for says nothing about the money spent."""
    denied = Denied(Obstacle.SPENT, 0, (barrier(80_000, spent),))
    verdict = judge(denied, NanoUsd(90_000), GPT_4, 1, 1)
    assert verdict.code is Code.REQUEST_EXCEEDS_BUDGET
    assert verdict.affordable_output_tokens is None


def test_the_tightest_scope_says_what_is_affordable() -> None:
    """A scope that has less left counts, though another one decided."""
    other = ScopeBarrier(
        ScopeLimit(Scope(ScopeKind.INSTANCE, "i"), NanoUsd(150_000)),
        ScopeTotals(NanoUsd(0), NanoUsd(0)),
        None,
    )
    denied = Denied(Obstacle.SPENT, 0, (barrier(400_000, 0), other, barrier(None, 7)))
    verdict = judge(denied, NanoUsd(400_001), GPT_4, 1, 1)
    assert verdict.barrier is denied.barriers[0]
    assert verdict.affordable_output_tokens == 2


def test_an_amount_refused_for_good_is_not_offered_again() -> None:
    """Below it is the most that is called affordable."""
    denied = Denied(Obstacle.SPENT, 0, (barrier(400_000, 0, closed=150_000),))
    assert judge(denied, NanoUsd(400_001), GPT_4, 1, 1).affordable_output_tokens == 1
