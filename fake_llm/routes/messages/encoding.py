"""The bytes of an answer of Anthropic's: a plain body, or the events of a stream in pieces."""

from collections.abc import Mapping
from typing import Any, Final

from fake_llm.answers import Answer, FinishReason
from fake_llm.routes.text import json_texts
from metering.messages import message_body, usage_body
from metering.sse import encode_event
from metering.wire import encode_json

_STOP_REASON: Final[Mapping[FinishReason, str]] = {"stop": "end_turn", "length": "max_tokens"}
_MARK: Final = "<text>"


def _event(kind: str, **fields: Any) -> bytes:
    return encode_event(encode_json({"type": kind, **fields}), kind)


_BLOCK_START: Final = _event(
    "content_block_start", index=0, content_block={"type": "text", "text": ""}
)
_PING: Final = _event("ping")
_BLOCK_STOP: Final = _event("content_block_stop", index=0)
_END: Final = _event("message_stop")
_BEFORE_WORD, _, _AFTER_WORD = _event(
    "content_block_delta", index=0, delta={"type": "text_delta", "text": _MARK}
).partition(_MARK.encode())
_BETWEEN_WORDS: Final = (_AFTER_WORD + _BEFORE_WORD).decode()


def plain_body(answer: Answer, answer_id: str) -> bytes:
    """Encode a whole answer as one JSON document."""
    return encode_json(
        message_body(
            answer_id=answer_id,
            model=answer.model,
            text="".join(answer.words),
            stop_reason=_STOP_REASON[answer.finish_reason],
            usage=answer.usage,
        )
    )


class MessagesStream:
    """Encodes the events of one streamed answer, any number of tokens at a time.

    Args:
        answer: What is streamed, one `content_block_delta` for each of its words.
        answer_id: Its id.
    """

    def __init__(self, answer: Answer, answer_id: str) -> None:
        self._answer = answer
        self._answer_id = answer_id

    def piece(self, start: int, end: int) -> bytes:
        """Encode the events of some of the answer's words.

        Before the first come the message without content, the block and a ping; after the last
        the ends of block and message, and between them why it ended with its usage.
        """
        words = self._answer.words
        head = self._head() if start == 0 else b""
        tail = self._tail() if end == len(words) else b""
        if start == end:
            return head + tail
        deltas = _BETWEEN_WORDS.join(json_texts(words[start:end])).encode()
        return head + _BEFORE_WORD + deltas + _AFTER_WORD + tail

    def _head(self) -> bytes:
        answer = self._answer
        message = message_body(
            answer_id=self._answer_id,
            model=answer.model,
            text=None,
            stop_reason=None,
            usage=answer.usage_of(0),
        )
        start = _event("message_start", message=message)
        return start + _BLOCK_START + _PING if answer.words else start + _PING

    def _tail(self) -> bytes:
        answer = self._answer
        ended = _event(
            "message_delta",
            delta={"stop_reason": _STOP_REASON[answer.finish_reason], "stop_sequence": None},
            usage=usage_body(answer.usage),
        )
        return _BLOCK_STOP + ended + _END if answer.words else ended + _END
