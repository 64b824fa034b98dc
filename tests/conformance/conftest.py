"""One run of the driver on embedded stacks of all recorded versions."""

from collections.abc import Mapping

import pytest

from tests.conformance.__main__ import run
from tests.conformance.options import parse
from tests.conformance.result import Result
from tests.conformance.scenarios import SCENARIOS


@pytest.fixture(scope="session")
def outcome(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[Result], Mapping[str, str]]:
    """Give the results, and by version which runtime answered."""
    return run(tmp_path_factory.mktemp("conformance"), parse([]), SCENARIOS)


@pytest.fixture(scope="session")
def results(
    outcome: tuple[list[Result], Mapping[str, str]],
) -> Mapping[tuple[str, str], Result]:
    """Give what became of each scenario on each version."""
    return {(each.scenario, each.version): each for each in outcome[0]}
