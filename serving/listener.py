"""The sockets that a service listens on, opened before anything else can fail."""

import socket
from typing import Final

from serving.errors import StartError

BACKLOG: Final = 2048


def listen(host: str, port: int, *, prefix: str, port_name: str = "PORT") -> socket.socket:
    """Return a listening socket; the settings that change it are `<prefix>HOST` and `…<port_name>`.

    Raises:
        StartError: The address can't be used; the line names the setting to change.
    """
    listener = _bound(host, port, prefix, port_name)
    listener.listen(BACKLOG)
    return listener


def require_free(host: str, port: int, *, prefix: str, port_name: str = "PORT") -> None:
    """Check an address that gRPC will bind itself: it would complain in lines of its own.

    Raises:
        StartError: As `listen`.
    """
    _bound(host, port, prefix, port_name).close()


def _bound(host: str, port: int, prefix: str, port_name: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartError(f"{prefix}HOST={host}: {error.strerror}") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise StartError(
            f"{prefix}{port_name}={port}: can't listen on {host}:{port} ({error.strerror}); "
            "set it to a free port"
        ) from None
    return listener
