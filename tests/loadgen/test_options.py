import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.errors import OptionsError
from loadgen.options import OPTIONS, Options, is_loopback, parse_options

HOST = "http://127.0.0.1:8999"
DEFAULTS = {spec.dest: spec.default for spec in OPTIONS}


def parsed(**raw: str) -> Options:
    return parse_options({**DEFAULTS, **raw}, HOST)


def problems(host: str = HOST, **raw: object) -> tuple[str, ...]:
    with pytest.raises(OptionsError) as caught:
        parse_options({**DEFAULTS, **raw}, host)
    return caught.value.problems


def test_the_defaults_are_those_of_the_contract() -> None:
    """Without an option, a run is the one that the contract describes."""
    options = parsed()
    assert (options.workflows, options.start_rate_per_s, options.workflow) == (10, 5.0, "agent")
    assert (options.input, options.drain_timeout_s, options.expect) == ({}, 10.0, "finished")
    assert (options.max_spend_nano_usd, options.timeline, options.summary) == (None, None, None)


def test_a_run_without_an_id_gets_a_fresh_one() -> None:
    """Two runs never share instance ids by chance."""
    assert parsed().run_id != parsed().run_id


def test_instance_ids_are_the_run_id_and_a_number_from_one() -> None:
    """The client chooses the ids, so that a lost answer can still be matched."""
    assert parsed(run_id="r", workflows="3").instance_ids() == ["r-1", "r-2", "r-3"]


def test_every_bad_option_is_named_at_once() -> None:
    """Nobody has to mend options one by one."""
    found = problems(
        "ftp://x",
        workflows="0",
        start_rate="nan",
        workflow=" ",
        input="[1]",
        run_id="a::b",
        drain_timeout_s="-1",
        expect="luck",
        fake_llm_url="",
        budget_url="http://[",
        max_spend_usd="$5",
    )
    flags = [problem.split()[0] for problem in found]
    named = {spec.flag for spec in OPTIONS} - {"--timeline", "--summary"} | {"--host"}
    assert sorted(flags) == sorted(named)


@pytest.mark.parametrize("text", ["1e400", "inf", "-inf", "nan", "0", "", "5/s", "1001"])
def test_a_rate_is_a_positive_finite_number(text: str) -> None:
    """No text makes a rate with which a run would never start or never wait."""
    assert problems(start_rate=text)[0].startswith("--start-rate must be a number above 0")


@pytest.mark.parametrize("text", ["1.5", "-1", "ten", "100001", "9" * 5000, "²"])
def test_a_number_of_workflows_is_whole_and_bounded(text: str) -> None:
    """A run is as large as it was asked to be, never by accident larger."""
    assert problems(workflows=text)[0].startswith("--workflows must be a whole number")


@given(st.integers(min_value=0, max_value=9_000_000 * 10**9))
def test_a_spend_limit_is_exact(nano_usd: int) -> None:
    """Dollars become the very nano-dollars that were written."""
    text = f"{nano_usd // 10**9}.{nano_usd % 10**9:09d}"
    assert parsed(max_spend_usd=text).max_spend_nano_usd == nano_usd
    assert Decimal(text) * 10**9 == nano_usd


@pytest.mark.parametrize("text", ["0.0000000001", "-1", "NaN", "Infinity", "9000000.000000001"])
def test_a_spend_limit_that_is_no_amount_is_refused(text: str) -> None:
    """A limit is never rounded, and never without meaning."""
    assert problems(max_spend_usd=text)[0].startswith("--max-spend-usd must be dollars")


def test_a_limit_of_zero_is_a_limit() -> None:
    """Zero means that nothing may be spent; none means no limit."""
    assert parsed(max_spend_usd="0").max_spend_nano_usd == 0


@pytest.mark.parametrize("option", ["--host", "--fake-llm-url", "--budget-url"])
def test_a_target_elsewhere_needs_permission(option: str) -> None:
    """Load never leaves this machine by mistake: the refusal names host and flag."""
    url = "http://llm.example.com:80"
    raw = {} if option == "--host" else {option[2:].replace("-", "_"): url}
    host = url if option == "--host" else HOST
    rule = "llm.example.com is not this machine; add --allow-remote to permit it"
    assert problems(host, **raw) == (f"{option} {rule}, got {url!r}",)
    assert parse_options({**DEFAULTS, **raw, "allow_remote": True}, host).allow_remote


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104 - an address that is judged, not bound
        ("localhost.example.com", False),
        ("127.0.0.1.nip.io", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, local: bool) -> None:  # noqa: FBT001
    """A name that only looks local is remote."""
    assert is_loopback(host) is local


def test_the_input_reaches_the_run_as_it_was_written() -> None:
    """The workflow's input is any JSON object."""
    given_input = {"steps": 3, "retry": "incident", "deep": {"x": [1, None]}}
    assert parsed(input=json.dumps(given_input)).input == given_input
