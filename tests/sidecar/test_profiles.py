"""Profiles, against what is recorded of each version."""

import dataclasses
import json
import re

import pytest

from sidecar.profiles import PROFILES, Profile, UnknownProfileError, profile
from tests.support.services import ROOT

TRACES = ROOT / "tests" / "data" / "dapr-traces"
RECORDED = sorted(each.name for each in TRACES.iterdir() if each.is_dir())


def test_every_field_is_explained() -> None:
    """Each field of a profile has an entry in its docstring."""
    explained = set(re.findall(r"^\s{4,8}(\w+): ", Profile.__doc__ or "", re.MULTILINE))
    assert {each.name for each in dataclasses.fields(Profile)} <= explained


def test_every_field_is_read() -> None:
    """A field that nothing depends on would promise a behaviour that it does not change."""
    sources = [
        each.read_text(encoding="utf-8")
        for each in (ROOT / "sidecar").rglob("*.py")
        if each.parent.name != "profiles"
    ]
    read = set(re.findall(r"profile\.(\w+)", "".join(sources)))
    assert {each.name for each in dataclasses.fields(Profile)} - read <= {"origin"}


def test_lookup() -> None:
    """A profile is found by its version; another name is refused with the known ones."""
    assert {name: profile(name).name for name in PROFILES} == {name: name for name in PROFILES}
    known = r"1\.15, 1\.16\.0, 1\.16\.1, 1\.16\.2, 1\.17, 1\.18\.3"
    with pytest.raises(UnknownProfileError, match=rf"1\.17\.0.*{known}"):
        profile("1.17.0")


def test_1_16_2_differs_in_the_fix_alone() -> None:
    """It acknowledges what 1.16.1 retries; nothing else was recorded to differ."""
    fixed = dataclasses.replace(
        PROFILES["1.16.1"],
        name="1.16.2",
        origin="partly recorded",
        lost_instance_result_is_retried=False,
    )
    assert PROFILES["1.16.2"] == fixed


@pytest.mark.parametrize("version", ["1.16.1", "1.18.3"])
def test_duplicate_start_as_recorded(version: str) -> None:
    """Code and words of a duplicate start are those that real Dapr answered."""
    path = ROOT / "tests" / "data" / "dapr-traces" / version / "ids_and_unknowns.jsonl"
    errors = [json.loads(each).get("error", {}) for each in path.read_text().splitlines()]
    recorded = next(each for each in errors if "already exists" in each.get("details", ""))
    known = profile(version)
    words = known.duplicate_start_text.format(instance_id="dup-1")
    assert (recorded["code"], recorded["details"]) == (known.duplicate_start_code, words)


@pytest.mark.parametrize("version", sorted(PROFILES))
def test_only_what_was_recorded_is_called_so(version: str) -> None:
    """A version is `recorded` or `partly recorded` exactly where there are traces of it."""
    known = profile(version)
    assert (known.origin != "from source") == (TRACES / version).is_dir()
    assert ("not recorded" in known.label) == (known.origin == "from source")


@pytest.mark.parametrize("version", RECORDED)
def test_loops_as_recorded(version: str) -> None:
    """A lost instance's activity is executed again and again exactly where it was recorded so."""
    path = ROOT / "tests" / "data" / "dapr-traces" / version / "flushall.jsonl"
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    executions = sum(each.get("event") == "activity-start" for each in lines)
    assert (executions > 2) == profile(version).lost_instance_result_is_retried
