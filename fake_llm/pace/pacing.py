"""Chooses the timing of each answer."""

from fake_llm.pace.latency import Latency
from fake_llm.pace.timing import Timing
from fake_llm.visit import Visit


class Pacing:
    """The service's pace.

    Args:
        latency: Of every answer.
    """

    def __init__(self, latency: Latency) -> None:
        self._latency = latency

    def timing(self, visit: Visit) -> Timing:  # noqa: ARG002 - one pace for all
        """Return when the tokens of the answer to a request are there."""
        return self._latency
