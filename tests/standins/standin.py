"""`daprd`, `placement` and `scheduler` that are not Dapr, behind the flags that Dapr takes.

They try out command lines, wiring and disruptions where no Dapr can be had; underneath run our own
sidecar and scheduler with the profile of STANDIN_DAPR_VERSION. What they can't do: behave like
Dapr in anything that our own were not held to.
"""

import argparse
import asyncio
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from serving.errors import StartError
from serving.http import http_site
from serving.listener import listen
from serving.logs import configure_logs
from serving.signals import stop_on_signals
from sidecar import server as sidecar_server
from sidecar.profiles import PROFILES
from sidecar.scheduler import server as scheduler_server
from sidecar.scheduler.settings import SchedulerSettings
from sidecar.settings import SidecarSettings

VERSION = os.environ.get("STANDIN_DAPR_VERSION", "1.16.1")
_FLAGS = Path(__file__).with_name("flags.yaml")
_PRIVATE = 0o700
_GRACE_S = 0.5
_REACHED_WITHIN_S = 1.0

Flags = dict[str, Any]


def parse(program: str, arguments: list[str]) -> Flags:
    """Return the values of a command line; exit with 2 on a flag that the list does not have."""
    known: Mapping[str, object] = yaml.safe_load(_FLAGS.read_text())[program]
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False, add_help=False)
    parser.add_argument("--version", action="version", version=VERSION)
    for name, default in known.items():
        kind = _port if name.endswith("-port") else str
        parser.add_argument(f"--{name}", dest=name, default=default, type=kind)
    return vars(parser.parse_args(arguments))


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 1 << 16:
        raise ValueError(text)
    return port


def _address(text: str) -> tuple[str, int]:
    """Split `host:port`, `http://host:port` and `name=host:port`."""
    host, _, port = text.rpartition("=")[2].removeprefix("http://").rpartition(":")
    return host, _port(port)


@asynccontextmanager
async def _held(host: str, port: int) -> AsyncIterator[None]:
    """Listen where Dapr would, so that a port given twice is noticed; say nothing there."""
    listener = listen(host, port, prefix="", port_name=f"port {port}")
    server = await asyncio.start_server(lambda _, writer: writer.close(), sock=listener)
    async with server:
        yield


@asynccontextmanager
async def _healthy(host: str, port: int) -> AsyncIterator[None]:
    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    async with http_site(app, listen(host, port, prefix=""), grace_s=_GRACE_S):
        yield


async def placement(flags: Flags) -> None:
    """Listen, and be healthy: our own sidecar needs no placement."""
    host = flags["listen-address"]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_held(host, flags["port"]))
        await stack.enter_async_context(_held(*_address(flags["initial-cluster"])))
        await stack.enter_async_context(_held(host, flags["metrics-port"]))
        health = _healthy(flags["healthz-listen-address"], flags["healthz-port"])
        await stack.enter_async_context(health)
        await stop_on_signals().wait()


async def scheduler(flags: Flags) -> None:
    """Run our own scheduler on the gRPC and the health port."""
    host = flags["listen-address"]
    settings = SchedulerSettings(
        host=host,
        port=flags["port"],
        http_port=flags["healthz-port"],
        data_dir=_private_folder(flags["etcd-data-dir"]),
        profile=_profile(),
    )
    _folder(flags["identity-directory-write"])
    async with AsyncExitStack() as stack:
        for at in (
            (host, flags["etcd-client-port"]),
            _address(flags["etcd-initial-cluster"]),
            (host, flags["metrics-port"]),
        ):
            await stack.enter_async_context(_held(*at))
        await scheduler_server.serve(settings, stop_on_signals())


def _folder(path: str) -> Path:
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
    return folder


def _private_folder(path: str) -> Path:
    folder = _folder(path)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode != _PRIVATE:
        raise StartError(f"--etcd-data-dir {folder}: must have mode 0700, not {mode:04o}")
    return folder


def _profile() -> str:
    if VERSION not in PROFILES:
        raise StartError(f"STANDIN_DAPR_VERSION={VERSION}: must be one of {', '.join(PROFILES)}")
    return VERSION


async def daprd(flags: Flags) -> None:
    """Run our own sidecar; its HTTP goes through a front that says what this is."""
    host = flags["dapr-listen-addresses"].split(",")[0]
    _require_given(flags)
    settings = SidecarSettings(
        host=host,
        grpc_port=flags["dapr-grpc-port"],
        http_port=_free_port(host),
        app_id=flags["app-id"],
        namespace=os.environ.get("NAMESPACE", "default"),
        profile=_profile(),
        resources_path=Path(flags["resources-path"]),
        scheduler_address=flags["scheduler-host-address"],
    )
    internal = (flags["dapr-internal-grpc-listen-address"], flags["dapr-internal-grpc-port"])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_held(*internal))
        await stack.enter_async_context(_held(host, flags["metrics-port"]))
        front = _front(settings, _address(flags["placement-host-address"]))
        listener = listen(host, flags["dapr-http-port"], prefix="")
        await stack.enter_async_context(http_site(front, listener, grace_s=_GRACE_S))
        await sidecar_server.serve(settings, stop_on_signals())


def _require_given(flags: Flags) -> None:
    missing = [f"--{name}" for name, value in flags.items() if value is None]
    if missing:
        raise StartError(f"needs {', '.join(missing)}")
    config = Path(flags["config"])
    try:
        kind = yaml.safe_load(config.read_text())["kind"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise StartError(f"--config {config}: {error!r}") from None
    if kind != "Configuration":
        raise StartError(f"--config {config}: its kind is {kind}, not Configuration")


def _free_port(host: str) -> int:
    with closing(socket.socket()) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _front(settings: SidecarSettings, placement_address: tuple[str, int]) -> web.Application:
    inner = f"http://{settings.host}:{settings.http_port}"

    async def forward(request: web.Request) -> web.Response:
        if request.path.startswith("/v1.0/healthz") and not await _reached(placement_address):
            return web.Response(status=500, text="placement is not reached")
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(request.method, inner + request.path_qs) as answer,
            ):
                if request.path == "/v1.0/metadata" and answer.ok:
                    document = await answer.json()
                    named = {"runtimeVersion": f"stand-in {VERSION} (embedded)"}
                    return web.json_response({**document, **named})
                return web.Response(body=await answer.read(), status=answer.status)
        except aiohttp.ClientConnectionError:
            return web.Response(status=500, text="the sidecar is not up")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    return app


async def _reached(address: tuple[str, int]) -> bool:
    try:
        async with asyncio.timeout(_REACHED_WITHIN_S):
            _, writer = await asyncio.open_connection(*address)
    except OSError:
        return False
    writer.close()
    return True


PROGRAMS: Mapping[str, Callable[[Flags], Coroutine[Any, Any, None]]] = {
    "daprd": daprd,
    "placement": placement,
    "scheduler": scheduler,
}


def main() -> None:
    """Run the program that the first argument names, until SIGTERM or SIGINT."""
    program = sys.argv[1]
    flags = parse(program, sys.argv[2:])
    configure_logs()
    try:
        asyncio.run(PROGRAMS[program](flags))
    except StartError as error:
        sys.exit(f"{program} (stand-in): {error}")


if __name__ == "__main__":
    main()
