"""A TCP link that takes its time: what passes arrives so much later, in both directions."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def _pass_on(source: socket.socket, target: socket.socket, delay_s: float) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            time.sleep(delay_s)
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _join(near: socket.socket, target: tuple[str, int], delay_s: float) -> None:
    with near, socket.create_connection(target) as far:
        back = threading.Thread(target=_pass_on, args=(far, near, delay_s))
        back.start()
        _pass_on(near, far, delay_s)
        back.join()


@contextmanager
def slow_link(address: str, delay_s: float) -> Iterator[str]:
    """Give the address of a link to `address` (`host:port`); its users leave before it does."""
    host, _, port = address.rpartition(":")
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                near = listener.accept()[0]
                thread = threading.Thread(target=_join, args=(near, (host, int(port)), delay_s))
                thread.start()
                threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        for each in (accepting, *threads):
            each.join(10)
