"""Laws of scopes and windows as values."""

from dataclasses import replace

import pytest

from budget.caller import Caller
from budget.scopes import Limits, Scope, ScopeKind, Window, scopes_of
from metering.identity import CallerIdentity
from metering.money import NanoUsd

IDENTITY = CallerIdentity(
    app="lab",
    workflow="agent",
    root="r",
    instance="i",
    activity="think",
    task_id="7",
    execution_id="e",
    idempotency_key="i:e:7:1",
)


def test_a_call_is_counted_in_one_scope_of_each_kind() -> None:
    """The tenant is whose key it came with, the model the one it asks for."""
    scopes = {scope.kind: scope.id for scope in scopes_of(Caller(IDENTITY, "acme"), "gpt-4")}
    assert list(scopes) == list(ScopeKind)
    assert len(scopes.pop(ScopeKind.ACTIVITY)) == 64
    assert scopes == {
        "global": "",
        "tenant": "acme",
        "workflow": "agent",
        "root": "r",
        "instance": "i",
        "model": "gpt-4",
    }


def test_who_leaves_headers_out_shares_the_unknown_scopes() -> None:
    """A missing root is the instance; half of what makes an activity is none."""
    unknown = [scope.id for scope in scopes_of(Caller(CallerIdentity()), "gpt-4")]
    assert unknown == ["", *["unknown"] * 5, "gpt-4"]
    alone = scopes_of(Caller(CallerIdentity(instance="i", task_id="7")), "gpt-4")
    assert [scope.id for scope in alone[3:6]] == ["i", "i", "unknown"]


def test_an_activity_is_the_same_over_its_executions() -> None:
    """Whatever its idempotency key; another task, execution or instance is another one."""

    def activity(**changes: str) -> Scope:
        return scopes_of(Caller(replace(IDENTITY, **changes)), "gpt-4")[5]

    assert activity(idempotency_key="unknown") == activity(activity="other") == activity()
    others = [activity(task_id="8"), activity(execution_id="f"), activity(instance="j")]
    assert len({activity(), *others}) == 4


@pytest.mark.parametrize("name", ["lifetime", "hour", "day", "week", "month"])
def test_a_calendar_window_is_its_name(name: str) -> None:
    """And so it is written."""
    assert (f"{Window(name)}", Window(name).rolling_minutes) == (name, None)


def test_a_rolling_window_has_one_to_sixty_minutes() -> None:
    """Other names are refused with what is allowed."""
    assert [Window(f"rolling:{n}m").rolling_minutes for n in (1, 9, 60)] == [1, 9, 60]
    for name in ("rolling:0m", "rolling:61m", "rolling:5", "rolling:05m", "rolling:5m ", "year"):
        with pytest.raises(ValueError, match="rolling:<N>m with N of 1 to 60"):
            Window(name)


def test_the_settings_limit_all_calls_and_each_instance() -> None:
    """And no other kind of scope."""
    limits = Limits("cap", NanoUsd(5), NanoUsd(3), NanoUsd(4))
    found = {kind: limits.of(Scope(kind, "x")).limit_nano_usd for kind in ScopeKind}
    assert {kind: limit for kind, limit in found.items() if limit is not None} == {
        ScopeKind.GLOBAL: 4,
        ScopeKind.INSTANCE: 3,
    }
