"""The axes: time from the disruption, the same in every picture of time, and values upwards."""

from collections.abc import Sequence

from lab.evidence import ArmEvidence
from lab.pictures.layout import Layout
from lab.pictures.moments import Moment, end_ms, offset_ms
from lab.pictures.placing import Box, Placer
from lab.pictures.scales import Scale, time_ticks
from lab.pictures.shapes import Anchor, Path, Shape, Words, line, number

_EM_A_TICK = 4.0
# Closer than this, two arms' moments are one line.
_SAME_PX = 3


def time_scale(arms: Sequence[ArmEvidence], layout: Layout) -> Scale:
    """Return the scale of time, in milliseconds, from the first start to the last end."""
    low = min(offset_ms(arm, arm.began_unix_ms) for arm in arms)
    high = max(end_ms(arm) for arm in arms)
    return Scale(low, high, layout.plot_left, layout.plot_right)


def time_axis(scale: Scale, top: float, bottom: float, layout: Layout) -> list[Shape]:
    """Return the lines and the words of the axis of time below a plot."""
    most = int((scale.end - scale.start) / (_EM_A_TICK * layout.text_px))
    shapes: list[Shape] = []
    for at_ms, text in time_ticks(round(scale.low), round(scale.high), most):
        x = scale.at(at_ms)
        shapes.append(line(x, top, x, bottom, "grid"))
        shapes.append(Words(x, bottom + 1.2 * layout.line_px, text, "tick", "middle"))
    middle = (scale.start + scale.end) / 2
    title = "time from the disruption"
    shapes.append(line(scale.start, bottom, scale.end, bottom, "axis"))
    shapes.append(Words(middle, bottom + 2.5 * layout.line_px, title, "quiet", "middle"))
    return shapes


def value_axis(
    scale: Scale, ticks: Sequence[tuple[float, str]], layout: Layout, left: float, right: float
) -> list[Shape]:
    """Return the lines and the words of the axis of values beside a plot."""
    shapes: list[Shape] = []
    for value, text in ticks:
        y = scale.at(value)
        shapes.append(line(left, y, right, y, "grid"))
        shapes.append(Words(left - 7, y + layout.text_px * 0.35, text, "tick", "end"))
    return shapes


def moment_lines(
    moments: Sequence[Moment], scale: Scale, top: float, bottom: float, layout: Layout
) -> list[Shape]:
    """Return an upright line or band for each moment, with its name above the plot.

    The later ones come first and lowest: a line then never crosses the name of an earlier one.
    """
    above = Box(scale.start, 0, layout.width, top)
    placer = Placer(above, layout.text_px)
    sides: tuple[tuple[float, Anchor], ...] = ((4, "start"), (-4, "end"))
    shapes: list[Shape] = []
    for moment in reversed(moments):
        x, until = scale.at(moment.at_ms), scale.at(moment.until_ms)
        if until - x > _SAME_PX:
            width, height = number(until - x), number(bottom - top)
            shapes.append(Path(f"M{number(x)} {number(top)}h{width}v{height}h-{width}z", "band"))
        words = placer.first_free(
            Words(x + shift, y, moment.text, "moment", anchor)
            for y in (top - 5, top - 5 - layout.line_px)
            for shift, anchor in sides
        )
        reach = top if words is None else words.y - layout.text_px * 0.8
        shapes.append(line(x, reach, x, bottom, "moment"))
        if words is not None:
            shapes.append(words)
    return shapes
