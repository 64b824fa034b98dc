"""What the sidecar and its scheduler do differently from one version of Dapr to the next.

Each profile is a frozen record of named behaviours, so that no other module compares version
numbers.
"""

from sidecar.profiles.from_source import V1_15, V1_16_0, V1_17
from sidecar.profiles.profile import Profile
from sidecar.profiles.recorded import V1_16_1, V1_16_2, V1_18_3

__all__ = ["PROFILES", "Profile", "UnknownProfileError", "profile"]

PROFILES = {each.name: each for each in (V1_15, V1_16_0, V1_16_1, V1_16_2, V1_17, V1_18_3)}


class UnknownProfileError(ValueError):
    """No profile has that name; the message lists those that exist."""


def profile(name: str) -> Profile:
    """Return the profile of a version of Dapr; UnknownProfileError lists the known ones."""
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise UnknownProfileError(f"no profile {name!r}; the known ones are {known}") from None
