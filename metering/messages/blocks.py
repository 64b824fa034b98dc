"""The content blocks of Anthropic's messages: which are bounded, and by what."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import Discriminator, Tag, model_validator
from pydantic_core import PydanticCustomError, to_json

from metering.errors import UncountableContentError
from metering.wire import TAG_LIST, TAG_TEXT, JsonObject, WireModel, text_or_list

_FREE_FIELDS: Final = frozenset({"cache_control", "is_error"})
"""Fields, beside those of `Block`, that change no price."""

_TEXTS: Final = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id", "content"),
}
"""Fields that become tokens, by type. What is encrypted is no shorter than what it stands for."""

_IMAGE_SOURCES: Final = ("base64", "url")


class Block(WireModel):
    """One block of content: text, thinking, a tool's use or result, or an image.

    Others (documents, files, search results, tools of Anthropic's own) are read too, and refused
    where their tokens are counted.
    """

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: JsonObject | None = None
    tool_use_id: str | None = None
    source: JsonObject | None = None
    content: (
        Annotated[
            Annotated[str, Tag(TAG_TEXT)] | Annotated["list[Block]", Tag(TAG_LIST)],
            Discriminator(
                text_or_list,
                custom_error_type="content_type",
                custom_error_message="must be a string or a list of content blocks",
            ),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _has_its_text(self) -> "Block":
        if self.type == "text" and self.text is None:
            raise PydanticCustomError(
                "block_without_text", "a block of type text needs a field text"
            )
        return self

    def images(self) -> int:
        """Count the images in it."""
        if self.type == "image":
            return 1
        return sum(block.images() for block in self._inner())

    def texts(self) -> Iterator[str]:
        """Yield every text that becomes tokens; images are counted elsewhere.

        Raises:
            UncountableContentError: Its tokens, or those of a block in it, are not bounded by its
                bytes.
        """
        if self.type == "image" and (self.source or {}).get("type") in _IMAGE_SOURCES:
            return
        if self.type not in _TEXTS:
            raise UncountableContentError(
                f"content block of type {self.type!r}: its tokens are not bounded by its bytes"
            )
        for name in _TEXTS[self.type]:
            value = getattr(self, name)
            if isinstance(value, str):
                yield value
            elif isinstance(value, dict):
                yield to_json(value).decode()
        if citations := (self.model_extra or {}).get("citations"):
            yield to_json(citations).decode()
        for block in self._inner():
            yield from block.texts()

    def unpriced_fields(self) -> Iterator[str]:
        """Name the fields that may cost more than the block's text."""
        for name in self.unknown_fields(_FREE_FIELDS):
            if not self._is_free(name):
                yield name
        # Of another type of block: its text is not counted.
        own = {"type", "source" if self.type == "image" else "", *_TEXTS.get(self.type, ())}
        for name in sorted(type(self).model_fields.keys() - own):
            if getattr(self, name) is not None:
                yield name
        for index, block in enumerate(self._inner()):
            yield from (f"content.{index}.{name}" for name in block.unpriced_fields())

    def _is_free(self, name: str) -> bool:
        """Whether a field is one that comes with answers and goes back with them."""
        value = (self.model_extra or {})[name]
        if name == "caller":
            return isinstance(value, dict) and value.get("type") == "direct"
        return name == "citations" and self.type == "text"

    def _inner(self) -> "list[Block]":
        return self.content if isinstance(self.content, list) else []
