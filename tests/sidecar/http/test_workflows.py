"""Dapr's HTTP workflow API, against its reference, its source and what was recorded."""

import re
from typing import Any

import httpx
import pytest

from tests.sidecar.conftest import PROFILES
from tests.sidecar.scenarios import finish, get, start
from tests.sidecar.stack import Stack, until

pytestmark = [pytest.mark.timeout(150), pytest.mark.parametrize("profile", PROFILES)]
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
NOUN = {"1.16.1": "orchestration", "1.18.3": "workflow"}
STEERING = ("terminate", "pause", "resume", "purge")


def call(
    stack: Stack, method: str, path: str, content: str | None = None, prefix: str = "v1.0"
) -> httpx.Response:
    """Call the workflow API, component `dapr`."""
    base = stack.health_url.replace("v1.0/healthz", f"{prefix}/workflows/dapr")
    return httpx.request(method, f"{base}/{path}", content=content, timeout=20)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["errorCode"], body["message"]


def is_status(stack: Stack, instance: str, status: str) -> None:
    until(lambda: get(stack, instance).runtime_status.name == status, what=f"{instance} {status}")


def test_a_workflow_from_start_to_purge(stack: Stack) -> None:
    """Start, get, raise, get and purge: 202 and 200, with the documented bodies."""
    started = call(stack, "POST", "collect/start?instanceID=http-1", "2")
    assert (started.status_code, started.json()) == (202, {"instanceID": "http-1"})
    is_status(stack, "http-1", "RUNNING")
    for data in ('"a"', '{"b": 1}'):
        raised = call(stack, "POST", "http-1/raiseEvent/item", data)
        assert (raised.status_code, raised.json()) == (202, {})
    finish(stack, "http-1")
    told = call(stack, "GET", "http-1")
    assert told.status_code == 200
    body: dict[str, Any] = told.json()
    assert all(RFC_3339.fullmatch(body.pop(name)) for name in ("createdAt", "lastUpdatedAt"))
    assert body == {
        "instanceID": "http-1",
        "workflowName": "collect",
        "runtimeStatus": "COMPLETED",
        "properties": {"dapr.workflow.input": "2", "dapr.workflow.output": '["a", {"b": 1}]'},
    }
    assert call(stack, "POST", "http-1/purge").status_code == 202
    assert call(stack, "GET", "http-1").status_code == 404


def test_pause_resume_and_terminate(stack: Stack) -> None:
    """Each is accepted before it has taken effect, and shows in the status soon after."""
    started = call(stack, "POST", "approval/start?instanceID=http-2", "3600")
    assert started.status_code == 202
    is_status(stack, "http-2", "RUNNING")
    properties = call(stack, "GET", "http-2").json()["properties"]
    assert properties["dapr.workflow.custom_status"] == "waiting for approval"
    for verb, status in (
        ("pause", "SUSPENDED"),
        ("resume", "RUNNING"),
        ("terminate", "TERMINATED"),
    ):
        assert call(stack, "POST", f"http-2/{verb}").status_code == 202
        is_status(stack, "http-2", status)


def test_a_failure_is_told(stack: Stack, profile: str) -> None:
    """Type and message are properties; the stack trace on newer versions alone."""
    call(stack, "POST", "child/start?instanceID=http-3", '{"fail": "no luck"}')
    finish(stack, "http-3")
    body = call(stack, "GET", "http-3").json()
    assert body["runtimeStatus"] == "FAILED"
    properties = body["properties"]
    assert properties["dapr.workflow.failure.error_type"] == "ValueError"
    assert "no luck" in properties["dapr.workflow.failure.error_message"]
    assert ("dapr.workflow.failure.stack_trace" in properties) == (profile == "1.18.3")


@pytest.mark.parametrize("prefix", ["v1.0-beta1", "v1.0-alpha1"])
def test_older_prefixes_and_no_id_and_no_body(stack: Stack, prefix: str) -> None:
    """An id is made up where none is given; an empty body is an empty input."""
    started = call(stack, "POST", "chain/start", prefix=prefix)
    assert started.status_code == 202
    instance = started.json()["instanceID"]
    until(lambda: call(stack, "GET", instance, prefix=prefix).status_code == 200)
    told = call(stack, "GET", instance, prefix=prefix).json()
    assert told["properties"]["dapr.workflow.input"] == ""


@pytest.mark.parametrize(
    ("instance", "code", "text"),
    [
        ("a.b", "ERR_INSTANCE_ID_INVALID", "workflow instance ID 'a.b' is invalid: only"),
        ("x" * 65, "ERR_INSTANCE_ID_TOO_LONG", "exceeds the max length of 64 characters"),
        ("é" * 33, "ERR_INSTANCE_ID_TOO_LONG", "exceeds the max length of 64 characters"),
    ],
    ids=["dot", "long", "long in bytes"],
)
def test_ids_over_http_are_stricter(stack: Stack, instance: str, code: str, text: str) -> None:
    """Letters, digits, `_` and `-`, at most 64 bytes: 400 for anything else."""
    status, error_code, message = refusal(call(stack, "POST", f"chain/start?instanceID={instance}"))
    assert (status, error_code) == (400, code)
    assert text in message


@pytest.mark.parametrize("verb", STEERING)
def test_an_unknown_instance(stack: Stack, profile: str, verb: str) -> None:
    """Get, terminate and purge say 404 as recorded; pause and resume 500 as in the source."""
    answer = refusal(call(stack, "POST", f"nobody/{verb}"))
    if verb in ("terminate", "purge"):
        text = "unable to find workflow with the provided instance ID: nobody"
        assert answer == (404, "ERR_INSTANCE_ID_NOT_FOUND", text)
        assert refusal(call(stack, "GET", "nobody")) == answer
    else:
        ing, done = {"pause": ("pausing", "suspend"), "resume": ("resuming", "resume")}[verb]
        text = (
            f"error {ing} workflow nobody: failed to {verb} workflow nobody: "
            f"failed to {done} {NOUN[profile]}: no such instance exists"
        )
        assert answer == (500, f"ERR_{verb.upper()}_WORKFLOW", text)


def test_an_event_for_nobody(stack: Stack) -> None:
    """500, with the words of Dapr's source."""
    text = (
        "error raising event on workflow 'nobody': failed to raise event go on workflow nobody: "
        "failed to raise event: no such instance exists"
    )
    answer = refusal(call(stack, "POST", "nobody/raiseEvent/go", "1"))
    assert answer == (500, "ERR_RAISE_EVENT_WORKFLOW", text)


def test_what_runs_is_neither_purged_nor_started_again(stack: Stack, profile: str) -> None:
    """Both are 500; newer versions quote the gRPC status of an active id."""
    start(stack, "collect", "http-busy", 1)
    text = (
        "error purging workflow http-busy: failed to Purge workflow http-busy: failed to purge "
        f"{NOUN[profile]} state: orchestration has not yet completed"
    )
    assert refusal(call(stack, "POST", "http-busy/purge")) == (500, "ERR_PURGE_WORKFLOW", text)
    coded = "rpc error: code = AlreadyExists desc = " if profile == "1.18.3" else ""
    text = (
        "error starting workflow 'collect': unable to start workflow: failed to start "
        f"{NOUN[profile]}: {coded}an active workflow with ID 'http-busy' already exists"
    )
    answer = refusal(call(stack, "POST", "collect/start?instanceID=http-busy"))
    assert answer == (500, "ERR_START_WORKFLOW", text)


def test_bodies_up_to_4_mib_are_taken(stack: Stack) -> None:
    """As daprd's default has it: a longer one is 413, and starts nothing."""
    taken = call(stack, "POST", "echo_input/start?instanceID=http-long", f'"{"x" * 2_000_000}"')
    assert taken.status_code == 202
    assert len(finish(stack, "http-long").serialized_output) == 2_000_002
    refused = call(stack, "POST", "echo_input/start?instanceID=http-longer", "x" * 5_000_000)
    assert refused.status_code == 413
    assert call(stack, "GET", "http-longer").status_code == 404


@pytest.mark.parametrize("content", ["not json", "[1]", "[" * 100_000])
@pytest.mark.parametrize("verb", STEERING)
def test_a_body_that_is_no_json_object(stack: Stack, verb: str, content: str) -> None:
    """Where the body is not an input it has to be an object, and 400 says so."""
    status, code, message = refusal(call(stack, "POST", f"nobody/{verb}", content))
    assert (status, code) == (400, "ERR_MALFORMED_REQUEST")
    assert message.startswith("failed deserializing HTTP body: ")
