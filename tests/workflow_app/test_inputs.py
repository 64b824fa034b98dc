from typing import Any

import pytest
from pydantic import ValidationError

from workflow_app.inputs import StartRequest, describe_problems


def refused(**body: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        StartRequest.model_validate(body)
    return describe_problems(caught.value.errors())


def test_the_defaults_of_agent_are_those_of_the_contract() -> None:
    """A start without input runs twenty steps a second apart."""
    assert StartRequest(name="agent").workflow_input() == {
        "steps": 20,
        "pause_s": 1.0,
        "prompt_tokens": 400,
        "max_tokens": 200,
        "retry": "none",
    }


def test_every_bad_field_is_named() -> None:
    """Name, id, and each field of the input, in one line."""
    line = refused(
        name="agent", id="a::b", input={"steps": 0, "pause_s": "x", "retry": "ever", "nix": 1}, z=1
    )
    for field in ("id:", "input:", "steps:", "pause_s:", "retry:", "nix:", "z:"):
        assert field in line


def test_an_unknown_workflow_lists_the_known() -> None:
    """A typing mistake mends itself."""
    assert refused(name="agnet") == "name: unknown workflow 'agnet'; known are: agent, hello"


def test_hello_takes_no_input() -> None:
    """What would be ignored is refused."""
    assert "rounds: Extra inputs are not permitted" in refused(name="hello", input={"rounds": 3})


@pytest.mark.parametrize("pause_s", [float("nan"), float("inf"), -1])
def test_a_pause_is_a_time(pause_s: float) -> None:
    """No workflow waits for ever by its input."""
    assert "pause_s" in refused(name="agent", input={"pause_s": pause_s})
