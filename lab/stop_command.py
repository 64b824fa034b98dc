"""`runaway stop INSTANCE`: asks the running stack's gateway to stop a workflow at its source."""

import getpass
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from lab.errors import CannotRunError, UsageError
from lab.paths import stack_dir
from lab.printing import print_json, print_lines
from lab.stack_client import require_stack

_TIMEOUT_S = 60.0
_OK, _NOT_PROVEN = 0, 1


def run_stop(instance: str, *, reason: str, app: str | None, as_json: bool) -> int:
    """Stop an instance, print what came of it, return the exit code.

    Raises:
        UsageError: no instance is called so.
        NoStackError: no stack runs.
        CannotRunError: the gateway does not answer, or refuses.
    """
    if instance.strip(".") == "":
        raise UsageError([f"stop: {instance!r} is no instance id"])
    state = require_stack(stack_dir())
    view = _ask(state.config.url("budget"), instance, reason=reason, app=app)
    if as_json:
        print_json(view)
    else:
        print_lines(*_told(view))
    is_stopped = (view.get("source") or {}).get("state") == "stopped"
    return _OK if is_stopped and not _is_stranger(view) else _NOT_PROVEN


def _ask(url: str, instance: str, *, reason: str, app: str | None) -> dict[str, Any]:
    body = {"reason": reason, "actor": _actor(), **({"app": app} if app else {})}
    address = f"{url}/instances/{quote(instance, safe='')}/stop"
    try:
        answer = httpx.post(address, json=body, timeout=_TIMEOUT_S, trust_env=False)
        document: dict[str, Any] = answer.json()
    except (httpx.TransportError, ValueError) as error:
        raise CannotRunError(f"the gateway at {url} does not answer: {error!r}") from error
    if answer.is_error:
        raise CannotRunError(str(document["error"]["message"]))
    return document


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # Some containers run as a user without a name.
        return "runaway stop"


def _is_stranger(view: Mapping[str, Any]) -> bool:
    """Tell whether nobody has seen a call or a job of this instance: its id may be a mistake."""
    deleted = (view.get("source") or {}).get("jobs_deleted", 0)
    return not (view["calls"] or view["executions"] or view["reserved"]["nano_usd"] or deleted)


def _told(view: dict[str, Any]) -> list[str]:
    source = view.get("source") or {"state": "pending", "jobs_deleted": 0}
    lines = [f"{view['instance']}: {view['state']}, its calls are refused from now on"]
    jobs = source["jobs_deleted"]
    deleted = f"{jobs} {'job' if jobs == 1 else 'jobs'} deleted"
    match source["state"]:
        case "stopped" if _is_stranger(view):
            lines.append(
                "source: no job of it was found, and the gateway has seen no call of it: is the id "
                "right? (--app names its app, if it is another one)"
            )
        case "stopped":
            lines.append(f"source: stopped, {deleted}, none left")
        case "failed":
            lines.append(f"source: not stopped, {deleted}: {source['error']}; try again")
        case _:
            why = f": {source['error']}" if source.get("error") else ""
            lines.append(f"source: not stopped yet, {deleted}{why}; the gateway goes on trying")
    return lines
