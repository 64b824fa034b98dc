"""`POST /v1/chat/completions`."""

from typing import ClassVar

from fake_llm.answers import Answer, Question
from fake_llm.errors import ApiError, BadRequestError
from fake_llm.routes import openai
from fake_llm.routes.base import Route
from fake_llm.routes.chat.encoding import ChatStream, plain_body
from fake_llm.routes.chat.unsupported import unsupported_fields
from fake_llm.routes.ids import new_id
from fake_llm.routes.refusals import refuse_unsupported
from metering.chat import ChatRequest, parse_chat_request
from metering.errors import ChatRequestError
from metering.tokens import count_prompt

_ID_PREFIX = "chatcmpl-"


class Chat(Route[ChatRequest]):
    """OpenAI's chat completions, plain and streamed."""

    path: ClassVar[str] = "/v1/chat/completions"
    provider: ClassVar[str] = "OpenAI"
    operation: ClassVar[str] = "chat_completions"
    request_model = ChatRequest

    def parse(self, body: bytes) -> ChatRequest:
        """Read a request."""
        try:
            request = parse_chat_request(body)
        except ChatRequestError as error:
            raise BadRequestError(error.message, param=error.param, code=error.code) from None
        refuse_unsupported(unsupported_fields(request))
        return request

    def question(self, request: ChatRequest) -> Question:
        """Return what it asks."""
        return Question(request.model, bool(request.stream), request.output_limit)

    def count_input(self, request: ChatRequest) -> int:
        """Count the tokens of its messages."""
        return count_prompt(request.model, request.messages)

    def encode(self, request: ChatRequest, answer: Answer, created_s: int) -> bytes:  # noqa: ARG002 - no option changes it
        """Encode a whole answer."""
        return plain_body(answer, new_id(_ID_PREFIX), created_s)

    def encoder(self, request: ChatRequest, answer: Answer, created_s: int) -> ChatStream:
        """Return the encoder of a streamed answer."""
        answer_id = new_id(_ID_PREFIX)
        return ChatStream(answer, answer_id, created_s, include_usage=request.include_usage)

    def encode_error(self, error: ApiError) -> bytes:
        """Encode an error in OpenAI's shape."""
        return openai.encode_error(error)
