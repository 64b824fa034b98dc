import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.errors import StartError
from serving.settings import Port, read_settings


class ToySettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TOY_")

    port: Port = 1
    name: str


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with the prefix sets the field of its name."""
    monkeypatch.setenv("TOY_PORT", "8080")
    monkeypatch.setenv("TOY_NAME", "x")
    assert read_settings(ToySettings) == ToySettings(port=8080, name="x")


def test_every_bad_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names each variable that is bad or missing."""
    monkeypatch.setenv("TOY_PORT", "none")
    monkeypatch.delenv("TOY_NAME", raising=False)
    with pytest.raises(StartError) as caught:
        read_settings(ToySettings)
    line = str(caught.value)
    assert "TOY_PORT=none: " in line
    assert "TOY_NAME: Field required" in line
    assert "\n" not in line
