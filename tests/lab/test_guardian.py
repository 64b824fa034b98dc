import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from lab.guardian import follow, is_same, kill_recorded, start_time

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=30))
def test_what_was_recorded_and_not_forgotten_is_left(steps: list[tuple[int, bool]]) -> None:
    """The pipe's lines are additions and removals, whatever their order."""
    lines, expected = [], {}
    for pid, adds in steps:
        if adds:
            lines.append(f'{{"pid": {pid}, "started": {pid}.5}}')
            expected[pid] = pid + 0.5
        else:
            lines.append(f'{{"pid": {pid}}}')
            expected.pop(pid, None)
    assert follow([*lines, '{"pid": 77, "star']).leaders == expected


def test_what_was_undone_is_not_undone_again() -> None:
    """Command lines are kept until they are forgotten, each by itself, beside the processes."""
    lines = ['{"undo": ["a"]}', '{"undo": ["b", "c"]}', '{"pid": 5, "started": 1}']
    recorded = follow([*lines, '{"undone": ["a"]}', '{"undone": ["never said"]}'])
    assert (recorded.undo, recorded.leaders) == ([["b", "c"]], {5: 1.0})


def test_a_reused_pid_is_not_the_recorded_process() -> None:
    """Identity is pid and start time together."""
    pid = os.getpid()
    started = start_time(pid)
    assert started is not None
    assert is_same(pid, started)
    assert not is_same(pid, started - 1)


def test_only_the_recorded_process_is_killed() -> None:
    """A group whose leader's start time differs lives on; the recorded one ends."""
    with subprocess.Popen(SLEEP, process_group=0) as process:
        started = start_time(process.pid)
        assert started is not None
        assert kill_recorded({process.pid: started - 1}, orphans=True) == []
        assert process.poll() is None
        assert kill_recorded({process.pid: started}, orphans=False) == [process.pid]
        assert process.wait(5) == -9
