"""Where the project's own files are, and where runs are kept."""

import os
from pathlib import Path
from tempfile import TemporaryFile

from lab.errors import CannotRunError

ROOT = Path(__file__).resolve().parents[1]
COMPONENTS = ROOT / "dapr" / "components"
DAPR_CONFIG = ROOT / "dapr" / "config.yaml"
COMPOSE_FILE = ROOT / "docker-compose.yml"
LOCUSTFILE = ROOT / "loadgen" / "locustfile.py"


def runs_dir() -> Path:
    """Return the folder of all runs: `runs/` in the checkout, or `RUNAWAY_RUNS_DIR`."""
    return Path(os.environ.get("RUNAWAY_RUNS_DIR") or ROOT / "runs").resolve()


def usable_runs_dir() -> Path:
    """Return the folder of all runs, made if need be.

    Raises:
        CannotRunError: It can't be made or written to.
    """
    runs = runs_dir()
    try:
        runs.mkdir(parents=True, exist_ok=True)
        # Asking for permission proves nothing on a read-only or full disk; writing does.
        with TemporaryFile(dir=runs):
            return runs
    except OSError as error:
        raise CannotRunError(
            f"no runs can be kept in {runs} ({error.strerror}): make it writable, or set "
            "RUNAWAY_RUNS_DIR to a folder that is"
        ) from None


def stack_dir() -> Path:
    """Return the folder of the stack that `up` keeps."""
    return runs_dir() / "stack"
