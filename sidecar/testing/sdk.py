"""Gets around two habits of the Dapr SDK that are in the way of tests.

It reads where the sidecar is once, at its import; and it registers a function once in a process.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from dapr.conf import settings

_REGISTERED = ("_workflow_registered", "_activity_registered")


def unregistered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does and is named the same, and that no runtime has seen."""
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def called(*arguments: Any, **named: Any) -> Any:
            return await function(*arguments, **named)
    else:

        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            return function(*arguments, **named)

    for each in _REGISTERED:
        vars(called).pop(each, None)
    return called


@contextmanager
def pointed_at(environment: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and the SDK's settings that were read from them at its import.

    Runtimes and clients that are made within the block find the sidecar; those made before do not.
    """
    old_environment = {name: os.environ.get(name) for name in environment}
    known = [name for name in environment if name in vars(settings)]
    old_settings = {name: getattr(settings, name) for name in known}
    os.environ.update(environment)
    for name in known:
        is_number = isinstance(old_settings[name], int)
        setattr(settings, name, int(environment[name]) if is_number else environment[name])
    try:
        yield
    finally:
        for name, value in old_settings.items():
            setattr(settings, name, value)
        for name, text in old_environment.items():
            if text is None:
                del os.environ[name]
            else:
                os.environ[name] = text
