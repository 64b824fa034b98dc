"""The sidecar's stream of due jobs when the scheduler, or the app, goes away and comes back."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from tests.sidecar.scenarios import finish, start
from tests.sidecar.stack import stack, until
from tests.support.services import running

STEPS = 20


def test_a_workflow_survives_the_loss_of_the_scheduler(tmp_path: Path) -> None:
    """The sidecar finds the scheduler again, and each result is in its place."""
    with stack(tmp_path / "stack", "1.16.1") as up:
        start(up, "seq", "w", {"steps": STEPS, "sleep": 0.1})
        until(lambda: len(up.executions("w")) > 2)
        up.scheduler.kill()
        command = [sys.executable, "-m", "sidecar.scheduler"]
        with running("scheduler", command, tmp_path, up.scheduler.env):
            ended = finish(up, "w", 40)
            assert ended is not None
            results = json.loads(ended.serialized_output or "")
            assert results == [{"i": n} for n in range(STEPS)]


def test_jobs_wait_for_an_app(tmp_path: Path) -> None:
    """A timer that comes due without an app is not even tried; the next app gets it."""
    with stack(tmp_path / "stack", "1.16.1") as up:
        start(up, "timer", "w", 1)
        up.kill_app()
        url = f"http://127.0.0.1:{up.scheduler.env['SCHEDULER_HTTP_PORT']}/admin/jobs"
        due = datetime.fromisoformat(httpx.get(url).json()["jobs"][0]["due"])
        until(lambda: datetime.now(UTC) > due + timedelta(seconds=0.5))
        (job,) = httpx.get(url).json()["jobs"]
        assert job["failed_deliveries"] == 0
        up.start_app()
        ended = finish(up, "w")
        assert ended is not None
        assert ended.serialized_output == '"fired"'
