"""How requests of the provider routes ended, counted: the refused and the lost ones too."""

from typing import NamedTuple

from fake_llm.visit import Ended, Visit


class Kind(NamedTuple):
    """What requests are counted by: few values each, none that a client chooses freely.

    Attributes:
        path: The route's.
        status: HTTP status; 0: no answer.
        ended: How.
        faults: Kinds of the faults that struck, each once, sorted, joined by `+`.
    """

    path: str
    status: int
    ended: Ended
    faults: str


class Requests:
    """Counts of requests."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int, Ended, str], int] = {}

    def take(self, visit: Visit) -> None:
        """Count a request that has ended."""
        faults = "+".join(sorted(set(visit.faults))) if visit.faults else ""
        kind = (visit.path, visit.status, visit.ended, faults)
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def counts(self) -> list[tuple[Kind, int]]:
        """Return how many there were of each kind."""
        return [(Kind(*kind), count) for kind, count in sorted(self._counts.items())]

    def clear(self) -> None:
        """Forget all requests."""
        self._counts.clear()
