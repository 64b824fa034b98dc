"""Declared differences: they excuse what they name, and no more."""

from pathlib import Path

import pytest

from tests.conformance.compare import Difference
from tests.conformance.declared import Declared, Sorted, read, sort
from tests.conformance.options import known_versions
from tests.conformance.scenarios import SCENARIOS

KNOWN = [Declared("happy", ("1.16.1",), "turns", "because")]


def sorted_of(*facets: str, version: str = "1.16.1", external: bool = False) -> Sorted:
    return sort(
        [Difference(each, 1, 2) for each in facets],
        KNOWN,
        scenario="happy",
        version=version,
        compared=("turns", "answers"),
        external=external,
    )


def test_a_declared_difference_is_excused_with_its_reason() -> None:
    """The table says why."""
    found = sorted_of("turns")
    assert (list(found.undeclared), list(found.declared), list(found.gone)) == ([], ["because"], [])


def test_another_difference_is_not() -> None:
    """Neither another facet, nor the same one on another version."""
    assert [each.facet for each in sorted_of("turns", "answers").undeclared] == ["answers"]
    assert [each.facet for each in sorted_of("turns", version="1.18.3").undeclared] == ["turns"]


def test_a_declared_difference_that_is_gone_is_told() -> None:
    """Or the list would grow stale."""
    assert list(sorted_of().gone) == ["turns"]


def test_the_embedded_sidecars_own_differences_excuse_no_other() -> None:
    """A real sidecar that differs there is a finding, and one that does not is as it should be."""
    found = sorted_of("turns", external=True)
    assert [each.facet for each in found.undeclared] == ["turns"]
    assert list(sorted_of(external=True).gone) == []


def test_each_entry_names_something_that_is_compared() -> None:
    """Scenario, versions and facet exist, and there is a reason."""
    facets = {each.name: {one.name for one in each.facets} for each in SCENARIOS}
    for each in read():
        assert each.facet in facets[each.scenario]
        assert set(each.versions) <= set(known_versions())
        assert each.why


def test_an_entry_that_is_not_understood_is_named(tmp_path: Path) -> None:
    """A slip of the pen excuses nothing."""
    path = tmp_path / "declared.yaml"
    path.write_text("- {scenario: happy, versions: [1.16.1], facett: turns, why: because}\n")
    with pytest.raises(ValueError, match=r"declared.yaml: .*facett"):
        read(path)
