"""Laws of slow, large and many clients, by raw sockets."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from threading import Thread
from typing import Any

import psutil
import pytest
import uvicorn

from budget.access.connections import BoundedProtocol, ClientLimits
from tests.budget.access.keyed import connect, read_all, read_one, send_raw, status_of
from tests.budget.gateways import Provider, RunningGateway, gateway, wait_until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
MOST = 8


@pytest.fixture(scope="module")
def strict(
    tmp_path_factory: pytest.TempPathFactory,
    durable_port: int,
    databases: Iterator[int],
    provider: Provider,
) -> Iterator[RunningGateway]:
    """Give a gateway of little patience."""
    folder = tmp_path_factory.mktemp("strict")
    with gateway(
        folder,
        f"redis://127.0.0.1:{durable_port}/{next(databases)}",
        provider,
        BUDGET_HEAD_TIMEOUT_S="0.3",
        BUDGET_KEEP_ALIVE_S="1",
        BUDGET_CLIENT_STALL_S="1",
        BUDGET_MAX_CONNECTIONS=str(MOST),
    ) as running_gateway:
        yield running_gateway


@pytest.mark.parametrize(
    "beginning", [b"G", b"GET /healthz HTTP/1.1\r\n", HEALTH[:-2], HEALTH[:-1]]
)
def test_a_head_that_does_not_end_ends_the_connection(
    strict: RunningGateway, beginning: bytes
) -> None:
    """408, after BUDGET_HEAD_TIMEOUT_S."""
    with closing(connect(strict)) as client:
        client.sendall(beginning)
        answer = read_all(client)
    assert status_of(answer) == 408
    assert b'"code":"request_timeout"' in answer.replace(b" ", b"")


def test_a_head_in_drops_is_no_head(strict: RunningGateway) -> None:
    """Each byte does not buy more time."""
    with closing(connect(strict)) as client:
        client.settimeout(0.05)
        received = b""
        client.sendall(HEALTH[:-2])
        deadline_s = time.monotonic() + 20
        while not received:
            assert time.monotonic() < deadline_s
            client.sendall(b"x: y\r\n")
            try:
                received = client.recv(65_536)
            except TimeoutError:
                continue
    assert status_of(received) == 408


@pytest.mark.parametrize("nothing", [b"", b"\r\n", b"\r\n\r\n\r\n"])
def test_a_connection_that_asks_for_nothing_is_closed(
    strict: RunningGateway, nothing: bytes
) -> None:
    """Blank lines are nothing, before the first request and after one."""
    with closing(connect(strict)) as client:
        client.sendall(nothing)
        assert read_all(client) == b""
    with closing(connect(strict)) as client:
        client.sendall(HEALTH + nothing)
        answer = read_all(client)
    assert status_of(answer) == 200
    assert answer.count(b"HTTP/1.1") == 1


def test_an_idle_connection_is_closed_and_one_in_use_is_not(strict: RunningGateway) -> None:
    """BUDGET_KEEP_ALIVE_S counts from the last answer."""
    with closing(connect(strict)) as client:
        for _ in range(3):
            client.sendall(HEALTH)
            assert status_of(read_one(client)) == 200
            # Longer than a head may take, shorter than a connection may be idle.
            time.sleep(0.4)
        client.sendall(HEALTH)
        assert read_all(client).count(b"HTTP/1.1 200") == 1


def test_the_rest_of_an_answered_body_is_not_waited_for(strict: RunningGateway) -> None:
    """Who is refused early can't keep the connection by going on."""
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with closing(connect(strict)) as client:
        client.sendall(head)
        assert status_of(read_one(client)) == 404
        client.settimeout(0.05)
        deadline_s = time.monotonic() + 20
        while True:
            assert time.monotonic() < deadline_s
            try:
                client.sendall(b"x")
                if not client.recv(65_536):
                    break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break


def test_after_a_late_body_the_connection_serves_on(strict: RunningGateway) -> None:
    """A client that was refused before it had sent all is no worse off."""
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"
    with closing(connect(strict)) as client:
        client.sendall(head)
        assert status_of(read_one(client)) == 404
        client.sendall(b"body" + HEALTH)
        assert read_all(client).count(b"HTTP/1.1 200") == 1


def test_a_slow_answer_outlives_the_head_of_the_next_request(strict: RunningGateway) -> None:
    """A client that sends ahead loses nothing of what it waits for."""
    body = (
        b'{"model": "gpt-4", "max_tokens": 1, "user": "wait:1",'
        b' "messages": [{"role": "user", "content": "hi"}]}'
    )
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
    )
    with closing(connect(strict)) as client:
        client.sendall(request % (len(body), body) + HEALTH[:-2])
        answer = read_one(client)
        assert status_of(answer) == 200
        assert b"ok" in answer
        assert status_of(read_all(client)) == 408


def stalled(port: int, request: bytes) -> socket.socket:
    """Connect with room for little, send a request, and read nothing of the answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    return client


def is_held(gateway: RunningGateway, client: socket.socket) -> bool:
    """Whether the gateway still has a connection of which nothing is read."""
    port = client.getsockname()[1]
    process = psutil.Process(gateway.service.process.pid)
    return any(each.raddr and each.raddr.port == port for each in process.net_connections("tcp"))


def test_a_client_that_does_not_read_is_left(strict: RunningGateway) -> None:
    """Its call is charged and its connection is gone, though it never lets go of it."""
    gateway = strict.for_another_test()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Workflow-App: {gateway.app}\r\nX-Workflow-Instance: {gateway.instance}\r\n"
    )
    body = (
        b'{"model": "gpt-4", "max_tokens": 1, "stream": true, "user": "chunks:100;size:200000",'
        b' "messages": [{"role": "user", "content": "hi"}]}'
    )
    request = head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    with closing(stalled(int(strict.env["BUDGET_PORT"]), request)) as client:
        wait_until(lambda: is_held(strict, client), "it is connected")
        wait_until(lambda: not is_held(strict, client), "it is left")
        wait_until(lambda: gateway.spent() > 0 and gateway.reserved() == 0, "it is charged")


async def fifty_kilobytes(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer with less than what makes a server wait, and more than small buffers hold."""
    headers = [(b"content-length", b"50000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * 50_000})


@pytest.mark.parametrize("ending", [b"Connection: close\r\n", b""])
def test_the_last_of_an_answer_is_not_waited_for(ending: bytes) -> None:
    """Nobody writes to the connection any more, and it closes, though nothing is read."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            fifty_kilobytes,
            http=partial(BoundedProtocol, limits=ClientLimits(8, 1, 0.2)),  # type: ignore[arg-type]  # only called
            timeout_keep_alive=60,
            lifespan="off",
            log_config=None,
        )
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            request = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + ending + b"\r\n"
            with closing(stalled(listener.getsockname()[1], request)):
                connections = server.server_state.connections
                wait_until(lambda: server.server_state.total_requests, "it is answered")
                wait_until(lambda: not connections, "it is left")
        finally:
            server.should_exit = True
            thread.join(10)


def test_a_slow_reader_gets_all(strict: RunningGateway) -> None:
    """Who reads a little all the time is not stalled, however long it takes."""
    body = (
        b'{"model": "gpt-4", "max_tokens": 1, "stream": true, "user": "chunks:8;size:100000",'
        b' "messages": [{"role": "user", "content": "hi"}]}'
    )
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    request = head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    with closing(stalled(int(strict.env["BUDGET_PORT"]), request)) as client:
        received = b""
        while piece := client.recv(40_000):
            received += piece
            time.sleep(0.02)
    assert len(received) > 800_000
    assert received.endswith(b"0\r\n\r\n")
    assert b"[DONE]" in received


def test_a_body_that_does_not_arrive_is_not_waited_for(strict: RunningGateway) -> None:
    """408 after half a minute, in the control API and on the provider's routes."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(connect(strict))) for _ in range(2)]
        for client, path in zip(clients, (b"/v1/chat/completions", b"/kill"), strict=True):
            client.settimeout(50)
            client.sendall(
                b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{" % path
            )
        for client in clients:
            assert status_of(read_all(client)) == 408


def test_a_head_is_bounded_in_bytes_and_in_headers(strict: RunningGateway) -> None:
    """431 beyond; one within the bounds is served."""
    start = ("GET /healthz HTTP/1.1", "Host: localhost")
    for extra, status in (
        ([f"x-{number}: 1" for number in range(90)], 200),
        ([f"x-{number}: 1" for number in range(101)], 431),
        (["x: 1"] * 5_000, 431),
        ([f"x: {'y' * 30_000}"], 200),
        ([f"x: {'y' * 40_000}"], 431),
        ([f"{'x' * 40_000}: y"], 431),
    ):
        answer = send_raw(strict, *start, *extra)
        assert status_of(answer) == status
    answer = send_raw(strict, f"GET /{'x' * 40_000} HTTP/1.1", "Host: localhost")
    assert status_of(answer) == 431


def test_trailers_are_bounded_too(strict: RunningGateway) -> None:
    """They are read after the head was counted."""
    with closing(connect(strict)) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
        )
        try:
            client.sendall(b"x: y\r\n" * 10_000)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert b"200" not in read_all(client)[:20]


@pytest.mark.parametrize(
    "head",
    [
        "\0",
        "GET /healthz HTTP/9.9\r\nHost: localhost",
        "GET /healthz HTTP/1.1\r\nHost: local\0host",
        "GET /healthz HTTP/1.1\r\nHo st: localhost",
        "GET /healthz HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        "GET /healthz HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        "GET /healthz HTTP/1.1\r\nContent-Length: -1",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused(strict: RunningGateway, head: str) -> None:
    """400 in JSON, and the connection ends."""
    answer = send_raw(strict, head)
    assert status_of(answer) == 400
    assert b"malformed_request" in answer


def test_a_connection_too_many_is_told_so(strict: RunningGateway) -> None:
    """503 at its request, at once; when one of the others ends there is room again."""
    wait_until(lambda: status_of(send_raw(strict, HEALTH.decode().strip())) == 200, "room")
    with ExitStack() as stack:
        held = [stack.enter_context(closing(connect(strict))) for _ in range(MOST)]
        for client in held:
            client.sendall(HEALTH)
        statuses = [status_of(read_one(client)) for client in held]
        assert statuses.count(200) == MOST
        for request in (HEALTH, HEALTH[:-2]):
            with closing(connect(strict)) as surplus:
                surplus.sendall(request)
                answer = read_all(surplus)
            assert status_of(answer) == 503
            assert b"too_many_connections" in answer
            assert b"retry-after: 1" in answer
        with closing(connect(strict)) as silent:
            assert read_all(silent) == b""
        held[0].close()
        wait_until(lambda: status_of(send_raw(strict, HEALTH.decode().strip())) == 200, "room")


def test_a_crowd_of_connections_leaves_the_gateway_well(strict: RunningGateway) -> None:
    """Hundreds that say nothing are turned away; who comes afterwards is served."""
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(closing(connect(strict)))
    wait_until(lambda: status_of(send_raw(strict, HEALTH.decode().strip())) == 200, "it serves")
