"""Component files: what is understood, and what is refused in which words."""

from pathlib import Path

import pytest

from sidecar.components import load_state_store
from sidecar.errors import ConfigError
from tests.support.services import ROOT

ENVIRON = {"STATE_REDIS_HOST": "redis.example:7000", "SECRET": "s3cret"}


def _component(metadata: str, *, kind: str = "state.redis", extra: str = "") -> str:
    return (
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: statestore\n"
        f"spec:\n  type: {kind}\n  version: v1\n  metadata:\n"
        '    - {name: actorStateStore, value: "true"}\n' + metadata + extra
    )


def _load(directory: Path, *documents: str) -> object:
    for number, each in enumerate(documents):
        (directory / f"{number}.yaml").write_text(each)
    return load_state_store(directory, "lab", ENVIRON)


def _item(name: str, value: str) -> str:
    return f"    - {{name: {name}, value: {value}}}\n"


def test_the_component_that_is_shipped_is_understood() -> None:
    """Its address comes from STATE_REDIS_HOST, its TTL is a number of seconds."""
    store = load_state_store(ROOT / "dapr" / "components", "any", ENVIRON)
    assert store.redis is not None
    assert (store.redis.host, store.redis.port) == ("redis.example", 7000)
    assert store.ttl_s is not None
    assert store.ttl_s > 0


@pytest.mark.parametrize(
    ("text", "ttl_s"), [('"5"', 5), ("5", 5), ('"-1"', 0), ('"-7"', 0), ('"0"', 0)]
)
def test_a_ttl_that_is_not_positive_means_never(tmp_path: Path, text: str, ttl_s: int) -> None:
    """Zero and all below it keep keys for ever, as in Dapr."""
    store = _load(tmp_path, _component(_item("redisHost", "h") + _item("ttlInSeconds", text)))
    assert getattr(store, "ttl_s") == ttl_s  # noqa: B009 - the object is typed loosely here


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            _component(
                _item("redisHost", "h")
                + "    - {name: redisPassword, secretKeyRef: {name: a, key: b}}\n"
            ),
            "redisPassword: secretKeyRef is not supported; use value or envRef",
        ),
        (
            _component("    - {name: redisHost, envRef: DAPR_HOST}\n"),
            "redisHost: envRef DAPR_HOST is refused",
        ),
        (
            _component("    - {name: redisHost, envRef: NOT_THERE}\n"),
            "redisHost: environment variable NOT_THERE is not set",
        ),
        (_component(""), "redisHost must be host:port, got ''"),
        (_component(_item("redisHost", '"h:x"')), "redisHost must be host:port, got 'h:x'"),
        (
            _component(_item("redisHost", "h") + _item("ttlInSeconds", "soon")),
            "ttlInSeconds must be a whole number, got 'soon'",
        ),
        (
            _component(_item("redisHost", "h") + _item("keyPrefix", '"a||b"')),
            "keyPrefix must be",
        ),
        (_component(_item("redisHost", "h"), kind="state.mysql"), "type 'state.mysql' is not"),
        (_component(_item("redisHost", "h"), extra="scopes: [other]\n"), "no component has"),
        ("kind: Component\nspec: {metadata: []}\n", "no component has actorStateStore"),
        ("{", "0.yaml: not readable as YAML"),
    ],
)
def test_what_can_not_be_used_is_refused_in_one_line_that_names_it(
    tmp_path: Path, document: str, message: str
) -> None:
    """The line says which file, which field, and what would do."""
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, document)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_actor_state_stores_are_refused(tmp_path: Path) -> None:
    """Only one can keep the workflows."""
    component = _component(_item("redisHost", "h"))
    with pytest.raises(ConfigError, match="several components have actorStateStore"):
        _load(tmp_path, component, component)


def test_a_password_does_not_show(tmp_path: Path) -> None:
    """The component's text form is safe to log."""
    document = _component(_item("redisHost", "h") + "    - {name: redisPassword, envRef: SECRET}\n")
    assert "s3cret" not in repr(_load(tmp_path, document))
