"""Laws of the event stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from budget.control.events import MOST_KEPT, EventLog
from budget.control.listening import MOST_LISTENERS, EventStream, Listeners
from budget.decision_log import DecisionLog
from budget.gate import Gate
from budget.metrics import Metrics
from budget.store.link import RedisLink
from budget.store.reading import Reading
from budget.store.store import Store
from metering.sse import EventParser
from tests.budget.conftest import DURABLE, StartGateway
from tests.budget.gateways import RunningGateway, until
from tests.support.services import redis_server

WHO = {"reason": "too dear", "actor": "ann"}


class Listener:
    """What somebody who listens has seen."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.text = ""
        self.seen: list[tuple[str, dict[str, Any]]] = []

    async def read(self) -> None:
        """Read until the stream ends."""
        parser = EventParser()
        async for chunk in self.response.aiter_bytes():
            self.text += chunk.decode()
            for event in parser.feed(chunk):
                self.seen.append((event.event, json.loads(event.data)))

    def has(self, name: str, **fields: Any) -> bool:
        """Whether there was such an event."""
        return any(
            event == name and fields.items() <= data.items() for event, data in list(self.seen)
        )

    @property
    def last_id(self) -> str:
        """The id of the last event."""
        return self.text.rpartition("id: ")[2].partition("\n")[0]


@asynccontextmanager
async def listening(
    gateway: RunningGateway, last_event_id: str | None = None
) -> AsyncIterator[Listener]:
    """Listen until the block ends."""
    headers = {"last-event-id": last_event_id} if last_event_id else {}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{gateway.url}/events", headers=headers) as response,
    ):
        listener = Listener(response)
        reading = asyncio.create_task(listener.read())
        await until(lambda: ": listening" in listener.text, "the stream has begun")
        try:
            yield listener
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def order(gateway: RunningGateway, verb: str, **body: Any) -> None:
    """Kill or resume."""
    await asyncio.to_thread(gateway.http.post, f"{gateway.url}/{verb}", json={**body, **WHO})


async def test_trips_and_refusals_for_good_are_told_as_they_happen(
    rich_gateway: RunningGateway,
) -> None:
    """A listener sees the kill of an instance, its refused call, and the resume, in order."""
    gateway = rich_gateway.for_another_test()
    async with listening(gateway) as listener:
        assert listener.response.headers["content-type"].startswith("text/event-stream")
        await order(gateway, "kill", scope="instance", id=gateway.instance)
        await asyncio.to_thread(gateway.chat)
        await asyncio.to_thread(gateway.chat, instance="another")
        await order(gateway, "resume", scope="instance", id=gateway.instance)
        await until(lambda: listener.has("trip", kind="resume"), "the resume is told")
    assert listener.has("trip", kind="kill", id=gateway.instance, actor="ann")
    assert listener.has("refusal", code="budget_killed", instance=gateway.instance)
    assert not listener.has("refusal", instance="another")


async def test_a_listener_goes_on_where_it_was(rich_gateway: RunningGateway) -> None:
    """What happened while it was away is told once, and nothing from before."""
    gateway = rich_gateway.for_another_test()
    async with listening(gateway) as listener:
        await order(gateway, "kill", scope="workflow", id=gateway.instance)
        await until(lambda: listener.has("trip", kind="kill"), "the kill is told")
        last_id = listener.last_id
    await order(gateway, "resume", scope="workflow", id=gateway.instance)
    async with listening(gateway, last_id) as again:
        await until(lambda: again.has("trip", kind="resume"), "the resume is told")
    told = [data["kind"] for name, data in again.seen if name == "trip"]
    assert told == ["resume"]


async def test_a_listener_of_another_gateway_misses_no_trip(start_gateway: StartGateway) -> None:
    """Behind a load balancer, or after a restart, it goes on with the trips of the store."""
    one, other = start_gateway(), start_gateway()
    async with listening(one) as listener:
        await order(one, "kill", scope="instance", id="a")
        await until(lambda: listener.has("trip", id="a"), "the first kill is told")
        last_id = listener.last_id
    await order(one, "kill", scope="instance", id="b")
    async with listening(other) as knows_all:
        await until(lambda: other.get("/trips")["next"] >= 2, "the other one knows both")
        await order(one, "kill", scope="instance", id="c")
        await until(lambda: knows_all.has("trip", id="c"), "the third kill is told")
    async with listening(other, last_id) as moved:
        await until(lambda: moved.has("trip", id="c"), "what was missed is told")
    assert [data["id"] for name, data in moved.seen if name == "trip"] == ["b", "c"]


async def test_a_store_that_goes_away_is_told(start_gateway: StartGateway, tmp_path: Path) -> None:
    """With the cause; the stream itself goes on."""
    with redis_server(tmp_path, *DURABLE) as (server, port):
        gateway = start_gateway(f"redis://127.0.0.1:{port}/0")
        async with listening(gateway) as listener:
            server.kill()
            await until(lambda: listener.has("store", state="closed"), "the loss is told")
            closed = next(d for _, d in listener.seen if d.get("state") == "closed")
            assert "Redis" in closed["reason"]


async def test_a_flood_of_refusals_is_summed_up(rich_gateway: RunningGateway) -> None:
    """An operator's page is not buried by a runaway: the rest of a moment is a number."""
    gateway = rich_gateway.for_another_test()
    async with listening(gateway) as listener:
        await order(gateway, "kill", scope="instance", id=gateway.instance)
        async with httpx.AsyncClient(timeout=30) as client:
            for _ in range(4):
                await asyncio.gather(*(client.post(**gateway.request()) for _ in range(150)))

        def told() -> int:
            single = sum(name == "refusal" for name, _ in listener.seen)
            counts = (d["count"] for n, d in listener.seen if n == "refusals_left_out")
            return single + sum(int(count) for count in counts)

        await until(lambda: told() == 600, "all are told or counted")


@pytest.fixture
async def log(link: RedisLink, store: Store) -> AsyncIterator[EventLog]:
    """Give an event log on an empty store."""
    assert store
    metrics = Metrics()
    gate = Gate(metrics)
    events = EventLog(Reading(link), DecisionLog(metrics), gate)
    task = asyncio.create_task(events.run())
    yield events
    task.cancel()


def flood(events: EventLog, most: int) -> None:
    """Let much happen at once."""
    for number in range(most):
        events.publish("store", {"state": "open", "reason": None, "at_unix_ms": number})


def connection(
    is_blocked: asyncio.Event,
) -> tuple[list[bytes], Callable[[Any], Any], Callable[[], Any]]:
    """Return what a client received, and the two sides of its connection; it may take nothing."""
    received: list[bytes] = []

    async def send(message: Any) -> None:
        if received:
            await is_blocked.wait()
        received.append(message.get("body", b"") or str(message.get("more_body")).encode())

    async def receive() -> Any:
        await asyncio.Event().wait()

    return received, send, receive


async def open_to_all(_scope: Any) -> None:
    """Ask nobody for a key."""


async def test_a_slow_listener_is_told_and_let_go(log: EventLog) -> None:
    """Nothing piles up for it: it is told how much it missed, and its stream ends."""
    listeners, takes = Listeners(log, open_to_all), asyncio.Event()
    received, send, receive = connection(takes)
    stream = EventStream(listeners, log.place_of(None))
    serving = asyncio.create_task(stream({"type": "http"}, receive, send))
    await until(lambda: listeners.count == 1 and received, "it listens")
    flood(log, MOST_KEPT + 7)
    takes.set()
    async with asyncio.timeout(10):
        await serving
    dropped = b"".join(received).partition(b"event: dropped\ndata: ")[2]
    assert json.loads(dropped.partition(b"\n")[0])["missed"] == 7
    assert received[-1] == b"False"
    assert listeners.count == 0


async def test_a_stream_ends_in_order_when_the_gateway_stops(log: EventLog) -> None:
    """Whoever listens sees the end of an answer, and no failure is logged."""
    listeners, takes = Listeners(log, open_to_all), asyncio.Event()
    takes.set()
    received, send, receive = connection(takes)
    stream = EventStream(listeners, log.place_of(None))
    serving = asyncio.create_task(stream({"type": "http"}, receive, send))
    await until(lambda: len(received) > 1, "it listens")
    serving.cancel()
    async with asyncio.timeout(10):
        await serving
    assert (received[-1], listeners.count) == (b"False", 0)


async def test_listeners_are_bounded(rich_gateway: RunningGateway) -> None:
    """One more than there may be is refused; when one leaves, another may come."""
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=100)) as client:
        url = f"{rich_gateway.url}/events"
        opened = [
            await client.send(client.build_request("GET", url), stream=True)
            for _ in range(MOST_LISTENERS)
        ]
        assert {response.status_code for response in opened} == {200}
        refused = await client.get(url)
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            *(503, "too_many_listeners"),
        )
        for response in opened:
            await response.aclose()

        async def may_come() -> bool:
            async with client.stream("GET", url) as response:
                return response.status_code == httpx.codes.OK

        async with asyncio.timeout(20):
            while not await may_come():  # noqa: ASYNC110  # another process decides
                await asyncio.sleep(0.05)
