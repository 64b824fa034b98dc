"""Laws of rules, and of which hold for a call."""

from collections.abc import Callable

import pytest

from budget.caller import Caller
from budget.limits import InForce, LimitRule, Match, Rulebook, VelocityRule
from budget.scopes import MAX_LIMIT_NANO_USD, Limits, ScopeKind, Window, scopes_of
from metering.identity import CallerIdentity
from metering.money import NanoUsd

HOUR, INSTANCE, LIFETIME = Window.HOUR, ScopeKind.INSTANCE, Window.LIFETIME
CALLER = Caller(CallerIdentity(workflow="agent", instance="i"))


def limit(window: Window, match: Match, value: str, amount: int) -> LimitRule:
    """Build a rule about instances."""
    return LimitRule(INSTANCE, window, match, value, NanoUsd(amount))


def in_force(*rules: LimitRule, settings: Limits | None = None) -> InForce:
    """Return what holds for a call of instance i of workflow agent."""
    scopes = scopes_of(CALLER, "gpt-4")
    return Rulebook(3, rules).in_force(scopes, CALLER, settings or Limits("cap"))


def amounts(found: InForce) -> dict[tuple[str, str], int | None]:
    """Return the limits by kind and window."""
    return {(each.scope.kind, each.window): each.limit_nano_usd for each in found.limits}


def test_the_most_specific_rule_holds() -> None:
    """Its id, then its workflow, then each; of another id or workflow, none."""
    rules = [
        limit(HOUR, Match.ID, "i", 1),
        limit(HOUR, Match.WORKFLOW, "agent", 2),
        limit(HOUR, Match.EACH, "", 3),
    ]
    others = [limit(HOUR, Match.ID, "j", 9), limit(HOUR, Match.WORKFLOW, "other", 9)]
    for number in range(3):
        found = in_force(*others, *rules[number:])
        assert (found.version, amounts(found)) == (3, {("instance", "hour"): number + 1})
    assert in_force(*others).limits == ()


def test_each_window_has_its_own() -> None:
    """A general rule for one is not displaced by a specific one for another."""
    found = in_force(
        limit(HOUR, Match.ID, "i", 1),
        limit(Window("rolling:5m"), Match.EACH, "", 2),
        settings=Limits("cap", NanoUsd(7), NanoUsd(5)),
    )
    assert amounts(found) == {
        ("global", "lifetime"): 7,
        ("instance", "lifetime"): 5,
        ("instance", "hour"): 1,
        ("instance", "rolling:5m"): 2,
    }


def test_the_settings_hold_where_no_rule_does() -> None:
    """A rule for a scope displaces them, upwards too; a rule for another scope does not."""
    settings = Limits("cap", instance_cap=NanoUsd(5))
    assert amounts(in_force(settings=settings)) == {("instance", "lifetime"): 5}
    own = in_force(limit(LIFETIME, Match.ID, "i", 8), settings=settings)
    assert amounts(own) == {("instance", "lifetime"): 8}
    other = in_force(limit(LIFETIME, Match.ID, "j", 8), settings=settings)
    assert amounts(other) == {("instance", "lifetime"): 5}


def test_the_safety_cap_holds_always() -> None:
    """No rule lifts it, and of rules and settings it alone holds while observing."""
    raised = LimitRule(ScopeKind.GLOBAL, LIFETIME, Match.EACH, "", NanoUsd(9))
    velocity = VelocityRule(INSTANCE, Match.EACH, "", NanoUsd(1), "60s")
    capped = Limits("cap", NanoUsd(3), None, NanoUsd(4))
    assert amounts(in_force(raised, settings=capped)) == {("global", "lifetime"): 4}
    book = Rulebook(3, (raised,), (velocity,))
    scopes = scopes_of(CALLER, "gpt-4")
    observing = book.in_force(scopes, CALLER, Limits("observe", NanoUsd(3), None, NanoUsd(4)))
    assert (amounts(observing), observing.velocities) == ({("global", "lifetime"): 4}, ())
    assert book.in_force(scopes, CALLER, Limits("observe", NanoUsd(3))).limits == ()


def test_a_velocity_is_allowed_over_its_time() -> None:
    """Both times may have a rule; each is the most specific of its time."""
    rules = (
        VelocityRule(INSTANCE, Match.EACH, "", NanoUsd(50), "10m"),
        VelocityRule(INSTANCE, Match.EACH, "", NanoUsd(60), "60s"),
        VelocityRule(INSTANCE, Match.WORKFLOW, "agent", NanoUsd(70), "60s"),
    )
    found = Rulebook(1, (), rules).in_force(scopes_of(CALLER, "gpt-4"), CALLER, Limits("cap"))
    assert [(v.scope.id, v.over, v.most_nano_usd) for v in found.velocities] == [
        ("i", "10m", 500),
        ("i", "60s", 70),
    ]


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: limit(HOUR, Match.ID, "", 1), "needs a value"),
        (lambda: limit(HOUR, Match.EACH, "i", 1), "has no value"),
        (lambda: LimitRule(ScopeKind.GLOBAL, HOUR, Match.ID, "x", NanoUsd(1)), "has no value"),
        (lambda: limit(HOUR, Match.EACH, "", -1), "not -1"),
        (lambda: limit(HOUR, Match.EACH, "", MAX_LIMIT_NANO_USD + 1), "nano-dollars"),
        (lambda: VelocityRule(INSTANCE, Match.EACH, "", NanoUsd(10**15), "10m"), "nano-dollars"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(build: Callable[[], object], named: str) -> None:
    """With what is wrong."""
    with pytest.raises(ValueError, match=named):
        build()
