"""Results for people and for programs: the only module that writes to standard output."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.doctor import Finding
from lab.money import format_usd


def print_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    sys.stdout.flush()


def print_lines(*lines: str) -> None:
    """Print plain lines."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def print_problems(problems: Sequence[str]) -> None:
    """Print what went wrong to standard error, plainly."""
    sys.stderr.write("".join(f"runaway: {problem}\n" for problem in problems))


def _show(table: Table) -> None:
    # A pipe has no width; eighty columns would break addresses in two.
    console = Console(highlight=False)
    Console(highlight=False, width=console.width if console.is_terminal else 200).print(table)


def print_status(status: dict[str, Any]) -> None:
    """Print what runs and what was spent."""
    table = Table(box=None, pad_edge=False)
    for column in ("service", "state", "address", "pid", "log"):
        table.add_column(column, no_wrap=True)
    for service in status["services"]:
        unwell = service["state"] == "running" and not service["healthy"]
        state = "not healthy" if unwell else service["state"]
        table.add_row(
            service["name"], state, service["address"], str(service["pid"] or "-"), service["log"]
        )
    _show(table)
    spend = status["spend"]
    if spend is None:
        print_lines("spent so far: unknown, the fake LLM does not answer")
    else:
        print_lines(
            f"spent so far: {format_usd(int(spend['nano_usd']))} in {spend['calls']} calls, "
            f"{spend['duplicate_calls']} of them duplicates"
        )
    print_lines(f"engine: {status['runtime']}, control API: {status['control']}")


def print_findings(findings: Sequence[Finding]) -> None:
    """Print what `doctor` found, each with the next step."""
    for finding in findings:
        print_lines(f"{finding.level:<8} {finding.name:<18} {finding.detail}")
        for line in finding.next_step.splitlines():
            print_lines(f"{'':<27} {line}")
