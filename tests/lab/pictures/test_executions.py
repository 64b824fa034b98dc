from lab.pictures.executions import (
    KIND_MARKS,
    MARKS_A_PICTURE,
    ROWS_AN_ARM,
    draw_executions,
    group,
)
from lab.pictures.kinds import Kind
from lab.pictures.layout import NARROW, WIDE
from lab.pictures.marks import ARM_MARKS
from lab.pictures.shapes import Path, Picture, Words
from tests.lab.evidence_builder import activity, build, every
from tests.lab.run_builder import build_off, three_arms


def marks(picture: Picture) -> list[Path]:
    return [shape for shape in picture.shapes if isinstance(shape, Path) and ": " in shape.title]


def test_every_workflow_of_every_arm_has_a_row_with_its_count() -> None:
    """Rows are in the order of the workflows' numbers, the controls last."""
    off, _, full = three_arms(11)
    assert [row.label for row in group(off).rows] == [str(n) for n in range(1, 12)]
    assert group(full).rows[-1].label == "c1"
    assert sum(row.count for row in group(off).rows) == len(off.executions)


def test_few_executions_are_marked_one_by_one() -> None:
    """Where there is room each execution has a mark, and no note says otherwise."""
    arm = build_off(2)
    picture = draw_executions([arm], WIDE)
    assert sum(path.d.count("M") for path in marks(picture)) == len(arm.executions)
    assert picture.notes == ("Arm off: 6 first time; 26 again, paid.",)


def test_very_many_executions_are_a_bounded_number_of_marks_and_said_so() -> None:
    """Fifty workflows of a thousand executions each are drawn, counted in full, and small."""
    arm = build_off(50, period_ms=25)
    assert len(arm.executions) > 49_000
    for layout in (WIDE, NARROW):
        picture = draw_executions([arm], layout)
        assert sum(path.d.count("M") for path in marks(picture)) <= MARKS_A_PICTURE
        assert any(f"{len(arm.executions):,} executions are drawn as" in n for n in picture.notes)
        words = [shape.text for shape in picture.shapes if isinstance(shape, Words)]
        assert f"{len(arm.executions):,}" in words


def test_of_very_many_workflows_those_with_most_executions_are_drawn() -> None:
    """The others are counted, and the picture says how many are not drawn."""
    runs = [run for n in range(1, 101) for run in activity(n, every(2000 if n > 50 else 9000))]
    arm = build(runs, workflows=100)
    found = group(arm)
    assert len(found.rows) == ROWS_AN_ARM
    assert {f"run-{n}" for n in range(51, 101)} <= {row.instance for row in found.rows}
    assert sum(found.counts.values()) == len(runs)
    assert "of 100 workflows the 60 with most" in " ".join(draw_executions([arm], WIDE).notes)


def test_a_workflow_of_a_strange_name_is_a_row_like_any_other() -> None:
    """Names without a number, or without anything in common, are shown cut to their room."""
    runs = activity(1, every(2000)) + activity(2, every(2000))
    for run in runs[: len(runs) // 2]:
        run["instance"] = "<b>&\"'" * 10
    labels = [row.label for row in group(build(runs, finals=[])).rows]
    assert len(labels) == 2
    assert all(labels)


def test_no_two_kinds_and_no_two_arms_share_a_mark() -> None:
    """Black and white is enough: each has a form of its own, whatever its colour."""
    kind_forms = {mark.path(10, 10, 4) + mark.style.split()[0] for mark in KIND_MARKS.values()}
    assert len(kind_forms) == len(KIND_MARKS) == len(Kind)
    arm_forms = {mark.path(10, 10, 4) for mark in ARM_MARKS.values()}
    assert len(arm_forms) == len(ARM_MARKS) == 3
