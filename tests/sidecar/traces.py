"""The exchanges recorded on real Dapr, and the form in which two exchanges are compared."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.sidecar.wiretap import Message

_FOLDER = Path(__file__).parents[1] / "data" / "dapr-traces"
_TIME = re.compile(r"^(?!0001-|9999-)\d{4}-\d\d-\d\dT")
_JOB = re.compile(r"((?:start|new-event|activity-result|timer-\d+)-?)[\w-]{8}(?=[\" ])")
_IDS = {"executionId", "taskExecutionId"}


def recorded(version: str, scenario: str) -> list[Message]:
    """Return the messages of a recorded scenario."""
    lines = map(json.loads, (_FOLDER / version / f"{scenario}.jsonl").read_text().splitlines())
    return [
        Message(
            each["t"],
            each["dir"],
            each["method"].rpartition("/")[2],
            each.get("message", {}),
            each.get("error", {}),
        )
        for each in _with_instances(lines)
    ]


def _with_instances(lines: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    # An answer does not say which instance it is about: it belongs to the latest such call.
    asked: dict[str, str] = {}
    for each in lines:
        if "method" not in each or ("message" not in each and "error" not in each):
            continue
        method, body = each["method"], each.setdefault("message", {})
        if each["dir"] == "app->sidecar":
            asked[method] = body.get("instanceId", "")
        elif not method.endswith("GetWorkItems"):
            state = body.get("workflowState", {})
            body.setdefault("instanceId", state.get("instanceId", asked.get(method, "")))
        yield each


def about(messages: Iterable[Message], instance: str) -> list[Message]:
    """Return the messages about an instance."""
    return [each for each in messages if each.instance == instance]


def turns(messages: Iterable[Message]) -> list[Any]:
    """Return the turns that the app was asked to take, in order."""
    return [
        plain(each.body["workflowRequest"]) for each in messages if "workflowRequest" in each.body
    ]


def activities(messages: Iterable[Message]) -> list[Any]:
    """Return the activities that the app was asked to run, by task id."""
    asked = [plain(e.body["activityRequest"]) for e in messages if "activityRequest" in e.body]
    return sorted(asked, key=lambda each: int(each["taskId"]))


def answers(messages: Iterable[Message], *methods: str) -> list[Any]:
    """Return what the sidecar answered to the calls of these methods, in order."""
    return [
        (each.method, plain(each.body), plain(_told(each.error)))
        for each in messages
        if each.direction == "sidecar->app" and each.method in methods
    ]


def _told(error: dict[str, Any]) -> dict[str, Any]:
    return {name: error[name] for name in ("code", "details") if name in error}


def plain(value: Any) -> Any:
    """Return a message without what differs from run to run: times, random ids, stack traces."""
    if isinstance(value, dict):
        return {
            name: "<id>" if name in _IDS else plain(each)
            for name, each in value.items()
            if name != "stackTrace"
        }
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return "<time>" if _TIME.match(value) else _JOB.sub(r"\1<random>", value)
    return value
