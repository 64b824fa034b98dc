"""What the two processes beside a test run: a scheduler, and a sidecar on rows in a file."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from serving.signals import stop_on_signals
from sidecar.components.state_store import IN_MEMORY, StateStore
from sidecar.scheduler.server import serve as serve_scheduler
from sidecar.scheduler.settings import SchedulerSettings
from sidecar.server import Sidecar
from sidecar.server import run as run_sidecar
from sidecar.settings import SidecarSettings
from sidecar.stores.sqlite import SqliteRows
from sidecar.testing.options import Options
from sidecar.testing.ports import HOST
from sidecar.testing.state import state_path

_LOOK_S = 0.005


class FixedComponent:
    """A state store that no file describes, so nobody edits it."""

    def __init__(self, store: StateStore) -> None:
        self.store = store

    def ttl_s(self) -> int | None:
        """Return its TTL."""
        return self.store.ttl_s

    async def follow(self) -> None:
        """Nothing changes."""


async def scheduler(
    options: Options, directory: Path, port: int, http_port: int, ready: Callable[[], None]
) -> None:
    """Run a scheduler until a signal."""
    settings = SchedulerSettings(
        host=HOST,
        port=port,
        http_port=http_port,
        data_dir=directory,
        profile=options.profile,
    )
    telling = asyncio.create_task(_tell_when_open(port, ready))
    await serve_scheduler(settings, stop_on_signals())
    telling.cancel()


async def sidecar(
    options: Options,
    directory: Path,
    ports: tuple[int, int],
    scheduler_port: int,
    ready: Callable[[], None],
) -> None:
    """Run a sidecar until a signal; `ports` are those of gRPC and HTTP."""
    settings = SidecarSettings(
        host=HOST,
        grpc_port=ports[0],
        http_port=ports[1],
        app_id=options.app_id,
        namespace=options.namespace,
        profile=options.profile,
        scheduler_address=f"{HOST}:{scheduler_port}",
    )
    component = FixedComponent(StateStore("statestore", IN_MEMORY, ttl_s=options.ttl_s))
    made = Sidecar(settings, component, SqliteRows(str(state_path(directory))))
    telling = asyncio.create_task(_tell_when_reached(made, ready))
    await run_sidecar(made, stop_on_signals())
    telling.cancel()


async def _tell_when_reached(made: Sidecar, ready: Callable[[], None]) -> None:
    while not await made.reached():  # noqa: ASYNC110 - a channel and a store have no event for it
        await asyncio.sleep(_LOOK_S)
    ready()


async def _tell_when_open(port: int, ready: Callable[[], None]) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(_LOOK_S)
            continue
        writer.close()
        ready()
        return
