"""The socket that a service listens on, opened before anything else can fail."""

import socket
from typing import Final

from serving.errors import StartError

BACKLOG: Final = 2048


def listen(host: str, port: int, *, prefix: str) -> socket.socket:
    """Return a listening socket; `prefix` is that of the settings `…HOST` and `…PORT`.

    Raises:
        StartError: The address can't be used; the line names the setting that changes it.
    """
    listener = _bound(host, port, host_setting=f"{prefix}HOST", port_setting=f"{prefix}PORT")
    listener.listen(BACKLOG)
    return listener


def require_free(host: str, port: int, *, host_setting: str, port_setting: str) -> None:
    """Check an address that a library will bind itself, and would complain of in lines of its own.

    Raises:
        StartError: As `listen`.
    """
    _bound(host, port, host_setting=host_setting, port_setting=port_setting).close()


def _bound(host: str, port: int, *, host_setting: str, port_setting: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartError(f"{host_setting}={host}: {error.strerror}") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise StartError(
            f"{port_setting}={port}: can't listen on {host}:{port} ({error.strerror}); "
            "set it to a free port"
        ) from None
    return listener
