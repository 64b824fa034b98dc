from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.scenario import Scenario, load_scenario
from lab.scenario_file import preset_names

FLAGS = {"ttl_s": "--ttl", "workflows": "--workflows", "arms": "--arm", "cap_usd": "--cap"}
FLAGS |= {"observe_s": "--observe", "zombie_executions": "--zombie-executions"}
FLAGS |= {"workflow": "workflow", "input": "input"}


def problems_of(source: str, **overrides: object) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        load_scenario(source, overrides, FLAGS)
    return caught.value.problems


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid(name: str) -> None:
    """What ships with the lab loads, and is called what its file is called."""
    assert load_scenario(name, {}, {}).name == name


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_asks_for_no_version(name: str) -> None:
    """Presets run on whatever version of Dapr there is; only a user's own choice is a demand."""
    assert load_scenario(name, {}, {}).asked_profile is None
    assert load_scenario(name, {"profile": "1.18.3"}, FLAGS).asked_profile == "1.18.3"


def test_three_wrong_fields_are_all_named(tmp_path: Path) -> None:
    """A file with three wrong fields is refused with one line for each."""
    path = tmp_path / "mine.yaml"
    path.write_text("workflows: many\ndisrupt: sidecar-kil\nttl_s: -4\n")
    problems = problems_of(str(path))
    assert len(problems) == 3
    for field, value in (("workflows", "'many'"), ("disrupt", "'sidecar-kil'"), ("ttl_s", "-4")):
        assert any(f" {field}: " in line and value in line for line in problems)


def test_an_unknown_field_is_named_with_those_that_exist(tmp_path: Path) -> None:
    """A misspelt field is no silent default, at any depth."""
    path = tmp_path / "mine.yaml"
    path.write_text("workflov: 3\ninput: {step: 2}\n")
    first, second = sorted(problems_of(str(path)))
    assert "input.step: no such field" in first
    assert "steps" in first
    assert "workflov: no such field" in second
    assert "workflows" in second


def test_options_are_named_as_the_user_typed_them() -> None:
    """A bad value of the command line is reported under its flag."""
    problems = problems_of("demo", ttl_s="soon", workflows="0", arms=["x"], cap_usd="1e3")
    assert [line.split(":")[0] for line in problems] == ["--arm", "--ttl", "--workflows", "--cap"]


def test_options_win_over_the_file_and_none_leaves_it_alone(tmp_path: Path) -> None:
    """Overrides replace single fields only."""
    path = tmp_path / "mine.yaml"
    path.write_text("workflows: 3\nttl_s: 9\n")
    scenario = load_scenario(str(path), {"ttl_s": "4", "workflows": None}, FLAGS)
    assert (scenario.ttl_s, scenario.workflows, scenario.name) == (4, 3, "mine")


def test_a_cap_written_as_a_yaml_number_keeps_its_digits(tmp_path: Path) -> None:
    """Money may be written with or without quotes and never turns into a float."""
    path = tmp_path / "mine.yaml"
    path.write_text("cap_usd: 1.25\n")
    assert load_scenario(str(path), {}, {}).cap_usd == "1.25"


def test_an_arm_called_off_needs_no_quotes(tmp_path: Path) -> None:
    """YAML's own reading of a bare `off` is not the user's."""
    path = tmp_path / "mine.yaml"
    path.write_text("arms: [off, cap]\n")
    assert load_scenario(str(path), {}, {}).arms == ("off", "cap")


@pytest.mark.parametrize("text", ["- a\n", "just words", "a: [", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """Broken or empty YAML is a usage error, not a crash."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert str(path) in problems_of(str(path))[0]


def test_an_unknown_name_lists_the_presets() -> None:
    """Neither a file nor a preset: the presets are named."""
    assert "demo" in problems_of("no-such-scenario")[0]


def test_a_safety_stop_below_the_cap_is_refused() -> None:
    """The safety stop of the arm without a cap must lie above the cap."""
    assert "safety_cap_usd" in problems_of("demo", cap_usd="1000")[0]


@pytest.mark.parametrize(("call_s", "least_s"), [("0.1", 7), ("2", 12), ("10", 52)])
def test_an_observation_too_short_to_tell_is_refused(
    tmp_path: Path, call_s: str, least_s: int
) -> None:
    """A few more and for ever look alike until five executions' time and 2 s have passed."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"call_s: {call_s}\n")
    (problem,) = problems_of(str(path), observe_s=f"{least_s - 0.1}")
    assert f"observe_s: must be at least {least_s} with calls of {call_s} s" in problem
    assert load_scenario(str(path), {"observe_s": str(least_s)}, FLAGS).observe_s == least_s


def test_a_scenario_survives_its_own_yaml() -> None:
    """What a run writes down can be read again to repeat it."""
    scenario = load_scenario("demo", {"ttl_s": 3}, FLAGS)
    assert Scenario.model_validate(scenario.model_dump(mode="json")) == scenario


def test_a_missing_file_does_not_hide_bad_options() -> None:
    """Everything that is bad is named at once, wherever it was said."""
    problems = problems_of("nowhere.yaml", workflows="0", cap_usd="-1x")
    assert len(problems) == 3
    assert "nowhere.yaml" in problems[0]


def test_an_endless_value_is_shown_in_short(tmp_path: Path) -> None:
    """What a few bytes of YAML unfold into is not printed whole."""
    path = tmp_path / "bomb.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 8)]
    path.write_text("\n".join([*lines, "workflows: *a7"]))
    assert sum(map(len, problems_of(str(path)))) < 20_000


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"zombie_executions": 21, "observe_s": 20}, "zombie_executions: 21 executions"),
        ({"zombie_executions": 2}, "greater than or equal to 3"),
        ({"workflow": "hello", "input": {"steps": 3}}, "input: the workflow hello takes none"),
    ],
)
def test_what_can_not_come_out_is_refused_before_it_runs(
    fields: dict[str, object], said: str
) -> None:
    """Choices that could only end as UNKNOWN, or that nothing would heed, are named at once."""
    assert any(said in line for line in problems_of("demo", **fields))


def test_a_short_restart_needs_calls_that_outlast_the_state() -> None:
    """Calls no longer than the TTL that will be in force never leave a moment without state."""
    scenario = load_scenario("demo", {"disrupt": "sidecar-restart"}, {"disrupt": "--disrupt"})
    with pytest.raises(UsageError, match=r"call_s: must be longer than the TTL \(2 s\)"):
        scenario.spelled_out(2)
    assert scenario.spelled_out(1).ttl_s == 1
    assert load_scenario("demo", {}, {}).spelled_out(None).ttl_s is None
