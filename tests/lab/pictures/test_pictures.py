"""What holds for every picture, at every size of a run and in both widths."""

import re
from collections.abc import Iterator
from itertools import combinations

import pytest

from lab.costs import measured, published
from lab.evidence import ArmEvidence
from lab.pictures import (
    LAYOUTS,
    Picture,
    draw_executions,
    draw_month,
    draw_spend,
    draw_workflows,
)
from lab.pictures.placing import words_box
from lab.pictures.shapes import Path, Words
from lab.verdict import judge
from tests.lab.evidence_builder import activity, build
from tests.lab.run_builder import build_off, three_arms
from tests.lab.test_verdict import undisturbed

RUNS = {
    "one workflow": three_arms(1),
    "eight": three_arms(8),
    "fifty": three_arms(50),
    "one arm": [build_off(8)],
    "nothing disrupted": [undisturbed()],
    "nothing seen": [build([], keys=[], first_again_unix_ms=None)],
    "a fixed version": [build(activity(1, []), scenario={"profile": "1.18.3"})],
}


def pictures(arms: list[ArmEvidence]) -> Iterator[Picture]:
    costs = [*map(measured, judge(arms).arms), *published()]
    for layout in LAYOUTS:
        for draw in (draw_spend, draw_executions, draw_workflows):
            yield draw(arms, layout)
        yield draw_month(costs, layout)


def words(picture: Picture) -> list[Words]:
    return [shape for shape in picture.shapes if isinstance(shape, Words)]


@pytest.mark.parametrize("run", RUNS)
def test_no_words_lie_on_others_or_beyond_the_edge(run: str) -> None:
    """All that is written in a picture can be read."""
    for picture in pictures(RUNS[run]):
        boxes = [(each.text, words_box(each, picture.text_px)) for each in words(picture)]
        for (one, a), (other, b) in combinations(boxes, 2):
            assert not a.overlaps(b), (picture.name, one, other)
        for text, box in boxes:
            assert 0 <= box.left <= box.right <= picture.width, (picture.name, text)
            assert 0 <= box.top <= box.bottom <= picture.height, (picture.name, text)


@pytest.mark.parametrize("run", RUNS)
def test_nothing_is_drawn_beyond_the_edge(run: str) -> None:
    """Every line and mark begins within its picture."""
    for picture in pictures(RUNS[run]):
        for shape in picture.shapes:
            if isinstance(shape, Path):
                for x, y in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", shape.d):
                    assert 0 <= float(x) <= picture.width, (picture.name, shape.style)
                    assert 0 <= float(y) <= picture.height, (picture.name, shape.style)


@pytest.mark.parametrize("run", RUNS)
def test_who_does_not_see_a_picture_is_told_what_it_says(run: str) -> None:
    """Each picture has a name of its own, a title, and a description with figures in it."""
    drawn = list(pictures(RUNS[run]))
    assert len({picture.name for picture in drawn}) == len(drawn)
    assert all(picture.title for picture in drawn)
    assert all(picture.description.endswith(".") for picture in drawn)


def test_words_on_a_phone_are_as_large_as_elsewhere() -> None:
    """The narrow drawing is a phone's width, so that its words are not scaled down."""
    narrow = [picture for picture in pictures(RUNS["eight"]) if picture.name.endswith("-narrow")]
    assert len(narrow) == 4
    assert all(picture.width <= 390 - 2 * 15 and picture.text_px >= 12 for picture in narrow)
