from hypothesis import given
from hypothesis import strategies as st

from fake_llm.pace import Latency, Timing


class _Listed(Timing):
    def __init__(self, gaps_s: list[float]) -> None:
        self.times_s = [sum(gaps_s[: end + 1]) for end in range(len(gaps_s))]

    def token_due_s(self, index: int) -> float:
        return self.times_s[index]


_GAPS = st.lists(st.floats(0, 10), min_size=1, max_size=20)


@given(gaps_s=_GAPS, elapsed_s=st.floats(0, 300))
def test_due_are_the_tokens_whose_time_has_come(gaps_s: list[float], elapsed_s: float) -> None:
    """Whoever waits until the next one is due never waits in vain."""
    timing = _Listed(gaps_s)
    due = timing.tokens_due(elapsed_s, len(gaps_s))
    assert due == sum(at <= elapsed_s for at in timing.times_s)


def test_an_answer_without_tokens_takes_the_time_of_one() -> None:
    """A prompt is read, whatever comes of it."""
    assert Latency(0.5, 0.1).total_s(0) == 0.5
