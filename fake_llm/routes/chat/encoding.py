"""The bytes of an answer: a plain body, or the events of a stream, whole or piece by piece."""

from functools import partial
from itertools import count
from secrets import token_hex
from typing import Final

from fake_llm.answers import Answer
from metering.chat import JsonObject, chunk_body, completion_body, encode_json
from metering.sse import DONE, encode_event

_DELTA: Final[JsonObject] = {"mark": "delta"}
_FINISH: Final = "<finish>"
_MARK: Final = "<content>"

_ROLE: Final = encode_json({"role": "assistant", "content": "", "refusal": None})
_CONTENT: Final = encode_json({"content": _MARK})

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
        self._chunk = partial(
            chunk_body,
            answer_id=answer_id,
            created_s=created_s,
            model=answer.model,
            null_usage=include_usage,
        )
        pattern = _event(self._chunk(delta=_DELTA, finish_reason=_FINISH))
        # Both marks stand behind everything that a client chose.
        rest, _, self._after_finish = pattern.rpartition(encode_json(_FINISH))
        self._before_delta, _, self._after_delta = rest.rpartition(encode_json(_DELTA))

    def piece(self, start: int, end: int) -> bytes:
        """Encode the events of at least one of the answer's words.

        Before the first comes the role; after the last come why it ended, the usage and the end.
        """
        head = self._with(_ROLE) if start == 0 else b""
        # A word is plain ASCII letters and needs no escape.
        before, _, after = self._with(_CONTENT).rpartition(_MARK.encode())
        words = (after + before).join(map(str.encode, self._answer.words[start:end]))
        tail = self._tail() if end == len(self._answer.words) else b""
        return head + before + words + after + tail

    def _tail(self) -> bytes:
        finish = self._with(b"{}", encode_json(self._answer.finish_reason))
        if not self._include_usage:
            return finish + DONE
        return finish + _event(self._chunk(delta=None, usage=self._answer.usage)) + DONE

    def _with(self, delta: bytes, finish_reason: bytes = b"null") -> bytes:
        return self._before_delta + delta + self._after_delta + finish_reason + self._after_finish


def _event(chunk: JsonObject) -> bytes:
    return encode_event(encode_json(chunk))
