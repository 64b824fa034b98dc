"""The plan of the kills and the cases of the load."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.endurance.cases import KINDS, case
from tests.endurance.kills import plan


@given(st.integers(0, 2**32), st.integers(0, 300))
def test_a_seed_gives_the_same_plan_and_the_same_cases(seed: int, number: int) -> None:
    """What failed can be run again, whatever ran before it."""
    assert list(plan(seed, 5)) == list(plan(seed, 5))
    assert case(seed, number, tuple(KINDS)) == case(seed, number, tuple(KINDS))


def test_a_long_plan_kills_everything_at_every_moment() -> None:
    """Sidecar and scheduler alone and together, workers, at work, at start-up and twice."""
    kills = list(plan(1, 200))
    targets = Counter(each.targets for each in kills)
    assert min(targets[("sidecar",)], targets[("scheduler",)]) > 20
    assert {("sidecar", "scheduler"), ("scheduler", "sidecar"), ("worker-0", "worker-1")} <= set(
        targets
    )
    assert 10 < sum(each.is_asked for each in kills) < 60
    assert {each.moment for each in kills} == {"at work", "at start-up", "twice"}


def test_every_kind_of_workflow_comes() -> None:
    """Two hundred cases have all of them, each with an id of its own."""
    cases = [case(1, number, tuple(KINDS)) for number in range(200)]
    assert {each.kind for each in cases} == set(KINDS)
    assert len({each.instance for each in cases}) == len(cases)
