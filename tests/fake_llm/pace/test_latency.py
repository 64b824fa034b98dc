import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_llm.pace.latency import Latency

_SECONDS = st.floats(0, 100)


def test_an_answer_takes_ttft_and_the_gaps_between_its_tokens() -> None:
    """0.5 s + (21 - 1) x 0.1 s = 2.5 s; a single token has no gap."""
    assert Latency(0.5, 0.1).total_s(21) == pytest.approx(2.5)
    assert Latency(0.5, 0.1).total_s(1) == 0.5


def test_without_a_gap_all_tokens_are_due_at_once() -> None:
    """With an ITL of 0 nothing is due before TTFT and everything after."""
    assert Latency(0.5, 0).tokens_due(0.49, 100) == 0
    assert Latency(0.5, 0).tokens_due(0.5, 100) == 100


@given(
    ttft_s=_SECONDS,
    itl_s=_SECONDS,
    early=_SECONDS,
    later=_SECONDS,
    tokens=st.integers(1, 10_000),
)
def test_tokens_only_ever_become_more(
    ttft_s: float, itl_s: float, early: float, later: float, tokens: int
) -> None:
    """Time brings tokens, never takes them, and never more than the answer has."""
    latency = Latency(ttft_s, itl_s)
    before, after = latency.tokens_due(early, tokens), latency.tokens_due(early + later, tokens)
    assert 0 <= before <= after <= tokens


@given(ttft_s=_SECONDS, itl_s=st.floats(0.001, 10), index=st.integers(0, 1000))
def test_a_token_is_there_just_after_it_is_due(ttft_s: float, itl_s: float, index: int) -> None:
    """Waiting until a token is due, and a thousandth of a gap more, brings it and no later one."""
    latency = Latency(ttft_s, itl_s)
    at_s = latency.token_due_s(index) + itl_s / 1000
    assert latency.tokens_due(at_s, 2000) == index + 1
