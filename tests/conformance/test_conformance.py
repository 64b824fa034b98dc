"""The embedded sidecar against everything that was recorded on real Dapr."""

from collections.abc import Mapping

import pytest

from tests.conformance.compare.facet import parts
from tests.conformance.options import known_versions
from tests.conformance.result import Result, Verdict
from tests.conformance.scenarios import SCENARIOS
from tests.conformance.table import as_markdown, into
from tests.support.services import ROOT

# All scenarios of all versions are played at once, for the first test that asks.
pytestmark = pytest.mark.timeout(400)
# A machine under load may spoil a scenario; a sidecar that spoils more than these is at fault.
MOST_PLAYED_TWICE = 3
RECORDED = [(each.name, version) for each in SCENARIOS for version in each.versions()]


@pytest.mark.parametrize(("scenario", "version"), RECORDED)
def test_it_does_what_real_dapr_did_but_for_what_is_declared(
    results: Mapping[tuple[str, str], Result], scenario: str, version: str
) -> None:
    """No undeclared difference, and none that is declared and gone."""
    result = results[scenario, version]
    told = [(one.facet, parts(one.recorded, one.seen)[:3]) for one in result.undeclared]
    assert result.is_fine, f"{result}\n{told}"
    assert result.verdict in (Verdict.EQUAL, Verdict.DIFFERS)
    assert not result.unseen


def test_the_docs_show_what_came_of_it(
    outcome: tuple[list[Result], Mapping[str, str]],
) -> None:
    """`--markdown docs/conformance.md` would change nothing."""
    document = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert into(document, as_markdown(*outcome)) == document


def test_what_could_not_be_played_at_once_is_rare(
    results: Mapping[tuple[str, str], Result],
) -> None:
    """A second try excuses a loaded machine, not a sidecar that hangs every other time."""
    twice = {of: each.first_try for of, each in results.items() if each.first_try}
    assert len(twice) <= MOST_PLAYED_TWICE, twice


@pytest.mark.parametrize("version", known_versions())
def test_what_was_not_recorded_says_so(
    results: Mapping[tuple[str, str], Result], version: str
) -> None:
    """It is in the table, and not taken for equal."""
    for scenario in SCENARIOS:
        if version not in scenario.versions():
            assert results[scenario.name, version].verdict is Verdict.NOT_RECORDED
