"""The body of Anthropic's `POST /v1/messages`.

Known fields are validated strictly, unknown ones pass through; what is wrong is named all at once.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, NonNegativeInt, Tag, model_validator
from pydantic_core import PydanticCustomError, to_json

from metering.errors import UncountableContentError
from metering.messages.blocks import Block
from metering.tokens import utf8_length
from metering.wire import (
    TAG_LIST,
    TAG_TEXT,
    JsonObject,
    WireModel,
    read_request,
    text_or_list,
)

BOUND_PER_PROMPT: Final = 64
BOUND_PER_PART: Final = 16
"""Framing of a prompt, and of a message, a block or a tool in it, in an upper bound."""

BOUND_OF_HIDDEN_PROMPT: Final = 1024
"""What Anthropic adds to a prompt with tools or an output format. Its page on tool use
(platform.claude.com/docs/en/agents-and-tools/tool-use/overview, pricing) lists up to 530 tokens by
model; this leaves room for newer ones."""

_FREE_FIELDS: Final = frozenset({"cache_control", "metadata", "stop_sequences"})
"""Fields, beside those of `MessagesRequest`, that change no price (cache writes are in a worst
case)."""

_FREE_TOOL_FIELDS: Final = frozenset(
    {
        *("name", "description", "input_schema", "input_examples", "cache_control", "strict"),
        *("type", "eager_input_streaming"),
    }
)

_Content = Annotated[
    Annotated[str, Tag(TAG_TEXT)] | Annotated[list[Block], Tag(TAG_LIST)],
    Discriminator(
        text_or_list,
        custom_error_type="content_type",
        custom_error_message="must be a string or a list of content blocks",
    ),
]


class Message(WireModel):
    """One message of a conversation."""

    role: Literal["user", "assistant", "system"]
    content: _Content

    def blocks(self) -> list[Block]:
        """Return the content as blocks."""
        return _blocks(self.content)


class Thinking(WireModel):
    """How much is thought before the answer: part of its output tokens."""

    type: str
    budget_tokens: NonNegativeInt | None = None
    display: str | None = None


class OutputConfig(WireModel):
    """How the answer is to be."""

    effort: str | None = None
    format: JsonObject | None = None


class MessagesRequest(WireModel):
    """The body of `POST /v1/messages`."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: NonNegativeInt
    system: _Content | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: NonNegativeInt | None = None
    tools: list[JsonObject] | None = None
    tool_choice: JsonObject | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    speed: str | None = None

    @model_validator(mode="after")
    def _thinking_fits(self) -> "MessagesRequest":
        if self.thinking_tokens and self.thinking_tokens >= self.max_tokens:
            raise PydanticCustomError(
                "thinking_budget",
                "thinking.budget_tokens must be less than max_tokens, which bounds the cost",
            )
        return self

    @property
    def thinking_tokens(self) -> int:
        """The thinking budget; it is within `max_tokens`, and 0 without one."""
        return (self.thinking and self.thinking.budget_tokens) or 0

    def images(self) -> int:
        """Count the images."""
        return sum(block.images() for block in self._all_blocks())

    def prompt_upper_bound(self, image_tokens: int | None) -> int:
        """Return a count that Anthropic's count of the prompt does not exceed.

        Args:
            image_tokens: What each image may take; None when nobody knows.

        Raises:
            UncountableContentError: A block whose tokens are not bounded by its bytes.
        """
        if image_tokens is None and self.images():
            raise UncountableContentError(
                f"images: nobody published how many tokens one may take for {self.model!r}"
            )
        total = BOUND_PER_PROMPT + BOUND_PER_PART * len(self.messages)
        for block in self._all_blocks():
            total += sum(BOUND_PER_PART + utf8_length(text) for text in block.texts())
        total += self.images() * (BOUND_PER_PART + (image_tokens or 0))
        return (
            total
            + sum(BOUND_PER_PART + utf8_length(extra) for extra in self._extras())
            + (BOUND_OF_HIDDEN_PROMPT if self.tools or self._format else 0)
        )

    def unpriced_features(self) -> list[str]:
        """Name what this request asks for that costs more than its tokens say.

        Tools of Anthropic's own, containers and context management may call the model or charge
        several times; fast mode and inference in one region have other prices. So a field is
        named unless it is known to cost nothing of its own; one that is null asks for nothing.
        """
        found = self.unknown_fields(_FREE_FIELDS)
        found += [f"tools.{index}" for index, tool in enumerate(self.tools or ()) if _costs(tool)]
        if self.service_tier not in {None, "auto", "standard_only"}:
            found.append("service_tier")
        if self.inference_geo not in {None, "global"}:
            found.append("inference_geo")
        if self.speed not in {None, "standard"}:
            found.append("speed")
        for name in ("thinking", "output_config"):
            part: WireModel | None = getattr(self, name)
            found += (
                [f"{name}.{field}" for field in part.unknown_fields(frozenset())] if part else []
            )
        found += [f"system.{name}" for name in _unpriced(_blocks(self.system))]
        for index, message in enumerate(self.messages):
            own = message.unknown_fields(frozenset())
            found += [f"messages.{index}.{name}" for name in own]
            content = _unpriced(message.blocks())
            found += [f"messages.{index}.content.{name}" for name in content]
        return found

    @property
    def _format(self) -> JsonObject | None:
        return None if self.output_config is None else self.output_config.format

    def _extras(self) -> Iterator[str]:
        """Yield, as JSON text, what becomes prompt tokens beside the messages."""
        for extra in (*(self.tools or ()), self._format, self.tool_choice):
            if extra:
                yield to_json(extra).decode()

    def _all_blocks(self) -> Iterator[Block]:
        yield from _blocks(self.system)
        for message in self.messages:
            yield from message.blocks()


def _blocks(content: str | list[Block] | None) -> list[Block]:
    if isinstance(content, str):
        return [Block(type="text", text=content)]
    return content or []


def _unpriced(blocks: list[Block]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        yield from (f"{index}.{name}" for name in block.unpriced_fields())


def _costs(tool: dict[str, Any]) -> bool:
    """Whether a tool is more than a function that the caller carries out."""
    is_function = tool.get("type") in (None, "custom")
    return not is_function or any(
        value is not None and name not in _FREE_TOOL_FIELDS for name, value in tool.items()
    )


def parse_messages_request(body: bytes | str) -> MessagesRequest:
    """Read a request body.

    Raises:
        RequestError: The body is no JSON, or fields are missing or wrong: all are named.
    """
    return read_request(MessagesRequest, body)
