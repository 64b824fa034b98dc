"""docs/faults.md and the faults, metrics and routes say the same."""

import re
import shlex
import sys
from collections.abc import Iterator

import httpx
import pytest
from pydantic_core import PydanticUndefined

from sidecar.faults import KINDS
from sidecar.metrics import BOUNDS_MS, Metrics
from sidecar.names import AppNames
from sidecar.profiles import profile
from sidecar.scheduler.metrics import BOUNDS_MS as SCHEDULER_BOUNDS_MS
from sidecar.scheduler.metrics import Metrics as SchedulerMetrics
from tests.support.components import write_component
from tests.support.ports import free_port
from tests.support.services import ROOT, running, wait_until_http

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
SIDECAR, SCHEDULER = "http://127.0.0.1:3500", "http://127.0.0.1:8082"
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
ABSENT = {None: "none", PydanticUndefined: "required", True: "true", False: "false"}


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a sidecar without store and scheduler."""
    directory = tmp_path_factory.mktemp("docs")
    write_component(directory / "components", ttl_s=-1)
    url = f"http://127.0.0.1:{free_port()}"
    env = {
        "STATE_REDIS_HOST": "127.0.0.1:1",
        "SIDECAR_SCHEDULER_ADDRESS": "127.0.0.1:1",
        "SIDECAR_RESOURCES_PATH": str(directory / "components"),
        "SIDECAR_GRPC_PORT": str(free_port()),
        "SIDECAR_HTTP_PORT": url.rpartition(":")[2],
    }
    with running("sidecar", [sys.executable, "-m", "sidecar"], directory, env) as service:
        wait_until_http(service, f"{url}/v1.0/metadata")
        yield url


def _section(kind: str) -> str:
    return PAGE.partition(f"\n### {kind}\n")[2].partition("\n##")[0]


def test_every_kind_has_a_section() -> None:
    """In the order of the list, and no other."""
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_attribute_is_documented_with_its_default(kind: str) -> None:
    """The table of a fault has all of its attributes and no other."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", _section(kind), re.MULTILINE)
    fields = KINDS[kind].model_fields
    known = {None, PydanticUndefined, True, False}
    real = {
        name: ABSENT[field.default]
        if isinstance(field.default, bool) or field.default in known - {True, False}
        else str(field.default)
        for name, field in fields.items()
    }
    assert dict(rows) == real


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_has_a_command_that_works(kind: str, sidecar: str) -> None:
    """The one under its table, sent to a sidecar as curl would."""
    (command,) = [each for each in COMMANDS if each in _section(kind) and f"/faults/{kind}" in each]
    answer = _send(command, sidecar)
    assert answer.status_code == 200, answer.text
    assert answer.json()["kind"] == kind
    httpx.delete(f"{sidecar}/admin/faults", timeout=5)


def test_the_other_commands_work(sidecar: str) -> None:
    """Those that list and lift; without a scheduler its jobs are not reached."""
    others = [each for each in COMMANDS if "/faults/" not in each and SCHEDULER not in each]
    found = {each: _send(each, sidecar).status_code for each in others}
    assert set(found.values()) == {200, 503}
    assert [each for each, status in found.items() if status == 503] == [
        f"curl '{SIDECAR}/admin/jobs?prefix=order-'"
    ]


def _send(command: str, sidecar: str) -> httpx.Response:
    words = iter(shlex.split(command)[1:])
    method, headers, body, url = "GET", dict[str, str](), "", ""
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                method, body = "POST", next(words)
            case _:
                url = word.replace(SIDECAR, sidecar)
    return httpx.request(method, url, headers=headers, content=body, timeout=10)


def test_every_metric_is_documented_with_its_labels() -> None:
    """The table has all of sidecar and scheduler, in their order, and no other."""
    rows = re.findall(r"^\| `(dapr_\w+)` \| (.*?) ?\|", PAGE, re.MULTILINE)
    documented = [(name, tuple(re.findall(r"`(\w+)`", labels))) for name, labels in rows]
    ours = Metrics(AppNames("lab", "default"), profile("1.16.1")).all
    real = [(each.name, each.labels) for each in (*ours, *SchedulerMetrics(int).all)]
    assert documented == real


def test_the_bounds_are_documented() -> None:
    """In milliseconds."""
    for bounds in (BOUNDS_MS, SCHEDULER_BOUNDS_MS):
        assert ", ".join(map(str, bounds)) in PAGE
