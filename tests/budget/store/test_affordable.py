"""The law of what a refused call may be made smaller to, on the store that refused it."""

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from budget.decisions import Code, judge
from budget.reservations import Allowed, Denied, Obstacle, Reservation
from budget.scopes import GLOBAL, Scope, ScopeKind, ScopeLimit, Window
from budget.store.link import RedisLink
from budget.store.store import Store
from metering.money import NanoUsd
from metering.prices import UnitPrice
from tests.budget.builders import reservation
from tests.budget.store.clock import set_clock

PRICE = UnitPrice(input=3_000_000, cached=3_000_000, output=7_000_000)
"""3 nano-dollars a token in, 7 out."""

PLACES = (
    (GLOBAL, Window.LIFETIME),
    (GLOBAL, Window("rolling:5m")),
    (Scope(ScopeKind.INSTANCE, "i-1"), Window.HOUR),
    (Scope(ScopeKind.MODEL, "gpt-4"), Window.MONTH),
)

limits = st.tuples(*(st.none() | st.integers(0, 2_000) for _ in PLACES))


@given(most=limits, spent=st.integers(0, 900), prompt=st.integers(0, 60), choices=st.integers(1, 3))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_what_is_called_affordable_is_let_through_and_a_token_more_is_not(
    store: Store,
    link: RedisLink,
    *,
    most: tuple[int | None, ...],
    spent: int,
    prompt: int,
    choices: int,
) -> None:
    """Over every limit of the call, whichever decided."""
    assume(any(most))
    await link.send("FLUSHDB")
    store = Store(link, accept_test_clock=True)
    await store.open()
    await set_clock(link, "2027-03-10 12:00:00")

    def call(tokens: int) -> Reservation:
        found = tuple(
            ScopeLimit(scope, NanoUsd(amount), window)
            for (scope, window), amount in zip(PLACES, most, strict=True)
            if amount is not None
        )
        cost = PRICE.worst_case(prompt, choices * tokens)
        return reservation(cost, limit=None, limits=found)

    used = reservation(spent, limit=None)
    await store.reserve(used)
    await store.settle(used.id, NanoUsd(spent))
    refused = call(10_000)
    denied = await store.reserve(refused)
    assert isinstance(denied, Denied)
    assert denied.obstacle is Obstacle.SPENT
    verdict = judge(denied, refused.amount_nano_usd, PRICE, prompt, choices)
    tokens = verdict.affordable_output_tokens
    assert (verdict.code is Code.REQUEST_EXCEEDS_BUDGET) or tokens is None
    assert isinstance(await store.simulate(call((tokens or 0) + 1)), Denied)
    if tokens is not None:
        assert isinstance(await store.reserve(call(tokens)), Allowed)
