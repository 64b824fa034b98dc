"""One thing that is compared: read from both exchanges by the same function."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from tests.conformance.exchange import Exchange
from tests.conformance.needs import Need


@dataclass(frozen=True, slots=True)
class Facet:
    """One thing that is compared.

    Attributes:
        name: Says what, and about which instance.
        of: Reads it from an exchange.
        tolerance: By which two numbers, or lists of numbers, may differ; 0 is for all else.
        need: Without this handle it can't be seen, and is not compared.
    """

    name: str
    of: Callable[[Exchange], Any]
    tolerance: float = 0.0
    need: Need | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A facet in which two exchanges differ."""

    facet: str
    recorded: Any
    seen: Any


def compare(
    facets: Iterable[Facet], recorded: Exchange, seen: Exchange, handles: frozenset[Need]
) -> list[Difference]:
    """Return where two exchanges differ, of what can be seen with these handles."""
    differences = []
    for facet in facets:
        if facet.need is not None and facet.need not in handles:
            continue
        real, ours = facet.of(recorded), facet.of(seen)
        if not _agree(real, ours, facet.tolerance):
            differences.append(Difference(facet.name, real, ours))
    return differences


def _agree(real: Any, ours: Any, tolerance: float) -> bool:
    if tolerance and real is not None and ours is not None:
        return bool(abs(real - ours) <= tolerance)
    return bool(real == ours)


def parts(real: Any, ours: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Return where two values differ, as deep inside as possible: path, recorded, seen."""
    if isinstance(real, dict) and isinstance(ours, dict):
        names = [*real, *(each for each in ours if each not in real)]
        return _inside([(f"{path}.{name}", real.get(name), ours.get(name)) for name in names])
    if isinstance(real, Sequence) and isinstance(ours, Sequence) and _are_alike(real, ours):
        pairs = zip_longest(real, ours)
        return _inside([(f"{path}[{n}]", one, other) for n, (one, other) in enumerate(pairs)])
    return [(path, real, ours)]


def _are_alike(real: Sequence[Any], ours: Sequence[Any]) -> bool:
    return not isinstance(real, str) and not isinstance(ours, str)


def _inside(pairs: Iterable[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    return [
        found for path, one, other in pairs if one != other for found in parts(one, other, path)
    ]
