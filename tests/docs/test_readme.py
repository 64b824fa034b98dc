"""What the README shows is what the program does."""

import re
import shlex
import subprocess
import sys

import pytest

from tests.support.services import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    {
        line.removeprefix("$ ").split("#")[0].strip()
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
        if line.removeprefix("$ ").startswith("./runaway")
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str) -> None:
    """Each verb and option that the README names is one of the program's."""
    _, verb, *arguments = shlex.split(command)
    shown = subprocess.run(
        [sys.executable, "-m", "lab", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=ROOT,
    ).stdout
    for option in (each for each in arguments if each.startswith("--")):
        assert option in shown


def test_the_main_commands_are_those_of_the_gate() -> None:
    """The gate runs the two commands that the README promises."""
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("./runaway reproduce", "./runaway test"):
        assert f"$ {command}\n" in README
        assert f"\n{command}\n" in gate
