from pathlib import Path

import pytest

from lab.components import copy_with_ttl
from lab.disruptions import DISRUPTIONS
from lab.paths import COMPONENTS
from lab.services import READY_TIMEOUT_S
from lab.stack_client import patience_s
from lab.stack_config import StackConfig


@pytest.mark.parametrize("ttl_s", [1, 120, 86_400])
def test_a_client_waits_longer_than_the_state_lives_and_the_sidecar_may_start(
    tmp_path: Path, ttl_s: int
) -> None:
    """Whatever TTL the component has, the answer of a disruption is waited for."""
    copy_with_ttl(COMPONENTS, tmp_path, ttl_s)
    config = StackConfig(directory=tmp_path, components=tmp_path)
    patience = patience_s(config, "sidecar-kill")
    assert patience > ttl_s + READY_TIMEOUT_S
    assert patience > DISRUPTIONS["sidecar-kill"].longest_s(ttl_s)
