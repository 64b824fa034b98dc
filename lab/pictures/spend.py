"""Spend against time: one line an arm, the caps dashed, each arm's moments on its own line."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from lab.evidence import ArmEvidence
from lab.money import format_rate, format_usd
from lab.pictures.axes import moment_lines, time_axis, time_scale, value_axis
from lab.pictures.layout import Layout
from lab.pictures.marks import ARM_MARKS
from lab.pictures.moments import Moment, arm_moments, end_ms, offset_ms, shared_moments
from lab.pictures.placing import Box, Placer, spread
from lab.pictures.scales import Scale, money_ticks
from lab.pictures.shapes import Path, Picture, Shape, Words, line, number, point

_TOP_LINES = 2.6
_BOTTOM_LINES = 3.0
_PLOT_PX = 330
# A cap further above the spend than this would press the lines to the ground.
_FAR_ABOVE = 3
_MARKS_A_LINE = 7
_LONGEST_SUM = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """What an arm had spent at each moment.

    Attributes:
        at_ms, total_nano_usd: when the sum changed, and what it was from then on.
    """

    arm: ArmEvidence
    at_ms: tuple[int, ...]
    total_nano_usd: tuple[int, ...]
    end_ms: int

    def at(self, moment_ms: int) -> int:
        """Return what had been spent by then."""
        return self.total_nano_usd[max(0, bisect_right(self.at_ms, moment_ms) - 1)]


def curve(arm: ArmEvidence) -> Curve:
    """Add up an arm's calls, each when it was charged."""
    calls = sorted(arm.calls, key=lambda call: call.ended_unix_ms)
    at = [offset_ms(arm, arm.began_unix_ms), *(offset_ms(arm, c.ended_unix_ms) for c in calls)]
    totals = accumulate((call.nano_usd for call in calls), initial=0)
    return Curve(arm, tuple(at), tuple(totals), end_ms(arm))


def draw_spend(arms: Sequence[ArmEvidence], layout: Layout) -> Picture:
    """Return the picture."""
    curves = [curve(arm) for arm in arms]
    caps = _caps(arms)
    top = _TOP_LINES * layout.line_px
    bottom = top + _PLOT_PX
    xs = time_scale(arms, layout)
    ticks = money_ticks(_highest(curves, caps), 6)
    ys = Scale(0, ticks[-1][0], bottom, top)
    shapes = [
        *value_axis(ys, ticks, layout, xs.start, xs.end),
        *time_axis(xs, top, bottom, layout),
        *moment_lines(shared_moments(arms), xs, top, bottom, layout),
    ]
    placer = Placer(Box(xs.start, top, xs.end, bottom), layout.text_px, _points(curves, xs, ys))
    shapes += _cap_lines(caps, xs, ys, placer)
    for each in curves:
        shapes += _line(each, xs, ys)
    for each in curves:
        shapes += _moments(each, xs, ys, placer)
    shapes += _ends(curves, xs, ys, layout)
    ended = "; ".join(f"{c.arm.arm} ends at {format_usd(c.total_nano_usd[-1])}" for c in curves)
    capped = "".join(f"; the cap of {format_usd(c)} is dashed" for c in caps)
    return Picture(
        f"spend-{layout.name}",
        "Spend against time, one line an arm",
        f"{ended}{capped}.",
        layout.width,
        round(bottom + _BOTTOM_LINES * layout.line_px),
        layout.text_px,
        tuple(shapes),
        tuple(
            f"Arm {arm.arm} goes on paying for its healthy control workflows ({len(arm.controls)})."
            for arm in arms
            if arm.controls
        ),
    )


def _caps(arms: Sequence[ArmEvidence]) -> list[int]:
    limits = {arm.limit_nano_usd for arm in arms if arm.arm != "off"}
    return sorted(limit for limit in limits if limit is not None)


def _highest(curves: Sequence[Curve], caps: Sequence[int]) -> int:
    spent = max(c.total_nano_usd[-1] for c in curves)
    near = [cap for cap in caps if cap <= _FAR_ABOVE * max(1, spent)]
    return max([spent, *near])


def _cap_lines(caps: Sequence[int], xs: Scale, ys: Scale, placer: Placer) -> list[Shape]:
    shapes: list[Shape] = []
    for cap in caps:
        text = f"cap {format_usd(cap)}"
        if cap > ys.high:
            y, text = ys.end, f"{text}, far above"
        else:
            y = ys.at(cap)
            shapes.append(line(xs.start, y, xs.end, y, "limit"))
        places = (
            Words(x, y + shift, text, "strong", "start")
            for x in (xs.start + 6, (xs.start + xs.end) / 2)
            for shift in (-6, placer.text_px + 3)
        )
        words = placer.first_free(places)
        shapes += [words] if words else []
    return shapes


def _steps(each: Curve, xs: Scale) -> list[tuple[float, int]]:
    """Return coordinate and total, one a half pixel at most, however many calls there were."""
    last = {
        round(2 * xs.at(at)): (xs.at(at), total)
        for at, total in zip(each.at_ms, each.total_nano_usd, strict=True)
    }
    return list(last.values())


def _points(curves: Sequence[Curve], xs: Scale, ys: Scale) -> list[tuple[float, float]]:
    points = []
    for each in curves:
        steps = _steps(each, xs)
        ends = [x for x, _ in steps[1:]] + [xs.at(each.end_ms)]
        for (x, total), until in zip(steps, ends, strict=True):
            points += [(x + 4 * n, ys.at(total)) for n in range(int((until - x) / 4) + 1)]
    return points


def _line(each: Curve, xs: Scale, ys: Scale) -> list[Shape]:
    mark = ARM_MARKS[each.arm.arm]
    steps = _steps(each, xs)
    (x, total), *rest = steps
    d = f"M{point(x, ys.at(total))}"
    d += "".join(f"H{number(x)}V{number(ys.at(total))}" for x, total in rest)
    d += f"H{number(xs.at(each.end_ms))}"
    evenly = range(1, _MARKS_A_LINE + 1)
    every_ms = (each.end_ms - each.at_ms[0]) / (_MARKS_A_LINE + 1)
    at = [round(each.at_ms[0] + n * every_ms) for n in evenly]
    dots = "".join(mark.path(xs.at(ms), ys.at(each.at(ms)), 3.5) for ms in at)
    return [Path(d, f"curve {mark.style}"), Path(dots, f"solid {mark.style}")]


def _moments(each: Curve, xs: Scale, ys: Scale, placer: Placer) -> list[Shape]:
    mark = ARM_MARKS[each.arm.arm]
    shapes: list[Shape] = []
    for moment in arm_moments(each.arm):
        x, y = xs.at(moment.at_ms), ys.at(each.at(moment.at_ms))
        arm = each.arm.arm
        text = moment.text if moment.text.startswith(arm) else f"{arm}: {moment.text}"
        shapes.append(Path(mark.path(x, y, 6), f"event {mark.style}", _when(text, moment)))
        words = placer.beside(x, y, text, mark.style)
        if words is not None:
            shapes += [*_leader(x, y, words, placer.text_px), words]
    return shapes


def _when(text: str, moment: Moment) -> str:
    return f"{text}, {moment.at_ms / 1000:+.1f} s"


def _leader(x: float, y: float, words: Words, text_px: float) -> list[Shape]:
    """Return a thin line to words that found no place beside their point."""
    near = words.y - text_px * 0.8 if words.y > y else words.y + text_px * 0.25
    return [line(x, y, words.x, near, "leader")] if abs(near - y) > text_px else []


def _ends(curves: Sequence[Curve], xs: Scale, ys: Scale, layout: Layout) -> list[Shape]:
    wanted = [ys.at(c.total_nano_usd[-1]) for c in curves]
    gap = 2.2 * layout.line_px
    placed = spread(wanted, gap, ys.end + layout.text_px, ys.start - layout.line_px)
    shapes: list[Shape] = []
    x = layout.plot_right + 8
    for each, y in zip(curves, placed, strict=True):
        style = ARM_MARKS[each.arm.arm].style
        end_y = ys.at(each.total_nano_usd[-1])
        shapes.append(line(xs.at(each.end_ms), end_y, x - 3, y - layout.text_px * 0.3, "leader"))
        shapes.append(Words(x, y, each.arm.arm, f"{style} strong"))
        total = _short(each.total_nano_usd[-1])
        shapes.append(Words(x, y + layout.line_px, total, style))
    return shapes


def _short(nano_usd: int) -> str:
    """Return dollars that fit into the margin: exact, or else to the cent."""
    exact = format_usd(nano_usd)
    return exact if len(exact) <= _LONGEST_SUM else format_rate(nano_usd)
