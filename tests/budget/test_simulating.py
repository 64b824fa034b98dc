"""Laws of asking a gateway's accounts what would become of a call."""

import asyncio

import pytest

from budget.accounts import Accounts
from budget.caller import Caller
from budget.calls.pricing import PricedCall
from budget.errors import StoreUnavailableError
from budget.gate import Gate
from budget.limits import LimitRule, Match, Rulebook
from budget.metrics import Metrics
from budget.reservations import Allowed, Denied
from budget.scopes import Limits, ScopeKind, Window
from budget.store.limits import LimitBook
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.identity import CallerIdentity
from metering.money import NanoUsd
from metering.prices import UnitPrice

CALLER = Caller(CallerIdentity(workflow="agent", instance="i"), "acme")
CALL = PricedCall(
    model="gpt-4",
    price=UnitPrice(1_000_000, 1_000_000, 1_000_000),
    max_input_tokens=0,
    choices=1,
    max_output_tokens=60,
    worst_case_nano_usd=NanoUsd(60),
    body=b"{}",
)


@pytest.fixture
def gate() -> Gate:
    """Give an open gate."""
    opened = Gate(Metrics())
    opened.open()
    return opened


class CountedBook(LimitBook):
    """The rules, and how often they were read."""

    reads = 0

    async def read(self) -> Rulebook:
        """Return all rules."""
        self.reads += 1
        return await super().read()


@pytest.fixture
def book(link: RedisLink) -> CountedBook:
    """Give the rules of an open store."""
    return CountedBook(link)


@pytest.fixture
def accounts(store: Store, gate: Gate, book: CountedBook) -> Accounts:
    """Give the accounts of a gateway with a cap of 100."""
    limits = Limits("cap", NanoUsd(100))
    return Accounts(store, gate, limits, 1_000, Metrics(), book=book)


async def test_a_simulation_is_decided_under_the_rules_of_the_moment(
    accounts: Accounts, link: RedisLink
) -> None:
    """And is no decision: it is in no feed, and holds nothing."""
    reservation, admission = await accounts.simulate(CALL, CALLER)
    assert isinstance(admission, Allowed)
    assert (admission.seq, admission.remaining_nano_usd) == (0, 40)
    assert (reservation.tenant, reservation.model) == ("acme", "gpt-4")
    rule = LimitRule(ScopeKind.TENANT, Window.DAY, Match.ID, "acme", NanoUsd(59))
    await LimitBook(link).put(rule, "ann")
    reservation, admission = await accounts.simulate(CALL, CALLER)
    assert isinstance(admission, Denied)
    assert admission.barriers[admission.decisive].limit.scope.id == "acme"
    assert len(admission.barriers) == len(reservation.in_force.limits) == 2
    assert accounts.decisions.feed.read(0, 10).items == ()
    assert (await Reading(link).total()).totals.reserved == 0


async def test_calls_that_meet_an_edit_at_once_read_it_once(
    accounts: Accounts, book: CountedBook
) -> None:
    """However many there are."""
    await book.put(LimitRule(ScopeKind.TENANT, Window.DAY, Match.EACH, "", NanoUsd(70)), "ann")
    found = await asyncio.gather(*(accounts.simulate(CALL, CALLER) for _ in range(20)))
    assert {a.remaining_nano_usd for _, a in found if isinstance(a, Allowed)} == {10}
    assert book.reads == 1


async def test_a_gateway_that_is_closed_simulates_nothing(accounts: Accounts, gate: Gate) -> None:
    """It does not know what would happen."""
    gate.close(StoreUnavailableError("away"))
    with pytest.raises(StoreUnavailableError, match="away"):
        await accounts.simulate(CALL, CALLER)
