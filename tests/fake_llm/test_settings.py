"""Laws of reading the settings."""

import pytest

from fake_llm.settings import ENV_PREFIX, FakeLlmSettings
from serving.settings import read_settings


def test_a_variable_that_is_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compose file passes every variable on, those of the shell that are not set as nothing."""
    defaults = FakeLlmSettings()
    for name in FakeLlmSettings.model_fields:
        monkeypatch.setenv(f"{ENV_PREFIX}{name.upper()}", "")
    assert read_settings(FakeLlmSettings) == defaults
