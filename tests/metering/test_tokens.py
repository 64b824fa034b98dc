import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.chat import ChatMessage
from metering.errors import UncountableContentError
from metering.tokens import count_prompt, count_text, encoding_name, prompt_upper_bound

_COOKBOOK = Path(__file__).with_name("cookbook_messages.jsonl")
_TEXT = st.text(max_size=80)
_MODELS = st.sampled_from(["gpt-4", "gpt-4o", "claude-sonnet-4-5"])
_MESSAGES = st.lists(
    st.builds(
        ChatMessage,
        role=st.sampled_from(["system", "user", "developer"]),
        content=_TEXT
        | st.lists(_TEXT, min_size=1, max_size=3).map(
            lambda texts: [{"type": "text", "text": text} for text in texts]
        ),
        name=st.none() | _TEXT,
    ),
    min_size=1,
    max_size=4,
)


def test_texts_are_counted_as_openai_counts_them() -> None:
    """Counts published by OpenAI: "tiktoken is great!" is 6 tokens in cl100k and in o200k."""
    assert count_text("gpt-4", "tiktoken is great!") == 6
    assert count_text("gpt-4o", "tiktoken is great!") == 6
    assert count_text("gpt-4", "antidisestablishmentarianism") == 6


def test_the_prompt_of_openais_cookbook_has_its_published_count() -> None:
    """The cookbook's example conversation is 129 prompt tokens for gpt-4 and 124 for gpt-4o."""
    texts = _COOKBOOK.read_text(encoding="utf-8")
    messages = [ChatMessage.model_validate_json(line) for line in texts.splitlines()]
    assert count_prompt("gpt-4", messages) == 129
    assert count_prompt("gpt-4o", messages) == 124


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("gpt-4.1-mini", "o200k_base"),
        ("GPT-4o", "o200k_base"),
        ("ft:gpt-4o:me", "o200k_base"),
        ("o3", "o200k_base"),
        ("claude-sonnet-4-5", None),
    ],
)
def test_each_model_has_its_own_tokenizer(model: str, name: str | None) -> None:
    """gpt-4.1 is no gpt-4, and a model of another maker has no tokenizer here."""
    assert encoding_name(model) == name


def test_a_model_without_a_tokenizer_is_counted_in_bytes() -> None:
    """UTF-8 bytes bound the tokens from above: two for an e with an acute accent."""
    assert count_text("claude-sonnet-4-5", "café") == 5


@given(model=_MODELS, messages=_MESSAGES, extras=st.lists(_TEXT, max_size=2))
def test_no_prompt_has_more_tokens_than_its_upper_bound(
    model: str, messages: list[ChatMessage], extras: list[str]
) -> None:
    """Whatever the model, the messages and the tools, the bound holds."""
    assert count_prompt(model, messages, extras) <= prompt_upper_bound(messages, extras)


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_a_prompt_with_more_than_text_is_not_bounded(kind: str) -> None:
    """A hundred bytes of image address can be thousands of tokens: refuse to count."""
    parts = [{"type": kind, kind: {"url": "x"}}]
    messages = [ChatMessage.model_validate({"role": "user", "content": parts})]
    with pytest.raises(UncountableContentError, match=kind):
        prompt_upper_bound(messages)
    with pytest.raises(UncountableContentError, match=kind):
        count_prompt("gpt-4", messages)


@pytest.mark.parametrize("text", ["a" * 1_000_000, " " * 1_000_000, "\u0e01\u0e34" * 100_000])
def test_a_run_without_end_is_counted_in_no_time(text: str) -> None:
    """Byte-pair encoding is quadratic in a run of one kind; such runs count as their bytes."""
    started = time.monotonic()
    assert 0 < count_text("gpt-4o", text) <= len(text.encode())
    assert time.monotonic() - started < 5


def test_long_ordinary_text_is_counted_exactly() -> None:
    """A run just long enough to be looked at closely changes nothing in the count."""
    words = "the quick brown fox " * 50
    spaced = count_text("gpt-4", words)
    address = "https://example.org/" + "path/" * 30
    assert spaced == 200 + 1
    assert count_text("gpt-4", words + address) == spaced - 1 + count_text("gpt-4", " " + address)
