"""Which versions of everything took part in a run."""

import platform
from importlib.metadata import PackageNotFoundError, version

# Dapr's packages are its SDK for Python: no Dapr runs because they are here.
_PACKAGES = {
    "runaway": "runaway",
    "dapr SDK": "dapr",
    "dapr workflow SDK": "dapr-ext-workflow",
    "locust": "locust",
}


def installed_versions() -> dict[str, str]:
    """Return Python's and the packages' versions; a package that is absent says so."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for name, package in _PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
