"""The two HTTP libraries of provider SDKs: httpx2, which today's take, and httpx, of those before.

Both have the same names, so one transport serves both: each request tells which one it is of.
"""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import httpx

HAS_HTTPX2: Final = find_spec("httpx2") is not None

if TYPE_CHECKING or HAS_HTTPX2:
    import httpx2

    class SyncTransport(httpx.BaseTransport, httpx2.BaseTransport):
        """A transport of both."""

        def handle_request(self, request: Any) -> Any:
            """Send a request; see httpx."""
            raise NotImplementedError

    class AsyncTransport(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):
        """A transport of both."""

        async def handle_async_request(self, request: Any) -> Any:
            """Send a request; see httpx."""
            raise NotImplementedError

    class SyncStream(httpx.SyncByteStream, httpx2.SyncByteStream):
        """A body of both."""

    class AsyncStream(httpx.AsyncByteStream, httpx2.AsyncByteStream):
        """A body of both."""
else:
    SyncTransport, AsyncTransport = httpx.BaseTransport, httpx.AsyncBaseTransport
    SyncStream, AsyncStream = httpx.SyncByteStream, httpx.AsyncByteStream


def newest() -> Any:
    """Return the library that today's SDKs take, where it is installed."""
    return sys.modules["httpx2"] if HAS_HTTPX2 else httpx


def library_of(request: Any) -> ModuleType:
    """Return the library that a request is of."""
    return sys.modules[type(request).__module__.partition(".")[0]]


def is_unsent(library: Any, error: BaseException) -> bool:
    """Whether an error says that not a byte of the request was sent."""
    return isinstance(
        error,
        (
            library.ConnectError,
            library.ConnectTimeout,
            library.PoolTimeout,
            library.ProxyError,
            library.UnsupportedProtocol,
        ),
    )
