"""The SDK's worker, made fit for tests: it may be shut down while activities run.

The SDK closes its channel first, and then waits for activities, whose answers go to that channel;
in grpcio 1.85 a call on a closed channel ends the process with a segmentation fault.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import grpc
from dapr.ext.workflow import WorkflowRuntime

_LONGEST_WAIT_S = 1.0


class Gate(grpc.UnaryUnaryClientInterceptor):
    """Lets calls pass until it is closed; then each fails as on a closed channel."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._passing = 0
        self._closed = False

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Make one call."""
        with self._changed:
            if self._closed:
                raise ValueError("the runtime has been shut down")
            self._passing += 1
        try:
            return continuation(client_call_details, request)
        finally:
            with self._changed:
                self._passing -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nothing pass any more; return when what has passed has been answered.

        After a second too: a call that takes so long has begun, and may be cancelled.
        """
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._passing, _LONGEST_WAIT_S)


class SafeRuntime(WorkflowRuntime):
    """A WorkflowRuntime behind a gate."""

    def __init__(self, *, interceptors: Any = (), **options: Any) -> None:
        self._gate = Gate()
        super().__init__(interceptors=[self._gate, *interceptors], **options)

    def shutdown(self) -> None:
        """Stop taking work, and wait for the activities that run; their results are dropped."""
        self._gate.close()
        super().shutdown()  # type: ignore[no-untyped-call]  # the SDK's
        self._close_loop()

    def _close_loop(self) -> None:
        """Close the worker's event loop; the SDK leaves it to be warned of."""
        found: Any = self
        for name in ("_WorkflowRuntime__worker", "_async_worker_manager", "_queue_event_loop"):
            found = getattr(found, name, None)
        if isinstance(found, asyncio.AbstractEventLoop) and not found.is_running():
            found.close()
