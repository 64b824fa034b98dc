"""Laws of who is asked for a key."""

import pytest

from budget.access.policy import Auth, policy_of
from budget.settings import Settings
from serving.errors import StartError

LONG_KEY = "k" * 24


@pytest.mark.parametrize(
    ("settings", "auth"),
    [
        ({}, Auth.UNTIL_KEYS),
        ({"host": "localhost"}, Auth.UNTIL_KEYS),
        ({"host": "127.8.9.10"}, Auth.UNTIL_KEYS),
        ({"host": "::1"}, Auth.UNTIL_KEYS),
        ({"admin_key": LONG_KEY}, Auth.KEYS),
        ({"auth": "keys"}, Auth.KEYS),
        ({"auth": "none"}, Auth.NONE),
        ({"host": "0.0.0.0"}, Auth.KEYS),  # noqa: S104
        ({"host": "::"}, Auth.KEYS),
        ({"host": "gateway.example"}, Auth.KEYS),
        ({"host": ""}, Auth.KEYS),
        ({"host": "0.0.0.0", "allow_anyone": True}, Auth.KEYS),  # noqa: S104
        ({"host": "0.0.0.0", "auth": "none", "allow_anyone": True}, Auth.NONE),  # noqa: S104
    ],
)
def test_only_a_loopback_gateway_without_keys_is_open_unless_told(
    settings: dict[str, object], auth: Auth
) -> None:
    """And only until there is a key."""
    assert policy_of(Settings.model_validate(settings)).auth is auth


def test_a_gateway_open_to_a_network_is_refused_with_the_ways_to_mend_it() -> None:
    """The line names the setting of each."""
    with pytest.raises(StartError) as caught:
        policy_of(Settings.model_validate({"host": "192.0.2.1", "auth": "none"}))
    for part in ("BUDGET_AUTH=keys", "budget.keys create", "127.0.0.1", "BUDGET_ALLOW_ANYONE"):
        assert part in str(caught.value)


@pytest.mark.parametrize("key", ["short", "k" * 23, " " * 24, "k" * 24 + "\n", "ü" * 24])
def test_a_weak_admin_key_is_refused_and_not_shown(key: str) -> None:
    """Who reads the log does not learn it."""
    with pytest.raises(StartError) as caught:
        policy_of(Settings.model_validate({"admin_key": key}))
    assert "BUDGET_ADMIN_KEY" in str(caught.value)
    assert key not in str(caught.value)


def test_an_admin_key_that_nobody_would_be_asked_for_is_a_mistake() -> None:
    """It is said, not ignored."""
    with pytest.raises(StartError, match="unset one"):
        policy_of(Settings.model_validate({"admin_key": LONG_KEY, "auth": "none"}))


def test_metrics_are_open_on_loopback_unless_told() -> None:
    """Elsewhere they ask for an admin key."""
    assert policy_of(Settings()).metrics_open
    assert not policy_of(Settings.model_validate({"host": "192.0.2.1"})).metrics_open
    assert policy_of(
        Settings.model_validate({"host": "192.0.2.1", "metrics_open": True})
    ).metrics_open
    assert not policy_of(Settings.model_validate({"metrics_open": False})).metrics_open
