"""One recorded scenario: how it is played on a bench, and what of it is compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.bench import Bench
from tests.conformance.compare.facet import Facet
from tests.conformance.exchange import Exchange, recorded, versions
from tests.conformance.needs import Need


@dataclass(slots=True)
class Played:
    """What only the driver knows of a scenario it has played.

    Attributes:
        restarted_at: When the sidecar was started again (seconds of the wall clock), if it was.
        since: From when on it is compared, if not from its beginning (the same clock).
        notes: What it has looked at, by the name of the facet.
    """

    restarted_at: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    since: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One recorded scenario.

    Attributes:
        name: Of the scenario, and of its recording if `recording` names none.
        play: Plays it.
        facets: What is compared.
        instances: What it leaves behind.
        needs: Handles without which it can't be played.
        alone: It disturbs whatever else runs on the bench.
        tables: What real Dapr did, by version, where it is not in a recording.
    """

    name: str
    play: Callable[[Bench], Played | None]
    facets: Sequence[Facet]
    instances: Sequence[str] = ()
    needs: frozenset[Need] = frozenset()
    alone: bool = False
    recording: str = ""
    tables: Mapping[str, Exchange] | None = None

    def versions(self) -> list[str]:
        """Return the versions of Dapr on which it was recorded."""
        return sorted(self.tables) if self.tables else versions(self.recording or self.name)

    def real(self, version: str) -> Exchange:
        """Return what real Dapr did."""
        return (
            self.tables[version] if self.tables else recorded(version, self.recording or self.name)
        )
