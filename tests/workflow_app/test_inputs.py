from typing import Any

import pytest
from pydantic import ValidationError

from workflow_app.ids import check_instance_id, child_id
from workflow_app.inputs import MAX_DOCUMENTS, StartRequest, check_payload, describe_problems


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
        "approval_after": None,
    }


def test_the_defaults_of_pipeline_are_those_of_the_contract() -> None:
    """A start without input reads three documents of four chunks."""
    assert StartRequest(name="pipeline").workflow_input() == {
        "documents": 3,
        "chunks": 4,
        "prompt_tokens": 400,
        "max_tokens": 200,
        "retry": "none",
    }


@pytest.mark.parametrize("given", [{"documents": 51}, {"documents": 0}, {"chunks": 51}])
def test_a_pipeline_is_bounded(given: dict[str, int]) -> None:
    """No input starts more than fifty children of fifty calls."""
    assert next(iter(given)) in refused(name="pipeline", input=given)


def test_an_approval_comes_before_a_step() -> None:
    """Nothing would wait for it after the last one."""
    line = refused(name="agent", input={"steps": 3, "approval_after": 3})
    assert "approval_after: no step comes after 3; give less than steps (3)" in line


@pytest.mark.parametrize(("length", "fits"), [(96, True), (97, False)])
def test_a_pipelines_id_leaves_room_for_its_childrens(length: int, fits: bool) -> None:  # noqa: FBT001
    """The id of a child keeps the rule of all ids; that of an agent may be longer."""
    parent = "x" * length
    StartRequest(name="agent", id=parent)
    if fits:
        StartRequest(name="pipeline", id=parent)
        assert check_instance_id(child_id(parent, MAX_DOCUMENTS)).startswith(parent)
    else:
        assert "give at most 96 characters" in refused(name="pipeline", id=parent)


@pytest.mark.parametrize(
    "payload", [None, True, {}, {"approved": "yes"}, {"approved": True, "x": 1}]
)
@pytest.mark.parametrize("event", ["approve", "APPROVE"])
def test_a_payload_that_the_workflow_would_not_understand_is_refused(
    event: str, payload: Any
) -> None:
    """The SDK knows no case of names."""
    with pytest.raises(ValueError, match="does not fit 'agent': "):
        check_payload("agent", event, payload)


@pytest.mark.parametrize(
    ("workflow", "event", "payload"),
    [("agent", "approve", {"approved": False}), ("agent", "other", 1), ("", "approve", None)],
)
def test_other_events_take_any_payload(workflow: str, event: str, payload: Any) -> None:
    """Only what is known can be wrong."""
    check_payload(workflow, event, payload)


def test_every_bad_field_is_named() -> None:
    """Name, id, and each field of the input, in one line."""
    line = refused(
        name="agent", id="a::b", input={"steps": 0, "pause_s": "x", "retry": "ever", "nix": 1}, z=1
    )
    for field in ("id:", "input:", "steps:", "pause_s:", "retry:", "nix:", "z:"):
        assert field in line


def test_an_unknown_workflow_lists_the_known() -> None:
    """A typing mistake mends itself."""
    line = refused(name="agnet")
    assert line == "name: unknown workflow 'agnet'; known are: agent, hello, pipeline"


def test_hello_takes_no_input() -> None:
    """What would be ignored is refused."""
    assert "rounds: Extra inputs are not permitted" in refused(name="hello", input={"rounds": 3})


@pytest.mark.parametrize("pause_s", [float("nan"), float("inf"), -1])
def test_a_pause_is_a_time(pause_s: float) -> None:
    """No workflow waits for ever by its input."""
    assert "pause_s" in refused(name="agent", input={"pause_s": pause_s})
