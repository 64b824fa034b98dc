"""Free ports that stay free until they are listened on, and between two lives of a sidecar.

A socket that is bound and does not listen keeps its port from all others but a listener that, like
gRPC's and aiohttp's, sets SO_REUSEADDR. Who connects meanwhile is refused. That holds on Linux;
elsewhere the port is given up, and is free with high likelihood.
"""

import socket
import sys

HOST = "127.0.0.1"


class ReservedPort:
    """A port of 127.0.0.1 that nobody else gets until it is released, or this process ends."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, 0))
        self.number: int = self._socket.getsockname()[1]
        if sys.platform != "linux":
            self.release()

    def release(self) -> None:
        """Give the port up."""
        self._socket.close()
