"""Laws of counting an answer while it passes."""

from hypothesis import example, given
from hypothesis import strategies as st

from budget.calls.streams import SLACK_TOKENS, OutputMeter
from metering.tokens import count_text


def test_an_answer_within_its_limit_is_never_beyond_it() -> None:
    """A thousand words of one token each, reserved to the token, in pieces of one letter."""
    text = " the" * 1000
    meter = OutputMeter("gpt-4o", count_text("gpt-4o", text))
    for letter in text:
        meter.add(letter)
    assert not meter.is_beyond
    assert meter.bound >= 1000


def test_an_answer_beyond_its_limit_is_seen_to_be() -> None:
    """10 reserved tokens and the slack, and one more."""
    for model, piece in (("gpt-4o", " the" * 3), ("claude-opus-5", "two words")):
        meter = OutputMeter(model, 10)
        pieces = 0
        while not meter.is_beyond:
            meter.add(piece)
            pieces += 1
        assert pieces == (9 if model == "gpt-4o" else 10 + SLACK_TOKENS + 1)


@example(
    texts=[
        *("0:\x80", "0:\U00010000", "0:0\U00010000", "0:0\U00010000"),
        *("0:0:0\U00010000\U00010000", "0?Bil", "ef0"),
    ],
    limit=25,
)
@given(texts=st.lists(st.text(max_size=20), max_size=30), limit=st.integers(0, 50))
def test_the_bound_is_above_every_count(texts: list[str], limit: int) -> None:
    """Whatever is cut how: what passed has no more tokens than the bound says."""
    whole = "".join(texts)
    for model in ("gpt-4o", "claude-opus-5"):
        meter = OutputMeter(model, limit)
        for text in texts:
            meter.add(text)
        assert count_text("gpt-4o", whole) <= meter.bound
        assert not meter.is_beyond or len(whole.encode()) > limit
