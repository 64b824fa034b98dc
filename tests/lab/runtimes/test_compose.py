import re
from pathlib import Path

import pytest
import yaml

from lab.paths import COMPONENTS, COMPOSE_FILE, ROOT
from lab.runtimes.compose import compose_environment, container_services, project_of
from lab.runtimes.docker_compose import Docker
from lab.stack_config import StackConfig

DOCKER = Docker("/usr/bin/docker", "28", "2")


def config_in(folder: Path, *, inherit_settings: bool = False) -> StackConfig:
    return StackConfig(
        directory=folder,
        components=COMPONENTS,
        runtime="compose",
        inherit_settings=inherit_settings,
    )


def test_the_lab_the_file_and_the_stand_in_name_the_same_services(tmp_path: Path) -> None:
    """No service of docker-compose.yml is unknown to the lab, and none is made up."""
    declared = set(yaml.safe_load(COMPOSE_FILE.read_text())["services"])
    assert {each.service for each in container_services(config_in(tmp_path))} == declared
    stand_in = ROOT / "tests" / "standins" / "docker_services.yaml"
    assert set(yaml.safe_load(stand_in.read_text())) == declared


def test_every_variable_of_the_file_is_chosen_by_the_lab(tmp_path: Path) -> None:
    """Nothing of the caller's environment changes a run, and nothing is set in vain."""
    read = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_FILE.read_text()))
    assert set(compose_environment(config_in(tmp_path))) == read


@pytest.mark.parametrize("inherit", [True, False])
def test_a_setting_of_the_callers_holds_with_up_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, inherit: bool
) -> None:
    """`up` passes on what was not chosen otherwise; a run that is to be repeated passes nothing."""
    monkeypatch.setenv("FAKE_LLM_OUTPUT_TOKENS", "7")
    monkeypatch.setenv("PRICE_FILE", "/mine.yaml")
    monkeypatch.setenv("BUDGET_MODE", "observe")
    env = project_of(config_in(tmp_path, inherit_settings=inherit), DOCKER).env
    assert env["FAKE_LLM_OUTPUT_TOKENS"] == ("7" if inherit else "")
    assert env["PRICE_FILE"] == ("/mine.yaml" if inherit else "")
    assert env["BUDGET_MODE"] == "cap"


def test_a_stacks_folder_is_its_project(tmp_path: Path) -> None:
    """The same folder leads to the same project, and another one never does."""
    names = [project_of(config_in(tmp_path / name), DOCKER).name for name in ("off", "off", "cap")]
    assert names[0] == names[1] != names[2]
    assert re.fullmatch(r"runaway-off-[0-9a-f]{8}", names[0])
    other = project_of(config_in(tmp_path / "another" / "off"), DOCKER).name
    assert other != names[0]
