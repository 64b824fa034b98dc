"""Who makes a call: the identity headers that travel with every LLM call.

Values are percent-encoded on the wire where a header could not carry them, and bounded: a longer
one is shortened to a prefix and its SHA-256, so that two callers never become one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote

UNKNOWN: Final = "unknown"
"""Stands for every part of an identity that the caller did not send."""

APP_HEADER: Final = "X-Workflow-App"
WORKFLOW_HEADER: Final = "X-Workflow-Name"
ROOT_HEADER: Final = "X-Workflow-Root"
INSTANCE_HEADER: Final = "X-Workflow-Instance"
ACTIVITY_HEADER: Final = "X-Workflow-Activity"
TASK_ID_HEADER: Final = "X-Workflow-Task-Id"
EXECUTION_ID_HEADER: Final = "X-Workflow-Execution-Id"
IDEMPOTENCY_KEY_HEADER: Final = "Idempotency-Key"

HEADER_OF_FIELD: Final[Mapping[str, str]] = {
    "app": APP_HEADER,
    "workflow": WORKFLOW_HEADER,
    "root": ROOT_HEADER,
    "instance": INSTANCE_HEADER,
    "activity": ACTIVITY_HEADER,
    "task_id": TASK_ID_HEADER,
    "execution_id": EXECUTION_ID_HEADER,
    "idempotency_key": IDEMPOTENCY_KEY_HEADER,
}

MAX_VALUE_LENGTH: Final = 256

_FIELD_OF_NAME = {header.lower(): field for field, header in HEADER_OF_FIELD.items()}
_FIELD_OF_RAW_NAME = {name.encode(): field for name, field in _FIELD_OF_NAME.items()}
_SAFE_IN_HEADER: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """The workflow, and the place in it, that a call is made for; `unknown` where not said.

    Attributes:
        app: The application, such as its Dapr app id.
        workflow: Name of the workflow.
        root: Instance id of the outermost parent.
        instance: Instance id.
        activity: Name of the activity.
        task_id: Id of the task in the workflow's history: the same over redeliveries.
        execution_id: The SDK's task execution id: the same over redeliveries and SDK retries.
        idempotency_key: `<instance>:<execution id>:<task id>:<ordinal>`.
    """

    app: str = UNKNOWN
    workflow: str = UNKNOWN
    root: str = UNKNOWN
    instance: str = UNKNOWN
    activity: str = UNKNOWN
    task_id: str = UNKNOWN
    execution_id: str = UNKNOWN
    idempotency_key: str = UNKNOWN

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "CallerIdentity":
        """Read the identity from headers, whatever the case of their names."""
        lowered = ((name.lower(), value) for name, value in headers.items())
        found = [(_FIELD_OF_NAME[name], v) for name, v in lowered if name in _FIELD_OF_NAME]
        return cls(**{field: _decoded(v) for field, v in found if v.strip()})

    @classmethod
    def from_asgi(cls, headers: Iterable[tuple[bytes, bytes]]) -> "CallerIdentity":
        """Read the identity from an ASGI scope's headers, whose names are lower case."""
        found = [(_FIELD_OF_RAW_NAME[name], v) for name, v in headers if name in _FIELD_OF_RAW_NAME]
        return cls(**{field: _decoded(v.decode("latin-1")) for field, v in found if v.strip()})

    def to_headers(self) -> dict[str, str]:
        """Return the headers that carry this identity; what is unknown is left out."""
        values = ((header, getattr(self, field)) for field, header in HEADER_OF_FIELD.items())
        return {
            header: quote(value, safe=_SAFE_IN_HEADER)
            for header, value in values
            if value and value != UNKNOWN
        }


def _decoded(value: str) -> str:
    text = unquote(value.strip())
    if len(text) <= MAX_VALUE_LENGTH:
        return text
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{text[: MAX_VALUE_LENGTH - len(digest) - 1]}~{digest}"
