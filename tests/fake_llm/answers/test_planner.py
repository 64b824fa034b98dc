import pytest

from fake_llm.answers import Answer, Answers, Question
from fake_llm.answers.words import Words
from fake_llm.errors import ContextLengthError
from metering.usage import Usage

_WORDS = Words(seed=1)


def _plan(input_tokens: int, window: int | None, limit: int | None = None) -> Answer:
    answers = Answers(_WORDS, 64, lambda _: window)
    question = Question("gpt-4", stream=False, output_limit=limit)
    return answers.plan(question, input_tokens, b"h" * 16)


@pytest.mark.parametrize(
    ("limit", "tokens", "reason"),
    [
        (None, 64, "stop"),
        (5, 5, "length"),
        (63, 63, "length"),
        (64, 64, "stop"),
        (10**9, 64, "stop"),
        (0, 0, "length"),
    ],
)
def test_the_lower_of_two_limits_ends_an_answer(
    limit: int | None, tokens: int, reason: str
) -> None:
    """`length` says that the request's limit cut it; what is long enough stops by itself."""
    answer = _plan(10, None, limit)
    assert (answer.usage, answer.finish_reason) == (Usage(10, 0, tokens), reason)


def test_what_was_sent_is_what_was_used() -> None:
    """A cut answer used its whole prompt and the tokens sent."""
    assert _plan(10, None).usage_of(3) == Usage(10, 0, 3)


def test_the_context_window_holds_prompt_and_answer() -> None:
    """100 tokens hold 90 + 10, not 91 + 10; an answer without a limit takes what is left."""
    assert len(_plan(90, 100, 10).words) == 10
    with pytest.raises(ContextLengthError, match=r"is 100 tokens.*requested 101 tokens") as caught:
        _plan(91, 100, 10)
    assert caught.value.code == "context_length_exceeded"
    rest = _plan(91, 100)
    assert (len(rest.words), rest.finish_reason) == (9, "length")


def test_a_prompt_that_leaves_no_room_is_refused() -> None:
    """A window that the prompt fills has no place for even one token."""
    with pytest.raises(ContextLengthError):
        _plan(100, 100)
