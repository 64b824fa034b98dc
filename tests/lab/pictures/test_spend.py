from lab.pictures.layout import NARROW, WIDE
from lab.pictures.shapes import Path, Picture, Words
from lab.pictures.spend import curve, draw_spend
from tests.lab.evidence_builder import BLOW, COST, FIRST_AGAIN, activity, build, every
from tests.lab.full_evidence import stopped_arm
from tests.lab.run_builder import build_cap, build_off, three_arms


def texts(picture: Picture) -> list[str]:
    return [shape.text for shape in picture.shapes if isinstance(shape, Words)]


def paths(picture: Picture, style: str) -> list[Path]:
    return [s for s in picture.shapes if isinstance(s, Path) and style in s.style.split()]


def test_a_curve_is_the_journal_added_up() -> None:
    """At each moment it is what had been charged by then, and it ends at all of it."""
    arm = build(activity(1, every(2000)), workflows=1)
    found = curve(arm)
    assert found.at(-10_000) == 0
    assert found.at(1000) == COST
    after_two = FIRST_AGAIN - BLOW + 2000
    assert (found.at(after_two - 1), found.at(after_two)) == (COST, 2 * COST)
    assert found.total_nano_usd[-1] == arm.spend.nano_usd


def test_every_arm_is_named_at_its_end_with_what_it_spent() -> None:
    """No legend is needed: name and exact sum stand beside each line."""
    shown = texts(draw_spend(three_arms(8), WIDE))
    assert {"off", "cap", "full", "$3.072"} <= set(shown)


def test_the_moments_are_named() -> None:
    """Disruption, expiry, first re-execution, trip of the cap and source stop are there."""
    shown = texts(draw_spend(three_arms(8), WIDE))
    assert {"sidecar kill", "state expired", "off: runs again", "cap trips"} <= set(shown)
    assert "full: 8 stopped at source" in shown
    titles = [path.title for path in paths(draw_spend(three_arms(8), NARROW), "event")]
    assert "cap: runs again, +12.0 s" in titles
    assert any(title.startswith("full: 8 stopped at source, ") for title in titles)


def test_caps_are_dashed_lines_and_the_safety_stop_is_none() -> None:
    """Each cap is drawn once; arm off has none."""
    one = build_cap(8)
    assert len(paths(draw_spend([build_off(8), one], WIDE), "limit")) == 1
    assert paths(draw_spend([build_off(8)], WIDE), "limit") == []


def test_a_cap_far_above_does_not_press_the_lines_to_the_ground() -> None:
    """It is named at the top instead."""
    far = stopped_arm(workflows=1, budget={**stopped_arm().budget.model_dump(), "limit": 10**12})
    picture = draw_spend([far], WIDE)
    assert paths(picture, "limit") == []
    assert "cap $1,000.00, far above" in texts(picture)


def test_a_curve_of_very_many_calls_stays_small() -> None:
    """Two points a pixel are all that an eye can see."""
    arm = build([run for n in range(1, 21) for run in activity(n, every(20))], workflows=20)
    (line,) = paths(draw_spend([arm], WIDE), "curve")
    assert len(arm.calls) > 20_000
    assert line.d.count("H") < 2 * WIDE.width
