"""Asks the workflow engine what it is; only what calls itself a plain version is called Dapr."""

import re

import httpx

from lab.errors import CannotRunError
from lab.stack_config import StackConfig

_RELEASE = re.compile(r"v?\d+\.\d+\.\d+\S*")


def engine_label(config: StackConfig) -> str:
    """Return what the sidecar says of itself, such as `embedded (profile 1.16.1)`.

    Raises:
        CannotRunError: it does not say, or is not of the version that the run is judged by.
    """
    try:
        url = f"{config.url('sidecar_http')}/v1.0/metadata"
        said = str(httpx.get(url, timeout=5, trust_env=False).json()["runtimeVersion"])
    except (httpx.TransportError, ValueError, KeyError, TypeError) as error:
        raise CannotRunError(f"the sidecar does not say what it is: {error!r}") from error
    if not speaks_of(said, config.profile):
        raise CannotRunError(f"the sidecar is {said!r}, and the run is about {config.profile}")
    return name_of(said)


def speaks_of(runtime_version: str, profile: str) -> bool:
    """Tell whether an engine says that it is, or behaves like, a version of Dapr."""
    return profile in re.split(r"[\s(),]+", runtime_version.removeprefix("v"))


def name_of(runtime_version: str) -> str:
    """Return the label of an engine by the `runtimeVersion` of its metadata."""
    is_release = _RELEASE.fullmatch(runtime_version) is not None
    return f"Dapr {runtime_version.removeprefix('v')}" if is_release else runtime_version
