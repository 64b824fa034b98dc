"""The two widths that every picture is drawn for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """A page's width and what follows from it, in CSS pixels.

    Attributes:
        left, right: margins of the plot, wide enough for the words beside it.
    """

    name: str
    width: int
    left: int
    right: int
    text_px: int

    @property
    def line_px(self) -> float:
        """Return the distance of two lines of text."""
        return self.text_px * 1.25

    @property
    def plot_left(self) -> float:
        """Return where the plot begins."""
        return float(self.left)

    @property
    def plot_right(self) -> float:
        """Return where the plot ends."""
        return float(self.width - self.right)


WIDE = Layout("wide", 960, 66, 104, 14)
NARROW = Layout("narrow", 360, 54, 94, 12)
LAYOUTS = (WIDE, NARROW)
