"""Writes report.html and summary.md: one file each, no network, the verdict first."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from lab.costs import measured, published
from lab.evidence import ArmEvidence
from lab.headlines import headline
from lab.judgement import ArmJudgement
from lab.pictures import (
    LAYOUTS,
    Layout,
    Picture,
    draw_executions,
    draw_month,
    draw_spend,
    draw_workflows,
)
from lab.summary import render_summary
from lab.tables import (
    cost_table,
    event_table,
    instance_table,
    property_rows,
    rate_table,
    words_table,
)
from lab.verdict import Verdict

TEMPLATES = Path(__file__).parent / "templates"
_TEMPLATE = "report.html.j2"


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_pages(
    directory: Path, head: Mapping[str, Any], verdict: Verdict, status: str
) -> tuple[Path, Path]:
    """Write report.html and summary.md of a run, and return where they are."""
    report, summary = directory / "report.html", directory / "summary.md"
    report.write_text(render(head, verdict, status), encoding="utf-8")
    summary.write_text(render_summary(head, verdict, status), encoding="utf-8")
    return report, summary


def render(head: Mapping[str, Any], verdict: Verdict, status: str) -> str:
    """Return the page of a run; without arms it only says why there are none."""
    parts = _parts(verdict.arms) if verdict.arms else {}
    page = _environment().get_template(_TEMPLATE)
    return page.render(head=head, verdict=verdict, status=status, **parts)


def _parts(arms: Sequence[ArmJudgement]) -> dict[str, Any]:
    evidence = [arm.evidence for arm in arms]
    costs = [*(measured(arm) for arm in arms), *published()]
    return {
        "headlines": [headline(arm) for arm in arms],
        "spend": _drawn(draw_spend, evidence),
        "executions": _drawn(draw_executions, evidence),
        "workflows": _drawn(draw_workflows, evidence),
        "month": [draw_month(costs, layout) for layout in LAYOUTS],
        "costs": costs,
        "cost_table": cost_table(costs),
        "rate_table": rate_table(arms),
        "words_table": words_table(evidence),
        "event_table": event_table(evidence),
        "stopped": [(arm, instance_table(arm)) for arm in evidence if arm.instances],
        "properties": property_rows(arms),
    }


def _drawn(
    draw: Callable[[Sequence[ArmEvidence], Layout], Picture], evidence: Sequence[ArmEvidence]
) -> list[Picture]:
    return [draw(evidence, layout) for layout in LAYOUTS]
