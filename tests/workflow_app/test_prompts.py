import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.chat import ChatMessage
from metering.tokens import count_prompt, prompt_upper_bound
from workflow_app.prompts import FIRST_DIGEST, digest, step_messages


def prompt(instance: str, step: int, previous: str, prompt_tokens: int) -> list[ChatMessage]:
    messages = step_messages(
        instance=instance, step=step, previous=previous, prompt_tokens=prompt_tokens
    )
    return [ChatMessage.model_validate(message) for message in messages]


@pytest.mark.parametrize("prompt_tokens", [60, 400, 1000, 5000])
def test_a_prompt_has_the_tokens_that_were_asked_for(prompt_tokens: int) -> None:
    """Exactly, by the tokenizer of gpt-4 and with the framing of a chat."""
    assert count_prompt("gpt-4", prompt("run-1", 1, FIRST_DIGEST, prompt_tokens)) == prompt_tokens


@given(
    instance=st.text("abc-123", min_size=1, max_size=100),
    step=st.integers(1, 9_999),
    answer=st.text(),
)
def test_all_steps_of_all_runs_are_equally_long(instance: str, step: int, answer: str) -> None:
    """Neither the id, nor the number of the step, nor the answer before changes a reservation."""
    first = prompt("x", 1, FIRST_DIGEST, 100)
    other = prompt(instance, step, digest(answer), 100)
    assert prompt_upper_bound(other) == prompt_upper_bound(first)
    assert count_prompt("gpt-4", other) == count_prompt("gpt-4", first)


def test_the_same_step_has_the_same_prompt() -> None:
    """A redelivered activity sends the very same body."""
    assert prompt("a", 3, "12345678", 200) == prompt("a", 3, "12345678", 200)


def test_each_step_has_a_prompt_of_its_own() -> None:
    """Steps, instances and answers before are told apart."""
    prompts = {
        str(prompt(instance, step, previous, 100))
        for instance in ("a", "b")
        for step in (1, 2)
        for previous in (FIRST_DIGEST, digest("answer"))
    }
    assert len(prompts) == 8
