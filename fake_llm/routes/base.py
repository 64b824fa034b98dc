"""What a provider's route is: it reads requests and writes answers, and knows nothing of the rest.

It never waits, charges or fails on purpose: that is the way of every call, in `fake_llm.calls`.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel

from fake_llm.answers import Answer, Question
from fake_llm.errors import ApiError

RequestT = TypeVar("RequestT", bound=BaseModel)


class StreamEncoder(Protocol):
    """Encodes one streamed answer, any number of tokens at a time."""

    def piece(self, start: int, end: int) -> bytes:
        """Encode the events of some of the answer's tokens, from `start` to before `end`.

        What comes before the first token is in the piece that starts at 0, what comes after the
        last in the piece that ends with it. Pieces joined are the same stream, however it is
        divided; an answer without tokens is one piece from 0 to 0.
        """


class Route(ABC, Generic[RequestT]):
    """One route, `POST` on one path.

    Attributes:
        path: Where it is.
        provider: Whose it is, as the documentation says it.
        operation: Its name in the OpenAPI document.
        request_model: Its requests.
    """

    path: ClassVar[str]
    provider: ClassVar[str]
    operation: ClassVar[str]
    request_model: type[RequestT]

    @abstractmethod
    def parse(self, body: bytes) -> RequestT:
        """Read a request.

        Raises:
            BadRequestError: Fields are missing or wrong, or ask for what this service does not
                do: every one is named.
        """

    @abstractmethod
    def question(self, request: RequestT) -> Question:
        """Return what it asks."""

    @abstractmethod
    def count_input(self, request: RequestT) -> int:
        """Count the tokens of its prompt; called in a thread when the body is long.

        Raises:
            UncountableContentError: Something in it is no text.
        """

    @abstractmethod
    def encode(self, request: RequestT, answer: Answer, created_s: int) -> bytes:
        """Encode a whole answer; `created_s` is its date, Unix time."""

    @abstractmethod
    def encoder(self, request: RequestT, answer: Answer, created_s: int) -> StreamEncoder:
        """Return the encoder of a streamed answer."""

    @abstractmethod
    def encode_error(self, error: ApiError) -> bytes:
        """Encode an error in the provider's shape."""
