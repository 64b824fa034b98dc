import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from budget.guard import CountUnavailableError
from budget.guard.counts import REDIS_COUNTS, REDIS_TIMES, Counts, FileCounts, RedisCounts
from tests.support.ports import free_port


@pytest.fixture(params=["file", "redis"])
def counts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Counts]:
    """Give both kinds, empty."""
    made: Counts
    if request.param == "file":
        made = FileCounts(tmp_path / "new" / "counts.sqlite3", most=10)
    else:
        made = RedisCounts(request.getfixturevalue("redis_url"), most=10)
    yield made
    made.close()


def test_each_execution_counts_once(counts: Counts) -> None:
    """Each activity has a count of its own."""
    assert [counts.count("a"), counts.count("a"), counts.count("b")] == [1, 2, 1]


def test_threads_count_together(counts: Counts) -> None:
    """No two get the same number."""
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: counts.count("a"), range(80))) == list(range(1, 81))


def test_the_least_recently_executed_leave_first(counts: Counts) -> None:
    """Of more than ten activities; one that goes on being executed never leaves."""
    for number in range(50):
        counts.count(str(number))
        assert counts.count("runaway") == number + 1
    assert counts.count("0") == 1


COUNTING = """
import sys
from pathlib import Path
from budget.guard.counts import FileCounts
counts = FileCounts(Path(sys.argv[1]))
print(*(counts.count("a") for _ in range(100)))
"""


def test_processes_count_together_in_one_file(tmp_path: Path) -> None:
    """As several workers do."""
    command = [sys.executable, "-c", COUNTING, str(tmp_path / "counts.sqlite3")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [each.communicate(timeout=40)[0] for each in running]
    assert sorted(int(n) for text in outputs for n in text.split()) == list(range(1, 301))


def test_a_file_outlives_its_process(tmp_path: Path) -> None:
    """A restarted app goes on counting."""
    path = tmp_path / "counts.sqlite3"
    for expected in (1, 2):
        counts = FileCounts(path)
        assert counts.count("a") == expected
        counts.close()


def test_what_was_not_executed_for_long_is_forgotten(tmp_path: Path) -> None:
    """The age is that of the last execution, not of the first."""
    now = 1_000.0
    counts = FileCounts(tmp_path / "c.sqlite3", most=1000, most_age_s=100, clock=lambda: now)
    counts.count("old")
    counts.count("kept")
    for _ in range(1000):
        now += 0.3
        counts.count("kept")
    assert counts.count("kept") == 1002
    assert counts.count("old") == 1
    counts.close()


def test_redis_forgets_by_age_too(redis_url: str) -> None:
    """And keeps nothing of what it forgot."""
    counts = RedisCounts(redis_url, most_age_s=0)
    counts.count("a")
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.hlen(REDIS_COUNTS) == connection.zcard(REDIS_TIMES) <= 1
    counts.close()


def test_what_can_not_count_says_so(tmp_path: Path) -> None:
    """A file that is none, and a Redis that is not there."""
    (tmp_path / "file").write_text("no database, but long enough to be taken for one" * 10)
    for counts in (
        FileCounts(tmp_path / "file"),
        FileCounts(tmp_path / "file" / "below"),
        RedisCounts(f"redis://127.0.0.1:{free_port()}/0"),
    ):
        with pytest.raises(CountUnavailableError, match="BUDGET_GUARD_COUNTS"):
            counts.count("a")
        counts.close()
