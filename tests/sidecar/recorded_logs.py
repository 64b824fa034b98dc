"""What real daprd logged in the recorded scenarios, and what our sidecar logs in their place."""

import json
import re
from pathlib import Path

from tests.sidecar.stack import Stack

_FOLDER = Path(__file__).parents[1] / "data" / "dapr-traces"
_RANDOM = re.compile(r"(activity-result|new-event|start)-\w{8}\b")
# Of the workflow engine and what drives it; the rest is about daprd's other parts.
_SCOPES = re.compile(
    r"dapr\.(wfengine|runtime\.(wfengine|actors\.targets|actor\.target|scheduler)).*"
)
Line = tuple[str, str, str]


def recorded(version: str, scenario: str, instance: str, ours: str) -> set[Line]:
    """Return level, scope and text of what was logged, told of our instance."""
    lines = (_FOLDER / version / f"{scenario}.jsonl").read_text().splitlines()
    notes = [each for each in map(json.loads, lines) if each.get("event") == "daprd-log"]
    found = {(each["level"], each["scope"], each["msg"]) for each in notes}
    return {
        (level, scope, _RANDOM.sub(r"\1-…", text.replace(instance, ours)))
        for level, scope, text in found
        if _SCOPES.fullmatch(scope)
    }


def logged(running: Stack) -> set[Line]:
    """Return what our sidecar has logged."""
    return {
        (each["level"], each.get("scope", ""), _RANDOM.sub(r"\1-…", each["event"]))
        for each in running.log()
    }
