"""Started, in flight, lost and finished workflows against time, one panel an arm.

What the load generator was told of them by the engine, beside what the state store held.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.evidence import ArmEvidence
from lab.pictures.axes import moment_lines, time_axis, time_scale, value_axis
from lab.pictures.layout import Layout
from lab.pictures.moments import offset_ms, shared_moments
from lab.pictures.placing import spread
from lab.pictures.scales import Scale, count_ticks
from lab.pictures.shapes import Path, Picture, Shape, Words, number, point

_PANEL_PX = 104
_GAP_LINES = 2.6
# Every one has a line of its own, told apart by dash and weight as well as by colour.
SERIES = ("started", "in flight", "finished", "failed", "lost", "stored")
_ALWAYS_SHOWN = ("started", "in flight", "finished", "lost")
# Points a pixel at most, however long the run was.
_POINTS_A_PX = 2


@dataclass(frozen=True, slots=True)
class Counts:
    """One series: how many workflows were so, at which time from the disruption."""

    name: str
    at_ms: tuple[int, ...]
    values: tuple[int, ...]

    @property
    def style(self) -> str:
        """Return its class in the stylesheet."""
        return self.name.replace(" ", "-")


def counts(arm: ArmEvidence) -> list[Counts]:
    """Return an arm's series; one that stays at nothing only if its absence says something."""
    lines = [e for e in arm.load.timeline if "t_unix_ms" in e]
    at = tuple(offset_ms(arm, int(entry["t_unix_ms"])) for entry in lines)
    found = [
        Counts(name, at, tuple(int(e.get(name.replace(" ", "_")) or 0) for e in lines))
        for name in SERIES[:-1]
    ]
    polls = [p for p in arm.keys if p.t_unix_ms <= arm.observed_until_unix_ms]
    times = tuple(offset_ms(arm, poll.t_unix_ms) for poll in polls)
    found.append(Counts(SERIES[-1], times, tuple(len(poll.keys) for poll in polls)))
    return [c for c in found if c.values and (any(c.values) or c.name in _ALWAYS_SHOWN)]


def draw_workflows(arms: Sequence[ArmEvidence], layout: Layout) -> Picture:
    """Return the picture."""
    xs = time_scale(arms, layout)
    top = 2.6 * layout.line_px
    step = _PANEL_PX + _GAP_LINES * layout.line_px
    bottom = top + len(arms) * step
    highest = max([1, *(max(c.values) for arm in arms for c in counts(arm))])
    ticks = count_ticks(highest, 4)
    shapes: list[Shape] = [
        *time_axis(xs, top, bottom, layout),
        *moment_lines(shared_moments(arms), xs, top, bottom, layout),
    ]
    for n, arm in enumerate(arms):
        low = top + (n + 1) * step
        ys = Scale(0, ticks[-1], low, low - _PANEL_PX)
        shapes += value_axis(ys, [(t, str(t)) for t in ticks], layout, xs.start, xs.end)
        shapes.append(Words(8, low - _PANEL_PX - layout.text_px, f"arm {arm.arm}", "strong"))
        shapes += _panel(counts(arm), xs, ys, layout)
    said = "; ".join(f"{arm.arm}: {_last(counts(arm))}" for arm in arms)
    return Picture(
        f"workflows-{layout.name}",
        "Workflows against time, one panel an arm",
        f"At the end {said}.",
        layout.width,
        round(bottom + 3.0 * layout.line_px),
        layout.text_px,
        tuple(shapes),
        tuple(
            f"The control workflows of arm {arm.arm} are the lab's own: only in “stored” are they."
            for arm in arms
            if arm.controls
        ),
    )


def _last(found: Sequence[Counts]) -> str:
    return ", ".join(f"{c.values[-1]} {c.name}" for c in found) or "nothing was recorded"


def _panel(found: Sequence[Counts], xs: Scale, ys: Scale, layout: Layout) -> list[Shape]:
    shapes: list[Shape] = [Path(_steps(c, xs, ys), f"count {c.style}") for c in found]
    # Of equal values the one named first stands above.
    wanted = [ys.at(c.values[-1]) + layout.text_px * 0.35 + n * 0.01 for n, c in enumerate(found)]
    low, high = ys.end + layout.text_px * 0.4, ys.start + layout.text_px * 0.7
    placed = spread(wanted, layout.line_px * 0.98, low, high)
    x = layout.plot_right + 8
    for c, y in zip(found, placed, strict=True):
        shapes.append(Words(x, y, f"{c.name} {c.values[-1]}", f"word {c.style}"))
    return shapes


def _steps(found: Counts, xs: Scale, ys: Scale) -> str:
    last = {
        round(_POINTS_A_PX * xs.at(at)): (xs.at(at), value)
        for at, value in zip(found.at_ms, found.values, strict=True)
    }
    (x, value), *rest = last.values()
    d, before = f"M{point(x, ys.at(value))}", value
    for x, value in rest:
        if value != before:
            d += f"{_to(x, ys.at(before), before)}V{number(ys.at(value))}"
            before = value
    return f"{d}{_to(max(x, xs.at(found.at_ms[-1])), ys.at(before), before)}"


def _to(x: float, y: float, value: int) -> str:
    """Return a line to the right; along the ground nothing is drawn, as there is nothing."""
    return f"H{number(x)}" if value else f"M{point(x, y)}"
