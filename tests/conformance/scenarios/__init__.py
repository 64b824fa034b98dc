"""The recorded scenarios, one module a subject."""

from tests.conformance.scenarios import ids, losses, restarts, rows, sources, steady, steering
from tests.conformance.scenarios.scenario import Played, Scenario

__all__ = ["SCENARIOS", "Played", "Scenario", "by_name"]
SCENARIOS: tuple[Scenario, ...] = (
    *steady.SCENARIOS,
    *steering.SCENARIOS,
    *ids.SCENARIOS,
    *rows.SCENARIOS,
    *restarts.SCENARIOS,
    *losses.SCENARIOS,
    *sources.SCENARIOS,
)


def by_name(name: str) -> Scenario:
    """Return a scenario; KeyError when there is none of that name."""
    return {each.name: each for each in SCENARIOS}[name]
