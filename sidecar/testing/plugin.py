"""Pytest fixtures: `pytest_plugins = ["sidecar.testing.plugin"]` in a conftest or a test module.

dapr_sidecar           a sidecar of the test's own; a marker says what it is like:
                       `@pytest.mark.dapr_sidecar("1.16.1", ttl_s=5)`
dapr_sidecar_session   one sidecar for all tests that ask for it
dapr_sidecar_options   what both are like; override it with a session fixture of that name

While a test has one of them, the Dapr SDK's runtimes and clients find it without host and port.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import pytest

from sidecar.testing.errors import UsageError
from sidecar.testing.options import Options
from sidecar.testing.running import RunningSidecar, running_sidecar
from sidecar.testing.sdk import pointed_at

_MARKER = "dapr_sidecar"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    fields = "profile, app_id=…, namespace=…, ttl_s=…"
    config.addinivalue_line(
        "markers", f"{_MARKER}({fields}): what the sidecar of the fixture dapr_sidecar is like"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show the end of a sidecar's log where a test has failed that uses one by any fixture."""
    report = yield
    if report.failed and report.when == "call":
        for each in getattr(item, "funcargs", {}).values():
            if isinstance(each, RunningSidecar):
                report.sections.append(("last lines of the Dapr sidecar's log", each.log_tail()))
    return report


@pytest.fixture(scope="session")
def dapr_sidecar_options() -> Options:
    """Return what the sidecars are like; meant to be overridden."""
    return Options()


@pytest.fixture
def dapr_sidecar(
    request: pytest.FixtureRequest, dapr_sidecar_options: Options
) -> Iterator[RunningSidecar]:
    """Give a running sidecar that ends with the test."""
    marker = request.node.get_closest_marker(_MARKER)
    changes: dict[str, Any] = {}
    if marker is not None:
        changes = _named(*marker.args) | marker.kwargs
    with _running(replace(dapr_sidecar_options, **changes)) as made:
        yield made


@pytest.fixture(scope="session")
def dapr_sidecar_session(dapr_sidecar_options: Options) -> Iterator[RunningSidecar]:
    """Give a running sidecar that ends with the last test; instances of one test meet another's."""
    with _running(dapr_sidecar_options) as made:
        yield made


def _named(*unnamed: Any) -> dict[str, Any]:
    if len(unnamed) > 1:
        raise UsageError(
            f"the marker {_MARKER} takes the profile alone without a name, got {unnamed}; "
            "name the others, such as ttl_s=5"
        )
    return dict(zip(("profile",), unnamed, strict=False))


@contextmanager
def _running(options: Options) -> Iterator[RunningSidecar]:
    with running_sidecar(**asdict(options)) as made, pointed_at(made.environment()):
        yield made
