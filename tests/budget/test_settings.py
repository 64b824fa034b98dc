"""Laws of reading the settings."""

import pytest

from budget.settings import Settings
from serving.errors import StartError
from serving.settings import read_settings


def test_dollars_become_exact_nano_dollars(monkeypatch: pytest.MonkeyPatch) -> None:
    """No float is on the way."""
    monkeypatch.setenv("BUDGET_CAP_USD", "0.1")
    monkeypatch.setenv("BUDGET_INSTANCE_CAP_USD", "0")
    monkeypatch.setenv("BUDGET_SAFETY_CAP_USD", "")
    settings = read_settings(Settings)
    assert settings.cap_nano_usd == 100_000_000
    assert settings.instance_cap_nano_usd == 0
    assert settings.safety_cap_nano_usd is None


def test_every_bad_setting_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts the gateway mends all of them at once."""
    bad = {
        "BUDGET_PORT": "0",
        "BUDGET_MODE": "off",
        "BUDGET_CAP_USD": "9000000.000000001",
        "BUDGET_SAFETY_CAP_USD": "-1",
        "BUDGET_INSTANCE_CAP_USD": "1e3",
        "BUDGET_UPSTREAM_URL": "http://127.0.0.1:8001/v1",
        "BUDGET_REDIS_URL": "127.0.0.1:6380",
        "BUDGET_DEFAULT_MAX_TOKENS": "many",
        "BUDGET_UPSTREAM_TIMEOUT_S": "0",
        "BUDGET_ALLOW_UNSAFE_STORE": "perhaps",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartError) as caught:
        read_settings(Settings)
    line = str(caught.value)
    assert "\n" not in line
    for name, value in bad.items():
        assert f"{name}={value}" in line
