"""The bytes of an answer: a plain body, or the events of a stream, whole or piece by piece."""

from itertools import count
from secrets import token_hex
from typing import Final

from fake_llm.answers import Answer
from metering.chat import JsonObject, chunk_body, completion_body, encode_json
from metering.sse import DONE, encode_event
from metering.usage import Usage

_MARK: Final = "<content>"
_ROLE: Final[JsonObject] = {"role": "assistant", "content": "", "refusal": None}

_ids = count(1)
_boot = token_hex(6)


def new_answer_id() -> str:
    """Return an id that no other answer has."""
    return f"chatcmpl-{_boot}{next(_ids):08x}"


def plain_body(answer: Answer, answer_id: str, created_s: int) -> bytes:
    """Encode a whole answer as one JSON document."""
    return encode_json(
        completion_body(
            answer_id=answer_id,
            created_s=created_s,
            model=answer.model,
            content="".join(answer.words),
            finish_reason=answer.finish_reason,
            usage=answer.usage,
        )
    )


class StreamEncoder:
    """Encodes the events of one streamed answer, any number of tokens at a time.

    Args:
        answer: What is streamed, one event for each of its words.
        answer_id: Its id.
        created_s: Its date, Unix time.
        include_usage: Whether an event with the usage comes before the last.
    """

    def __init__(
        self, answer: Answer, answer_id: str, created_s: int, *, include_usage: bool
    ) -> None:
        self._answer = answer
        self._include_usage = include_usage
        self._id = answer_id
        self._created_s = created_s
        # The content stands behind everything that a client chose.
        self._before, _, self._after = self._event({"content": _MARK}).rpartition(_MARK.encode())

    def piece(self, start: int, end: int) -> bytes:
        """Encode the events of at least one of the answer's words.

        Before the first comes the role; after the last come why it ended, the usage and the end.
        """
        head = self._event(_ROLE) if start == 0 else b""
        # A word is plain ASCII letters and needs no escape.
        words = (self._after + self._before).join(map(str.encode, self._answer.words[start:end]))
        tail = self._tail() if end == len(self._answer.words) else b""
        return head + self._before + words + self._after + tail

    def _tail(self) -> bytes:
        finish = self._event({}, finish_reason=self._answer.finish_reason)
        usage = self._event(None, usage=self._answer.usage) if self._include_usage else b""
        return finish + usage + DONE

    def _event(
        self,
        delta: JsonObject | None,
        *,
        finish_reason: str | None = None,
        usage: Usage | None = None,
    ) -> bytes:
        chunk = chunk_body(
            answer_id=self._id,
            created_s=self._created_s,
            model=self._answer.model,
            delta=delta,
            finish_reason=finish_reason,
            usage=usage,
            null_usage=self._include_usage,
        )
        return encode_event(encode_json(chunk))
