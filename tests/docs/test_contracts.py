"""docs/contracts.md and the services' settings say the same."""

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from budget.settings import Settings as BudgetSettings
from fake_llm.settings import FakeLlmSettings
from sidecar.scheduler.settings import SchedulerSettings
from sidecar.settings import SidecarSettings
from tests.support.services import ROOT
from workflow_app.settings import Settings as WorkflowAppSettings

CONTRACTS = ROOT / "docs" / "contracts.md"
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
