"""The sidecar's stream of due jobs when the scheduler, or the app, goes away and comes back."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import Stack, stack, until
from tests.support.services import running

STEPS = 20


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack; a test that takes something away brings it back."""
    with stack(tmp_path_factory.mktemp("watch") / "stack", "1.16.1") as made:
        yield made


def test_a_workflow_survives_the_loss_of_the_scheduler(up: Stack) -> None:
    """The sidecar finds the scheduler again, and each result is in its place."""
    start(up, "seq", "on", {"steps": STEPS, "sleep": 0.1})
    until(lambda: len(up.executions("on")) > 2)
    up.scheduler.kill()
    command = [sys.executable, "-m", "sidecar.scheduler"]
    env = up.scheduler.env
    up.scheduler = up.closing.enter_context(running("scheduler", command, up.directory, env))
    ended = finish(up, "on", 40)
    assert ended is not None
    assert json.loads(ended.serialized_output or "") == [{"i": n} for n in range(STEPS)]


def test_jobs_wait_for_an_app(up: Stack) -> None:
    """A timer that comes due without an app is not even tried, and health says what is missing."""
    # It fires up to a second early, and the app is to be gone by then.
    start(up, "timer", "waiting", 4)
    up.kill_app()
    url = f"http://127.0.0.1:{up.scheduler.env['SCHEDULER_HTTP_PORT']}/admin/jobs"
    due = datetime.fromisoformat(httpx.get(url).json()["jobs"][0]["due"])
    until(lambda: httpx.get(up.health_url).status_code == httpx.codes.INTERNAL_SERVER_ERROR)
    assert httpx.get(f"{up.health_url}/outbound").status_code == httpx.codes.NO_CONTENT
    assert up.metadata()["workflows"] == {"connectedWorkers": 0}
    until(lambda: datetime.now(UTC) > due + timedelta(seconds=0.5))
    (job,) = httpx.get(url).json()["jobs"]
    assert job["failed_deliveries"] == 0
    up.start_app()
    ended = finish(up, "waiting")
    assert ended is not None
    assert ended.serialized_output == '"fired"'
