"""Says what this machine has, what it lacks, and what to do next. Starts nothing."""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.components import read_ttl_s
from lab.errors import LabError
from lab.paths import COMPONENTS, stack_dir
from lab.ports import OFFERED, Ports, flag_of, holder_of, is_free
from lab.redis_binary import default_redis
from lab.runtimes import make_runtime
from lab.runtimes.dapr_binaries import PROGRAMS, find_dapr
from lab.runtimes.docker_compose import compose_version, engine_version
from lab.state_file import is_locked
from lab.versions import installed_versions

Level = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: `ok`; `missing` when a verb can't work without it; `note` for what is optional.
        next_step: what to do about it; empty when there is nothing to do.
    """

    name: str
    level: Level
    detail: str
    next_step: str = ""


def examine() -> list[Finding]:
    """Look at everything."""
    needed = [_python(), *_packages(), _redis(), _components()]
    lacks = [finding.name for finding in needed if finding.level == "missing"]
    return [*needed, *_ports(), *_runtimes(lacks)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= (3, 11)
    step = "" if enough else "install Python 3.11 or newer, or set RUNAWAY_PYTHON to one"
    return Finding("python", "ok" if enough else "missing", f"{version} ({sys.executable})", step)


def _packages() -> Iterator[Finding]:
    for name, version in installed_versions().items():
        if name in ("python", "system"):
            continue
        absent = version == "not installed"
        step = "run ./runaway once: it installs the locked dependencies" if absent else ""
        yield Finding(name, "missing" if absent else "ok", version, step)


def _redis() -> Finding:
    try:
        found = default_redis()
    except LabError as error:
        return Finding("redis", "missing", *_first_and_rest(error))
    return Finding("redis", "ok", f"{found.label}, {found.path}")


def _components() -> Finding:
    try:
        ttl_s = read_ttl_s(COMPONENTS)
    except LabError as error:
        return Finding("state store", "missing", str(error), "restore dapr/components")
    detail = "no ttlInSeconds: state never expires" if ttl_s is None else f"ttlInSeconds {ttl_s}"
    return Finding("state store", "ok", detail)


def _ports() -> Iterator[Finding]:
    if is_locked(stack_dir()):
        step = "`runaway status` shows it, `runaway down` ends it"
        yield Finding("ports", "note", "a stack of ours runs and holds them", step)
        return
    defaults = {name: getattr(Ports(), name) for name in OFFERED}
    taken = {name: port for name, port in defaults.items() if not is_free(port)}
    if not taken:
        yield Finding("ports", "ok", "all default ports are free")
    for name, port in taken.items():
        step = f"`runaway up {flag_of(name)} PORT`; `reproduce` takes free ports anyway"
        yield Finding(f"port {port}", "note", f"{name}: taken by {holder_of(port)}", step)


def _runtimes(embedded_lacks: Sequence[str]) -> Iterator[Finding]:
    """Say of each runtime whether it can be used, and the next command on the way to it."""
    if embedded_lacks:
        detail = f"lacks {', '.join(embedded_lacks)}"
        yield Finding("runtime embedded", "missing", detail, "mend what is missing above")
    else:
        yield Finding("runtime embedded", "ok", "ready", "./runaway reproduce")
    yield _dapr()
    yield from _compose()


def _dapr() -> Finding:
    try:
        found = find_dapr(None)
    except LabError as error:
        return Finding("runtime dapr", "note", *_first_and_rest(error))
    detail = f"ready: {', '.join(PROGRAMS)} {found.version} in {found.folder}"
    return Finding("runtime dapr", "ok", detail, "./runaway reproduce --runtime dapr")


def _compose() -> Iterator[Finding]:
    client = shutil.which("docker")
    yield Finding("docker client", "ok" if client else "note", client or "not on PATH")
    if client is None:
        step = "install Docker with its compose plugin (docs.docker.com)"
        yield Finding("runtime compose", "note", "needs docker", step)
        return
    engine = _asked("docker engine", engine_version, client)
    plugin = _asked("docker compose", compose_version, client)
    yield from (engine, plugin)
    if engine.level == plugin.level == "ok":
        yield _images()
    else:
        yield Finding("runtime compose", "note", "needs what docker lacks above")


def _asked(name: str, ask: Callable[[str], str], client: str) -> Finding:
    try:
        return Finding(name, "ok", ask(client))
    except LabError as error:
        return Finding(name, "note", *_first_and_rest(error))


def _images() -> Finding:
    try:
        make_runtime("compose").profile(None)
    except LabError as error:
        return Finding("runtime compose", "note", *_first_and_rest(error))
    return Finding("runtime compose", "ok", "ready", "./runaway reproduce --runtime compose")


def _first_and_rest(error: LabError) -> tuple[str, str]:
    first, _, rest = str(error).partition("\n")
    return first, rest
