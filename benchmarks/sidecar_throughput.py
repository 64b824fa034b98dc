"""What the sidecar and its scheduler carry, beside what real Dapr did on two cores.

    python benchmarks/sidecar_throughput.py [profile] [--only parallel,sequential] [--json FILE]

Each load runs on a stack of its own: sidecar, scheduler, Redis, and an app on the real SDK. `held
to` is the recorded figure of real Dapr, or a limit where nothing was recorded.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import sidecar_loads as loads
from benchmarks.sidecar_recorded import NOT_RECORDED, RECORDED
from benchmarks.sidecar_table import HEAD, Figure
from sidecar.profiles import PROFILES
from tests.sidecar.stack import stack

_WARM_UP = 5
_LOADS: Mapping[str, tuple[str, loads.Load, int]] = {
    "parallel": ("200 workflows of 5 empty activities at once", loads.parallel, loads.THREADS),
    "sequential": ("such workflows one at a time", loads.sequential, loads.SEQUENTIAL),
    "sustained": ("2,000 workflows of 3 activities", loads.sustained, 2000),
    "deep": ("one workflow of 700 activities", loads.deep, 700),
    "payloads": ("workflows that pass a megabyte", loads.payloads, 10),
    "sleepers": ("10,000 workflows in a timer of an hour", loads.sleepers, 10_000),
}


def main() -> None:
    """Run the loads that were asked for, and print their figures."""
    asked = _parse()
    print(f"profile {asked.profile}, {os.cpu_count()} cores")
    print(HEAD)
    results: dict[str, list[Figure]] = {}
    for name in asked.only:
        title, load, size = _LOADS[name]
        print(f"{name}: {title}", flush=True)
        results[name] = _measure(asked.profile, load, size)
        for each in results[name]:
            print(each.line(), flush=True)
    if asked.json:
        told = {name: [each.json() for each in figures] for name, figures in results.items()}
        document = {"profile": asked.profile, "cores": os.cpu_count(), "loads": told}
        asked.json.write_text(json.dumps(document, indent=2) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", nargs="?", default="1.16.1", choices=list(PROFILES))
    parser.add_argument("--only", type=_names, default=list(_LOADS), help=f"of {', '.join(_LOADS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    for each in names:
        if each not in _LOADS:
            raise argparse.ArgumentTypeError(f"{each!r} is none of {', '.join(_LOADS)}")
    return names


def _measure(profile: str, load: loads.Load, size: int) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory() as directory,
        stack(Path(directory) / "stack", profile, relayed=False) as running,
    ):
        loads.warm_up(running, _WARM_UP)
        return load(running, RECORDED.get(profile, NOT_RECORDED), size)


if __name__ == "__main__":
    main()
