"""What each version of Dapr is known to do when workflow state is lost.

Source: real daprd binaries, watched (1.16.1, 1.16.2, 1.18.3), and Dapr's own sources and release
notes for all others (fixed by dapr#9158 in 1.16.2 and dapr#9157 in 1.17.0).
"""

from enum import StrEnum

KNOWN_PROFILES = ("1.15", "1.16.0", "1.16.1", "1.16.2", "1.17", "1.18.3")

# Names of the sidecar's profiles for a whole line of releases that do the same.
_LINES = ("1.15", "1.17")

_FIRST_VULNERABLE = (1, 15, 0)
_FIRST_FIXED = (1, 16, 2)
# 1.15.15 and later of that line were never read; nothing is expected of them.
_LAST_READ_OF_1_15 = (1, 15, 14)


class Again(StrEnum):
    """How often an activity that was in flight is executed after the state is lost.

    `ENDED` is several times and then no more; `MIXED` is said of activities that differ.
    """

    ENDLESS = "endless"
    ENDED = "ended"
    ONCE = "once"
    NEVER = "never"
    MIXED = "mixed"


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Read `1.16.1`, or the name of a line such as `1.17`; None for anything else."""
    parts = f"{text}.0".split(".") if text in _LINES else text.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):  # noqa: PLR2004
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def expected_again(profile: str, *, loses_cache: bool) -> Again | None:
    """Return what a version does to activities in flight; None when nobody knows.

    Args:
        profile: version of Dapr.
        loses_cache: whether the disruption takes the engine's memory of its workflows. While it
            keeps that memory, expiry alone makes nothing run again.
    """
    version = parse_version(profile)
    if version is None or _LAST_READ_OF_1_15 < version < (1, 16, 0):
        return None
    if not loses_cache or version < _FIRST_VULNERABLE:
        return Again.NEVER
    return Again.ENDLESS if version < _FIRST_FIXED else Again.ONCE
