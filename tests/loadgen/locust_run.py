"""Runs Locust with the locustfile as a process of its own: importing it here would patch pytest."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.services import ROOT

LOCUSTFILE = ROOT / "loadgen" / "locustfile.py"


def command(url: str, *arguments: str) -> list[str]:
    """Return the command line of a run against a toy; it has to end by itself."""
    return [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url),
        *("--fake-llm-url", url, "--budget-url", url),
        *arguments,
    ]


def environment() -> dict[str, str]:
    """Return this process's environment without options for Locust."""
    skipped = ("LOCUST_", "LOADGEN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(skipped)}


def locust(
    url: str, *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run headless until it ends; fail after 45 seconds."""
    return subprocess.run(
        command(url, "--headless", *arguments),
        cwd=cwd,
        env={**environment(), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
