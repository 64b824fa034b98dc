"""The examples of docs/client.md do what the page says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from budget.client import Budget
from budget.guard.guard import ActivityGuard
from tests.budget.gateways import Provider
from tests.support.ports import free_port
from tests.support.services import ROOT, redis_server, running, wait_until_http

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
OUTPUTS = dict(re.findall(r"```text (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
TESTS = {name for name in EXAMPLES if name.startswith("test_")}
CONFTEST = 'pytest_plugins = ["sidecar.testing.plugin"]\n'
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:asyncio")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")


@pytest.fixture
def user(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give a user's environment: a store, and a provider at the SDKs' addresses."""
    port = free_port()
    command = [sys.executable, "-m", "tests.budget.provider", str(port)]
    with (
        redis_server(tmp_path, *DURABLE) as (_, redis_port),
        running("provider", command, tmp_path) as service,
    ):
        provider = Provider(f"http://127.0.0.1:{port}")
        wait_until_http(service, f"{provider.url}/v1/models")
        yield {
            "BUDGET_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "BUDGET_CAP_USD": "5",
            "OPENAI_BASE_URL": f"{provider.url}/v1",
            "OPENAI_API_KEY": "k",
            "ANTHROPIC_BASE_URL": provider.url,
            "ANTHROPIC_API_KEY": "k",
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }


def run(folder: Path, user: dict[str, str], name: str, *how: str) -> str:
    """Run an example in a folder of the user's own; return what it prints."""
    text = EXAMPLES[name].replace("redis://127.0.0.1:6380/0", user["BUDGET_REDIS_URL"])
    (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, *how, name],
        cwd=folder,
        env={**os.environ, **user},
        capture_output=True,
        text=True,
        check=False,
        timeout=80,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_does_as_it_is_printed(tmp_path: Path, user: dict[str, str], name: str) -> None:
    """Scripts print what the page says; tests pass, with warnings as errors."""
    if name in TESTS:
        (tmp_path / "conftest.py").write_text(CONFTEST)
        (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
        assert "1 passed" in run(tmp_path, user, name, "-m", "pytest", *PLUGINS)
    else:
        assert run(tmp_path, user, name, "-W", "error") == OUTPUTS[name]


def test_every_argument_is_told() -> None:
    """The tables name each argument of a budget and of a guard, and no other."""
    arguments = set(ActivityGuard.__init__.__annotations__) - {"return"}
    for name in arguments | {field.name for field in fields(Budget)}:
        assert f"`{name}`" in PAGE, name
    assert set(OUTPUTS) == set(EXAMPLES) - TESTS
