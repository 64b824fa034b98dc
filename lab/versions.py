"""Which versions of everything took part in a run."""

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("runaway", "dapr", "dapr-ext-workflow", "locust")


def installed_versions() -> dict[str, str]:
    """Return Python's and the packages' versions; a package that is absent says so."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
