import subprocess

from lab.checks import CHECKS
from lab.paths import ROOT


def test_the_checks_are_those_of_the_project() -> None:
    """`check` runs the linter, the formatter, the types and the import rules."""
    names = [check.name for check in CHECKS]
    assert names == ["ruff check", "ruff format --check", "mypy", "lint-imports"]


def test_the_import_rules_are_really_looked_at() -> None:
    """The import check reads the contracts, and does not just end with 0."""
    (check,) = [check for check in CHECKS if check.name == "lint-imports"]
    done = subprocess.run(
        check.command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert "Contracts:" in done.stdout
    assert (done.returncode == 0) is (" 0 broken" in done.stdout)
