"""`runaway project`: from the command line's words to tables on the console, or to JSON."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console

from lab.printing import print_json, print_lines
from lab.projection import PRESETS, project
from lab.projection.document import project_document
from lab.projection.options import parse_project_options
from lab.projection.tables import renderables

_MOST_COLUMNS: Final = 100


def run_project(scenario: str | None, given: Mapping[str, str | None], *, as_json: bool) -> int:
    """Project what was asked for, or the published cases when nothing was; return the exit code."""
    asked = parse_project_options(scenario, given)
    projections = [project(case) for case in ([asked] if asked else PRESETS.values())]
    if as_json:
        print_json(project_document(projections))
        return 0
    console = _console()
    with console.capture() as shown:
        for part in renderables(projections, with_published=asked is None):
            console.print(part)
    print_lines(*(line.rstrip() for line in shown.get().splitlines()))
    return 0


def _console() -> Console:
    # A pipe has no width of its own, and lines longer than this are hard to read.
    console = Console(highlight=False)
    width = min(console.width, _MOST_COLUMNS) if console.is_terminal else _MOST_COLUMNS
    return Console(highlight=False, width=width)
