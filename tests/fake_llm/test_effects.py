"""What faults may do to a call, each shown by a small fault of the test's own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import pytest
from starlette.types import ASGIApp

from fake_llm.app import create_app
from fake_llm.asgi import Client, ClientGoneError, Headers, Wire, WrappedWire
from fake_llm.draws import Draw
from fake_llm.effects import Effect, Effects
from fake_llm.faults import KINDS, Fault
from fake_llm.pace import Latency, Timing
from fake_llm.settings import FakeLlmSettings
from fake_llm.visit import Visit
from metering.chat import ChatChunk
from metering.identity import CallerIdentity
from metering.sse import EventParser

_HELLO: dict[str, Any] = {"model": "gpt-4", "messages": [{"role": "user", "content": "hello"}]}


class _Wait(Fault):
    """Acts before the answer."""

    kind: ClassVar[str] = "wait"
    seconds: float

    def strike(self, visit: Visit, draw: Draw) -> Effect:  # noqa: ARG002
        return _Waiting(self.seconds)


class _Waiting(Effect):
    fault = _Wait.kind

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def before(self, client: Client) -> None:
        await client.goes_within(self._seconds)


class _Late(Fault):
    """Acts on the answer's pace."""

    kind: ClassVar[str] = "late"
    seconds: float

    def strike(self, visit: Visit, draw: Draw) -> Effect:  # noqa: ARG002
        return _LateEffect(self.seconds)


class _LateEffect(Effect):
    fault = _Late.kind

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def timing(self, timing: Timing) -> Timing:
        return _LateTiming(timing, self._seconds)


@dataclass(frozen=True, slots=True)
class _LateTiming(Timing):
    inner: Timing
    seconds: float

    def token_due_s(self, index: int) -> float:
        return self.inner.token_due_s(index) + self.seconds


class _Short(Fault):
    """Acts on the answer's bytes."""

    kind: ClassVar[str] = "short"
    tokens: int

    def strike(self, visit: Visit, draw: Draw) -> Effect:  # noqa: ARG002
        return _Shortened(self.tokens)


class _Shortened(Effect):
    fault = _Short.kind

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    def keep(self, tokens: int) -> int:
        return min(tokens, self._tokens)

    def wire(self, wire: Wire) -> Wire:
        return _ShortWire(wire)


class _ShortWire(WrappedWire):
    async def whole(self, status: int, body: bytes, headers: Headers = ()) -> None:
        await self.inner.whole(status, body[: len(body) // 2], headers)

    async def cut(self) -> None:
        await self.part(b": cut\n\n", last=True)


@pytest.fixture(scope="module")
def app() -> ASGIApp:
    """Give an application that has the test's faults too."""
    kinds = {**KINDS, **{each.kind: each for each in (_Wait, _Late, _Short)}}
    return create_app(FakeLlmSettings(ttft_s=0.01, output_tokens=20), kinds=kinds)


@pytest.fixture
async def asked(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of that application."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fake") as client:
        yield client


async def _ask(client: httpx.AsyncClient, fault: str, *, stream: bool) -> httpx.Response:
    (await client.post("/reset")).raise_for_status()
    headers = {"X-Fake-Fault": fault}
    body = {**_HELLO, "stream": stream}
    return await client.post("/v1/chat/completions", json=body, headers=headers)


async def _books(client: httpx.AsyncClient) -> tuple[dict[str, Any], dict[str, Any]]:
    (call,) = (await client.get("/calls")).json()["calls"]
    (request,) = (await client.get("/requests")).json()["requests"]
    return call, request


@pytest.mark.parametrize("fault", ["wait", "late"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_fault_may_take_time(asked: httpx.AsyncClient, fault: str, *, stream: bool) -> None:
    """Before the answer or on its way: it comes whole, as much later, and costs the same."""
    answer = await _ask(asked, f"{fault} seconds=0.2", stream=stream)
    assert answer.status_code == 200
    call, request = await _books(asked)
    assert (call["status"], call["output_tokens"]) == ("completed", 20)
    assert call["ended_unix_ms"] - call["started_unix_ms"] >= 200
    assert (request["ended"], request["faults"]) == ("answered", [fault])


@pytest.mark.parametrize("tokens", [0, 1, 19])
async def test_a_fault_may_cut_a_stream(asked: httpx.AsyncClient, tokens: int) -> None:
    """Exactly so many tokens go out, and are charged, although all were due at once."""
    answer = await _ask(asked, f"short tokens={tokens}", stream=True)
    assert answer.status_code == 200
    assert answer.content.endswith(b": cut\n\n")
    events = EventParser().feed(answer.content)
    chunks = [ChatChunk.model_validate_json(event.data) for event in events]
    assert sum(bool(chunk.text()) for chunk in chunks) == tokens
    call, request = await _books(asked)
    assert (call["status"], call["output_tokens"]) == ("cut", tokens)
    assert (request["status"], request["ended"], request["faults"]) == (200, "cut", ["short"])


async def test_a_fault_may_cut_a_plain_answer(asked: httpx.AsyncClient) -> None:
    """Its bytes end too early; it is charged in full, for all of it was generated."""
    answer = await _ask(asked, "short tokens=5", stream=False)
    assert answer.content.startswith(b'{"id":')
    assert not answer.content.endswith(b"}")
    call, request = await _books(asked)
    assert (call["status"], call["output_tokens"]) == ("cut", 20)
    assert request["ended"] == "cut"


async def test_a_fault_that_cuts_nothing_off_leaves_the_answer_whole(
    asked: httpx.AsyncClient,
) -> None:
    """The cut would come after the end."""
    answer = await _ask(asked, "short tokens=20", stream=True)
    assert answer.content.endswith(b"data: [DONE]\n\n")
    call, _ = await _books(asked)
    assert call["status"] == "completed"


async def test_faults_work_together(asked: httpx.AsyncClient) -> None:
    """One waits, one delays, one cuts: all of it happens to one call."""
    await _ask(asked, "wait seconds=0.1; late seconds=0.1; short tokens=3", stream=True)
    call, request = await _books(asked)
    assert (call["status"], call["output_tokens"]) == ("cut", 3)
    assert call["ended_unix_ms"] - call["started_unix_ms"] >= 200
    assert request["faults"] == ["late", "short", "wait"]


async def test_a_failure_ends_what_waited_before_it(asked: httpx.AsyncClient) -> None:
    """The order is the header's; nothing is charged."""
    answer = await _ask(asked, "wait seconds=0.1; fail status=503; late seconds=9", stream=True)
    assert answer.status_code == 503
    (request,) = (await asked.get("/requests")).json()["requests"]
    assert request["faults"] == ["fail", "wait"]
    assert (await asked.get("/spend")).json()["calls"] == 0


class _Held(Effect):
    def __init__(self, log: list[str], name: str, *, fails: bool = False) -> None:
        self._log, self._name, self._fails = log, name, fails

    async def before(self, client: Client) -> None:  # noqa: ARG002
        if self._fails:
            raise OSError(self._name)
        self._log.append(f"+{self._name}")

    def after(self) -> None:
        self._log.append(f"-{self._name}")


def _visit() -> Visit:
    return Visit("/v1", CallerIdentity(), 0)


async def _never() -> dict[str, Any]:
    raise AssertionError


async def test_what_was_taken_is_let_go_of_once_the_last_first() -> None:
    """Only of what took hold; leaving again changes nothing."""
    log: list[str] = []
    effects = Effects()
    found = [[_Held(log, "a"), _Held(log, "b")], [_Held(log, "c", fails=True)]]
    with pytest.raises(OSError, match="c"):
        await effects.enter(found, _visit(), Client(_never))
    effects.leave()
    effects.leave()
    assert log == ["+a", "+b", "-b", "-a"]


async def test_a_client_that_leaves_ends_the_waiting() -> None:
    """What would come after it never takes hold."""
    log: list[str] = []

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    effects = Effects()
    with Client(gone) as client, pytest.raises(ClientGoneError):
        await effects.enter([[_Waiting(60), _Held(log, "a")]], _visit(), client)
    assert log == []


def test_without_effects_an_answer_is_as_it_was() -> None:
    """Same timing, same wire, every token."""
    effects, timing = Effects(), Latency(1, 1)

    async def send(_: Any) -> None:
        raise AssertionError

    wire = Wire(send)
    assert effects.timing(timing) is timing
    assert effects.wire(wire) is wire
    assert effects.keep(7) == 7
