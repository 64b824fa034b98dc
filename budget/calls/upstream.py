"""The connection to the provider: one aiohttp session, bounded answers, no retries."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)

from budget.calls import refusals
from budget.calls.target import Target
from budget.errors import UpstreamError
from metering.identity import HEADER_OF_FIELD, CallerIdentity

CONNECT_TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 32 << 20
MAX_HEADER_BYTES: Final = 32 << 10
IDLE_CONNECTION_S: Final = 4.0
"""Below the five seconds after which common servers close an idle connection: a request that
meets the closing would be lost, and charged."""

_HOP_BY_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
_NOT_SENT: Final = _HOP_BY_HOP | {
    *(b"host", b"content-length", b"content-type", b"content-encoding", b"accept-encoding"),
    *(b"expect", b"cookie"),
    *(header.lower().encode() for header in HEADER_OF_FIELD.values()),
}
_CREDENTIALS: Final = frozenset(
    {
        *(b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"),
        *(b"openai-organization", b"openai-project", b"anthropic-workspace-id"),
    }
)
"""Who pays: left out where the gateway says it."""

_NOT_RETURNED: Final = _HOP_BY_HOP | {
    *(b"content-length", b"content-encoding", b"date", b"server", b"set-cookie"),
}
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
_LEAST_STATUS: Final = 200
_MOST_STATUS: Final = 599

_OWN_PREFIX: Final = b"x-budget-"
_OWN_PREFIXES: Final = (_OWN_PREFIX, b"x-workflow-")

RawHeaders = Iterable[tuple[bytes, bytes]]


class UnreachableError(UpstreamError):
    """No connection could be made: the request was not sent."""


class UnknownOutcomeError(UpstreamError):
    """The request was sent and no whole answer came: it may have been carried out."""


class Upstream:
    """Sends requests to one provider.

    Args:
        target: Where it is.
        timeout_s: For a whole plain call; for a stream, between two pieces of it.

    Attributes:
        timeout_s: The same.
    """

    def __init__(self, target: Target, timeout_s: float) -> None:
        self._target = target
        self._base_url = target.base_url
        self.timeout_s = timeout_s
        self._plain = ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        self._stream = ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=timeout_s
        )
        self._session: ClientSession | None = None

    def start(self) -> None:
        """Open the session; needs a running loop."""
        self._session = ClientSession(
            # The gateway bounds its calls: a queue here would only hold money longer.
            connector=TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S),
            cookie_jar=DummyCookieJar(),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def headers(self, received: RawHeaders, identity: CallerIdentity) -> dict[str, str]:
        """Return what is forwarded of a client's headers: its own, and the identity once."""
        credential = self._target.credential
        dropped = _NOT_SENT if credential is None else _NOT_SENT | _CREDENTIALS
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in received
            if name not in dropped and not name.startswith(_OWN_PREFIXES)
        }
        headers["content-type"] = "application/json"
        headers["accept-encoding"] = "identity"
        if credential is not None:
            name, secret = credential
            headers[name] = secret.get_secret_value()
        return headers | identity.to_headers() if self._target.sees_identity else headers

    @asynccontextmanager
    async def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None = None,
        *,
        is_stream: bool = False,
    ) -> AsyncIterator[ClientResponse]:
        """Send a request; inside the block, read its answer.

        Raises:
            UnreachableError: It was not sent.
            UnknownOutcomeError: It was sent, and its answer failed to come, broke off or was none.
        """
        assert self._session is not None  # noqa: S101  # started with the application
        try:
            async with self._session.request(
                method,
                f"{self._base_url}{path}",
                data=body,
                headers=headers,
                timeout=self._stream if is_stream else self._plain,
                allow_redirects=False,
            ) as response:
                if not _LEAST_STATUS <= response.status <= _MOST_STATUS:
                    raise UnknownOutcomeError(refusals.upstream_interrupted())
                yield response
        except (ClientConnectorError, ConnectionTimeoutError):
            raise UnreachableError(refusals.upstream_unreachable(self._base_url)) from None
        except TimeoutError:
            raise UnknownOutcomeError(refusals.upstream_timeout(self.timeout_s)) from None
        except (ClientError, OSError) as error:
            raise UnknownOutcomeError(refusals.upstream_interrupted()) from error


async def read_answer(response: ClientResponse) -> bytes:
    """Read a whole answer.

    Raises:
        UnknownOutcomeError: It is larger than MAX_ANSWER_BYTES.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise UnknownOutcomeError(refusals.upstream_interrupted())
    return bytes(body)


def response_headers(received: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return what is passed on of a provider's headers: none that would spoil the answer."""
    lowered = ((name.lower(), value) for name, value in received)
    return [
        (name, value)
        for name, value in lowered
        if name not in _NOT_RETURNED and not name.startswith(_OWN_PREFIX) and not _CONTROL(value)
    ]
