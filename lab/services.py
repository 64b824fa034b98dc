"""What a service of a stack is: its command, its settings, and how to see that it is ready."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import httpx
import redis

READY_TIMEOUT_S = 90.0


@cache
def _client() -> httpx.Client:
    # One for all: making a client costs more than many questions.
    return httpx.Client(timeout=2, trust_env=False)


class Ready(Protocol):
    """Tells whether a service can be used.

    Attributes:
        health_url: where anybody can ask that over HTTP; None: nowhere.
    """

    @property
    def health_url(self) -> str | None: ...  # noqa: D102  # described above

    def __call__(self) -> bool:
        """Ask once; never wait longer than a second or two."""


@dataclass(frozen=True, slots=True)
class HttpReady:
    """Ready when `url` answers below 400 and its JSON holds `expect`."""

    url: str
    expect: tuple[tuple[str, str], ...] = ()

    @property
    def health_url(self) -> str:
        """Return the address without what its answer must hold."""
        return self.url

    def __call__(self) -> bool:
        """Ask once."""
        try:
            answer = _client().get(self.url)
            if answer.is_error:
                return False
            body = answer.json() if self.expect else {}
        except (httpx.TransportError, ValueError):
            return False
        return all(body.get(key) == value for key, value in self.expect)


@dataclass(frozen=True, slots=True)
class RedisReady:
    """Ready when the server answers PING."""

    port: int

    @property
    def health_url(self) -> None:
        """Return nothing: Redis speaks no HTTP."""
        return

    def __call__(self) -> bool:
        """Ask once."""
        client = redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service of a stack.

    Attributes:
        needs: services that must be ready before this one is started.
        env: settings, laid over the stack's own environment.
        address: what a user or another service connects to.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    ready: Ready
    address: str
    needs: tuple[str, ...] = ()
    ready_timeout_s: float = READY_TIMEOUT_S
