"""Differences that are known and declared, in `declared.yaml`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.compare.facet import Difference

FILE = Path(__file__).with_name("declared.yaml")


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared difference.

    Attributes:
        facet: Its name, as the facet has it.
        why: What differs and why, for the table.
    """

    scenario: str
    versions: tuple[str, ...]
    facet: str
    why: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """Differences by whether they were declared."""

    undeclared: Sequence[Difference]
    declared: Sequence[str]
    gone: Sequence[str]


def read(path: Path = FILE) -> list[Declared]:
    """Return all declared differences; ValueError for an entry that is not understood."""
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text()) or []
    try:
        return [Declared(**{**each, "versions": tuple(each["versions"])}) for each in entries]
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def sort(
    differences: Iterable[Difference],
    known: Iterable[Declared],
    *,
    scenario: str,
    version: str,
    compared: Iterable[str],
    external: bool,
) -> Sorted:
    """Sort the differences of a scenario by what is declared of it.

    Args:
        differences: Those that occurred.
        known: All declared ones.
        scenario: Whose they are.
        version: It was compared with.
        compared: Names of the facets that could be compared.
        external: The sidecar is not the embedded one, whose differences these are.
    """
    due = {
        each.facet: each.why
        for each in known
        if not external
        and each.scenario == scenario
        and version in each.versions
        and each.facet in set(compared)
    }
    found = list(differences)
    names = {each.facet for each in found}
    return Sorted(
        [each for each in found if each.facet not in due],
        list(dict.fromkeys(why for facet, why in due.items() if facet in names)),
        [facet for facet in due if facet not in names],
    )
