"""A gRPC relay between app or client and sidecar that writes down every message it passes on."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass

from sidecar.protos import service_pb2

_THREADS = 128
# A call without a deadline has one beyond any clock.
_LONGEST_S = 3600.0
_LOOK_S = 0.05
_SERVICE = service_pb2.DESCRIPTOR.services_by_name["TaskHubSidecarService"]
_TYPES = {
    f"/{_SERVICE.full_name}/{name}": (
        GetMessageClass(method.input_type),
        GetMessageClass(method.output_type),
    )
    for name, method in _SERVICE.methods_by_name.items()
}
# Between attempts to reach a sidecar that is being restarted.
_RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.so_reuseport", 0),
)
# The SDK pings every 30 s; a server that is not told so says goodbye after some minutes.
_PATIENT = (
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)


@dataclass(slots=True)
class Message:
    """One message, or one failed call, in the form of the recorded exchanges."""

    at: float
    direction: str
    method: str
    body: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)

    @property
    def instance(self) -> str:
        """Return the instance it is about."""
        wrapped = self.method == "GetWorkItems"
        item: dict[str, Any] = next(iter(self.body.values()), {}) if wrapped else self.body
        of_activity = item.get("workflowInstance", {}).get("instanceId", "")
        return str(item.get("instanceId") or of_activity)


def _cancel(call: Any) -> None:
    call.cancel()


class Wiretap(grpc.GenericRpcHandler):
    """Relays from a port of its own to a sidecar; `messages` is what it saw."""

    def __init__(self, sidecar_address: str) -> None:
        self.messages: list[Message] = []
        self._lock = threading.Lock()
        self._streams = 0
        self._open = threading.Event()
        self._open.set()
        self._channel = grpc.insecure_channel(sidecar_address, options=_RECONNECT)
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), handlers=[self], options=_PATIENT)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        """End the relay."""
        self._server.stop(0).wait()
        self._channel.close()

    def streams(self) -> int:
        """Return how many streams of work are open between apps and the sidecar."""
        return self._streams

    def hold(self) -> None:
        """Open no stream of work to the sidecar, and let no app notice that its own has ended."""
        self._open.clear()

    def release(self) -> None:
        """Let streams of work through again."""
        self._open.set()

    def of(self, instance: str) -> list[Message]:
        """Return the messages about an instance, answers to its calls included."""
        with self._lock:
            return [each for each in self.messages if each.instance == instance]

    def refused(self, instance: str) -> bool:
        """Tell whether a call about an instance has failed."""
        return any(each.error for each in self.of(instance))

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """Relay any call."""
        method: str = details.method
        if method.endswith("/GetWorkItems"):
            return grpc.unary_stream_rpc_method_handler(self._stream(method))
        return grpc.unary_unary_rpc_method_handler(self._unary(method))

    def _unary(self, method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        call: Any = self._channel.unary_unary(method)
        request_type, response_type = _TYPES.get(method, (None, None))
        name = method.rpartition("/")[2]

        def relay(request: bytes, context: grpc.ServicerContext) -> bytes:
            asked = self._note("app->sidecar", name, request_type, request)
            # A worker's first call waits for the sidecar, which spares its backoff of seconds.
            remaining_s = context.time_remaining()
            future = call.future(
                request,
                timeout=remaining_s if remaining_s and remaining_s < _LONGEST_S else None,
                wait_for_ready=name == "Hello",
            )
            context.add_callback(lambda: _cancel(future))
            try:
                response: bytes = future.result()
            except grpc.FutureCancelledError:
                context.abort(grpc.StatusCode.CANCELLED, "cancelled")
            except grpc.RpcError as error:
                self._fail(name, asked.instance, error)
                context.abort(error.code(), error.details() or "")
            answer = self._note("sidecar->app", name, response_type, response)
            answer.body.setdefault("instanceId", asked.instance)
            return response

        return relay

    def _stream(self, method: str) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
        call: Any = self._channel.unary_stream(method)

        def relay(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            self._wait(context)
            items = call(request)
            context.add_callback(lambda: _cancel(items))
            failure: Any = None
            self._count(1)
            try:
                for item in items:
                    self._note("sidecar->app", "GetWorkItems", service_pb2.WorkItem, item)
                    yield item
            except grpc.RpcError as error:
                failure = error
            finally:
                self._count(-1)
            if failure is not None:
                self._wait(context)
                context.abort(failure.code(), failure.details() or "")

        return relay

    def _wait(self, context: grpc.ServicerContext) -> None:
        while context.is_active() and not self._open.wait(_LOOK_S):
            pass

    def _count(self, change: int) -> None:
        with self._lock:
            self._streams += change

    def _note(self, direction: str, method: str, kind: Any, data: bytes) -> Message:
        body = (
            {}
            if kind is None
            else MessageToDict(kind.FromString(data), preserving_proto_field_name=True)
        )
        message = Message(time.time(), direction, method, body)
        with self._lock:
            self.messages.append(message)
        return message

    def _fail(self, method: str, instance: str, error: Any) -> None:
        told = {"code": error.code().name, "details": error.details()}
        message = Message(time.time(), "sidecar->app", method, {"instanceId": instance}, told)
        with self._lock:
            self.messages.append(message)
