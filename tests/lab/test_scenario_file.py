import os
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.scenario_file import MAX_BYTES, read_scenario


def _problem(source: Path | str) -> str:
    with pytest.raises(UsageError) as caught:
        read_scenario(str(source))
    [problem] = caught.value.problems
    assert "\n" not in problem
    return problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"workflows: 3\nttl_s: 4\nworkflows: 5\n", "'workflows' is given twice"),
        (b"['a': ", "cannot be read as YAML"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"", "must be a mapping"),
        (b"[" * 20_000, "nested too deeply"),
        (b"? [a]\n: b\n", "cannot be read as YAML"),
        (b"#" * (MAX_BYTES + 1), "is larger than"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """One line says what is wrong with the file, whatever is in it."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert said in _problem(path)


@pytest.mark.timeout(10)
def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a device or a folder is refused and not waited for."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for source in (pipe, Path("/dev/zero"), tmp_path, ""):
        assert "is no regular file" in _problem(source)


def test_a_missing_file_names_the_presets() -> None:
    """Whoever mistypes a preset sees what there is."""
    assert "no preset (demo, incident, scale, single)" in _problem("dmeo")
