"""Laws of reading the settings."""

import pytest

from budget.settings import Settings, unknown_variables
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


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("BUDGET_REDIS_URL", "redis://:s3cret@127.0.0.1:none/0", "the port is a number"),
        ("BUDGET_REDIS_URL", "redis://:s3cret@127.0.0.1:6380/zero", "the database is a number"),
        ("BUDGET_UPSTREAM_URL", "http://me:s3cret@127.0.0.1:8001", "BUDGET_UPSTREAM_API_KEY"),
        ("BUDGET_UPSTREAM_API_KEY", "s3cret\nbroken", "printable ASCII"),
        ("BUDGET_ANTHROPIC_API_KEY", "s3cret-é", "printable ASCII"),
    ],
)
def test_what_no_call_could_use_is_refused_without_showing_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    """The line names the variable and what is wrong, and holds no password or key."""
    monkeypatch.setenv(name, value)
    with pytest.raises(StartError) as caught:
        read_settings(Settings)
    line = str(caught.value)
    assert line.startswith(f"{name}: ")
    assert why in line
    assert "s3cret" not in line


def test_a_bad_port_of_the_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not found out by the first call."""
    monkeypatch.setenv("BUDGET_UPSTREAM_URL", "http://127.0.0.1:99999")
    with pytest.raises(StartError, match=r"BUDGET_UPSTREAM_URL=.*the port is a number"):
        read_settings(Settings)


def test_variables_that_are_no_settings_are_told() -> None:
    """A cap with a slip of the pen would cap nothing; what others own is left alone."""
    names = ["BUDGET_CAP", "budget_mode", "BUDGET_CAP_USDD", "BUDGET_XYZ", "HOME", "BUDGET_CAP_USD"]
    others = ["BUDGET_GUARD_COUNTS", "BUDGET_SERVICE_HOST", "BUDGET_PORT_8002_TCP_ADDR"]
    assert unknown_variables([*names, *others]) == {
        "BUDGET_CAP": "BUDGET_CAP_USD",
        "BUDGET_CAP_USDD": "BUDGET_CAP_USD",
        "BUDGET_XYZ": None,
    }
