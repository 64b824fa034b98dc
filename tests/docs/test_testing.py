"""The examples of docs/testing.md are test files that pass."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from sidecar.testing.running import RunningSidecar
from tests.support.services import ROOT

PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python (test_\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
CONFTEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:asyncio")
PASSED = {"test_workflow.py": 1, "test_crash.py": 1, "test_runaway.py": 2}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what pytest says of each example, in a folder of a user's own."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")

    def run(name: str) -> str:
        (folder / name).write_text(EXAMPLES[name])
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-v", *PLUGINS, name],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        return done.stdout + done.stderr

    # They wait for the most part.
    with ThreadPoolExecutor(len(EXAMPLES)) as pool:
        return dict(zip(EXAMPLES, pool.map(run, EXAMPLES), strict=True))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", sorted(PASSED))
def test_an_example_passes_as_it_is_printed(outcomes: dict[str, str], name: str) -> None:
    """With warnings as errors."""
    assert len(re.findall(r"::.* PASSED", outcomes[name])) == PASSED[name], outcomes[name]


def test_every_example_is_run() -> None:
    """None is printed that no test looks at."""
    assert set(EXAMPLES) == set(PASSED)


def test_the_table_names_what_there_is() -> None:
    """Each method and attribute that the page names is one of a running sidecar's."""
    names = re.findall(r"`\.(\w+)[(`]", PAGE)
    instance = {"grpc_port", "http_port", "log_path"}
    assert [each for each in names if not hasattr(RunningSidecar, each)] == [
        each for each in names if each in instance
    ]
