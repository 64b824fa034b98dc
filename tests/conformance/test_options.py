"""The command line: what it refuses, and with which words."""

import time
from pathlib import Path

import pytest

from tests.conformance.__main__ import main
from tests.conformance.errors import BadArgumentsError
from tests.conformance.needs import Need
from tests.conformance.options import known_versions, parse
from tests.conformance.scenarios import SCENARIOS
from tests.support.ports import free_port

ADDRESS = "127.0.0.1:50001"


def refused(*arguments: str) -> list[str]:
    with pytest.raises(BadArgumentsError) as told:
        parse(arguments)
    return list(told.value.problems)


def test_without_arguments_all_is_compared() -> None:
    """All scenarios, all versions, the embedded sidecar."""
    options = parse([])
    assert options.grpc is None
    assert list(options.versions) == known_versions()
    assert list(options.scenarios) == [each.name for each in SCENARIOS]


def test_all_bad_arguments_are_named_at_once() -> None:
    """Each with what would be right."""
    problems = refused(
        *("--grpc", "nowhere", "--redis", "127.0.0.1:99999"),
        *("--profile", "1.0", "--scenario", "nothing", "--kill-sidecar", "true"),
    )
    named = ("--grpc 'nowhere'", "--redis '127.0.0.1:99999'", "--profile '1.0'")
    for text in (*named, "--scenario 'nothing'", "--start-sidecar: is needed too"):
        assert any(each.startswith(text) for each in problems), problems


def test_a_sidecar_is_compared_with_one_version() -> None:
    """It can't be several."""
    assert refused("--grpc", ADDRESS) == [
        "--grpc: say with one --profile which version that sidecar is compared with"
    ]


def test_handles_belong_to_an_address() -> None:
    """The embedded sidecar brings its own."""
    [problem] = refused("--redis", "127.0.0.1:6379")
    assert problem.startswith("--redis: belongs to a sidecar of yours")


def test_a_ttl_command_must_say_where_the_ttl_goes() -> None:
    """Or it would set none."""
    [problem] = refused("--grpc", ADDRESS, "--profile", "1.16.1", "--set-ttl", "true")
    assert "{ttl_s}" in problem


def test_commands_become_handles() -> None:
    """By the option that gave them."""
    options = parse(
        ["--grpc", ADDRESS, "--profile", "1.18.3", "--kill-sidecar", "a", "--start-sidecar", "b"]
    )
    assert options.commands == {Need.KILL: "a", Need.START: "b"}


def test_an_address_where_nothing_answers_ends_the_run_in_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With exit code 2 and the address."""
    address = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    assert main(["--grpc", address, "--profile", "1.16.1"]) == 2
    assert time.monotonic() - began < 10
    assert f"--grpc {address}: nothing answers there" in capsys.readouterr().err


def test_bad_arguments_end_the_run_with_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Before anything is started."""
    assert main(["--profile", "9.9", "--keep", str(tmp_path / "none")]) == 2
    told = capsys.readouterr().err
    assert "--profile '9.9': nothing is recorded under that name; there are 1.16.1" in told
    assert "--keep" in told


def test_the_list_names_each_scenario_and_its_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a caller sees which handles are worth giving."""
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SCENARIOS)
    assert any(each.startswith("flushall: recorded on 1.16.1") for each in lines)
    assert any("needs --kill-sidecar" in each for each in lines)
