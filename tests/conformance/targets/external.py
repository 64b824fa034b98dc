"""A sidecar of the caller's, at an address, with what handles there are."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import httpx
import redis

from tests.conformance.bench import Bench, whole_lines, wired
from tests.conformance.declared import Declared
from tests.conformance.errors import HandleFailedError, UnreachableError
from tests.conformance.needs import Need
from tests.conformance.options import Address, Options
from tests.conformance.playing import not_playable, play
from tests.conformance.result import Result
from tests.conformance.scenarios import Scenario

_REACHED_WITHIN_S = 5.0
_COMMAND_S = 120.0
_UP_WITHIN_S = 60.0
# Its own declared differences hold of the embedded sidecar at any address.
_EMBEDDED = "embedded"


@dataclass(kw_only=True)
class External(Bench):
    """A bench that disturbs its sidecar through the caller's commands."""

    sidecar_address: Address
    commands: dict[Need, str]
    sidecar_log: Path | None = None

    def start_sidecar(self) -> None:
        """Start the sidecar and wait until its gRPC port accepts."""
        self._command(Need.START)
        _reach("--grpc", self.sidecar_address, _UP_WITHIN_S)

    def kill_sidecar(self) -> None:
        """SIGKILL the sidecar."""
        self._command(Need.KILL)

    def stop_sidecar(self, patience_s: float) -> bool:
        """SIGTERM the sidecar, and tell whether it has gone within `patience_s`; SIGKILL if not."""
        try:
            self._command(Need.STOP, patience_s)
        except subprocess.TimeoutExpired:
            self._command(Need.KILL)
            return False
        return True

    def restart_scheduler(self) -> None:
        """Restart the scheduler with its jobs kept."""
        self._command(Need.RESTART_SCHEDULER)

    def set_ttl(self, ttl_s: int) -> None:
        """Let the component write keys that live so long, and wait until the sidecar is up."""
        self._command(Need.TTL, ttl_s=ttl_s)
        _reach("--grpc", self.sidecar_address, _UP_WITHIN_S)

    def log(self) -> list[dict[str, Any]]:
        """Return the sidecar's log lines, Dapr's names of their parts made ours."""
        assert self.sidecar_log is not None
        lines = [each for each in whole_lines(self.sidecar_log) if each.startswith("{")]
        parsed = map(json.loads, lines)
        return [{"level": each["level"], "event": each.get("msg", "")} for each in parsed]

    def _command(self, need: Need, timeout_s: float = _COMMAND_S, **values: object) -> None:
        template = self.commands[need]
        command = template
        for name, value in values.items():
            command = command.replace(f"{{{name}}}", str(value))
        try:
            # It is the caller's own command line; what it starts may outlive it.
            done = subprocess.run(  # noqa: S602
                command,
                shell=True,
                check=False,
                timeout=timeout_s,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            if need is Need.STOP:
                raise
            raise HandleFailedError(need, template, f"not done within {timeout_s:.0f} s") from None
        if done.returncode:
            raise HandleFailedError(need, template, f"ended with {done.returncode}")


def run(
    directory: Path, options: Options, scenarios: Sequence[Scenario], known: Sequence[Declared]
) -> tuple[list[Result], dict[str, str]]:
    """Play scenarios on the sidecar at the address, one after the other.

    Returns:
        The results, and by version which runtime answered.
    """
    with bench(directory, options) as made:
        answering = runtime(made)
        made.start_app()
        results = []
        for each in scenarios:
            left_out = not_playable(each, made.profile, made.handles)
            is_external = not answering.startswith(_EMBEDDED)
            results.append(left_out or play(made, each, known, external=is_external))
        return results, {made.profile: answering}


@contextmanager
def bench(directory: Path, options: Options) -> Iterator[External]:
    """Connect to the sidecar; UnreachableError when nothing answers at one of the addresses."""
    assert options.grpc is not None
    for option, address in (
        *(("--grpc", options.grpc), ("--http", options.http)),
        *(("--redis", options.redis), ("--scheduler", options.scheduler)),
    ):
        if address is not None:
            _reach(option, address, _REACHED_WITHIN_S)
    with ExitStack() as closing:
        ours = closing.enter_context(wired(str(options.grpc)))
        store = redis.Redis(options.redis.host, options.redis.port) if options.redis else None
        if store is not None:
            closing.callback(store.close)
        made = External(
            **vars(ours),
            directory=directory,
            profile=options.versions[0],
            http_url=f"http://{options.http}" if options.http else "",
            redis=cast("redis.Redis", store),
            scheduler_address=str(options.scheduler or ""),
            handles=_handles(options),
            app_id=options.app_id,
            namespace=options.namespace,
            sidecar_address=options.grpc,
            commands=options.commands,
            sidecar_log=options.sidecar_log,
        )
        closing.push(made.closing)
        yield made


def runtime(bench: Bench) -> str:
    """Return which runtime answers, in its own words."""
    if Need.HTTP not in bench.handles:
        return "a sidecar that was not asked (no --http)"
    try:
        return str(bench.metadata().get("runtimeVersion", "a sidecar that does not say"))
    except (httpx.HTTPError, ValueError) as error:
        raise UnreachableError("--http", bench.http_url, str(error)) from error


def _handles(options: Options) -> frozenset[Need]:
    given = {
        Need.HTTP: options.http,
        Need.REDIS: options.redis,
        Need.SCHEDULER: options.scheduler,
        Need.LOG: options.sidecar_log,
    }
    return frozenset({*options.commands, *(each for each, value in given.items() if value)})


def _reach(option: str, address: Address, timeout_s: float) -> None:
    """Wait until a port accepts; a sidecar's gRPC port must speak gRPC, too."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if option in ("--grpc", "--scheduler"):
                with grpc.insecure_channel(str(address)) as channel:
                    grpc.channel_ready_future(channel).result(max(0.1, deadline - time.monotonic()))
                return
            with socket.create_connection((address.host, address.port), timeout=1):
                return
        except (OSError, grpc.FutureTimeoutError) as error:
            if time.monotonic() > deadline:
                reason = str(error) or f"not within {timeout_s:.0f} s"
                raise UnreachableError(option, str(address), reason) from None
            time.sleep(0.1)
