"""A few rounds of what `python -m tests.endurance` does by the hundred."""

from pathlib import Path

import pytest

from tests.endurance.__main__ import arguments
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


def test_workflows_are_chosen_by_name() -> None:
    """All of them where nobody chooses."""
    assert arguments([]).workflows == tuple(KINDS)
    assert arguments(["--workflows", "chain,fan"]).workflows == ("chain", "fan")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--workflows", "chain,foo"], "'foo' is none of chain, "),
        (["--rounds", "-3"], "'-3' is no number of kills"),
    ],
)
def test_what_can_not_be_run_is_named(
    capsys: pytest.CaptureFixture[str], given: list[str], words: str
) -> None:
    """With exit 2, before anything is started."""
    with pytest.raises(SystemExit) as ended:
        arguments(given)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
