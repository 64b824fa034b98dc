"""The marks of the pictures: each has a form of its own, so that black and white is enough."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.pictures.shapes import number, point
from lab.scenario import ArmName

MarkPath = Callable[[float, float, float], str]


def circle(x: float, y: float, r: float) -> str:
    """Return a circle around a point."""
    d, n = number(2 * r), number(r)
    return f"M{point(x - r, y)}a{n} {n} 0 1 0 {d} 0a{n} {n} 0 1 0-{d} 0z"


def square(x: float, y: float, r: float) -> str:
    """Return a square around a point."""
    d = number(2 * r)
    return f"M{point(x - r, y - r)}h{d}v{d}h-{d}z"


def triangle(x: float, y: float, r: float) -> str:
    """Return a triangle around a point."""
    n, d = number(r * 1.2), number(r * 2.1)
    return f"M{point(x, y - 1.2 * r)}l{n} {d}h-{number(r * 2.4)}z"


def diamond(x: float, y: float, r: float) -> str:
    """Return a diamond around a point."""
    n = number(r)
    return f"M{point(x, y - r)}l{n} {n}l-{n} {n}l-{n}-{n}z"


def cross(x: float, y: float, r: float) -> str:
    """Return two lines that cross in a point."""
    d = number(2 * r)
    return f"M{point(x - r, y - r)}l{d} {d}m0-{d}l-{d} {d}"


def star(x: float, y: float, r: float) -> str:
    """Return three lines that cross in a point."""
    return f"{cross(x, y, r)}{bar(x, y, r)}"


def bar(x: float, y: float, r: float) -> str:
    """Return an upright line through a point, taller than the other marks."""
    return f"M{point(x, y - 1.4 * r)}v{number(2.8 * r)}"


@dataclass(frozen=True, slots=True)
class ArmMark:
    """How an arm is told from the others."""

    path: MarkPath
    style: str


ARM_MARKS: dict[ArmName, ArmMark] = {
    "off": ArmMark(circle, "off"),
    "cap": ArmMark(square, "cap"),
    "full": ArmMark(triangle, "full"),
}
