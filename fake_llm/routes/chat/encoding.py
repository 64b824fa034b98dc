"""The bytes of an answer: a plain body, or the events of a stream, whole or piece by piece."""

from functools import lru_cache
from typing import Any, Final, NamedTuple

from fake_llm.answers import Answer
from fake_llm.routes.text import json_texts
from metering.chat import JsonObject, chunk_body, completion_body, encode_json
from metering.sse import DONE, encode_event

_ID: Final = "<id>"
_DATE: Final = 1_234_567_890
_DELTA: Final[JsonObject] = {"mark": "delta"}
_FINISH: Final = "<finish>"
_MARK: Final = "<content>"

_ROLE: Final = encode_json({"role": "assistant", "content": "", "refusal": None})
_CONTENT: Final = encode_json({"content": _MARK})


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


class ChatStream:
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
        self._id_and_date: dict[str, Any] = {"answer_id": answer_id, "created_s": created_s}
        pattern = _pattern(answer.model, null_usage=include_usage)
        self._before_delta = b"%b%b%b%d%b" % (
            pattern.before_id,
            answer_id.encode(),
            pattern.before_date,
            created_s,
            pattern.before_delta,
        )
        self._after_delta = pattern.after_delta
        self._after_finish = pattern.after_finish

    def piece(self, start: int, end: int) -> bytes:
        """Encode the events of some of the answer's words.

        Before the first comes the role; after the last come why it ended, the usage and the end.
        """
        head = self._with(_ROLE) if start == 0 else b""
        before, _, after = self._with(_CONTENT).rpartition(_MARK.encode())
        words = (after + before).decode().join(json_texts(self._answer.words[start:end])).encode()
        tail = self._tail() if end == len(self._answer.words) else b""
        return head + before + words + after + tail

    def _tail(self) -> bytes:
        finish = self._with(b"{}", encode_json(self._answer.finish_reason))
        if not self._include_usage:
            return finish + DONE
        model, usage = self._answer.model, self._answer.usage
        return (
            finish
            + _event(chunk_body(**self._id_and_date, model=model, delta=None, usage=usage))
            + DONE
        )

    def _with(self, delta: bytes, finish_reason: bytes = b"null") -> bytes:
        return self._before_delta + delta + self._after_delta + finish_reason + self._after_finish


class _Pattern(NamedTuple):
    """The bytes of an event around what differs between events, and between answers."""

    before_id: bytes
    before_date: bytes
    before_delta: bytes
    after_delta: bytes
    after_finish: bytes


@lru_cache(maxsize=256)
def _pattern(model: str, *, null_usage: bool) -> _Pattern:
    event = _event(
        chunk_body(
            answer_id=_ID,
            created_s=_DATE,
            model=model,
            delta=_DELTA,
            finish_reason=_FINISH,
            null_usage=null_usage,
        )
    )
    # Id and date stand before everything that a client chose, the other marks behind it.
    before_id, _, rest = event.partition(_ID.encode())
    before_date, _, rest = rest.partition(b"%d" % _DATE)
    rest, _, after_finish = rest.rpartition(encode_json(_FINISH))
    before_delta, _, after_delta = rest.rpartition(encode_json(_DELTA))
    return _Pattern(before_id, before_date, before_delta, after_delta, after_finish)


def _event(chunk: JsonObject) -> bytes:
    return encode_event(encode_json(chunk))
