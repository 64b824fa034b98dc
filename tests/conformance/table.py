"""The results as a table of scenarios and versions: for the console, as JSON, as Markdown."""

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.conformance.compare.facet import parts
from tests.conformance.result import Result

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
_SHORT = 400
_PARTS = 5


def print_table(results: Sequence[Result], runtimes: Mapping[str, str]) -> None:
    """Print the table, below it what was played twice, and each undeclared difference in full."""
    console = Console()
    versions = list(runtimes)
    table = Table("scenario", *(f"{each}\nanswered by {runtimes[each]}" for each in versions))
    for name, cells in _rows(results, versions):
        table.add_row(name, *cells)
    console.print(table)
    for each in results:
        if each.first_try:
            told = f"{each.scenario} {each.version} was played twice: {each.first_try}"
            console.print(told, markup=False, highlight=False)
    for each in results:
        for one in each.undeclared:
            console.print(f"\n{each.scenario} {each.version}: {one.facet}", markup=False)
            for path, real, ours in parts(one.recorded, one.seen)[:_PARTS]:
                where = f"  at {path or 'all'}"
                told = f"{where}\n    recorded: {_short(real)}\n    seen:     {_short(ours)}"
                console.print(told, markup=False, highlight=False)


def as_json(results: Sequence[Result], runtimes: Mapping[str, str]) -> str:
    """Return everything, differences in full."""
    rows = [
        {
            "scenario": each.scenario,
            "version": each.version,
            "verdict": each.verdict,
            "declared": list(each.declared),
            "undeclared": [
                {"facet": one.facet, "recorded": one.recorded, "seen": one.seen}
                for one in each.undeclared
            ],
            "declared_but_gone": list(each.gone),
            "not_compared_without": list(each.unseen),
            "why": each.why,
            "first_try": each.first_try,
        }
        for each in results
    ]
    document = {"runtimes": dict(runtimes), "results": rows}
    return json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"


def as_markdown(results: Sequence[Result], runtimes: Mapping[str, str]) -> str:
    """Return the table as Markdown, the same for the same results wherever it was made."""
    versions = list(runtimes)
    lines = [
        "| scenario | " + " | ".join(versions) + " |",
        "|---" * (len(versions) + 1) + "|",
        "| *answered by* | " + " | ".join(runtimes[each] for each in versions) + " |",
    ]
    for name, cells in _rows(results, versions):
        lines.append(
            "| " + " | ".join([name, *(each.replace("|", "\\|") for each in cells)]) + " |"
        )
    return "\n".join(lines) + "\n"


def into(document: str, table: str) -> str:
    """Return a Markdown document with the table between its marks; the table alone without them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{table}{end}{after}" if begin and end else table


def _rows(results: Sequence[Result], versions: Sequence[str]) -> list[tuple[str, list[str]]]:
    cells = {(each.scenario, each.version): str(each) for each in results}
    names = dict.fromkeys(each.scenario for each in results)
    return [(name, [cells[name, each] for each in versions]) for name in names]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]} … ({len(text)} characters)"
