"""An app's newer release meets instances of the older one, and the other way round."""

from collections.abc import Mapping

import pytest

from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import finish, get, start
from tests.sidecar.stack import EXAMPLES_APP, Stack, until

pytestmark = pytest.mark.timeout(150)


def release(stack: Stack, which: str) -> None:
    """Put another release of the app in the place of the one that runs."""
    stack.kill_app()
    until(lambda: stack.metadata()["workflows"]["connectedWorkers"] == 0)
    stack.worker_app = (EXAMPLES_APP, which)
    stack.start_app()


def go(stack: Stack, instance: str) -> str | None:
    """Let an instance come to its end; return its output."""
    stack.client.raise_workflow_event(instance, "go", data=1)
    output: str | None = finish(stack, instance).serialized_output
    return output


def is_waiting(stack: Stack, *instances: str) -> None:
    """Wait until the instances have nothing to do but wait for their event."""
    for each in instances:
        # The last row of a history that has come to its event's timer.
        last = "history-000002" if each.startswith("versioned") else "history-000005"
        _has_row(stack, each, last)


def _has_row(stack: Stack, instance: str, row: str) -> None:
    until(lambda: row in stack.keys(instance), what=f"{instance} {row}")


@pytest.mark.parametrize("profile", PROFILES)
def test_instances_end_as_they_began(examples: Mapping[str, Stack], profile: str) -> None:
    """From 1.17 on an instance keeps the version and the patches of the release it began under.

    Before, Dapr keeps neither: all go on with the newest version, and without patches.
    """
    stack = examples[profile]
    for workflow in ("patched", "versioned"):
        start(stack, workflow, f"{workflow}-old")
    is_waiting(stack, "patched-old", "versioned-old")
    release(stack, "new")
    for workflow in ("patched", "versioned"):
        start(stack, workflow, f"{workflow}-new")
    is_waiting(stack, "patched-new", "versioned-new")
    kept = profile == "1.18.3"
    instances = ("patched-old", "patched-new", "versioned-old", "versioned-new")
    ended = [go(stack, each) for each in instances]
    release(stack, "old")
    assert ended == [
        '"plain"',
        '"patched"' if kept else '"plain"',
        '"version 1"' if kept else '"version 2"',
        '"version 2"',
    ]


def test_an_older_release_stalls_until_the_newer_one_is_back(
    examples: Mapping[str, Stack],
) -> None:
    """What the older release can't go on with is STALLED, loses nothing, and then ends well."""
    stack = examples["1.18.3"]
    outputs = {"patched-stalled": '"patched"', "versioned-stalled": '"version 2"'}
    release(stack, "new")
    for instance in outputs:
        start(stack, instance.removesuffix("-stalled"), instance)
    is_waiting(stack, *outputs)
    release(stack, "old")
    for instance in outputs:
        stack.client.raise_workflow_event(instance, "go", data=1)
    for instance in outputs:
        _is_stalled(stack, instance)
    release(stack, "new")
    ended = {instance: finish(stack, instance) for instance in outputs}
    release(stack, "old")
    assert {each.runtime_status.name for each in ended.values()} == {"COMPLETED"}
    assert {name: each.serialized_output for name, each in ended.items()} == outputs


def _is_stalled(stack: Stack, instance: str) -> None:
    until(lambda: get(stack, instance).runtime_status.name == "STALLED", what=instance)
