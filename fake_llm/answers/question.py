"""What is asked, in no provider's words: a route reads it out of its own request."""

from typing import NamedTuple


class Question(NamedTuple):
    """A question.

    Attributes:
        model: As the request named it.
        stream: Whether the answer is to come in pieces.
        output_limit: The most tokens that the answer may have; None: the request limits nothing.
        has_output: Whether the model makes output tokens; False for embeddings, whose models have
            no price for any.
    """

    model: str
    stream: bool
    output_limit: int | None
    has_output: bool = True
