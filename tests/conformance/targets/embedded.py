"""The embedded sidecar: stacks of our own with all handles, several at once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Semaphore

from tests.conformance import scale
from tests.conformance.bench import WORKER_APP, Bench
from tests.conformance.declared import Declared
from tests.conformance.errors import ConformanceError
from tests.conformance.needs import Need
from tests.conformance.playing import not_playable, play
from tests.conformance.result import Result, Verdict
from tests.conformance.scenarios import Scenario
from tests.sidecar.stack import stack

HANDLES = frozenset(Need)
# A stack that does not come up is tried again, so often.
_LIVES = 5
_NOT_UP = (ConformanceError, RuntimeError)
# Of one version; a stack is four processes, and most of a scenario is waiting.
_BENCHES = 4
# A stack takes a second or two of CPU to come up.
_STARTING = Semaphore(2)


def run(
    directory: Path, version: str, scenarios: Sequence[Scenario], known: Sequence[Declared]
) -> tuple[list[Result], str]:
    """Play scenarios on the embedded sidecar with the profile of a version.

    Returns:
        The results, and which runtime answered, in its own words.
    """
    left_out = {
        each.name: result for each in scenarios if (result := not_playable(each, version, HANDLES))
    }
    playable = [each for each in scenarios if each.name not in left_out]
    runtimes: set[str] = set()
    waiting: SimpleQueue[Batch] = SimpleQueue()
    quiet = [each for each in playable if not each.alone]
    batches = (
        [quiet, *([each] for each in playable if each.alone)]
        if quiet
        else [[each] for each in playable]
    )
    for each in batches:
        waiting.put(Batch(each))

    def work(number: int) -> list[Result]:
        return _work(directory / f"{version}-{number}", version, waiting, known, runtimes)

    with ThreadPoolExecutor(_BENCHES) as pool:
        found = [one for each in pool.map(work, range(min(_BENCHES, len(batches)))) for one in each]
    by_name = left_out | {each.scenario: each for each in found}
    return [by_name[each.name] for each in scenarios], ", ".join(sorted(runtimes)) or "nobody"


@dataclass(frozen=True, slots=True)
class Batch:
    """Scenarios that are played at once on one bench.

    Attributes:
        first_try: Why they could not be played before; they are not tried a third time.
    """

    scenarios: Sequence[Scenario]
    first_try: str = ""


def run_row(directory: Path, row: scale.Row) -> scale.Counted:
    """Play a row of the runaway at scale on a stack of its own.

    Its relay lets the app back in at once: without it, the SDK waits up to 15 s between attempts,
    and a short outage would not be one.
    """
    app = scale.worker_app(WORKER_APP)
    with stack(scale.logs(directory, row), row.version, worker_app=app) as bench:
        return scale.play(bench, row)


def _work(
    directory: Path,
    version: str,
    waiting: "SimpleQueue[Batch]",
    known: Sequence[Declared],
    runtimes: set[str],
) -> list[Result]:
    """Play what waits, on one bench after the other as they are used up."""
    results: list[Result] = []
    lives = 0
    while not waiting.empty():
        place = directory.with_name(f"{directory.name}-{lives}")
        lives += 1
        try:
            with _bench(place, version) as bench:
                runtimes.add(bench.metadata()["runtimeVersion"])
                results += _play_on(bench, waiting, known)
        except _NOT_UP:
            if lives >= _LIVES:
                raise
    return results


def _play_on(
    bench: Bench, waiting: "SimpleQueue[Batch]", known: Sequence[Declared]
) -> list[Result]:
    results: list[Result] = []
    while True:
        try:
            batch = waiting.get_nowait()
        except Empty:
            return results
        with ThreadPoolExecutor(len(batch.scenarios)) as pool:
            found = list(
                pool.map(lambda each: play(bench, each, known, external=False), batch.scenarios)
            )
        failed = {each.scenario: each.why for each in found if each.verdict is Verdict.FAILED}
        again = {} if batch.first_try else failed
        for each in batch.scenarios:
            if each.name in again:
                waiting.put(Batch([each], first_try=again[each.name]))
        results += [
            replace(each, first_try=batch.first_try) for each in found if each.scenario not in again
        ]
        if failed:
            return results


@contextmanager
def _bench(directory: Path, version: str) -> Iterator[Bench]:
    with ExitStack() as closing:
        with _STARTING:
            bench = closing.enter_context(stack(directory, version))
        yield bench
