"""The way of every call to a provider route, from its first byte to its entry in the books.

Read the body; let the route parse it, and count its prompt; plan the answer; let faults, limits and
slots take hold; then take the time that the answer takes, and send it. A call is charged exactly
once: before the answer leaves when it is complete, and when it is cut short for what was sent until
then (a plain one in full, as a provider does). The books hear of every request how it ended, before
its answer leaves where there is one.
"""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from fake_llm.answers import Answer, Answers
from fake_llm.asgi import Client, ClientGoneError, Wire, read_post
from fake_llm.books import Books, Call
from fake_llm.clock import Clock
from fake_llm.effects import FAULT_HEADER, Effects, Source
from fake_llm.errors import ApiError, BadRequestError
from fake_llm.pace import Pacing
from fake_llm.routes import Route
from fake_llm.visit import Ended, Visit
from metering.errors import UncountableContentError
from metering.identity import CallerIdentity
from metering.sse import MEDIA_TYPE
from metering.usage import Usage

LONG_BODY_BYTES: Final = 32 * 1024
"""A longer prompt is counted in a thread, so that other calls are served meanwhile."""

_OK: Final = int(HTTPStatus.OK)
_NOTHING: Final = Effects()
_FAULT_HEADER: Final = FAULT_HEADER.lower().encode()
_EVENT_HEADERS: Final = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-cache"),
]


class Calls:
    """Serves the calls of all routes.

    Args:
        books: Told of every request, and charged for every answer.
        answers: Plans what is answered.
        pacing: Decides how long it takes.
        sources: What may happen to a call on its way, in order.
        clock: Times the answers.
    """

    def __init__(
        self,
        *,
        books: Books,
        answers: Answers,
        pacing: Pacing,
        sources: Sequence[Source],
        clock: Clock,
    ) -> None:
        self._books = books
        self._meter = books.meter
        self._answers = answers
        self._pacing = pacing
        self._sources = sources
        self._clock = clock

    async def serve(self, route: Route[Any], scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = scope["headers"]
        named = dict(headers)
        visit = Visit(
            route.path,
            CallerIdentity.from_asgi(headers),
            self._clock.unix_ms(),
            named.get(_FAULT_HEADER),
        )
        wire = Wire(send)
        try:
            body = await read_post(scope["method"], named, receive)
            with Client(receive) as client:
                await self._answer(route, visit, body, client, wire)
        except ApiError as error:
            visit.code, visit.retry_after_s = error.code, error.retry_after_s
            self._end(visit, "refused", error.status)
            await wire.whole(error.status, route.encode_error(error), error.headers())
        except ClientGoneError:
            self._end(visit, "gone", 0)
        except BaseException:
            self._end(visit, "broken", 0)
            raise

    async def _answer(
        self, route: Route[Any], visit: Visit, body: bytes, client: Client, wire: Wire
    ) -> None:
        visit.body_hash = blake2b(body, digest_size=16).digest()
        request = route.parse(body)
        question = route.question(request)
        visit.model, visit.stream, _, visit.has_output = question
        try:
            if len(body) > LONG_BODY_BYTES:
                visit.input_tokens = await asyncio.to_thread(route.count_input, request)
            else:
                visit.input_tokens = route.count_input(request)
        except UncountableContentError as error:
            raise BadRequestError(f"This service reads text only: {error}") from None
        answer = self._answers.plan(question, visit.input_tokens, visit.body_hash)
        visit.output_tokens = answer.output_tokens
        send = self._stream if question.stream else self._plain
        with self._meter.serving(visit) as call:
            found = [each for source in self._sources if (each := source.effects(visit))]
            effects = Effects() if found else _NOTHING
            try:
                if found:
                    await effects.enter(found, visit, client)
                    wire = effects.wire(wire)
                await send(
                    call,
                    answer,
                    route=route,
                    request=request,
                    client=client,
                    wire=wire,
                    effects=effects,
                )
            finally:
                effects.leave()

    async def _plain(
        self,
        call: Call,
        answer: Answer,
        *,
        route: Route[Any],
        request: BaseModel,
        client: Client,
        wire: Wire,
        effects: Effects,
    ) -> None:
        timing = effects.timing(self._pacing.timing(call.visit))
        tokens = len(answer.words)
        gone = True
        try:
            gone = await client.goes_within(timing.total_s(tokens))
        finally:
            if gone:
                self._charge(call, answer.usage, "cut", 0)
            else:
                is_whole = effects.keep(tokens) == tokens
                self._charge(call, answer.usage, "answered" if is_whole else "cut", _OK)
        if not gone:
            await wire.whole(_OK, route.encode(request, answer, call.started_unix_ms // 1000))

    async def _stream(
        self,
        call: Call,
        answer: Answer,
        *,
        route: Route[Any],
        request: BaseModel,
        client: Client,
        wire: Wire,
        effects: Effects,
    ) -> None:
        timing = effects.timing(self._pacing.timing(call.visit))
        encoder = route.encoder(request, answer, call.started_unix_ms // 1000)
        tokens = len(answer.words)
        # An answer without tokens has an end, which takes as long as one token.
        beats = max(tokens, 1)
        stop = effects.keep(beats)
        began_s, sent, status = self._clock.monotonic_s(), 0, 0
        try:
            while sent < stop:
                elapsed_s = self._clock.monotonic_s() - began_s
                due = min(stop, timing.tokens_due(elapsed_s, beats))
                if due == sent:
                    if await client.goes_within(timing.token_due_s(sent) - elapsed_s):
                        return
                    continue
                if not status:
                    status = _OK
                    await wire.head(status, _EVENT_HEADERS)
                if due == beats:
                    self._charge(call, answer.usage, "answered", status)
                elif due == stop:
                    self._charge(call, answer.usage_of(due), "cut", status)
                await wire.part(encoder.piece(sent, min(due, tokens)), last=due == beats)
                if client.is_gone:
                    return
                sent = due
            if stop < beats:
                self._charge(call, answer.usage_of(sent), "cut", _OK)
                if not status:
                    await wire.head(_OK, _EVENT_HEADERS)
                await wire.cut()
        finally:
            self._charge(call, answer.usage_of(min(sent, tokens)), "cut", status)

    def _charge(self, call: Call, usage: Usage, ended: Ended, status: int) -> None:
        """Charge a call and tell how it ended; what was charged is left alone."""
        if not call.charged:
            self._meter.charge(call, usage, "completed" if ended == "answered" else "cut")
            self._end(call.visit, ended, status)

    def _end(self, visit: Visit, ended: Ended, status: int) -> None:
        if visit.ended == "open":
            visit.ended, visit.status = ended, status
            visit.ended_unix_ms = self._clock.unix_ms()
            self._books.ended(visit)
