"""A few rounds of what `python -m tests.endurance` does by the hundred."""

from pathlib import Path

import pytest

from tests.endurance.cases import KINDS
from tests.endurance.run import run
from tests.endurance.stack import PROFILES

ROUNDS = 7
SEED = 20


@pytest.mark.timeout(150)
@pytest.mark.parametrize("profile", PROFILES)
async def test_nothing_acknowledged_is_lost_wherever_the_kills_fall(
    tmp_path: Path, profile: str
) -> None:
    """Each workflow ends with the output that follows from its input, and leaves nothing behind."""
    report = await run(tmp_path / "run", profile, seed=SEED, rounds=ROUNDS, kinds=tuple(KINDS))
    told = "\n".join(report.lines())
    assert not report.faults, told
    assert report.figures["workflows stuck"] == 0
    assert report.figures["workflows ended"] >= len(KINDS), told
    assert sum(n for name, n in report.figures.items() if name.startswith("SIG")) >= ROUNDS
