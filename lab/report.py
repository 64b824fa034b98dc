"""Writes report.html: one file, no network, the verdict first."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from lab.evidence import ArmEvidence
from lab.judgement import ArmJudgement
from lab.money import format_rate, format_usd
from lab.run_directory import events
from lab.verdict import Verdict

_TEMPLATE = "report.html.j2"
_CONFIG = {"displayModeBar": False, "responsive": True}


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


def write_report(path: Path, head: Mapping[str, Any], verdict: Verdict, status: str) -> None:
    """Render a run."""
    path.write_text(render(head, verdict, status))


def render(head: Mapping[str, Any], verdict: Verdict, status: str) -> str:
    """Return the page of a run; without arms it only says why there are none."""
    evidence = [arm.evidence for arm in verdict.arms]
    script, pictures = _pictures(evidence) if evidence else ("", [])
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            head=head,
            verdict=verdict,
            status=status,
            plotly=Markup(script),  # noqa: S704  # the library's own code
            pictures=[Markup(picture) for picture in pictures],  # noqa: S704  # drawn by the library
            rows=[_rate_row(arm) for arm in verdict.arms],
            events=[
                (e.arm, text, _offset(e.disrupted.began_unix_ms, at))
                for e in evidence
                for text, at in events(e)
            ],
        )
    )


def _pictures(evidence: Sequence[ArmEvidence]) -> tuple[str, list[str]]:
    """Return Plotly's own script, and one piece of HTML a picture."""
    # Plotly takes longer to load than an arm may wait, and no arm needs it.
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    from lab.charts import again_figure, spend_figure  # noqa: PLC0415

    figures = (spend_figure(evidence), again_figure(evidence))
    parts = [f.to_html(full_html=False, include_plotlyjs=False, config=_CONFIG) for f in figures]
    return str(get_plotlyjs()), parts


def _offset(zero_unix_ms: int, at_unix_ms: int) -> str:
    # Adding zero turns a rounded minus zero into zero.
    return f"{round((at_unix_ms - zero_unix_ms) / 1000, 1) + 0.0:+.1f} s"


def _rate_row(arm: ArmJudgement) -> dict[str, str]:
    seen, rates = arm.redelivery, arm.rates
    limit = arm.evidence.limit_nano_usd
    period = "none" if seen.period_ms is None else f"{seen.period_ms / 1000:.2f} s"
    return {
        "arm": arm.evidence.arm,
        "spent": format_usd(arm.evidence.spend.nano_usd),
        "limit": "none" if limit is None else format_usd(limit),
        "in flight": str(seen.in_flight),
        "endless": str(seen.endless),
        "executed again": str(seen.again),
        "one each": period,
        "executions/s": f"{rates.executions_per_s:.2f}",
        "refused/s": f"{rates.refusals_per_s:.2f}",
        "paid calls/s": f"{rates.paid_calls_per_s:.2f}",
        "$/h": format_rate(rates.nano_usd_per_hour),
    }
