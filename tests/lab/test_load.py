import json
import os
import threading
from pathlib import Path

import pytest

from lab.errors import GuardStoppedError, ServiceFailedError
from lab.load import Load, read_summary, read_timeline
from lab.paths import COMPONENTS
from lab.processes import Nursery
from lab.scenario import Scenario
from lab.stack_config import StackConfig
from lab.waiting import Waiter

LINES = [{"t_unix_ms": n, "budget": {"mode": "cap", "cut_off": False}} for n in range(3)]
TEXT = "".join(json.dumps(line) + "\n" for line in LINES)


def test_a_timeline_may_be_torn_at_any_byte_of_its_end(tmp_path: Path) -> None:
    """Whatever a dying Locust left of its last line, the lines before it are read."""
    path = tmp_path / "timeline.ndjson"
    whole = len(json.dumps(LINES[0])) + 1
    for length in range(len(TEXT) + 1):
        path.write_text(TEXT[:length])
        assert read_timeline(path) == LINES[: (length + 1) // whole]


def test_a_timeline_broken_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    """Only the last line can be torn; another bad one is an error."""
    path = tmp_path / "timeline.ndjson"
    path.write_text(TEXT.replace('{"t_unix_ms": 1', '{"t_unix_ms"'))
    with pytest.raises(ValueError, match="Expecting"):
        read_timeline(path)


def test_a_summary_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """A missing, empty or torn summary is none."""
    path = tmp_path / "summary.json"
    assert (read_summary(path), read_timeline(path)) == (None, [])
    text = json.dumps({"started": 2, "instances": [{"id": "a"}]}, indent=2)
    for length in range(len(text)):
        path.write_text(text[:length])
        assert read_summary(path) is None
    path.write_text(text)
    assert read_summary(path) == json.loads(text)


def ended_with(code: int, tmp_path: Path, *, loaded: bool) -> None:
    """Watch a real process in Locust's place that ends with `code`, until it has ended."""
    package = tmp_path / "locust"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        f"print('no such bird', flush=True); raise SystemExit({code})"
    )
    config = StackConfig(directory=tmp_path, components=COMPONENTS)
    config.logs.mkdir()
    load = Load(config, Scenario(), "run", None, loaded=loaded)
    with Nursery() as nursery:
        load.start(nursery, {**os.environ, "PYTHONPATH": str(tmp_path)})
        try:
            waiter = Waiter(threading.Event(), load.alive)
            waiter.until(lambda: load.exit_code() is not None, "its end", timeout_s=20)
            load.alive()
        finally:
            load.stop(nursery)


@pytest.mark.parametrize("code", [1, 2, 7])
def test_a_load_generator_that_fails_while_loading_is_named(tmp_path: Path, code: int) -> None:
    """Until all is loaded any exit but 0 and the guard's ends the run, with the last log lines."""
    with pytest.raises(ServiceFailedError, match=rf"locust ended by itself \({code}\)") as caught:
        ended_with(code, tmp_path, loaded=False)
    assert "no such bird" in str(caught.value)


@pytest.mark.parametrize(("code", "loaded"), [(0, False), (0, True), (1, True)])
def test_a_load_generator_that_has_done_its_work_may_end(
    tmp_path: Path, code: int, *, loaded: bool
) -> None:
    """Once all is loaded a failed check of Locust is about the workflows, which are disrupted."""
    ended_with(code, tmp_path, loaded=loaded)


def test_the_guards_exit_is_not_a_failure(tmp_path: Path) -> None:
    """Exit code 3 is the spending guard's word."""
    with pytest.raises(GuardStoppedError):
        ended_with(3, tmp_path, loaded=False)
