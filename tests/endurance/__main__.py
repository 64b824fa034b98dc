"""`python -m tests.endurance --rounds 200 --seed 1`: exit 0 when nothing was lost, 1 otherwise."""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from sidecar.profiles import PROFILES
from tests.endurance.cases import KINDS
from tests.endurance.run import run


def main() -> int:
    """Run once, and say how to run that again."""
    asked = _arguments()
    seed = int(time.time()) if asked.seed is None else asked.seed
    directory = Path(tempfile.mkdtemp(prefix="endurance-"))
    kinds = tuple(asked.workflows.split(","))
    report = asyncio.run(
        run(directory / "run", asked.profile, seed=seed, rounds=asked.rounds, kinds=kinds)
    )
    sys.stdout.write("\n".join(report.lines()) + "\n")
    again = f"--profile {asked.profile} --seed {seed} --rounds {asked.rounds}"
    sys.stdout.write(f"again: python -m tests.endurance {again} --workflows {asked.workflows}\n")
    if report.faults:
        sys.stdout.write(f"logs, journal and jobs: {directory}\n")
        return 1
    shutil.rmtree(directory)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="kills (default 200)")
    parser.add_argument("--seed", type=int, help="of load and kills (default: from the clock)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="1.16.1")
    parser.add_argument(
        "--workflows", default=",".join(KINDS), help="kinds, by commas (default: all)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
