from pathlib import Path

import pytest
import yaml

from lab.components import copy_with_ttl, read_ttl_s
from lab.errors import UsageError
from lab.paths import COMPONENTS


def store(**metadata: str) -> str:
    entries = [{"name": name, "value": value} for name, value in metadata.items()]
    return yaml.safe_dump({"kind": "Component", "spec": {"metadata": entries}})


def test_the_shipped_store_has_the_demos_ttl() -> None:
    """The tracked component is the incident: five seconds."""
    assert read_ttl_s(COMPONENTS) == 5


def test_another_ttl_goes_into_the_copy_and_nowhere_else(tmp_path: Path) -> None:
    """The copy differs from the source in its TTL alone, and the source in nothing."""
    before = (COMPONENTS / "statestore.yaml").read_bytes()
    copy_with_ttl(COMPONENTS, tmp_path, 42)
    assert read_ttl_s(tmp_path) == 42
    assert (COMPONENTS / "statestore.yaml").read_bytes() == before
    source = yaml.safe_load(before)["spec"]["metadata"]
    copied = yaml.safe_load((tmp_path / "statestore.yaml").read_text())["spec"]["metadata"]
    rest = [entry for entry in source if entry["name"] != "ttlInSeconds"]
    assert [entry for entry in copied if entry["name"] != "ttlInSeconds"] == rest


def test_a_copy_without_another_ttl_is_the_same_file(tmp_path: Path) -> None:
    """With nothing to change the copy is byte for byte the source."""
    copy_with_ttl(COMPONENTS, tmp_path, None)
    source = (COMPONENTS / "statestore.yaml").read_bytes()
    assert (tmp_path / "statestore.yaml").read_bytes() == source


@pytest.mark.parametrize("ttl", [{}, {"ttlInSeconds": "0"}, {"ttlInSeconds": "-1"}])
def test_no_ttl_means_that_nothing_expires(tmp_path: Path, ttl: dict[str, str]) -> None:
    """An absent TTL, and one that is not above zero, are none."""
    (tmp_path / "store.yaml").write_text(store(actorStateStore="true", **ttl))
    assert read_ttl_s(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (store(actorStateStore="true", ttlInSeconds="soon"), "'soon'"),
        (store(redisHost="x"), "actorStateStore"),
        ("a: [", "YAML"),
    ],
)
def test_a_bad_component_is_named(tmp_path: Path, text: str, named: str) -> None:
    """A component that can't be used is a usage error that says why."""
    (tmp_path / "store.yaml").write_text(text)
    with pytest.raises(UsageError, match=named):
        read_ttl_s(tmp_path)
