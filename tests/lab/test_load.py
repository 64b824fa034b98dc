import json
from pathlib import Path

import pytest

from lab.load import read_summary, read_timeline

LINES = [{"t_unix_ms": n, "budget": {"mode": "cap", "cut_off": False}} for n in range(3)]
TEXT = "".join(json.dumps(line) + "\n" for line in LINES)


def test_a_timeline_may_be_torn_at_any_byte_of_its_end(tmp_path: Path) -> None:
    """Whatever a dying Locust left of its last line, the lines before it are read."""
    path = tmp_path / "timeline.ndjson"
    whole = len(json.dumps(LINES[0])) + 1
    for length in range(len(TEXT) + 1):
        path.write_text(TEXT[:length])
        assert read_timeline(path) == LINES[: (length + 1) // whole]


def test_a_timeline_broken_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    """Only the last line can be torn; another bad one is an error."""
    path = tmp_path / "timeline.ndjson"
    path.write_text(TEXT.replace('{"t_unix_ms": 1', '{"t_unix_ms"'))
    with pytest.raises(ValueError, match="Expecting"):
        read_timeline(path)


def test_a_summary_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """A missing, empty or torn summary is none."""
    path = tmp_path / "summary.json"
    assert (read_summary(path), read_timeline(path)) == (None, [])
    text = json.dumps({"started": 2, "instances": [{"id": "a"}]}, indent=2)
    for length in range(len(text)):
        path.write_text(text[:length])
        assert read_summary(path) is None
    path.write_text(text)
    assert read_summary(path) == json.loads(text)
