"""Refusals of gRPC calls, with Dapr's codes and words."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc
import grpc.aio

from sidecar.errors import RefusedError, SidecarError

if TYPE_CHECKING:
    # Generic in the type stubs alone.
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext

_Result = TypeVar("_Result")
# What daprd answers for a method that it does not have: it takes the call for one to another app.
_NO_SUCH_METHOD = (
    "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found"
)


async def or_refused(context: Context, work: Awaitable[_Result], prefix: str = "") -> _Result:
    """Await; what goes wrong is told the caller, UNKNOWN but where the error has a code."""
    try:
        return await work
    except RefusedError as error:
        await context.abort(grpc.StatusCode[error.code], f"{prefix}{error}")
        raise AssertionError from None
    except SidecarError as error:
        await unknown(context, f"{prefix}{error}")


async def unknown(context: Context, text: str) -> NoReturn:
    """Refuse with UNKNOWN, as Go's gRPC does for any error without a code."""
    await context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError


class UnknownMethods(grpc.GenericRpcHandler):
    """Refuses whatever no other handler serves; to be added last."""

    def service(self, _details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """Return a handler that refuses any call."""

        async def refuse(_request: bytes, context: Context) -> bytes:
            await unknown(context, _NO_SUCH_METHOD)

        return grpc.unary_unary_rpc_method_handler(refuse)


async def require_method(context: Context, *, exists: bool) -> None:
    """Refuse a method that the profile's Dapr does not have."""
    if not exists:
        await unknown(context, _NO_SUCH_METHOD)
