"""What docker-compose.yml promises, held without an engine; run.sh holds it on a real one."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings

from budget.access.policy import Auth, policy_of
from budget.settings import Settings as BudgetSettings
from fake_llm.settings import FakeLlmSettings
from lab.stack_config import APP_ID, NAMESPACE
from serving.settings import read_settings
from tests.support.services import ROOT
from workflow_app.settings import Settings as WorkflowAppSettings

FILE = ROOT / "docker-compose.yml"
TEXT = FILE.read_text(encoding="utf-8")
SERVICES: Mapping[str, Any] = yaml.safe_load(TEXT)["services"]
COMPOSE_FILES = ["docker-compose.yml", "tests/compose/standins.yaml"]

# The command lines that ran real placement, scheduler and daprd 1.16.1, 1.16.2 and 1.18.3 as
# processes on loopback.
RECORDED = {
    "placement": """
        --id dapr-placement-0 --port 50005 --listen-address 127.0.0.1
        --initial-cluster dapr-placement-0=127.0.0.1:8201
        --healthz-port 8081 --healthz-listen-address 127.0.0.1 --metrics-port 9191
    """,
    "scheduler": """
        --id dapr-scheduler-server-0 --port 50006 --listen-address 127.0.0.1 --etcd-data-dir DIR
        --etcd-client-port 2379
        --etcd-initial-cluster dapr-scheduler-server-0=http://127.0.0.1:2380
        --healthz-port 8082 --metrics-port 9092 --identity-directory-write DIR2
    """,
    "daprd": """
        --app-id APP --app-port 8999 --dapr-http-port 3500 --dapr-grpc-port 50001
        --dapr-listen-addresses 127.0.0.1 --dapr-internal-grpc-port 50002
        --dapr-internal-grpc-listen-address 127.0.0.1 --placement-host-address 127.0.0.1:50005
        --scheduler-host-address 127.0.0.1:50006 --resources-path DIR3 --config FILE
        --metrics-port 9090
    """,
}
# What a container needs otherwise: it listens on all of its addresses, finds the others by name,
# and has folders of its own.
ADAPTED = {
    "placement": {
        "--listen-address": "0.0.0.0",  # noqa: S104
        "--healthz-listen-address": "0.0.0.0",  # noqa: S104
    },
    "scheduler": {
        "--listen-address": "0.0.0.0",  # noqa: S104
        "--etcd-data-dir": "/var/lib/dapr/etcd",
        "--identity-directory-write": "/var/lib/dapr/identity",
    },
    "daprd": {
        "--app-id": APP_ID,
        "--dapr-listen-addresses": "0.0.0.0",  # noqa: S104
        "--dapr-internal-grpc-listen-address": "0.0.0.0",  # noqa: S104
        "--placement-host-address": "dapr-placement:50005",
        "--scheduler-host-address": "dapr-scheduler:50006",
        "--resources-path": "/dapr/components",
        "--config": "/dapr/config.yaml",
    },
}
# The app is not on the sidecar's loopback.
ADDED = {"placement": {}, "scheduler": {}, "daprd": {"--app-channel-address": "fastapi"}}
DAPR_SERVICES = {"placement": "dapr-placement", "scheduler": "dapr-scheduler", "daprd": "dapr"}

PORTS = {
    "fastapi": {"APP_PORT": (8999, 8999)},
    "dapr": {"SIDECAR_HTTP_PORT": (3500, 3500), "SIDECAR_GRPC_PORT": (50001, 50001)},
    "dapr-scheduler": {"SCHEDULER_PORT": (50006, 50006)},
    "dapr-placement": {},
    "redis": {"STATE_REDIS_PORT": (6379, 6379)},
    "budget-redis": {"BUDGET_REDIS_PORT": (6380, 6379)},
    "budget": {"BUDGET_PORT": (8002, 8002)},
    "fake-llm": {"FAKE_LLM_PORT": (8001, 8001)},
}
OWN: Mapping[str, type[BaseSettings]] = {
    "fastapi": WorkflowAppSettings,
    "budget": BudgetSettings,
    "fake-llm": FakeLlmSettings,
}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-+])(.*?))?\}")


def _filled_in(text: str, given: Mapping[str, str]) -> str:
    """Fill in variables as compose does: `${NAME}`, `${NAME:-otherwise}`, `${NAME:+instead}`."""

    def value(found: re.Match[str]) -> str:
        name, operator, word = found.groups()
        if operator == "+":
            return str(word) if given.get(name) else ""
        return given.get(name) or word or ""

    return VARIABLE.sub(value, text)


def _flags(text: str) -> dict[str, str]:
    words = shlex.split(text)
    return dict(zip(words[::2], words[1::2], strict=True))


def _settings(service: str, given: Mapping[str, str]) -> dict[str, str]:
    environment = SERVICES[service]["environment"]
    return {name: _filled_in(value, given) for name, value in environment.items()}


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_the_files_fit_the_compose_schema(name: str) -> None:
    """The published schema, as it ships with the checker; nothing is downloaded."""
    command = [sys.executable, "-m", "check_jsonschema"]
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = subprocess.run(
        [*command, *schema, str(ROOT / name)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout


def test_the_services_have_the_names_of_the_public_reproduction() -> None:
    """`docker compose kill redis dapr` and `docker compose logs -f fastapi` find their services."""
    assert set(SERVICES) == set(PORTS)


@pytest.mark.parametrize("program", RECORDED)
def test_dapr_gets_the_flags_that_were_seen_to_work(program: str) -> None:
    """Each recorded flag has its recorded value, but for hosts and folders; none is new or gone."""
    name, *arguments = SERVICES[DAPR_SERVICES[program]]["command"]
    recorded = _flags(RECORDED[program])
    assert set(ADAPTED[program]) <= set(recorded)
    assert name == f"./{program}"
    flags = [argument.partition("=")[::2] for argument in arguments]
    assert len(dict(flags)) == len(flags)
    assert dict(flags) == {**recorded, **ADAPTED[program], **ADDED[program]}


@pytest.mark.parametrize("program", RECORDED)
def test_the_images_are_those_of_one_version_of_dapr(program: str) -> None:
    """DAPR_VERSION moves all three together; a vulnerable version is the default."""
    image = SERVICES[DAPR_SERVICES[program]]["image"]
    assert _filled_in(image, {}) == f"daprio/{program}:1.16.1"
    assert _filled_in(image, {"DAPR_VERSION": "1.18.3"}) == f"daprio/{program}:1.18.3"


def test_the_sidecar_reads_the_components_of_the_project() -> None:
    """The same files as everywhere else, read-only, with the store's address in its envRef."""
    dapr = SERVICES["dapr"]
    assert dapr["environment"] == {"NAMESPACE": NAMESPACE, "STATE_REDIS_HOST": "redis:6379"}
    mounts = [_filled_in(mount, {}) for mount in dapr["volumes"]]
    assert mounts == [
        "./dapr/components:/dapr/components:ro",
        "./dapr/config.yaml:/dapr/config.yaml:ro",
    ]


def test_the_scheduler_may_write_to_its_volume() -> None:
    """The image's own user may not; the data's folder lies below the volume's root."""
    scheduler = SERVICES["dapr-scheduler"]
    assert scheduler["user"] == "root"
    assert scheduler["volumes"] == ["scheduler:/var/lib/dapr"]


@pytest.mark.parametrize("service", PORTS)
def test_every_port_is_published_on_loopback_only(service: str) -> None:
    """Each has a variable of its own, and the documented default."""
    expected = [
        f"127.0.0.1:${{{variable}:-{default}}}:{inside}"
        for variable, (default, inside) in PORTS[service].items()
    ]
    assert SERVICES[service].get("ports", []) == expected


@pytest.mark.parametrize("service", PORTS)
def test_nothing_restarts_by_itself(service: str) -> None:
    """What the lab kills stays dead until the lab starts it."""
    assert SERVICES[service]["restart"] == "no"
    assert "network_mode" not in SERVICES[service]


def test_who_has_a_health_check_is_waited_for_until_healthy() -> None:
    """Only Dapr's images, which bring nothing to ask with, count as there once they are started."""
    checked = {name for name, service in SERVICES.items() if "healthcheck" in service}
    assert checked == set(SERVICES) - set(DAPR_SERVICES.values())
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            healthy = "service_healthy" if needed in checked else "service_started"
            assert how == {"condition": healthy}


@pytest.mark.parametrize("service", OWN)
def test_settings_that_the_shell_does_not_have_are_the_defaults(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variable that the file passes on is a setting, and no empty one stops a service."""
    kind = OWN[service]
    settings = _settings(service, {})
    prefix = str(kind.model_config["env_prefix"])
    known = {
        str(field.validation_alias or f"{prefix}{name.upper()}")
        for name, field in kind.model_fields.items()
    }
    assert set(settings) <= known
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    read = read_settings(kind)
    given = {name for name, value in settings.items() if value}
    assert {
        name
        for name, field in kind.model_fields.items()
        if getattr(read, name) != field.default
        and str(field.validation_alias or f"{prefix}{name.upper()}") not in given
    } == set()


def test_settings_of_the_shell_reach_the_services() -> None:
    """Under the names that the services read them by."""
    passed_on = {
        "fastapi": ("WORKFLOW_APP_ACTIVITY_THREADS", "WORKFLOW_APP_LLM_TIMEOUT_S"),
        "budget": (
            *("BUDGET_MODE", "BUDGET_CAP_USD", "BUDGET_SAFETY_CAP_USD", "BUDGET_REPLAY"),
            *("BUDGET_ZOMBIE_EXECUTIONS", "BUDGET_UPSTREAM_TIMEOUT_S"),
        ),
        "fake-llm": ("FAKE_LLM_TTFT_S", "FAKE_LLM_OUTPUT_TOKENS", "FAKE_LLM_SEED"),
    }
    for service, names in passed_on.items():
        settings = _settings(service, dict.fromkeys(names, "told"))
        assert {settings[name] for name in names} == {"told"}


@pytest.mark.parametrize("service", ["budget", "fake-llm"])
def test_both_price_calls_from_one_file(service: str) -> None:
    """PRICE_FILE is a file of the host; without it the published prices hold."""
    (mount,) = SERVICES[service]["volumes"]
    setting = f"{OWN[service].model_config['env_prefix']}PRICE_FILE"
    given = {"PRICE_FILE": "/host/mine.yaml"}
    assert _filled_in(mount, given) == "/host/mine.yaml:/prices/prices.yaml:ro"
    assert _settings(service, given)[setting] == "/prices/prices.yaml"
    assert _settings(service, {})[setting] == ""


def test_the_budget_finds_the_scheduler() -> None:
    """Stopping a runaway at its source takes the scheduler's address and the app's namespace."""
    settings = _settings("budget", {})
    assert settings["BUDGET_SCHEDULER_ADDRESS"] == "dapr-scheduler:50006"
    assert settings["BUDGET_NAMESPACE"] == NAMESPACE


def test_the_budget_is_open_to_its_own_network_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts without keys on all of its addresses, and knows the name that the app calls."""
    for name, value in _settings("budget", {}).items():
        monkeypatch.setenv(name, value)
    policy = policy_of(read_settings(BudgetSettings))
    assert policy.auth is Auth.NONE
    called = urlsplit(SERVICES["fastapi"]["environment"]["WORKFLOW_APP_LLM_BASE_URL"]).hostname
    assert called in policy.hosts
    assert "networks" not in SERVICES["budget"]


def test_the_stores_keep_what_they_must_and_no_more() -> None:
    """A killed state store loses all; the ledger is on disk before it is answered."""
    state = shlex.join(SERVICES["redis"]["command"])
    ledger = shlex.join(SERVICES["budget-redis"]["command"])
    assert "--save '' --appendonly no" in state
    assert "volumes" not in SERVICES["redis"]
    assert "--appendonly yes --appendfsync always --maxmemory-policy noeviction" in ledger
    assert SERVICES["budget-redis"]["volumes"] == ["budget:/data"]


def test_the_image_is_built_from_every_package_of_the_wheel() -> None:
    """A package that .dockerignore keeps out would be missing in the containers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in packages} <= set(let_in)


def test_every_variable_is_documented_with_its_default() -> None:
    """docs/compose.md lists the variables of the file, no others, and what each is by default."""
    page = (ROOT / "docs" / "compose.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([A-Z]+_[A-Z_]+)` \| (.*?) \|", page, re.MULTILINE))
    used = {
        name: "" if operator == "+" else word for name, operator, word in VARIABLE.findall(TEXT)
    }
    used["PRICE_FILE"] = ""
    assert documented == {name: default or "none" for name, default in used.items()}
