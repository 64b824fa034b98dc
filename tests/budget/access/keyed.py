"""Gateways that ask for keys, as their tests use them: by HTTP, and by raw bytes."""

import socket
from contextlib import closing
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tests.budget.gateways import RunningGateway

ADMIN_KEY: Final = token_hex(16)
PATIENCE_S: Final = 20.0


def bearer(key: str) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a gateway, through its control API."""

    gateway: RunningGateway
    admin_key: str = ADMIN_KEY

    def ask(self, method: str, path: str, **fields: Any) -> httpx.Response:
        """Ask the control API."""
        return self.gateway.http.request(
            method, f"{self.gateway.url}{path}", headers=bearer(self.admin_key), **fields
        )

    def make(self, **order: Any) -> dict[str, Any]:
        """Make a data key of tenant `acme`, unless told otherwise."""
        answer = self.ask("POST", "/keys", json={"tenant": "acme", **order})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def revoke(self, key: dict[str, Any]) -> httpx.Response:
        """Revoke a key."""
        return self.ask("DELETE", f"/keys/{key['id']}")


def call(
    gateway: RunningGateway, key: str | None, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    """Make one call with a key."""
    request = gateway.request(**fields)
    request["headers"] |= ({} if key is None else bearer(key)) | (headers or {})
    return gateway.http.post(**request)


def code_of(answer: httpx.Response) -> str:
    """Return `error.code`."""
    return str(answer.json()["error"]["code"])


def connect(gateway: RunningGateway) -> socket.socket:
    """Open a raw connection to a gateway."""
    parts = urlsplit(gateway.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)


def read_all(client: socket.socket) -> bytes:
    """Read until the gateway closes; a time-out fails the test."""
    received = b""
    try:
        while piece := client.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def send_raw(gateway: RunningGateway, *lines: str | bytes, body: bytes = b"") -> bytes:
    """Send one request, its lines as they are; return all that comes until the gateway closes."""
    raw = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    with closing(connect(gateway)) as client:
        client.sendall(b"\r\n".join([*raw, b"Connection: close", b"", body]))
        return read_all(client)


def status_of(answer: bytes) -> int:
    """Return the status of a raw answer."""
    return int(answer.split(b" ", 2)[1])


def read_one(client: socket.socket) -> bytes:
    """Read one answer with a content-length, from a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(client)
    head, _, _ = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(received) < len(head) + 4 + length:
        received += _some(client)
    return received


def _some(client: socket.socket) -> bytes:
    piece = client.recv(65_536)
    assert piece, "the gateway closed the connection"
    return piece
