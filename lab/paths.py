"""Where the project's own files are, and where runs are kept."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPONENTS = ROOT / "dapr" / "components"
LOCUSTFILE = ROOT / "loadgen" / "locustfile.py"


def runs_dir() -> Path:
    """Return the folder of all runs: `runs/` in the checkout, or `RUNAWAY_RUNS_DIR`."""
    return Path(os.environ.get("RUNAWAY_RUNS_DIR") or ROOT / "runs").resolve()


def stack_dir() -> Path:
    """Return the folder of the stack that `up` keeps."""
    return runs_dir() / "stack"
