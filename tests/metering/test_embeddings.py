from typing import Any

import pytest

from metering.embeddings import parse_embedding_request, read_usage
from metering.errors import RequestError, UsageError
from metering.usage import Usage
from metering.wire import encode_json


def _body(**fields: Any) -> bytes:
    return encode_json({"model": "text-embedding-3-small", "input": "hi", **fields})


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ("hé", 8 + 3),
        (["hé", "a"], 8 + 8 + 3 + 8 + 1),
        ([1, 2, 3], 8 + 3),
        ([[1, 2, 3], [4]], 8 + 8 + 3 + 8 + 1),
    ],
)
def test_tokens_are_counted_and_texts_bounded_by_their_bytes(given: object, bound: int) -> None:
    """A string, strings, tokens, or lists of tokens."""
    assert parse_embedding_request(_body(input=given)).input_upper_bound() == bound


@pytest.mark.parametrize(
    "given", [3, None, [], [[]], ["a", 1], [1, "a"], [[1], "a"], [-1], [True], {"a": 1}, [1.5]]
)
def test_any_other_input_is_refused(given: object) -> None:
    """The field is named, and none of the ways to read it."""
    with pytest.raises(RequestError) as caught:
        parse_embedding_request(_body(input=given))
    assert caught.value.param is not None
    assert caught.value.param.startswith("input")


def test_a_field_that_nobody_knows_may_cost_anything() -> None:
    """What the API has today is free, whatever else is named."""
    known = {"dimensions": 256, "encoding_format": "base64", "user": "u"}
    request = parse_embedding_request(_body(**known, input_type="query", late_chunking=None))
    assert request.unpriced_features() == ["input_type"]


def test_usage_is_read_or_said_to_be_none() -> None:
    """Embeddings report their prompt alone."""
    assert read_usage(b'{"usage": {"prompt_tokens": 7, "total_tokens": 7}}') == Usage(7, 0, 0)
    assert read_usage(b'{"data": []}') is None
    for body in (b"{", b'{"usage": {}}', b'{"usage": {"prompt_tokens": -1}}'):
        with pytest.raises(UsageError):
            read_usage(body)
