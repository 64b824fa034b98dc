"""Idempotency keys and executions: what tells two calls that are the same from two that are not.

Pure. A claim covers every header whose name tells of a credential: an answer never reaches a caller
who shows another one there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from metering.identity import UNKNOWN, CallerIdentity

_CREDENTIAL: Final = re.compile(
    rb"auth|key|token|secret|credential|passw|signature|session|subscription|principal"
)
"""In a header's name. One too many only keeps a call from being repeated."""

_NO_CREDENTIAL: Final = b"idempotency-key"


@dataclass(frozen=True, slots=True)
class Claim:
    """A caller's word that calls with this key are one call.

    Attributes:
        key: Digest of the idempotency key and the caller's credentials.
        body: Digest of the request, as it was received.
    """

    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Execution:
    """The place of a call in its workflow: the same each time its activity is executed again.

    Attributes:
        activity: Digest of instance, execution id and task id.
        ordinal: Which call of the activity it is.
        label: The activity, for people.
    """

    activity: str
    ordinal: str
    label: str


def claim_of(
    identity: CallerIdentity, headers: Iterable[tuple[bytes, bytes]], target: str, body: bytes
) -> Claim | None:
    """Return the claim of a request, None when it has no idempotency key."""
    if identity.idempotency_key in {"", UNKNOWN}:
        return None
    credentials = [name + b":" + value for name, value in headers if _is_credential(name)]
    return Claim(
        _digest(_bytes(identity.idempotency_key), *credentials), _digest(target.encode(), body)
    )


def execution_of(identity: CallerIdentity) -> Execution | None:
    """Return the execution that a call belongs to, None when its identity does not tell.

    Without an idempotency key two calls of one execution would look like two executions.
    """
    activity = activity_of(identity)
    if activity is None or identity.idempotency_key in {"", UNKNOWN}:
        return None
    label = (
        f"activity {identity.activity} (task {identity.task_id}, execution {identity.execution_id})"
    )
    ordinal = identity.idempotency_key.rpartition(":")[2]
    return Execution(activity, ordinal, label)


def activity_of(identity: CallerIdentity) -> str | None:
    """Return the digest of an activity, the same however often the engine executes it.

    None when the identity does not tell its instance, execution id and task id.
    """
    parts = (identity.instance, identity.execution_id, identity.task_id)
    return None if UNKNOWN in parts else _digest(*map(_bytes, parts))


def _is_credential(name: bytes) -> bool:
    return _CREDENTIAL.search(name) is not None and name != _NO_CREDENTIAL


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _digest(*parts: bytes) -> str:
    """Return a digest of parts that no other parts have, however they are split."""
    found = sha256()
    for part in parts:
        found.update(b"%d:" % len(part))
        found.update(part)
    return found.hexdigest()
