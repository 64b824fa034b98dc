"""The table: what stands in its cells."""

import json

import pytest

from tests.conformance.compare import Difference
from tests.conformance.result import Result, Verdict
from tests.conformance.table import as_json, as_markdown, into, print_table

RUNTIMES = {"1.16.1": "embedded (profile 1.16.1)"}


def cell(result: Result) -> str:
    return as_markdown([result], RUNTIMES).splitlines()[-1].split(" | ", 1)[1].rstrip(" |")


def test_a_cell_says_what_became_of_the_scenario() -> None:
    """Equal, differs and why, not recorded, not run and what it needs."""
    differs = Result("s", "1.16.1", Verdict.DIFFERS, declared=["a | b"])
    needs = Result("s", "1.16.1", Verdict.NOT_RUN, why="needs --redis")
    assert cell(Result("s", "1.16.1", Verdict.EQUAL)) == "equal"
    assert cell(differs) == "differs: a \\| b"
    assert cell(needs) == "not run: needs --redis"
    assert cell(Result("s", "1.16.1", Verdict.NOT_RECORDED)) == "not recorded"


def test_what_could_not_be_compared_is_told() -> None:
    """Equal, but for what nobody could look at."""
    result = Result("s", "1.16.1", Verdict.EQUAL, unseen=["--sidecar-log"])
    assert cell(result) == "equal (not compared without --sidecar-log)"


@pytest.mark.parametrize(
    ("result", "is_fine"),
    [
        (Result("s", "v", Verdict.EQUAL), True),
        (Result("s", "v", Verdict.NOT_RUN, why="needs --redis"), True),
        (Result("s", "v", Verdict.DIFFERS, declared=["why"]), True),
        (Result("s", "v", Verdict.DIFFERS, undeclared=[Difference("turns", 1, 2)]), False),
        (Result("s", "v", Verdict.EQUAL, gone=["turns"]), False),
        (Result("s", "v", Verdict.FAILED, why="StageError"), False),
    ],
)
def test_a_run_fails_on_what_nobody_has_declared(result: Result, *, is_fine: bool) -> None:
    """And on what is declared and gone, and on what could not be played."""
    assert result.is_fine is is_fine


def test_the_table_says_who_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """The runtime in its own words."""
    result = Result("happy", "1.16.1", Verdict.EQUAL)
    assert "| *answered by* | embedded (profile 1.16.1) |" in as_markdown([result], RUNTIMES)
    assert json.loads(as_json([result], RUNTIMES))["runtimes"] == RUNTIMES
    print_table([result], RUNTIMES)
    assert "embedded" in capsys.readouterr().out


def test_a_difference_is_printed_with_what_was_recorded_and_seen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where inside it is, and both values."""
    difference = Difference("turns of a", {"n": 1}, {"n": 2})
    print_table([Result("happy", "1.16.1", Verdict.DIFFERS, undeclared=[difference])], RUNTIMES)
    told = capsys.readouterr().out
    assert all(each in told for each in ("turns of a", "at .n", "recorded: 1", "seen:     2"))


def test_a_document_keeps_what_is_around_its_table() -> None:
    """Only what stands between the marks is replaced."""
    document = "# A\n<!-- table -->\nold\n<!-- end of table -->\nB\n"
    new = into(document, "new\n")
    assert new == "# A\n<!-- table -->\nnew\n<!-- end of table -->\nB\n"
    assert into(new, "new\n") == new
    assert into("no marks", "new\n") == "new\n"
