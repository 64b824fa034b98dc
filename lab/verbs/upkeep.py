"""Verbs for the machine and the checkout: what is there, tests, checks."""

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from lab.printing import print_findings, print_json, print_lines, print_problems
from lab.verbs.options import COULD_NOT_RUN, NOT_AS_EXPECTED, OK, Json


def doctor(*, json: Json = False) -> int:
    """Say what this machine has, what it lacks, and what to do next."""
    from lab.doctor import examine  # noqa: PLC0415

    findings = examine()
    missing = [f for f in findings if f.level == "missing"]
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_findings(findings)
        print_lines("next: mend what is missing" if missing else "next: ./runaway reproduce")
    return COULD_NOT_RUN if missing else OK


def test(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Run the tests with pytest.

    Args:
        arguments: Passed on to pytest.
    """
    from lab.checks import run_tests  # noqa: PLC0415

    return run_tests(arguments)


def check() -> int:
    """Run ruff, mypy and the import rules, and say which of them failed."""
    from lab.checks import CHECKS, run_checks  # noqa: PLC0415

    failed = run_checks(print_lines)
    if failed:
        print_problems([f"failed: {', '.join(failed)}"])
        return NOT_AS_EXPECTED
    print_lines(f"all {len(CHECKS)} checks passed")
    return OK
