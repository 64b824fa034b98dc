"""Finds places for words, so that no two of them lie on one another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from lab.pictures.shapes import Anchor, Words

# Wide enough for the letters of the usual system fonts.
_LETTER_EM = 0.6
_ASCENT_EM, _DESCENT_EM = 0.8, 0.25


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        """Tell whether the two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def is_within(self, other: "Box") -> bool:
        """Tell whether all of this lies in the other."""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a point lies in it."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom


def text_width(text: str, text_px: float) -> float:
    """Return about how wide a line of text is."""
    return len(text) * text_px * _LETTER_EM


def words_box(words: Words, text_px: float) -> Box:
    """Return the room that a line of text takes."""
    width = text_width(words.text, text_px)
    left = words.x - {"start": 0.0, "middle": width / 2, "end": width}[words.anchor]
    top, bottom = words.y - _ASCENT_EM * text_px, words.y + _DESCENT_EM * text_px
    return Box(left, top, left + width, bottom)


@dataclass(slots=True)
class Placer:
    """Places words one after the other, each clear of the earlier ones.

    Attributes:
        bounds: all words stay within.
        points: what words had better not hide, such as the points of a curve.
    """

    bounds: Box
    text_px: float
    points: Sequence[tuple[float, float]] = ()
    taken: list[Box] = field(default_factory=list)

    def take(self, words: Words) -> Words:
        """Note words that have their place already, and some air to both sides."""
        box, air = words_box(words, self.text_px), self.text_px / 2
        self.taken.append(replace(box, left=box.left - air, right=box.right + air))
        return words

    def beside(self, x: float, y: float, text: str, style: str = "") -> Words | None:
        """Return words near a point, or None where there is no room for them."""
        return self.first_free(Words(*c[:2], text, style, c[2]) for c in self._around(x, y))

    def first_free(self, candidates: Iterable[Words]) -> Words | None:
        """Return and take the candidate that hides least, the earlier one of equals."""
        best, least = None, None
        for words in candidates:
            box = words_box(words, self.text_px)
            if not box.is_within(self.bounds) or any(box.overlaps(other) for other in self.taken):
                continue
            hidden = sum(1 for point in self.points if box.holds(*point))
            if least is None or hidden < least:
                best, least = words, hidden
        return best and self.take(best)

    def _around(self, x: float, y: float) -> Iterable[tuple[float, float, Anchor]]:
        for lines in range(6):
            away = self.text_px * (0.7 + 1.25 * lines)
            yield x + 6, y + away + _ASCENT_EM * self.text_px, "start"
            yield x - 6, y - away, "end"
            yield x - 6, y + away + _ASCENT_EM * self.text_px, "end"
            yield x + 6, y - away, "start"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions as near as can be to the wanted ones, in their order, `gap` apart."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed: list[float] = []
    for i in order:
        placed.append(max(wanted[i], placed[-1] + gap if placed else low))
    limit = high
    for n in reversed(range(len(placed))):
        placed[n] = min(placed[n], limit)
        limit = placed[n] - gap
    return [y for _, y in sorted(zip(order, placed, strict=True))]
