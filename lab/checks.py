"""The project's own tests and checks, as `runaway test` and `runaway check` run them."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.paths import ROOT


@dataclass(frozen=True, slots=True)
class Check:
    """One program that must end with 0."""

    name: str
    command: tuple[str, ...]


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


CHECKS = (
    Check("ruff check", _python("ruff", "check", ".")),
    Check("ruff format --check", _python("ruff", "format", "--check", ".")),
    Check("mypy", _python("mypy")),
    # It has no module to run; its script lies beside the interpreter.
    Check("lint-imports", (str(Path(sys.executable).parent / "lint-imports"),)),
)


def run_tests(arguments: Sequence[str]) -> int:
    """Run pytest on the checkout; its own summary line comes last."""
    return _run(_python("pytest", *arguments))


def run_checks(say: Callable[[str], None]) -> list[str]:
    """Run every check, the rest too when one fails; return the names of those that failed."""
    failed = []
    for check in CHECKS:
        say(f"== {check.name}")
        if _run(check.command) != 0:
            failed.append(check.name)
    return failed


def _run(command: Sequence[str]) -> int:
    return subprocess.run(list(command), cwd=ROOT, check=False).returncode  # noqa: S603  # our own
