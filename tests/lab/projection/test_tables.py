from dataclasses import replace
from fractions import Fraction
from io import StringIO

import pytest
from hypothesis import given, settings
from rich.console import Console

from lab.projection.assumptions import PRESETS, SCALE_CASE, SINGLE_CASE, Assumptions
from lab.projection.project import project
from lab.projection.tables import renderables
from tests.lab.projection.cases import CASES, ONCE


def shown(*cases: Assumptions, width: int = 100, published: bool = False) -> str:
    """Return what a console of that width shows."""
    console = Console(file=StringIO(), width=width, highlight=False)
    for part in renderables([project(case) for case in cases], with_published=published):
        console.print(part)
    text = console.file
    assert isinstance(text, StringIO)
    return text.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_no_amount_and_no_count_is_cut(width: int) -> None:
    """At eighty columns and at a hundred every figure of the published cases stands whole."""
    text = shown(*PRESETS.values(), width=width, published=True)
    figures = ["$259.20", "8,640", "18,000", "$38,880.00", "$388,800.00", "12,960,000", "$9.99"]
    figures += ["129,599,667", "$3,888,000.00", "36,000", "180,000"]
    assert [figure for figure in figures if figure not in text] == []
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


@given(CASES)
@settings(max_examples=25)
def test_every_case_can_be_shown(case: Assumptions) -> None:
    """Whatever was asked for, its cost stands on the console and no line is too long."""
    text = shown(case)
    assert f"{project(case).in_all.calls:,}" in text
    assert max(map(len, text.splitlines())) <= 100


def test_what_is_taken_for_granted_is_said() -> None:
    """Version, loss of state, a short outage, and restarts: each in a sentence of its own."""
    text = shown(replace(SCALE_CASE, outage_s=Fraction("0.3"), short_restarts_per_day=Fraction(2)))
    for said in (
        "executed without end, one execution each 10 s",
        "if it was 4.7 s old or older",
        "two executions of each activity run side by side",
        "Each short restart of the sidecar, 2 a day, adds one side by side",
    ):
        assert said in " ".join(text.split())


def test_a_version_without_the_loop_shows_no_growth() -> None:
    """Nothing grows where an activity is executed once more, or where no state is lost."""
    assert "What it becomes" in shown(SINGLE_CASE)
    assert "What it becomes" not in shown(replace(SINGLE_CASE, profile=ONCE))
    lossless = shown(replace(SINGLE_CASE, ttl_s=None))
    assert "nothing is executed again" in lossless
    assert "Without a TTL no state expires" in lossless
