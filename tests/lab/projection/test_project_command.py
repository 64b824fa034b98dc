"""The verb as a user types it: a process, its output, its exit code."""

import json
import os
import re
import subprocess
import sys

from tests.support.services import ROOT

DOCS = (ROOT / "docs" / "project.md").read_text(encoding="utf-8")


def runaway(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", "project", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_without_options_both_published_figures_are_shown() -> None:
    """With the case of each, what was recorded, and no colour in a pipe."""
    done = runaway()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The published figures")
    for said in ("single: 1 workflow", "scale: 50 workflows", "recorded on real Dapr"):
        assert said in done.stdout
    assert "\x1b" not in done.stdout


def test_no_color_is_respected_even_where_a_terminal_is_claimed() -> None:
    """Bold may stay, a colour may not."""
    done = runaway(FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color")
    assert done.returncode == 0
    assert re.findall(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38)[0-9;]*m", done.stdout) == []


def test_json_has_all_of_it() -> None:
    """Published figures, the projection that was asked for, and the recordings."""
    done = runaway("--scenario", "scale", "--days", "3", "--json")
    document = json.loads(done.stdout, parse_float=lambda text: f"a float: {text}")
    assert done.returncode == 0
    (projection,) = document["projections"]
    assert projection["in_all"]["cost"] == {"usd": "38880.000000000", "nano_usd": 38_880 * 10**9}
    assert [each["measure"] for each in projection["outcomes"]] == [
        "nothing",
        "cap",
        "replay",
        "source-stop",
    ]
    assert len(document["published"]) == 3
    assert len(document["measured"]["rows"]) == 7
    assert "a float" not in done.stdout


def test_bad_options_are_exit_2_with_a_plain_line_each() -> None:
    """Nothing on standard output, no traceback, every bad option by its name."""
    done = runaway("--scenario", "all", "--call-s", "soon", "--cap", "x")
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["--scenario", "--call-s", "--cap"]


def test_what_the_docs_show_is_what_is_printed() -> None:
    """Each console block of the page is the command's own output, line by line."""
    blocks = re.findall(r"```console\n\$ \./runaway project(.*?)\n(.*?)```", DOCS, re.DOTALL)
    assert blocks
    for arguments, shown in blocks:
        printed = runaway(*arguments.split()).stdout
        for part in shown.split("…\n"):
            assert part in printed
