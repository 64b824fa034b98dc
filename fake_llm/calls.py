"""`POST /v1/chat/completions`, near the ASGI level: this is the route that load is put on.

A call is charged once: before the answer leaves when it is complete, and when its client goes
away for what was sent until then (a plain one in full, as a provider does).
"""

import asyncio
from hashlib import blake2b
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Scope, Send

from fake_llm.answers import Answer, plan_answer, refuse_unsupported
from fake_llm.asgi import Client, ClientGoneError, read_body, send_part, send_whole, start
from fake_llm.clock import Clock
from fake_llm.encoding import StreamEncoder, new_answer_id, plain_body
from fake_llm.errors import INVALID_REQUEST, ApiError, BadRequestError, MethodNotAllowedError
from fake_llm.latency import Latency
from fake_llm.meter import Call, Meter
from fake_llm.words import Words
from metering.chat import ChatRequest, encode_json, error_body, parse_chat_request
from metering.errors import ChatRequestError, UncountableContentError
from metering.identity import CallerIdentity
from metering.prices import PriceBook
from metering.sse import MEDIA_TYPE
from metering.tokens import count_prompt

PATH: Final = "/v1/chat/completions"
LONG_BODY_BYTES: Final = 32 * 1024
"""A longer prompt is counted in a thread, so that other calls are served meanwhile."""

_EVENT_HEADERS: Final = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-cache"),
]


class ChatCompletions:
    """The ASGI endpoint.

    Args:
        meter: Charged for every call.
        prices: Knows the models' context windows.
        words: Text of the answers.
        latency: Duration of the answers.
        default_tokens: Length of an answer that its request does not limit lower.
        clock: Times the answers.
    """

    def __init__(
        self,
        *,
        meter: Meter,
        prices: PriceBook,
        words: Words,
        latency: Latency,
        default_tokens: int,
        clock: Clock,
    ) -> None:
        self._meter = meter
        self._prices = prices
        self._words = words
        self._latency = latency
        self._default_tokens = default_tokens
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowedError(scope["method"])
            body = await read_body(scope, receive)
            body_hash = blake2b(body, digest_size=16).digest()
            request = _parse(body)
            answer = await self._plan(request, body, body_hash)
        except ApiError as error:
            await send_error(send, error)
            return
        except ClientGoneError:
            return
        identity = CallerIdentity.from_asgi(scope["headers"])
        with Client(receive) as client, self._meter.serving(request, identity, body_hash) as call:
            if request.stream:
                asked = request.include_usage
                await self._stream(call, answer, client, send, include_usage=asked)
            else:
                await self._plain(call, answer, client, send)

    async def _plan(self, request: ChatRequest, body: bytes, body_hash: bytes) -> Answer:
        refuse_unsupported(request)
        try:
            if len(body) > LONG_BODY_BYTES:
                counted = await asyncio.to_thread(count_prompt, request.model, request.messages)
            else:
                counted = count_prompt(request.model, request.messages)
        except UncountableContentError as error:
            raise BadRequestError(f"This service reads text only: {error}") from None
        return plan_answer(
            request,
            input_tokens=counted,
            request_hash=body_hash,
            words=self._words,
            default_tokens=self._default_tokens,
            context_window=self._prices.context_window(request.model),
        )

    async def _plain(self, call: Call, answer: Answer, client: Client, send: Send) -> None:
        gone = True
        try:
            gone = await client.goes_within(self._latency.total_s(len(answer.words)))
        finally:
            self._meter.charge(call, answer.usage, "cut" if gone else "completed")
        if not gone:
            body = plain_body(answer, new_answer_id(), call.started_unix_ms // 1000)
            await send_whole(send, HTTPStatus.OK, body)

    async def _stream(
        self, call: Call, answer: Answer, client: Client, send: Send, *, include_usage: bool
    ) -> None:
        created_s = call.started_unix_ms // 1000
        encoder = StreamEncoder(answer, new_answer_id(), created_s, include_usage=include_usage)
        began_s = self._clock.monotonic_s()
        sent, length = 0, len(answer.words)
        try:
            while sent < length:
                elapsed_s = self._clock.monotonic_s() - began_s
                due = self._latency.tokens_due(elapsed_s, length)
                if due == sent:
                    wait_s = self._latency.token_due_s(sent) - elapsed_s
                    if await client.goes_within(wait_s):
                        return
                    continue
                if sent == 0:
                    await start(send, HTTPStatus.OK, _EVENT_HEADERS)
                if due == length:
                    self._meter.charge(call, answer.usage, "completed")
                await send_part(send, encoder.piece(sent, due), last=due == length)
                if client.is_gone:
                    return
                sent = due
        finally:
            self._meter.charge(call, answer.usage_of(sent), "cut")


def _parse(body: bytes) -> ChatRequest:
    try:
        return parse_chat_request(body)
    except ChatRequestError as error:
        raise BadRequestError(error.message, param=error.param, code=error.code) from None


async def send_error(send: Send, error: ApiError) -> None:
    """Answer in OpenAI's error shape."""
    body = error_body(error.message, kind=INVALID_REQUEST, code=error.code, param=error.param)
    await send_whole(send, error.status, encode_json(body))
