"""Watches whether the sidecar can be reached, apart from the SDK, whose worker does not tell."""

import asyncio
from collections.abc import Callable
from typing import Final

import grpc
import structlog

_log = structlog.get_logger(__name__)

_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class SidecarLink:
    """Knows whether a gRPC connection to the sidecar stands; asks nothing over it."""

    def __init__(self, address: str, *, changed: Callable[[bool], None]) -> None:
        self._address = address
        self._changed = changed
        self._connected = False

    @property
    def connected(self) -> bool:
        """Whether the connection stands at this moment."""
        return self._connected

    async def watch(self) -> None:
        """Keep the connection and call `changed(connected)` at each change, until cancelled."""
        async with grpc.aio.insecure_channel(self._address, options=_OPTIONS) as channel:
            while True:
                state = channel.get_state(try_to_connect=True)
                self._observe(connected=state is grpc.ChannelConnectivity.READY)
                await channel.wait_for_state_change(state)
                await asyncio.sleep(0)

    def _observe(self, *, connected: bool) -> None:
        if connected != self._connected:
            self._connected = connected
            _log.info("sidecar_connected" if connected else "sidecar_unreachable")
            self._changed(connected)
