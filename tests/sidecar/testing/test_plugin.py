"""The pytest plugin, in a pytest of a user's own."""

import subprocess
import sys
from pathlib import Path

from tests.support.services import ROOT

CONFTEST = """
import pytest
from sidecar.testing import Options

pytest_plugins = ["sidecar.testing.plugin"]


@pytest.fixture(scope="session")
def dapr_sidecar_options():
    return Options(profile="1.16.2", app_id="shop")
"""
TESTS = """
import os

import pytest
from dapr.conf import settings
from dapr.ext.workflow import DaprWorkflowClient

KNOWN = dict(vars(settings))


def test_nothing_is_changed_without_it():
    assert "DAPR_GRPC_PORT" not in os.environ


def test_options_are_the_projects(dapr_sidecar):
    assert (dapr_sidecar.options.profile, dapr_sidecar.options.app_id) == ("1.16.2", "shop")
    assert os.environ["DAPR_GRPC_PORT"] == str(dapr_sidecar.grpc_port)


@pytest.mark.dapr_sidecar("1.16.1", ttl_s=5)
def test_a_marker_goes_before_them(dapr_sidecar):
    options = dapr_sidecar.options
    assert (options.profile, options.app_id, options.ttl_s) == ("1.16.1", "shop", 5)


def test_the_sdk_finds_the_sidecar_of_the_session(dapr_sidecar_session):
    assert settings.DAPR_GRPC_PORT == dapr_sidecar_session.grpc_port
    client = DaprWorkflowClient()
    assert client.get_workflow_state("nobody") is None
    client.close()


def test_the_tests_own_sidecar_goes_before_the_sessions(dapr_sidecar_session, dapr_sidecar):
    assert dapr_sidecar.grpc_port != dapr_sidecar_session.grpc_port
    assert settings.DAPR_GRPC_PORT == dapr_sidecar.grpc_port


def test_the_session_is_back_afterwards(dapr_sidecar_session):
    assert settings.DAPR_GRPC_PORT == dapr_sidecar_session.grpc_port


@pytest.mark.dapr_sidecar("1.16.1", "shop")
def test_an_option_without_a_name_is_refused(dapr_sidecar):
    pass


def test_a_failure_shows_the_log(dapr_sidecar):
    assert False
"""


def test_the_fixtures_do_what_they_say(tmp_path: Path) -> None:
    """Six tests pass; one is refused, and one fails and shows what the sidecar logged."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_user.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert "1 failed, 6 passed" in done.stdout, done.stdout + done.stderr
    assert "1 error in" in done.stdout
    assert "takes the profile alone without a name, got ('1.16.1', 'shop')" in done.stdout
    assert "last lines of the Dapr sidecar's log" in done.stdout
    assert done.stdout.count('"event": "sidecar ready"') == 1
    assert "test_a_failure_shows_the_log" in done.stdout
