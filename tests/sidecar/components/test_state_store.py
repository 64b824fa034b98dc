"""Component files: what is understood, and what is refused in which words."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sidecar.components.manifests import Reader
from sidecar.components.state_store import RedisServer, StateStore, load_state_store
from sidecar.errors import ConfigError
from tests.support.services import ROOT

ENVIRON = {"STATE_REDIS_HOST": "redis.example:7000", "SECRET": "s3cret", "EMPTY": ""}


def _item(name: str, value: str) -> str:
    return f"    - {{name: {name}, value: {value}}}\n"


HOST = _item("redisHost", "h")


def _component(
    metadata: str = HOST,
    *,
    kind: str = "state.redis",
    name: str = "statestore",
    actors: str = '"true"',
    extra: str = "",
) -> str:
    return (
        f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\n"
        f"spec:\n  type: {kind}\n  version: v1\n  metadata:\n"
        + _item("actorStateStore", actors)
        + metadata
        + extra
    )


def _load(directory: Path, *documents: str, namespace: str | None = None) -> StateStore:
    for number, each in enumerate(documents):
        (directory / f"{number}.yaml").write_text(each)
    return load_state_store(directory, Reader("lab", namespace), ENVIRON)


def _server(directory: Path, metadata: str) -> RedisServer:
    server = _load(directory, _component(metadata)).redis
    assert server is not None
    return server


def test_the_component_that_is_shipped_is_understood() -> None:
    """Its address comes from STATE_REDIS_HOST, its TTL is a number of seconds."""
    store = load_state_store(ROOT / "dapr" / "components", Reader("any"), ENVIRON)
    assert store.redis is not None
    assert (store.redis.host, store.redis.port) == ("redis.example", 7000)
    assert store.ttl_s is not None
    assert store.ttl_s > 0


@pytest.mark.parametrize(
    ("text", "ttl_s"),
    [('"5"', 5), ("5", 5), ("5.0", 5), ('"+5"', 5), ('"-1"', 0), ('"-7"', 0), ("0", 0)],
)
def test_a_ttl_that_is_not_positive_means_never(tmp_path: Path, text: str, ttl_s: int) -> None:
    """Zero and all below it keep keys for ever, as in Dapr."""
    assert _load(tmp_path, _component(HOST + _item("ttlInSeconds", text))).ttl_s == ttl_s


def test_without_a_ttl_none_is_given(tmp_path: Path) -> None:
    """That is not zero: keys that have an expiry keep it."""
    assert _load(tmp_path, _component()).ttl_s is None


@pytest.mark.parametrize(
    ("metadata", "address"),
    [
        (HOST, ("h", 6379)),
        (_item("redisHost", '"h:7"'), ("h", 7)),
        (HOST + _item("redisPort", '"7"'), ("h", 7)),
        (_item("redisHost", '"h:7"') + _item("redisPort", "7"), ("h", 7)),
        (_item("redisHost", '"[::1]:7"'), ("::1", 7)),
        (_item("redisHost", '"[::1]"'), ("::1", 6379)),
        (_item("redisHost", '"::1"'), ("::1", 6379)),
        (_item("REDISHOST", '"h:7"'), ("h", 7)),
        ("    - {name: redisHost, envRef: STATE_REDIS_HOST}\n", ("redis.example", 7000)),
        ("    - {name: redisHost, value: h, envRef: STATE_REDIS_HOST}\n", ("h", 6379)),
        ('    - {name: redisHost, value: h, secretKeyRef: {name: ""}}\n', ("h", 6379)),
    ],
)
def test_the_address_of_redis_has_a_default_port(
    tmp_path: Path, metadata: str, address: tuple[str, int]
) -> None:
    """Names of fields have no case, and a value goes before an envRef."""
    server = _server(tmp_path, metadata)
    assert (server.host, server.port) == address


def test_all_that_a_server_needs_is_read(tmp_path: Path) -> None:
    """What only other uses of Redis need, or what nobody knows, is left alone."""
    metadata = (
        HOST
        + _item("redisUsername", "u")
        + "    - {name: redisPassword, envRef: SECRET}\n"
        + _item("redisDB", '"3"')
        + _item("redisType", "node")
        + _item("enableTLS", "true")
        + _item("insecureSkipTLSVerify", '"T"')
        + _item("failover", '"f"')
        + _item("redeliverInterval", "60s")
        + _item("keyPrefix", "none")
        + _item("nobodyKnows", "[1, 2]")
    )
    assert _server(tmp_path, metadata) == RedisServer(
        "h", 6379, "u", "s3cret", 3, tls=True, skips_verification=True
    )


def test_a_variable_that_is_not_set_is_an_empty_value(tmp_path: Path) -> None:
    """As in Dapr: a password may be left out of the environment."""
    metadata = HOST + "    - {name: redisPassword, envRef: NOT_THERE}\n"
    assert _server(tmp_path, metadata).password == ""


@pytest.mark.parametrize("yes", ["true", '"True"', "yes", '"y"', '"T"', "on", '" 1 "', "1"])
def test_dapr_has_many_words_for_yes(tmp_path: Path, yes: str) -> None:
    """Whatever their case."""
    assert _load(tmp_path, _component(actors=yes)).name == "statestore"


@pytest.mark.parametrize("no", ["false", '"truthy"', "2", '""', "null", "off", "[true]"])
def test_all_other_words_are_no(tmp_path: Path, no: str) -> None:
    """Then there is no store for workflows."""
    with pytest.raises(ConfigError, match="no component has actorStateStore"):
        _load(tmp_path, _component(actors=no))


def test_a_store_in_memory_takes_no_ttl(tmp_path: Path) -> None:
    """As in Dapr, whose in-memory store reads no field at all; the log says so."""
    with capture_logs() as logs:
        document = _component(_item("ttlInSeconds", "5"), kind="state.in-memory")
        assert _load(tmp_path, document) == StateStore("statestore", "state.in-memory")
    assert "takes no ttlInSeconds" in logs[0]["event"]


def test_every_document_of_a_file_counts_for_itself(tmp_path: Path) -> None:
    """One that is broken, of another kind or of another apiVersion is passed over."""
    broken = "metadata: {"
    other = _component(name="other").replace("kind: Component", "kind: Configuration")
    beta = _component(name="beta").replace("v1alpha1", "v2alpha1")
    with capture_logs() as logs:
        store = _load(
            tmp_path, f"\n---\n{broken}\n--- # next\n{other}\n---\n{beta}\n---\n{_component()}"
        )
    assert store.name == "statestore"
    assert [each["problem"].split(":")[:2] for each in logs] == [
        ["0.yaml", " not readable as YAML"]
    ]


def test_a_folder_holds_more_than_components(tmp_path: Path) -> None:
    """Other files, hidden folders and broken neighbours do no harm."""
    (tmp_path / "x.yaml").mkdir()
    (tmp_path / "README.md").write_text("{")
    (tmp_path / "a.YML").write_text(_component(name="upper"))
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    assert _load(tmp_path, "- a list\n").name == "upper"


def test_scopes_and_namespaces_choose(tmp_path: Path) -> None:
    """An empty list of scopes is everybody's; without a namespace of one's own all are taken."""
    there = _component(name="there", extra="scopes: [other]\n")
    here = _component(name="here", extra="scopes: [x, lab]\n").replace(
        "  name: here\n", "  name: here\n  namespace: prod\n"
    )
    assert _load(tmp_path, there, here).name == "here"
    assert _load(tmp_path, there, here, namespace="prod").name == "here"
    assert _load(tmp_path, there, _component(extra="scopes: []\n"), namespace="x").name
    with pytest.raises(ConfigError, match="no component has"):
        _load(tmp_path, there, here, namespace="default")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            _component(HOST + "    - {name: redisPassword, secretKeyRef: {name: a, key: b}}\n"),
            "redisPassword: secretKeyRef is not supported; use value or envRef",
        ),
        (
            _component("    - {name: redisHost, value: h, secretKeyRef: {name: a}}\n"),
            "redisHost: secretKeyRef is not supported",
        ),
        (
            _component('    - {name: redisHost, value: "", envRef: STATE_REDIS_HOST}\n'),
            "redisHost must be host:port, got ''",
        ),
        (
            _component("    - {name: redisHost, envRef: DAPR_HOST}\n"),
            "redisHost: envRef DAPR_HOST is refused",
        ),
        (
            _component(HOST + "    - {name: x, envRef: app_api_token}\n"),
            "x: envRef app_api_token is refused",
        ),
        (
            _component("    - {name: redisHost, envRef: NOT_THERE}\n"),
            "redisHost: environment variable NOT_THERE is not set; it must be host:port",
        ),
        (
            _component("    - {name: redisHost, envRef: EMPTY}\n"),
            "redisHost: environment variable EMPTY is not set",
        ),
        (_component(""), "redisHost must be host:port, got ''"),
        (_component(_item("redisHost", '"h:x"')), "redisHost must be host:port, got 'h:x'"),
        (_component(_item("redisHost", '"h:1,i:2"')), "redisHost must be host:port, got 'h:1,i:2'"),
        (_component(_item("redisHost", '"h:1,i"')), "redisHost must be host:port, got 'h:1,i'"),
        (
            _component(_item("redisHost", '"h:1"') + _item("redisPort", "2")),
            "redisPort is 2, but redisHost is 'h:1'",
        ),
        (_component(HOST + _item("redisPort", "70000")), "redisPort must be a port, got 70000"),
        (_component(HOST + _item("redisDB", '"1_0"')), "redisDB must be a whole number, got '1_0'"),
        (_component(HOST + _item("redisDB", '"-1"')), "redisDB must be 0 or more, got -1"),
        (_component(HOST + _item("redisDB", '""')), "redisDB must be a whole number, got ''"),
        (
            _component(HOST + _item("ttlInSeconds", "soon")),
            "ttlInSeconds must be a whole number, got 'soon'",
        ),
        (
            _component(HOST + _item("ttlInSeconds", "9223372036854775808")),
            "ttlInSeconds must be a whole number",
        ),
        (
            _component(HOST + _item("enableTLS", '"yes"')),
            'enableTLS must be "true" or "false", got \'yes\'',
        ),
        (
            _component(HOST + _item("failover", "true")),
            "failover: Redis Sentinel is not supported; give redisHost the master",
        ),
        (
            _component(HOST + _item("redisType", "cluster")),
            "redisType: a Redis cluster is not supported; use a single node",
        ),
        (_component(HOST + _item("useEntraID", "true")), "useEntraID: Entra ID is not supported"),
        (
            _component(HOST + _item("clientCert", "pem")),
            "clientCert: client certificates are not supported; use redisPassword",
        ),
        (_component(HOST + _item("keyPrefix", '"a||b"')), "keyPrefix must be"),
        (_component(kind="state.mysql"), "type 'state.mysql' is not supported; use state.redis or"),
        (
            _component().replace("version: v1", "version: v2"),
            "version: 'v2' is unknown; use v1",
        ),
        (_component(extra="scopes: [other]\n"), "no component has"),
        ("kind: Component\nspec: {metadata: []}\n", "no component has actorStateStore"),
        (_component().replace("dapr.io/v1alpha1", "dapr.io/v1"), "no component has"),
        ("{", "0.yaml: not readable as YAML"),
        ("x: !!int ''", "0.yaml: not readable as YAML"),
        ("x: !!bool maybe", "0.yaml: not readable as YAML"),
        ("x: !!timestamp soon", "0.yaml: not readable as YAML"),
        pytest.param("[" * 5000, "0.yaml: not readable as YAML", id="nested too deeply"),
    ],
)
def test_what_can_not_be_used_is_refused_in_one_line_that_names_it(
    tmp_path: Path, document: str, message: str
) -> None:
    """The line says which file, which field, and what would do."""
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, document)
    assert message in str(caught.value)
    assert "0.yaml" in str(caught.value) or "no component has" in message
    assert "\n" not in str(caught.value)


def test_two_actor_state_stores_are_refused(tmp_path: Path) -> None:
    """Only one can keep the workflows."""
    with pytest.raises(ConfigError, match="several components have actorStateStore: a, b"):
        _load(tmp_path, _component(name="a"), _component(name="b"))


def test_two_components_of_one_name_are_refused(tmp_path: Path) -> None:
    """As by Dapr; one that is out of scope does not count."""
    with pytest.raises(ConfigError, match=r"1\.yaml: component 'statestore' is in 0\.yaml too"):
        _load(tmp_path, _component(), _component(actors="no"))
    assert _load(tmp_path, _component(extra="scopes: [other]\n"), _component()).redis


def test_a_password_does_not_show(tmp_path: Path) -> None:
    """The component's text form is safe to log."""
    document = _component(HOST + "    - {name: redisPassword, envRef: SECRET}\n")
    assert "s3cret" not in repr(_load(tmp_path, document))
