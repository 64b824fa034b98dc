"""`POST /v1/messages`."""

from typing import ClassVar

from fake_llm.answers import Answer, Question
from fake_llm.errors import ApiError, BadRequestError
from fake_llm.routes import anthropic
from fake_llm.routes.base import Route
from fake_llm.routes.ids import new_id
from fake_llm.routes.messages.encoding import MessagesStream, plain_body
from fake_llm.routes.messages.unsupported import unsupported_fields
from fake_llm.routes.refusals import refuse_unsupported
from metering.errors import RequestError
from metering.messages import MessagesRequest, parse_messages_request

_ID_PREFIX = "msg_"


class Messages(Route[MessagesRequest]):
    """Anthropic's messages, plain and streamed."""

    path: ClassVar[str] = "/v1/messages"
    provider: ClassVar[str] = "Anthropic"
    operation: ClassVar[str] = "messages"
    request_model = MessagesRequest

    def parse(self, body: bytes) -> MessagesRequest:
        """Read a request."""
        try:
            request = parse_messages_request(body)
        except RequestError as error:
            raise BadRequestError(error.message, param=error.param, code=error.code) from None
        refuse_unsupported(unsupported_fields(request))
        return request

    def question(self, request: MessagesRequest) -> Question:
        """Return what it asks."""
        return Question(request.model, bool(request.stream), request.max_tokens)

    def count_input(self, request: MessagesRequest) -> int:
        """Return an upper bound: Anthropic's tokenizer is not public."""
        return request.prompt_upper_bound(image_tokens=None)

    def encode(self, request: MessagesRequest, answer: Answer, created_s: int) -> bytes:  # noqa: ARG002 - has no date
        """Encode a whole answer."""
        return plain_body(answer, new_id(_ID_PREFIX))

    def encoder(self, request: MessagesRequest, answer: Answer, created_s: int) -> MessagesStream:  # noqa: ARG002 - has no date
        """Return the encoder of a streamed answer."""
        return MessagesStream(answer, new_id(_ID_PREFIX))

    def encode_error(self, error: ApiError) -> bytes:
        """Encode an error in Anthropic's shape."""
        return anthropic.encode_error(error)
