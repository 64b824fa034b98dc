"""The body of `POST /v1/chat/completions`.

Known fields are validated strictly, unknown ones pass through; what is wrong is named all at once.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import (
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_json

from metering.errors import ChatRequestError, UncountableContentError
from metering.wire import (
    TAG_LIST,
    TAG_TEXT,
    JsonObject,
    WireModel,
    read_request,
    text_or_list,
)

_FREE_FIELDS: Final = frozenset(
    {
        *("function_call", "logit_bias", "metadata", "parallel_tool_calls", "prompt_cache_key"),
        *("prompt_cache_options", "prompt_cache_retention", "reasoning_effort"),
        *("safety_identifier", "store", "tool_choice", "verbosity"),
        *("min_p", "repetition_penalty", "top_k"),
    }
)
"""Fields, beside those of `ChatRequest`, that change no price: a worst case has cache writes."""

_FREE_MESSAGE_FIELDS: Final = frozenset(
    {
        *("annotations", "function_call", "reasoning_content", "refusal", "tool_call_id"),
        "tool_calls",
    }
)
"""Fields, beside those of `ChatMessage`, whose cost is their own text."""

_DETAILS: Final = frozenset({None, "auto", "low", "high"})
"""How closely an image is looked at, as far as its price is published: see `metering.images`."""

_FREE_PART_FIELDS: Final = frozenset({"cache_control", "prompt_cache_breakpoint"})


class ImageUrl(WireModel):
    """Where an image is, and how closely it is looked at."""

    url: str
    detail: str | None = None


class ContentPart(WireModel):
    """One part of a message: text, a refusal, or something whose tokens text can't bound."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None

    @model_validator(mode="after")
    def _has_its_text(self) -> "ContentPart":
        if self.type in {"text", "refusal"} and getattr(self, self.type) is None:
            raise PydanticCustomError(
                "part_without_text",
                "a part of type {type} needs a field {type}",
                {"type": self.type},
            )
        return self


_Content = Annotated[
    Annotated[str, Tag(TAG_TEXT)]
    | Annotated[list[ContentPart], Field(min_length=1), Tag(TAG_LIST)],
    Discriminator(
        text_or_list,
        custom_error_type="content_type",
        custom_error_message="must be a string or a list of content parts",
    ),
]
_Stop = Annotated[
    Annotated[str, Tag(TAG_TEXT)]
    | Annotated[list[str], Field(min_length=1, max_length=4), Tag(TAG_LIST)],
    Discriminator(
        text_or_list,
        custom_error_type="stop_type",
        custom_error_message="must be a string or a list of 1 to 4 strings",
    ),
]


class ChatMessage(WireModel):
    """One message of a conversation."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: _Content | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _has_content(self) -> "ChatMessage":
        if self.content is None and self.role != "assistant":
            raise PydanticCustomError(
                "message_without_content",
                "a message of role {role} needs content",
                {"role": self.role},
            )
        return self

    def images(self) -> int:
        """Count the parts that are images."""
        parts = self.content if isinstance(self.content, list) else ()
        return sum(part.type == "image_url" for part in parts)

    def texts(self, *, beside_images: bool = False) -> Iterator[str]:
        """Yield every text of the message that becomes tokens, the role first.

        Args:
            beside_images: Whether the images are counted elsewhere.

        Raises:
            UncountableContentError: A part (image, audio, file) that is not text.
        """
        yield self.role
        if isinstance(self.content, str):
            yield self.content
        for part in self.content if isinstance(self.content, list) else ():
            is_counted = beside_images and part.type == "image_url"
            if not is_counted and part.type not in {"text", "refusal"}:
                raise UncountableContentError(
                    f"content part of type {part.type!r}: its tokens are not bounded by its bytes"
                )
            # Of whatever type: who reads it may read all that is there.
            yield from (text for text in (part.text, part.refusal) if text)
        if self.name is not None:
            yield self.name
        for value in (self.model_extra or {}).values():
            if value is not None:
                yield value if isinstance(value, str) else to_json(value).decode()

    def unpriced_fields(self) -> Iterator[str]:
        """Name the fields that may cost more than their text; those of other parts are left out.

        `texts` refuses parts that are not text.
        """
        yield from self.unknown_fields(_FREE_MESSAGE_FIELDS)
        for index, part in enumerate(self.content if isinstance(self.content, list) else ()):
            if part.type in {"text", "refusal", "image_url"}:
                for name in part.unknown_fields(_FREE_PART_FIELDS):
                    yield f"content.{index}.{name}"
            if part.image_url is not None and part.type != "image_url":
                yield f"content.{index}.image_url"
            elif part.image_url is not None and part.image_url.detail not in _DETAILS:
                yield f"content.{index}.image_url.detail"


class StreamOptions(WireModel):
    """Options of a streamed answer."""

    include_usage: bool | None = None


class ChatRequest(WireModel):
    """The body of `POST /v1/chat/completions`."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: PositiveInt | None = None
    max_completion_tokens: PositiveInt | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: _Stop | None = None
    seed: int | None = None
    user: str | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: JsonObject | None = None
    tools: list[JsonObject] | None = None
    functions: list[JsonObject] | None = None
    modalities: list[str] | None = None
    service_tier: str | None = None

    @model_validator(mode="after")
    def _fields_agree(self) -> "ChatRequest":
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise PydanticCustomError(
                "two_limits", "give max_tokens or max_completion_tokens, not both"
            )
        if self.stream_options is not None and not self.stream:
            raise PydanticCustomError(
                "options_without_stream", "stream_options is only allowed when stream is true"
            )
        return self

    @property
    def output_limit(self) -> int | None:
        """The most output tokens that the caller allows each choice, or None."""
        limit = self.max_completion_tokens
        return self.max_tokens if limit is None else limit

    @property
    def include_usage(self) -> bool:
        """Whether a streamed answer ends with a chunk that holds the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def prompt_extras(self) -> list[str]:
        """Return, as JSON text, the fields beside the messages that become prompt tokens."""
        extras = (self.tools, self.functions, self.response_format)
        return [to_json(extra).decode() for extra in extras if extra]

    def unpriced_features(self) -> list[str]:
        """Name what this request asks for that costs more than its text tokens say.

        A price book knows text tokens at the standard tier; the rest (audio, web search, faster
        or slower tiers, predicted output) is charged by rules that it does not know. So a field
        is named unless it is known to cost nothing of its own; one that is null asks for nothing.
        """
        found = self.unknown_fields(_FREE_FIELDS)
        if _names_a_hosted_tool((self.model_extra or {}).get("tool_choice")):
            found.append("tool_choice")
        for index, tool in enumerate(self.tools or ()):
            if tool.get("type") != "function":
                found.append(f"tools.{index}")
        if self.modalities and set(self.modalities) != {"text"}:
            found.append("modalities")
        if self.service_tier not in {None, "auto", "default"}:
            found.append("service_tier")
        for index, message in enumerate(self.messages):
            found += [f"messages.{index}.{name}" for name in message.unpriced_fields()]
        return found


def _names_a_hosted_tool(choice: Any) -> bool:
    return isinstance(choice, dict) and choice.get("type") not in ("function", "allowed_tools")


def parse_chat_request(body: bytes | str) -> ChatRequest:
    """Read a request body.

    Raises:
        ChatRequestError: The body is no JSON, or fields are missing or wrong: all are named.
    """
    return read_request(ChatRequest, body, ChatRequestError)
