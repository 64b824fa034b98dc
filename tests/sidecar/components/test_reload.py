"""Edits of the component while the sidecar runs."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sidecar.components.manifests import Reader
from sidecar.components.reload import LiveComponent
from tests.support.components import write_component


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveComponent:
    """Give a component whose TTL is five seconds."""
    monkeypatch.setenv("STATE_REDIS_HOST", "127.0.0.1:6379")
    write_component(tmp_path, ttl_s=5)
    return LiveComponent(tmp_path, Reader("lab"))


def test_an_edited_ttl_is_in_force_after_the_next_look(live: LiveComponent, tmp_path: Path) -> None:
    """The TTL is read before each write."""
    assert live.ttl_s() == 5
    write_component(tmp_path, ttl_s=70)
    live.look()
    assert live.ttl_s() == 70


def test_an_edit_that_can_not_be_used_leaves_the_last_good_one(
    live: LiveComponent, tmp_path: Path
) -> None:
    """Half-written YAML changes nothing, and the next good edit is taken up again."""
    (tmp_path / "statestore.yaml").write_text("spec: {")
    live.look()
    assert live.ttl_s() == 5
    (tmp_path / "statestore.yaml").unlink()
    live.look()
    assert live.ttl_s() == 5
    write_component(tmp_path, ttl_s=9)
    live.look()
    assert live.ttl_s() == 9


def test_an_edited_address_waits_for_a_restart(
    live: LiveComponent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with Dapr: state does not move to another server under a running workflow."""
    monkeypatch.setenv("STATE_REDIS_HOST", "127.0.0.1:6399")
    write_component(tmp_path, ttl_s=8)
    live.look()
    assert live.store.redis is not None
    assert (live.store.redis.port, live.ttl_s()) == (6379, 5)


def test_an_edited_type_waits_for_a_restart(live: LiveComponent, tmp_path: Path) -> None:
    """The log names the component; a TTL that is taken out of the file is in force at once."""
    path = tmp_path / "statestore.yaml"
    text = path.read_text()
    path.write_text(text.replace("state.redis", "state.in-memory"))
    with capture_logs() as logs:
        live.look()
    assert (live.store.type, live.ttl_s()) == ("state.redis", 5)
    assert [(each["log_level"], each["component"]) for each in logs[-1:]] == [
        ("error", "statestore")
    ]
    path.write_text(text.replace("ttlInSeconds", "other"))
    live.look()
    assert live.ttl_s() is None
