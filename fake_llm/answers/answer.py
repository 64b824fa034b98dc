"""Decides what the answer to a request is, before any of it is sent: pure, no clock, no I/O."""

from dataclasses import dataclass
from typing import Literal

from fake_llm.errors import BadRequestError, ContextLengthError
from fake_llm.words import Words
from metering.chat import ChatRequest
from metering.usage import Usage

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        model: As the request named it.
        words: Its tokens; joined they are its text.
        finish_reason: `length` when the request's limit or the context window cut it.
        input_tokens: Tokens of the prompt.
    """

    model: str
    words: list[str]
    finish_reason: FinishReason
    input_tokens: int

    @property
    def usage(self) -> Usage:
        """What the whole answer used."""
        return self.usage_of(len(self.words))

    def usage_of(self, sent_tokens: int) -> Usage:
        """Return what was used when only so many tokens were sent."""
        return Usage(self.input_tokens, 0, sent_tokens)


def refuse_unsupported(request: ChatRequest) -> None:
    """Refuse what a real provider would do and this service does not.

    Raises:
        BadRequestError: Names every such field.
    """
    fields = _unsupported_fields(request)
    if fields:
        raise BadRequestError(
            f"This service does not support {', '.join(fields)}: leave it out.",
            param=fields[0],
            code="unsupported_parameter",
        )


def _unsupported_fields(request: ChatRequest) -> list[str]:
    extra = request.model_extra or {}
    response_format = (request.response_format or {}).get("type", "text")
    asked = {
        "n > 1": (request.n or 1) > 1,
        "tools": bool(request.tools),
        "functions": bool(request.functions),
        "tool_choice": extra.get("tool_choice") not in (None, "none", "auto"),
        "response_format": response_format != "text",
        "logprobs": bool(request.logprobs or request.top_logprobs),
        "stop": bool(request.stop),
    }
    return [name for name, is_asked in asked.items() if is_asked] + request.unpriced_features()


def plan_answer(
    request: ChatRequest,
    *,
    input_tokens: int,
    request_hash: bytes,
    words: Words,
    default_tokens: int,
    context_window: int | None,
) -> Answer:
    """Return the answer to a request: the same for the same words and request hash.

    Args:
        request: What was asked.
        input_tokens: Tokens of its prompt.
        request_hash: Hash of its body.
        words: Where the text comes from.
        default_tokens: Length of an answer that nothing limits.
        context_window: The most tokens of prompt and answer together; None when not known.

    Raises:
        ContextLengthError: The prompt, with the answer that was asked for, is longer than that.
    """
    limit = request.output_limit
    room = None if context_window is None else context_window - input_tokens
    if room is not None and context_window is not None and room < (limit or 1):
        raise ContextLengthError(
            window=context_window, prompt_tokens=input_tokens, answer_tokens=limit or 1
        )
    length = min(most for most in (default_tokens, limit, room) if most is not None)
    return Answer(
        model=request.model,
        words=words.answer(request_hash, length),
        finish_reason="length" if length < default_tokens else "stop",
        input_tokens=input_tokens,
    )
