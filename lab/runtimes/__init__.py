"""The ways to run a workflow engine and all that belongs to it: one a module."""

from pathlib import Path

from lab.errors import UsageError
from lab.redis_binary import default_redis
from lab.runtimes.base import Runtime
from lab.runtimes.compose import ComposeRuntime
from lab.runtimes.dapr import DaprRuntime
from lab.runtimes.dapr_binaries import find_dapr
from lab.runtimes.docker_compose import find_docker
from lab.runtimes.embedded import EmbeddedRuntime
from lab.stack_config import RuntimeName


def make_runtime(name: RuntimeName, dapr_bin: Path | None = None) -> Runtime:
    """Return the runtime of that name.

    Args:
        name: which one.
        dapr_bin: folder of Dapr's programs; None: they are looked for.

    Raises:
        UsageError: `dapr_bin` is given to a runtime that uses no such programs.
        CannotRunError: what it needs is not there; the text says how to get it.
    """
    if dapr_bin is not None and name != "dapr":
        raise UsageError([f"--dapr-bin: only --runtime dapr uses it, not {name}"])
    match name:
        case "embedded":
            return EmbeddedRuntime(default_redis())
        case "dapr":
            return DaprRuntime(find_dapr(dapr_bin), default_redis())
        case "compose":
            return ComposeRuntime(find_docker())


__all__ = ["ComposeRuntime", "DaprRuntime", "EmbeddedRuntime", "Runtime", "make_runtime"]
