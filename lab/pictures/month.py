"""What 30 days cost, on a logarithmic scale: arms as measured beside the published figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lab.costs import Cost
from lab.money import NANO_PER_USD, format_rate, format_usd
from lab.pictures.layout import Layout
from lab.pictures.marks import circle, diamond
from lab.pictures.shapes import Path, Picture, Shape, Words, line
from lab.projection.volume import MONTH_DAYS

_ROW_LINES = 2.6
_MARGIN_PX = 8
# The place for nothing at all, which no logarithm has.
_ZERO_PX = 56
_RIGHT_PX = 14


@dataclass(frozen=True, slots=True)
class _LogScale:
    """From one dollar to ten to the power of `powers`, with a place for nothing to its left."""

    powers: int
    left: float
    right: float

    @property
    def zero(self) -> float:
        return self.left - _ZERO_PX * 0.6

    def at(self, nano_usd: int) -> float:
        if nano_usd <= 0:
            return self.zero
        return self.at_power(max(0.0, math.log10(nano_usd / NANO_PER_USD)))

    def at_power(self, power: float) -> float:
        return self.left + power / self.powers * (self.right - self.left)


def draw_month(rows: Sequence[Cost], layout: Layout) -> Picture:
    """Return the picture."""
    right = float(layout.width - _MARGIN_PX - _RIGHT_PX)
    scale = _LogScale(_highest_power(rows), float(_MARGIN_PX + _ZERO_PX), right)
    top = 0.4 * layout.line_px
    bottom = top + len(rows) * _ROW_LINES * layout.line_px
    shapes = _grid(scale, top, bottom, layout)
    for n, row in enumerate(rows):
        y = top + (n + 0.45) * _ROW_LINES * layout.line_px
        shapes += _row(row, y, scale, layout)
    said = "; ".join(f"{row.name} {format_rate(row.per_month.nano_usd)}" for row in rows)
    return Picture(
        f"month-{layout.name}",
        f"Cost of {MONTH_DAYS} days, on a logarithmic scale",
        f"{said}.",
        layout.width,
        round(bottom + 3.1 * layout.line_px),
        layout.text_px,
        tuple(shapes),
    )


def _highest_power(rows: Sequence[Cost]) -> int:
    dollars = max(row.per_month.nano_usd for row in rows) // NANO_PER_USD
    return max(1, len(str(dollars)))


def _grid(scale: _LogScale, top: float, bottom: float, layout: Layout) -> list[Shape]:
    powers = range(scale.powers + 1)
    places = [(scale.zero, "$0"), *((scale.at_power(p), _short(10**p)) for p in powers)]
    shapes: list[Shape] = []
    for x, text in places:
        shapes.append(line(x, top, x, bottom, "grid"))
        shapes.append(Words(x, bottom + layout.line_px, text, "tick", "middle"))
    title = f"{MONTH_DAYS} days; each step is ten times the one before"
    shapes.append(line(scale.zero, bottom, scale.right, bottom, "axis"))
    middle = layout.width / 2
    shapes.append(Words(middle, bottom + 2.35 * layout.line_px, title, "quiet", "middle"))
    return shapes


def _short(dollars: int) -> str:
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if dollars >= size:
            return f"${dollars // size:,}{letter}"
    return format_usd(dollars * NANO_PER_USD, least_decimals=0)


def _row(row: Cost, y: float, scale: _LogScale, layout: Layout) -> list[Shape]:
    x, below = scale.at(row.per_month.nano_usd), y + layout.line_px * 0.7
    style = "published" if row.is_published else row.name.removeprefix("arm ")
    name = row.name if row.is_published else f"{row.name}, as measured"
    path = diamond if row.is_published else circle
    cost = format_rate(row.per_month.nano_usd)
    shapes: list[Shape] = [
        Words(_MARGIN_PX, y, name, "strong"),
        Words(layout.width - _MARGIN_PX, y, cost, "strong", "end"),
        line(scale.zero, below, x, below, f"stem {style}"),
        Path(path(x, below, 6), f"solid {style}"),
    ]
    each = row.each_nano_usd(row.per_month)
    if each and row.activities > 1:
        title = f"{row.name}, for one activity: {format_rate(each)}"
        shapes.append(Path(path(scale.at(each), below, 5), f"hollow {style}", title))
    return shapes
