"""A relay to Redis that loses the replies to chosen writes, as a failing network does."""

import socket
import threading
from contextlib import suppress

_CHUNK = 1 << 16


class Lossy:
    """Relays from a port of its own; a write that contains `marker` is done and never answered."""

    def __init__(self, redis_port: int, marker: bytes) -> None:
        self.lost = 0
        self._redis_port = redis_port
        self._marker = marker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no further connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        # One command at a time goes over a connection, and its reply before the next.
        redis = socket.create_connection(("127.0.0.1", self._redis_port))
        asked = bytearray()
        with client, redis, suppress(OSError):
            threading.Thread(target=self._send, args=(client, redis, asked), daemon=True).start()
            while reply := redis.recv(_CHUNK):
                if self._marker in asked:
                    self.lost += 1
                    break
                asked.clear()
                client.sendall(reply)
            # Closing alone tells the client nothing while the other thread reads from it.
            client.shutdown(socket.SHUT_RDWR)

    def _send(self, client: socket.socket, redis: socket.socket, asked: bytearray) -> None:
        with suppress(OSError):
            while data := client.recv(_CHUNK):
                asked += data
                redis.sendall(data)
            redis.shutdown(socket.SHUT_RDWR)
