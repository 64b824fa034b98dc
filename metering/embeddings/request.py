"""The body of `POST /v1/embeddings`."""

from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, NonNegativeInt, PositiveInt, Tag

from metering.tokens import utf8_length
from metering.wire import TAG_TEXT, WireModel, read_request

BOUND_PER_INPUT: Final = 8
"""Framing of one input in an upper bound."""

MAX_INPUTS: Final = 2048
"""OpenAI's most inputs of one request."""

_TAG_TEXTS: Final = "<texts>"
_TAG_NUMBERS: Final = "<numbers>"
_TAG_LISTS: Final = "<lists>"

_Tokens = Annotated[list[NonNegativeInt], Field(min_length=1)]


def _kind_of_input(value: Any) -> str | None:
    if isinstance(value, str):
        return TAG_TEXT
    if not isinstance(value, list) or not value:
        return None
    kinds = {str: _TAG_TEXTS, int: _TAG_NUMBERS, list: _TAG_LISTS}
    return kinds.get(type(value[0]))


_Input = Annotated[
    Annotated[str, Tag(TAG_TEXT)]
    | Annotated[list[str], Field(max_length=MAX_INPUTS), Tag(_TAG_TEXTS)]
    | Annotated[_Tokens, Tag(_TAG_NUMBERS)]
    | Annotated[list[_Tokens], Field(max_length=MAX_INPUTS), Tag(_TAG_LISTS)],
    Discriminator(
        _kind_of_input,
        custom_error_type="input_type",
        custom_error_message="must be a string, a list of strings, or one or more lists of tokens",
    ),
]


class EmbeddingRequest(WireModel):
    """The body of `POST /v1/embeddings`."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    input: _Input
    dimensions: PositiveInt | None = None
    encoding_format: str | None = None
    user: str | None = None

    def input_upper_bound(self) -> int:
        """Return a count that no provider's count of the input exceeds.

        Tokens are counted, texts are bounded by their UTF-8 bytes.
        """
        if isinstance(self.input, str):
            return BOUND_PER_INPUT + utf8_length(self.input)
        total = BOUND_PER_INPUT
        for each in self.input:
            if isinstance(each, int):
                total += 1
            else:
                size = utf8_length(each) if isinstance(each, str) else len(each)
                total += BOUND_PER_INPUT + size
        return total

    def unpriced_features(self) -> list[str]:
        """Name the fields that are not known to cost nothing beside the input's tokens."""
        return self.unknown_fields(frozenset())


def parse_embedding_request(body: bytes | str) -> EmbeddingRequest:
    """Read a request body.

    Raises:
        RequestError: The body is no JSON, or fields are missing or wrong: all are named.
    """
    return read_request(EmbeddingRequest, body)
