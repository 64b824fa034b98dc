"""The kinds of workflow engine that a stack can run on: one a module."""

from lab.redis_binary import default_redis
from lab.runtimes.base import Runtime
from lab.runtimes.embedded import EmbeddedRuntime
from lab.stack_config import RuntimeName


def make_runtime(name: RuntimeName) -> Runtime:
    """Return the runtime of that name.

    Raises:
        RedisBinaryError: it needs a Redis-protocol server and there is none.
    """
    match name:
        case "embedded":
            return EmbeddedRuntime(default_redis())


__all__ = ["EmbeddedRuntime", "Runtime", "make_runtime"]
