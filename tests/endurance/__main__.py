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
    asked = arguments()
    seed = int(time.time()) if asked.seed is None else asked.seed
    directory = Path(tempfile.mkdtemp(prefix="endurance-"))
    report = asyncio.run(
        run(directory / "run", asked.profile, seed=seed, rounds=asked.rounds, kinds=asked.workflows)
    )
    sys.stdout.write("\n".join(report.lines()) + "\n")
    again = f"--profile {asked.profile} --seed {seed} --rounds {asked.rounds}"
    again += f" --workflows {','.join(asked.workflows)}"
    sys.stdout.write(f"again: python -m tests.endurance {again}\n")
    if report.faults:
        sys.stdout.write(f"logs, journal and jobs: {directory}\n")
        return 1
    shutil.rmtree(directory)
    return 0


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return what is asked on the command line, or in `given`; exits with 2 at what can't be."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--rounds", type=_rounds, default=200, help="kills (default 200)")
    parser.add_argument("--seed", type=int, help="of load and kills (default: from the clock)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="1.16.1")
    parser.add_argument(
        "--workflows",
        type=_kinds,
        default=tuple(KINDS),
        help=f"by commas (default: {','.join(KINDS)})",
    )
    return parser.parse_args(given)


def _rounds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of kills")
    return int(text)


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    for each in kinds:
        if each not in KINDS:
            raise argparse.ArgumentTypeError(f"{each!r} is none of {', '.join(KINDS)}")
    return kinds


if __name__ == "__main__":
    sys.exit(main())
