"""What a picture is made of: paths and words with coordinates in CSS pixels, y growing downwards.

A shape's style is a class of the page's stylesheet; words are plain text that the template escapes.
"""

from dataclasses import dataclass
from typing import Literal

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Path:
    """A line or an area.

    Attributes:
        d: SVG path data.
        title: shown under the pointer, and read out; empty for none.
    """

    d: str
    style: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text, `y` being its baseline."""

    x: float
    y: float
    text: str
    style: str = ""
    anchor: Anchor = "start"


Shape = Path | Words


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawing.

    Attributes:
        name: unique in a page.
        title: what it shows, in a few words.
        description: what it says, for who does not see it.
        text_px: size of its words.
        notes: what the drawing leaves out, in full sentences.
    """

    name: str
    title: str
    description: str
    width: int
    height: int
    text_px: int
    shapes: tuple[Shape, ...]
    notes: tuple[str, ...] = ()


def number(value: float) -> str:
    """Return a coordinate to a tenth of a pixel, as short as it can be."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def point(x: float, y: float) -> str:
    """Return a pair of coordinates for path data."""
    return f"{number(x)} {number(y)}"


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Path:
    """Return a straight line."""
    return Path(f"M{point(x1, y1)}L{point(x2, y2)}", style)
