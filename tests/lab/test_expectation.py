import pytest

from lab.expectation import KNOWN_PROFILES, Again, expected_again
from sidecar.profiles import PROFILES


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.14.4", Again.NEVER),
        ("1.15.0", Again.ENDLESS),
        ("1.15.14", Again.ENDLESS),
        ("1.15.15", None),
        ("1.16.0", Again.ENDLESS),
        ("1.16.1", Again.ENDLESS),
        ("1.16.2", Again.ONCE),
        ("1.17.0", Again.ONCE),
        ("1.18.3", Again.ONCE),
        ("1.15", Again.ENDLESS),
        ("1.16", None),
        ("1.17", Again.ONCE),
        ("edge", None),
    ],
)
def test_each_version_does_what_was_seen_of_it(version: str, expected: Again | None) -> None:
    """After state and memory are lost: endless up to 1.16.1, once more from 1.16.2 on."""
    assert expected_again(version, loses_cache=True) is expected


@pytest.mark.parametrize("version", KNOWN_PROFILES)
def test_expiry_alone_makes_nothing_run_again(version: str) -> None:
    """While the sidecar keeps its memory no version executes anything twice."""
    assert expected_again(version, loses_cache=False) is Again.NEVER


def test_the_sidecar_behaves_as_is_expected_of_each_profile() -> None:
    """The lab knows the sidecar's profiles, and expects endlessness exactly where they have it."""
    assert tuple(PROFILES) == KNOWN_PROFILES
    assert {name: expected_again(name, loses_cache=True) for name in PROFILES} == {
        name: Again.ENDLESS if each.lost_instance_result_is_retried else Again.ONCE
        for name, each in PROFILES.items()
    }
