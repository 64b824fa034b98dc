import re

from lab.pictures.layout import WIDE
from lab.pictures.shapes import Words
from lab.pictures.workflows import SERIES, counts, draw_workflows
from lab.report import TEMPLATES
from tests.lab.evidence_builder import BACK, BLOW
from tests.lab.run_builder import build_off, three_arms


def test_the_series_are_the_load_generators_and_the_state_stores() -> None:
    """Started, in flight, finished and lost are what Locust wrote; stored is what Redis held."""
    found = {series.name: series for series in counts(build_off(8))}
    assert set(found) == {"started", "in flight", "finished", "lost", "stored"}
    assert found["lost"].values[-1] == 8
    assert found["lost"].at_ms[found["lost"].values.index(8)] > BACK - BLOW
    assert max(found["stored"].values) == 8
    assert found["stored"].values[-1] == 0


def test_each_arm_has_a_panel_that_names_its_lines_with_their_last_values() -> None:
    """What a line is stands at its end."""
    picture = draw_workflows(three_arms(8), WIDE)
    words = [shape.text for shape in picture.shapes if isinstance(shape, Words)]
    assert words.count("lost 8") == words.count("in flight 0") == 3
    assert {"arm off", "arm cap", "arm full"} <= set(words)


def test_a_run_without_a_timeline_has_a_picture() -> None:
    """A load generator that wrote nothing is no error."""
    arm = build_off(2, load={"exit_code": None})
    assert {series.name for series in counts(arm)} == {"stored"}
    assert draw_workflows([arm], WIDE).shapes


def test_no_two_series_share_dash_and_weight() -> None:
    """Black and white is enough: the stylesheet gives each line a pattern of its own."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    plain = re.search(r"\.count \{ stroke-width: ([\d.]+)", css)
    assert plain
    patterns = set()
    for name in SERIES:
        style = name.replace(" ", "-")
        rules = re.findall(rf"(?<![.\w])\.{style}(?:\.count)? \{{ stroke: ([^}}]*)\}}", css)
        (rule,) = [each for each in rules if "fill" not in each][-1:]
        weight = re.search(r"stroke-width: ([\d.]+)", rule)
        dash = re.search(r"stroke-dasharray: ([\d. ]+)", rule)
        patterns.add((weight[1] if weight else plain[1], dash[1].strip() if dash else ""))
    assert len(patterns) == len(SERIES)
