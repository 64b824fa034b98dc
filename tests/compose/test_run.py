"""How run.sh finds itself and its ports, held without an engine."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.services import ROOT

PORTS = set(re.findall(r"\$\{([A-Z_]+_PORT)", (ROOT / "docker-compose.yml").read_text()))


def _with_program(folder: Path, name: str, script: str) -> dict[str, str]:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_it_can_be_called_by_a_relative_path_from_another_folder(tmp_path: Path) -> None:
    """To somebody who is not root it says that it takes root, and succeeds."""
    done = subprocess.run(
        ["/bin/sh", "-c", "exec compose/run.sh"],
        cwd=ROOT / "tests",
        env=_with_program(tmp_path, "id", "echo 1000"),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("ONLY CHECKED AS A FILE: it takes root\n")


def test_every_published_port_has_one_that_no_other_has(tmp_path: Path) -> None:
    """Even where each draw of lots begins with the same."""
    shuf = f'exec {shutil.which("shuf")} --random-source=/dev/zero "$@"'
    done = subprocess.run(
        ["/usr/bin/env", "bash", "-c", ". tests/compose/ports.sh && choose_ports && env"],
        cwd=ROOT,
        env=_with_program(tmp_path, "shuf", shuf),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    chosen = re.findall(r"^(\w+_PORT)=([23]\d{4})$", done.stdout, re.MULTILINE)
    ports = {name: port for name, port in chosen if name in PORTS}
    assert set(ports) == PORTS
    assert len(set(ports.values())) == len(PORTS)
