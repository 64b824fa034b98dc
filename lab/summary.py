"""summary.md: a run in GitHub's markdown, to paste into an issue."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from lab.property_result import PropertyResult, Status
from lab.tables import rate_table
from lab.verdict import Verdict

_TEMPLATE = "summary.md.j2"
_FINE = (Status.HELD, Status.HAPPENED)
# What GitHub would take for markup or the end of a cell.
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~@])")
# Names and numbers behind these become links after the markup was read: escaping is too early.
_LINKED = re.compile(r"([#@])(?=\w)")
_NOTHING_WIDE = "\u200b"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=False,  # noqa: S701  # markdown, escaped by the filter below
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["text"] = plain
    environment.globals["fence"] = fence
    return environment


def plain(value: object) -> str:
    """Return text that GitHub shows as it is, on one line."""
    escaped = _MARKUP.sub(r"\\\1", " ".join(str(value).split()))
    return _LINKED.sub(rf"\1{_NOTHING_WIDE}", escaped)


def fence(text: str) -> str:
    """Return a fence that no line of the text can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


def render_summary(head: Mapping[str, Any], verdict: Verdict, status: str) -> str:
    """Return the summary of a run."""
    results = [result for arm in verdict.arms for result in arm.properties]
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            head=head,
            verdict=verdict,
            status=status,
            table=rate_table(verdict.arms),
            applied=sum(r.status is not Status.NOT_APPLICABLE for r in results),
            bad=[r for r in results if not _is_fine(r)],
        )
    )


def _is_fine(result: PropertyResult) -> bool:
    return result.status in (*_FINE, Status.NOT_APPLICABLE)
