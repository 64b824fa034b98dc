import shlex

from loadgen.command import repeat_command
from loadgen.options import OPTIONS, Options, parse_options

DEFAULTS = {spec.dest: spec.default for spec in OPTIONS}


def made(**raw: str) -> Options:
    return parse_options({**DEFAULTS, **raw}, "http://127.0.0.1:8999")


def shown(options: Options) -> list[str]:
    command = repeat_command(options, locustfile="l.py", headless=True, users=2, run_time_s=60)
    return shlex.split(command)


def test_defaults_are_left_out() -> None:
    """The command is as short as the run was plain."""
    host = "http://127.0.0.1:8999"
    expected = ["locust", "-f", "l.py", "--host", host, "--headless", "-u", "2", "-t", "60s"]
    assert shown(made()) == expected


def test_the_command_makes_the_same_options_again() -> None:
    """Whatever was given, by flag or by environment, the command repeats it; but for the run id."""
    given = {
        "workflows": "50",
        "start_rate": "2.5",
        "workflow": "hello",
        "input": '{"steps": 3}',
        "drain_timeout_s": "0",
        "expect": "any",
        "fake_llm_url": "http://127.0.0.1:1",
        "budget_url": "http://127.0.0.1:2",
        "max_spend_usd": "0.000000001",
        "timeline": "a b.ndjson",
        "summary": "s.json",
    }
    words = shown(made(**given))[10:]
    again = {
        flag.removeprefix("--").replace("-", "_"): value
        for flag, value in zip(words[::2], words[1::2], strict=True)
    }
    assert made(**again, run_id="r") == made(**given, run_id="r")


def test_a_permission_is_repeated() -> None:
    """A run against another machine needs its permission again."""
    options = parse_options({**DEFAULTS, "allow_remote": True}, "http://10.0.0.1:1")
    assert shown(options)[-1] == "--allow-remote"
