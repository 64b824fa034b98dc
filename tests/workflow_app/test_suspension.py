"""What the app does where it can't tell whether a workflow is suspended."""

from collections.abc import Awaitable, Iterator

import pytest

from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import Stack, stack, until
from workflow_app.engine import Engine
from workflow_app.errors import (
    ApiError,
    InstanceEndedError,
    InstanceNotSuspendedError,
    InstanceSuspendedError,
    InstanceUnclearError,
)
from workflow_app.suspension import Suspender

CONFIRM_S = 0.5
# Of each call: a suspend is not answered while there is no worker.
TIMEOUT_S = 2
pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a sidecar whose worker can be taken away."""
    with stack(tmp_path_factory.mktemp("suspension"), "1.16.1", relayed=False) as made:
        yield made


def suspender(engine: Stack) -> Suspender:
    return Suspender(
        Engine(f"127.0.0.1:{engine.app_port}", timeout_s=TIMEOUT_S), confirm_s=CONFIRM_S
    )


async def refusal(asking: Awaitable[bool]) -> type[ApiError] | None:
    try:
        await asking
    except ApiError as error:
        return type(error)
    return None


def status(engine: Stack, instance: str) -> str:
    state = engine.client.get_workflow_state(instance)
    assert state is not None
    return str(state.runtime_status.name)


async def test_while_a_suspend_has_shown_no_effect_nothing_further_is_sent(engine: Stack) -> None:
    """Without a worker it waits in the inbox; a second one beside it would ruin the workflow."""
    start(engine, "ext", "waits")
    engine.kill_app()
    asked = suspender(engine)
    assert await asked.suspend("waits") is False
    assert await refusal(asked.suspend("waits")) is InstanceUnclearError
    assert await refusal(asked.resume("waits")) is InstanceUnclearError
    engine.start_app()
    until(lambda: status(engine, "waits") == "SUSPENDED")
    assert await refusal(asked.suspend("waits")) is InstanceSuspendedError
    assert await asked.resume("waits") is True
    assert await refusal(asked.resume("waits")) is InstanceNotSuspendedError
    engine.client.raise_workflow_event("waits", "go", data=1)
    assert finish(engine, "waits").runtime_status.name == "COMPLETED"


async def test_a_status_that_hides_a_suspension_is_no_ground_to_suspend(engine: Stack) -> None:
    """Once its start has expired a workflow is PENDING, suspended or not."""
    start(engine, "ext", "hidden")
    engine.client.pause_workflow("hidden")
    until(lambda: status(engine, "hidden") == "SUSPENDED")
    engine.redis.delete(engine.key("hidden", "history-000001"))
    assert status(engine, "hidden") == "PENDING"
    assert await refusal(suspender(engine).suspend("hidden")) is InstanceUnclearError


async def test_a_workflow_that_has_ended_is_not_suspended(engine: Stack) -> None:
    """The answer says that it has ended."""
    start(engine, "seq", "over", {"steps": 1})
    finish(engine, "over")
    assert await refusal(suspender(engine).suspend("over")) is InstanceEndedError
