"""Counting at scale: which windows are as recorded."""

from dataclasses import replace

from tests.conformance.scale import Counted, count, rows


def test_each_start_falls_into_the_window_it_began_in() -> None:
    """Windows of ten seconds from the first re-execution on; what was before or is after is out."""
    assert count([0.0, 5.0, 14.9, 15.0, 24.9, 25.0, 99.0], 5.0, 2) == [2, 2]


def test_a_row_is_as_recorded_within_a_tenth() -> None:
    """One missing start in fifty is noise, half of them is another row."""
    row = next(each for each in rows() if list(each.windows) == [50, 50, 50, 50])
    assert Counted(row, [50, 49, 52, 50]).is_as_recorded
    assert not Counted(row, [50, 50, 50, 25]).is_as_recorded
    assert not Counted(row, [100, 100, 100, 100]).is_as_recorded


def test_a_row_of_several_outages_is_known_by_its_steps() -> None:
    """Where a step falls within a window is chance; a step that is missing is not."""
    row = next(each for each in rows() if each.every_s)
    assert Counted(row, row.windows).is_as_recorded
    assert Counted(row, [20, 20, 20, 26, 30, 30, 40, 40, 40, 50, 50, 50, 50]).is_as_recorded
    assert not Counted(row, [20, 20, 20, 20, 20, 20, 30, 30, 30, 40, 40, 40, 40]).is_as_recorded


def test_the_version_with_the_fix_is_quiet_after_one_more_execution() -> None:
    """An execution later on is none of the recorded ones."""
    row = next(each for each in rows() if each.version == "1.18.3")
    assert Counted(row, [50, 0, 0]).is_as_recorded
    assert not Counted(row, [50, 0, 20]).is_as_recorded
    assert not Counted(replace(row, windows=[50, 0, 0]), [50, 50, 50]).is_as_recorded
