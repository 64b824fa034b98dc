import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dapr.ext.workflow import WorkflowRuntime

from budget.guard import (
    ActivityGuard,
    CountUnavailableError,
    GuardUsageError,
    NonRetryableError,
    guarded,
)
from budget.guard.place import require_execution_ids
from tests.budget.executions import listed, schedule
from tests.budget.guard.context import context
from tests.scheduler_api.test_jobs import bare, event
from tests.sidecar.scheduler.harness import schedule_request, scheduler
from tests.support.ports import free_port


def limited(path: Path, limit: int = 2, **options: Any) -> ActivityGuard:
    """Return a guard with a file of the test's own."""
    return ActivityGuard(limit, counts=path / "counts.sqlite3", **options)


def test_the_function_is_called_up_to_the_limit(tmp_path: Path) -> None:
    """What the engine gets afterwards can be told from an answer."""
    called = []
    guard = limited(tmp_path)

    @guard
    def think(_ctx: Any, prompt: str) -> Any:
        called.append(prompt)
        return prompt.upper()

    assert [think(context(), "a"), think(context(), "b")] == ["A", "B"]
    assert think(context(), "c") == {"guarded": True, "executions": 3, "limit": 2}
    assert think(context(), "d") == {"guarded": True, "executions": 4, "limit": 2}
    assert called == ["a", "b"]
    guard.close()


async def test_a_coroutine_is_guarded_alike(tmp_path: Path) -> None:
    """The SDK awaits it as before."""
    guard = limited(tmp_path, 1)

    @guard
    async def think(_ctx: Any, prompt: str) -> str:
        return prompt

    assert inspect.iscoroutinefunction(think)
    assert await think(context(), "a") == "a"
    assert (await think(context(), "a"))["guarded"]  # type: ignore[index]  # no answer
    guard.close()


@pytest.mark.parametrize(
    "other", [{"task": 2}, {"execution": "e-2"}, {"instance": "i-2"}], ids=lambda o: next(iter(o))
)
def test_activities_are_told_apart(tmp_path: Path, other: dict[str, Any]) -> None:
    """By instance, execution id and task id: a retry has a task id of its own."""
    guard = limited(tmp_path, 1)

    @guard
    def think(_ctx: Any) -> str:
        return "answer"

    assert think(context()) == "answer"
    assert think(context(**other)) == "answer"
    assert think(context()) != "answer"
    guard.close()


def test_an_execution_that_fails_counts(tmp_path: Path) -> None:
    """It was paid for, perhaps."""
    guard = limited(tmp_path, 1)

    @guard
    def think(_ctx: Any) -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        think(context())
    assert think(context())["guarded"]  # type: ignore[index]  # no answer
    guard.close()


def test_it_can_raise_instead(tmp_path: Path) -> None:
    """An error whose class name the SDK's retry policy exempts."""
    guard = limited(tmp_path, 1, past_limit="raise")
    think = guard(lambda _ctx: "answer")
    think(context())
    with pytest.raises(NonRetryableError, match="executed 2 times, 1 are allowed") as caught:
        think(context())
    assert (type(caught.value).__name__, caught.value.executions) == ("NonRetryableError", 2)
    guard.close()


def test_what_can_not_be_counted_is_not_executed(tmp_path: Path) -> None:
    """Closed, never open."""
    called: list[str] = []
    guard = ActivityGuard(3, counts=f"redis://127.0.0.1:{free_port()}/0")
    think = guard(lambda _ctx: called.append("no"))
    with pytest.raises(CountUnavailableError):
        think(context())
    assert not called
    guard.close()
    assert not list(tmp_path.iterdir())


def test_only_its_own_job_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not another task's, nor that of an instance whose id begins alike."""
    with scheduler(tmp_path / "scheduler") as jobs:
        monkeypatch.setenv("BUDGET_SCHEDULER_ADDRESS", jobs.address)
        monkeypatch.setenv("APP_ID", "lab")
        others = ["i-1::2::1", "i-11::1::1", "i-2::1::1"]
        schedule(jobs, "lab", "i-1::1::1", *others)
        execution = bare(event())
        guard = limited(tmp_path, 1)
        think = guard(lambda _ctx: "answer")
        here = context("i-1", execution=event().taskScheduled.taskExecutionId)
        think(here)
        assert len(listed(jobs, "lab")) == 4
        think(here)
        assert listed(jobs, "lab") == sorted(others)
        # One whose place in the workflow is another activity's: another execution id.
        request = schedule_request("i-1::1::1", "240h")
        request.job.data.CopyFrom(execution)
        jobs.stub.ScheduleJob(request, timeout=10)
        other = context("i-1", execution="another")
        think(other)
        think(other)
        assert listed(jobs, "lab") == sorted(["i-1::1::1", *others])
        guard.close()


def test_without_a_scheduler_the_function_is_not_called_either(tmp_path: Path) -> None:
    """It is delivered again, and not executed again."""
    address = f"127.0.0.1:{free_port()}"
    guard = limited(tmp_path, 1, scheduler_address=address, app_id="lab")
    think = guard(lambda _ctx: "answer")
    answers = [think(context()) for _ in range(3)]
    assert [answer == "answer" for answer in answers] == [True, False, False]
    guard.close()


def test_misuse_is_refused() -> None:
    """What would guard nothing, or let nothing run."""
    runtime = WorkflowRuntime(host="127.0.0.1", port="1")

    def registered(_ctx: Any) -> None: ...

    runtime.register_activity(registered)
    with pytest.raises(GuardUsageError, match="below the decorator"):
        guarded()(registered)
    with pytest.raises(GuardUsageError, match="1 or more"):
        guarded(limit=0)
    with pytest.raises(GuardUsageError, match="past_limit='rasie': give 'return' or 'raise'"):
        guarded(past_limit="rasie")


def test_an_sdk_without_execution_ids_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As below 1.18: its activities could not be told apart. One that is not there is no SDK."""
    (tmp_path / "old_sdk.py").write_text("class ActivityContext:\n    task_id = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    require_execution_ids()
    require_execution_ids(("no_such_sdk",))
    with pytest.raises(GuardUsageError, match=r"install 1\.18\.3"):
        require_execution_ids(("no_such_sdk", "old_sdk"))


def test_the_import_needs_no_server() -> None:
    """Neither FastAPI nor uvicorn, nor the Dapr SDK before a function is decorated."""
    heavy = {"fastapi", "starlette", "uvicorn", "dapr"}
    code = f"import budget.guard, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "[]\n"


def test_what_is_no_activity_says_so(tmp_path: Path) -> None:
    """A guarded function that somebody calls himself."""
    guard = limited(tmp_path)
    with pytest.raises(GuardUsageError, match="WorkflowActivityContext, got str"):
        guard(lambda _ctx: None)("hello")
    guard.close()


def test_the_default_file_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the one that the environment names."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("BUDGET_GUARD_COUNTS", raising=False)
    first = guarded(limit=1)
    first(lambda _ctx: None)(context())
    first.close()
    assert (tmp_path / "state" / "runaway" / "guard.sqlite3").exists()
    monkeypatch.setenv("BUDGET_GUARD_COUNTS", str(tmp_path / "named"))
    second = guarded(limit=1)
    second(lambda _ctx: None)(context())
    second.close()
    assert (tmp_path / "named").exists()
