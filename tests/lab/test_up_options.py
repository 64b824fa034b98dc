from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.up_options import parse_up_options


def test_every_bad_option_is_named_at_once() -> None:
    """Bad mode, money, profile, number and ports: one line each, by flag."""
    chosen = {"budget": "maybe", "cap": "1e3", "profile": "9.9.9", "call_s": "x"}
    with pytest.raises(UsageError) as caught:
        parse_up_options(chosen, {"app": "99999", "sidecar_grpc": "http", "budget": None})
    flags = [line.split(":")[0] for line in caught.value.problems]
    ports = ["--app-port", "--sidecar-grpc-port"]
    assert flags == ["--budget", "--cap", "--profile", "--call-s", *ports]


def test_a_cap_means_that_it_is_enforced(tmp_path: Path) -> None:
    """`--cap` alone enforces; nothing at all only observes; `--budget cap` needs a cap."""
    config = parse_up_options({"cap": "$5", "budget": None}, {}).config(tmp_path, "1.16.1")
    assert (config.budget_mode, config.cap_usd) == ("cap", "5")
    config = parse_up_options({}, {}).config(tmp_path, "1.16.1")
    assert (config.budget_mode, config.cap_usd) == ("observe", None)
    with pytest.raises(UsageError, match="--budget cap: needs --cap"):
        parse_up_options({"budget": "cap"}, {})
    with pytest.raises(UsageError, match="--budget observe: refuses nothing"):
        parse_up_options({"budget": "observe", "cap": "1"}, {})


def test_the_full_guard_replays_and_stops_at_the_source(tmp_path: Path) -> None:
    """`--budget full` is a cap with both; it needs the cap too."""
    config = parse_up_options({"cap": "5", "budget": "full"}, {}).config(tmp_path, "1.16.1")
    assert (config.budget_mode, config.replay, config.zombie_executions) == ("cap", True, 5)
    with pytest.raises(UsageError, match="--budget full: needs --cap"):
        parse_up_options({"budget": "full"}, {})


def test_ports_not_given_are_the_documented_ones(tmp_path: Path) -> None:
    """One changed port leaves the others alone."""
    ports = parse_up_options({}, {"app": "9100", "budget": None}).config(tmp_path, "1.16.1").ports
    assert (ports.app, ports.budget) == (9100, 8002)
