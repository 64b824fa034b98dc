import pytest

from serving.errors import StartError
from serving.settings import read_settings
from workflow_app.settings import Settings


def test_the_defaults_are_those_of_the_contract() -> None:
    """Without environment the app finds sidecar and gateway at their own defaults."""
    settings = read_settings(Settings)
    assert (settings.host, settings.port) == ("127.0.0.1", 8999)
    assert settings.sidecar_address == "127.0.0.1:50001"
    assert settings.llm_base_url == "http://127.0.0.1:8002/v1"
    assert (settings.model, settings.activity_threads) == ("gpt-4", 256)
    assert (settings.llm_timeout_s, settings.app_id) == (60.0, "workflow-app")


def test_every_bad_setting_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts the app sees each variable, its value and how to mend it."""
    bad = {
        "PORT": "70000",
        "SIDECAR_ADDRESS": "localhost",
        "LLM_BASE_URL": "127.0.0.1:8002",
        "ACTIVITY_THREADS": "none",
    }
    for name, value in bad.items():
        monkeypatch.setenv(f"WORKFLOW_APP_{name}", value)
    with pytest.raises(StartError) as caught:
        read_settings(Settings)
    line = str(caught.value)
    assert "\n" not in line
    for name, value in bad.items():
        assert f"WORKFLOW_APP_{name}={value}: " in line
