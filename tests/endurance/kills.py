"""Which process is ended in which round, and when. Pure: a seed gives the same plan each time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Target = Literal["sidecar", "scheduler", "worker-0", "worker-1"]
_LONGEST_WAIT_S = 1.2
_LONGEST_STARTUP_S = 0.35
_TARGETS: tuple[tuple[tuple[Target, ...], int], ...] = (
    (("sidecar",), 40),
    (("scheduler",), 22),
    (("sidecar", "scheduler"), 9),
    (("scheduler", "sidecar"), 9),
    (("worker-0",), 6),
    (("worker-1",), 6),
    (("worker-0", "worker-1"), 4),
    (("worker-0", "sidecar"), 4),
)
# Workers do not end in time on SIGTERM: the SDK waits for its stream.
_ASKED = 0.15
_MOMENTS = (("at work", 70), ("at start-up", 20), ("twice", 10))


@dataclass(frozen=True, slots=True)
class Kill:
    """The end of some processes, which are started again at once.

    Attributes:
        targets: In this order, without a pause between.
        moment: `at work`: after everything is connected again; `at start-up`: after the kill
            before, whatever is up by then; `twice`: at work, and again as soon as it is started.
        after_s: How long after that moment.
        is_asked: By SIGTERM, which lets them end their work; else by SIGKILL.
    """

    targets: tuple[Target, ...]
    moment: str
    after_s: float
    is_asked: bool = False

    def __str__(self) -> str:
        how = "SIGTERM" if self.is_asked else "SIGKILL"
        return f"{how} of {' and '.join(self.targets)} {self.moment} +{self.after_s:.3f} s"


def plan(seed: int, rounds: int) -> Iterator[Kill]:
    """Return the kills of a run."""
    rng = random.Random(seed)  # noqa: S311 - to be run again, not to be secret
    for _ in range(rounds):
        ((targets, _),) = rng.choices(_TARGETS, [weight for _, weight in _TARGETS])
        ((moment, _),) = rng.choices(_MOMENTS, [weight for _, weight in _MOMENTS])
        longest_s = _LONGEST_STARTUP_S if moment == "at start-up" else _LONGEST_WAIT_S
        is_asked = rng.random() < _ASKED and not any("worker" in each for each in targets)
        yield Kill(targets, moment, rng.uniform(0, longest_s), is_asked)
