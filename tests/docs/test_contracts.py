"""docs/contracts.md and the services' settings, options and routes say the same."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from budget.settings import Settings as BudgetSettings
from fake_llm.settings import FakeLlmSettings
from loadgen.options import ALLOW_REMOTE_FLAG, OPTIONS
from sidecar.scheduler.settings import SchedulerSettings
from sidecar.settings import SidecarSettings
from tests.support.services import ROOT
from workflow_app.routes import router
from workflow_app.settings import Settings as WorkflowAppSettings

CONTRACTS = ROOT / "docs" / "contracts.md"
ABSENT_OPTION = {"--run-id": "random"}
ABSENT = {None: "none", PydanticUndefined: "required", True: "true", False: "false"}


def _section(title: str) -> str:
    text = CONTRACTS.read_text(encoding="utf-8")
    return next(part for part in text.split("\n## ") if part.startswith(title))


def _documented(title: str) -> dict[str, str]:
    """Return each setting of a section's table with its default."""
    rows = re.findall(r"^\| (`[A-Z`, _]+`) \| (.*?) \|", _section(title), re.MULTILINE)
    found: dict[str, str] = {}
    for names, defaults in rows:
        each = re.findall(r"`([A-Z_]+)`", names)
        values = defaults.split(", ")
        assert len(each) == len(values), names
        found.update(zip(each, values, strict=True))
    return found


def _real(kind: type[BaseSettings], *, with_prefix: bool) -> dict[str, str]:
    prefix = str(kind.model_config["env_prefix"])
    found = {}
    for name, field in kind.model_fields.items():
        variable = str(field.validation_alias or f"{prefix}{name.upper()}")
        default = field.default
        hashable = default is None or default is PydanticUndefined or isinstance(default, bool)
        number = isinstance(default, float) and default.is_integer()
        text = ABSENT[default] if hashable else str(int(default) if number else default)
        found[variable if with_prefix else variable.removeprefix(prefix)] = text
    return found


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("fake_llm", FakeLlmSettings),
        ("budget", BudgetSettings),
        ("workflow_app", WorkflowAppSettings),
    ],
)
def test_every_setting_is_documented_with_its_default(title: str, kind: type[BaseSettings]) -> None:
    """The table of a service has all of its settings, no other, and their real defaults."""
    assert _documented(title) == _real(kind, with_prefix=False)


def test_the_settings_of_sidecar_and_scheduler_are_documented() -> None:
    """Their common table has all settings of both, no other, and their real defaults."""
    real = _real(SidecarSettings, with_prefix=True) | _real(SchedulerSettings, with_prefix=True)
    assert _documented("sidecar") == real


def test_every_option_of_the_load_generator_is_documented_with_its_default() -> None:
    """The table has all of its options, no other, and their real defaults."""
    rows = re.findall(r"^\| (`--[^|]+`) \| (.*?) \|", _section("loadgen"), re.MULTILINE)
    documented: list[tuple[str, str]] = []
    for flags, defaults in rows:
        each = re.findall(r"`(--[a-z-]+)`", flags)
        values = defaults.replace("`", "").split(", ")
        # A single default is that of all options of its row.
        values = values * len(each) if len(values) == 1 else values
        documented += zip(each, values, strict=True)
    real = [(each.flag, each.default or ABSENT_OPTION.get(each.flag, "none")) for each in OPTIONS]
    assert sorted(documented) == sorted([*real, (ALLOW_REMOTE_FLAG, "off")])


def _documented_routes(title: str) -> set[tuple[str, str]]:
    """Return methods and paths; a path alone behind a route takes the place of its last part."""
    found = set()
    route = r"`(GET|POST) (/[^` ?]*)[^`]*`((?:, `/\w+`)*)"
    for method, path, others in re.findall(route, _section(title)):
        found.add((method, path))
        parent = path.rpartition("/")[0]
        found |= {(method, f"{parent}{each}") for each in re.findall(r"/\w+", others)}
    return found


def test_every_route_of_the_workflow_app_is_documented() -> None:
    """Each documented route is in its OpenAPI document, and each there, but the index, is told."""
    app = FastAPI()
    app.include_router(router)
    real = {
        (method.upper(), path.replace("{instance_id}", "{id}"))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    assert _documented_routes("workflow_app") == real - {("GET", "/")}


def test_links_lead_somewhere() -> None:
    """Every relative link in README and docs names a file that is there."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ]
    assert links
    assert [(page, link) for page, link in links if not Path(page.parent, link).exists()] == []
